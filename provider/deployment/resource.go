// Package deployment manages deployments of the bridge:
// scimbridge_deployment.
//
// It maps between Terraform and package deploy, whose targets do the work,
// and decides what a plan shows: a revision that is not deployed yet, a bridge
// that was killed or is sealed.
package deployment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

// deploymentResource manages deployments at their targets. It uses the account only to
// check which account answers, and to look for bridges that are not found.
type deploymentResource struct {
	client *client.Client // nil before Configure
}

var (
	_ resource.ResourceWithConfigure   = (*deploymentResource)(nil)
	_ resource.ResourceWithIdentity    = (*deploymentResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*deploymentResource)(nil)
	_ resource.ResourceWithImportState = (*deploymentResource)(nil)

	_ resource.ResourceWithValidateConfig   = (*deploymentResource)(nil)
	_ resource.ResourceWithConfigValidators = (*deploymentResource)(nil)
)

// New is the resource scimbridge_deployment.
func New() resource.Resource { return new(deploymentResource) }

func (r *deploymentResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_deployment"
}

func (r *deploymentResource) Configure(_ context.Context, req resource.ConfigureRequest,
	resp *resource.ConfigureResponse,
) {
	r.client = client.WithoutAccount(req.ProviderData, &resp.Diagnostics)
}

func (r *deploymentResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identity.Schema(idDescription())
}

func (r *deploymentResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	timeout, diags := plan.Timeouts.Create(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, cancel := deploy.Within(withLog(ctx, plan), timeout, "timeouts.create")
	defer cancel()
	work := r.prepare(ctx, plan, config, observation{}, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}

	createErr := work.target.Create(ctx, work.spec, work.revision, work.token)
	if exists, ok := errors.AsType[*deploy.ExistsError](createErr); ok {
		resp.Diagnostics.Append(alreadyExists(work.kind, work.target.ID(), exists.Name))
		return
	}
	state, err := work.target.Observe(context.WithoutCancel(ctx))
	if createErr != nil && errors.Is(err, deploy.ErrAbsent) { // Create has undone its changes
		addError(&resp.Diagnostics, "Cannot deploy the bridge", createErr)
		return
	}
	if err != nil {
		addError(&resp.Diagnostics, "Cannot deploy the bridge", errors.Join(createErr, err))
		return
	}
	// A bridge exists now. The state must have it, even if a later step fails.
	planned := plan
	resp.Diagnostics.Append(saveObservation(ctx, resp.Private, observation{}, work.target, state)...)
	r.sameAccount(ctx, resp.Private, "", &resp.Diagnostics)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, accountOf(work.spec.Session), work.target.ID())...)
	resp.Diagnostics.Append(plan.setComputed(ctx, work.target.ID(), state)...)
	plan.keepPlanned(planned)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	if createErr != nil {
		addError(&resp.Diagnostics, "Cannot deploy the bridge", createErr)
		return
	}
	state, err = work.wait().Until(ctx)
	if !errors.Is(err, deploy.ErrAbsent) {
		resp.Diagnostics.Append(plan.setComputed(ctx, work.target.ID(), state)...)
		plan.keepPlanned(planned)
		resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	}
	addUnready(&resp.Diagnostics, plan.OnUnready.ValueString(), err)
}

func (r *deploymentResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m model
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	id, before := m.ID.ValueString(), loadObservation(ctx, req.Private)
	k, target, err := open(r.kinds(), id, before.Trace)
	if err != nil {
		resp.Diagnostics.AddError("Unknown kind of deployment", capitalize(err.Error()))
		return
	}
	imported := m.Name.IsNull()
	r.claims().manage(target)
	if !imported {
		resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, accountOf(m.Session.ValueString()), id)...)
		if err := elsewhere(ctx, req.Private, id); err != nil {
			warnUnseen(&resp.Diagnostics, err)
			return
		}
	}
	state, err := target.Observe(ctx)
	if imported {
		state, err = requireRecord(state, err)
	}
	switch {
	case imported && err != nil:
		addError(&resp.Diagnostics, "No bridge to import", fmt.Errorf("looked at %s: %w", id, err))
		return
	case err == nil:
		warnOverlap(&resp.Diagnostics, state)
	case errors.Is(err, deploy.ErrAbsent):
		r.readAbsent(ctx, k, m, req.Private, resp)
		return
	case r.addAway(err, &resp.Diagnostics):
		return
	default:
		warnUnseen(&resp.Diagnostics, err)
		return
	}
	if imported {
		m.fromMemo(state.Spec.Memo)
		resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, accountOf(state.Spec.Session), target.ID())...)
	}
	if state.Lost != "" {
		// The specification is lost with the record. Only the state still has it.
		warnLost(&resp.Diagnostics, state)
		resp.Diagnostics.Append(saveObservation(ctx, resp.Private, before, target, state)...)
		resp.Diagnostics.Append(m.setStatus(ctx, state)...)
	} else {
		resp.Diagnostics.Append(m.fromState(ctx, k, target.ID(), state)...)
		configured, diags := m.toTarget(ctx, k, before.Trace)
		resp.Diagnostics.Append(diags...)
		if resp.Diagnostics.HasError() {
			return
		}
		resp.Diagnostics.Append(saveObservation(ctx, resp.Private, before, configured, state)...)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// readAbsent removes the deployment from the state, unless the account has contact with a
// bridge that may be the deployed one.
func (r *deploymentResource) readAbsent(ctx context.Context, k kind, m model, private client.Private,
	resp *resource.ReadResponse,
) {
	known := loadObservation(ctx, private)
	instance := k.Instance(known.Trace)
	alive := r.findAlive(ctx, instance, m.Revision.ValueString())
	title, text := "The deployment does not exist", fmt.Sprintf("%s has no deployment and no running bridge. The plan "+
		"creates it again.", m.ID.ValueString())
	switch {
	case alive == nil:
		resp.State.RemoveResource(ctx)
	case instance != "":
		resp.State.RemoveResource(ctx)
		text += fmt.Sprintf(" But %s: if it runs from a folder that was moved, or on another machine, stop it there "+
			"first, or import it from there.", lastContact(*alive))
	default: // it may still be running
		title, text = "The bridge cannot be found", explainLost(k, m.ID.ValueString(), *alive)
		known.Lost = text
		if stored, err := json.Marshal(known); err == nil {
			resp.Diagnostics.Append(resp.Private.SetKey(ctx, observationKey, stored)...)
		}
	}
	resp.Diagnostics.AddWarning(title, text)
}

func explainLost(k kind, id string, alive api.Bridge) string {
	return fmt.Sprintf("%s has no deployment, but the bridge may be running: %s. %s",
		id, lastContact(alive), k.FindLost)
}

// addAway reports whether the target could not be asked. It adds the error for the first
// deployment of a run that finds that out: one is enough to end the run, and many deployments
// may have the same target.
func (r *deploymentResource) addAway(err error, diags *diag.Diagnostics) bool {
	away, ok := errors.AsType[*deploy.AwayError](err)
	if !ok {
		return false
	}
	if r.claims().noteAway(away) {
		diags.AddError("The target cannot be asked", capitalize(away.Error())+".\n\nNothing is known of the "+
			"deployments "+
			"there, so their state is not changed and nothing is planned.")
	}
	return true
}

// warnUnseen warns why the bridge could not be observed. The state is not changed, since
// the bridge may still run.
func warnUnseen(diags *diag.Diagnostics, err error) {
	title, text := "Cannot observe the bridge", capitalize(err.Error())+"."
	if errors.Is(err, deploy.ErrElsewhere) {
		title, text = elsewhereTitle, elsewhereText(err)
	}
	diags.AddWarning(title, text+"\n\nThe state is not changed. An apply that changes the bridge fails.")
}

const elsewhereTitle = "The bridge runs on another machine"

// warnLost warns that the record of a bridge is lost.
func warnLost(diags *diag.Diagnostics, s deploy.State) {
	how := "The bridge is not running. The apply starts it and writes a new record"
	if s.Running {
		how = "The bridge is still running. The apply writes a new record, " +
			"and replaces the bridge if it cannot be reached otherwise"
	}
	diags.AddWarning("The record of the deployment is lost",
		fmt.Sprintf("%s. %s; a destroy stops it.", capitalize(s.Lost), how))
}

func (r *deploymentResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	timeout, diags := plan.Timeouts.Update(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	before := loadObservation(ctx, req.Private)
	ctx, cancel := deploy.Within(withLog(ctx, plan), timeout, "timeouts.update")
	defer cancel()
	work := r.prepare(ctx, plan, config, before, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if err := elsewhere(ctx, req.Private, work.target.ID()); err != nil {
		addError(&resp.Diagnostics, elsewhereTitle, err)
	}
	r.sameAccount(ctx, resp.Private, plan.Session.ValueString(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if err := work.target.Update(ctx, work.spec, work.revision, work.token); err != nil {
		addError(&resp.Diagnostics, "Cannot update the bridge", err) // the state is not changed
		return
	}
	state, err := work.target.Observe(context.WithoutCancel(ctx))
	if err == nil && plan.Status.IsUnknown() {
		state, err = work.wait().Until(ctx)
	}
	if state.Trace != "" { // even if the wait failed: the new bridge runs
		resp.Diagnostics.Append(saveObservation(ctx, resp.Private, before, work.target, state)...)
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, accountOf(work.spec.Session), work.target.ID())...)
	addUnready(&resp.Diagnostics, plan.OnUnready.ValueString(), err)
	if resp.Diagnostics.HasError() {
		return // with the prior state: after State.Set, the next plan would be empty
	}
	planned := plan
	resp.Diagnostics.Append(plan.setComputed(ctx, work.target.ID(), state)...)
	plan.keepPlanned(planned)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

// keepPlanned restores the values that were known in the plan. The next Read shows later
// changes.
func (m *model) keepPlanned(planned model) {
	for _, v := range []struct{ now, promised *types.String }{
		{&m.URL, &planned.URL}, {&m.SCIMURL, &planned.SCIMURL}, {&m.Version, &planned.Version},
		{&m.Revision, &planned.Revision}, {&m.ObservedRevision, &planned.ObservedRevision},
		{&m.Status, &planned.Status}, {&m.EgressAddress, &planned.EgressAddress},
	} {
		if !v.promised.IsUnknown() {
			*v.now = *v.promised
		}
	}
	if !planned.Problems.IsUnknown() {
		m.Problems = planned.Problems
	}
}

func (r *deploymentResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m model
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	timeout, diags := m.Timeouts.Delete(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	refuseProtected(m, &resp.Diagnostics)
	id, before := m.ID.ValueString(), loadObservation(ctx, req.Private)
	k, target, err := open(r.kinds(), id, before.Trace)
	if err == nil {
		err = elsewhere(ctx, req.Private, id)
	}
	if err != nil {
		addError(&resp.Diagnostics, "Cannot destroy the deployment", err)
	}
	r.sameAccount(ctx, req.Private, m.Session.ValueString(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := deploy.Within(withLog(ctx, m), timeout, "timeouts.delete")
	defer cancel()
	if err := r.destroy(ctx, k, target, before.Trace, m); err != nil {
		addError(&resp.Diagnostics, "Cannot destroy the deployment", err)
	}
}

// destroy stops the bridge. It fails if the bridge is not found while the account still
// has contact with it.
func (r *deploymentResource) destroy(ctx context.Context, k kind, target deploy.Target, trace string, m model) error {
	_, err := target.Observe(ctx)
	if errors.Is(err, deploy.ErrAbsent) && trace == "" {
		if alive := r.findAlive(ctx, "", m.Revision.ValueString()); alive != nil {
			return errors.New(explainLost(k, target.ID(), *alive))
		}
	}
	return target.Destroy(ctx)
}

func (r *deploymentResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse,
) {
	id, owner := req.ID, ""
	if id == "" {
		resp.Diagnostics.Append(req.Identity.GetAttribute(ctx, path.Root("id"), &id)...)
		var named *string
		resp.Diagnostics.Append(req.Identity.GetAttribute(ctx, path.Root("account_id"), &named)...)
		if named != nil {
			owner = *named
		}
	}
	const title = "Cannot import the deployment"
	_, target, err := open(r.kinds(), id, "")
	if err != nil {
		addError(&resp.Diagnostics, title, err)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	state, err := requireRecord(target.Observe(ctx))
	if err != nil {
		addError(&resp.Diagnostics, title, fmt.Errorf("looked at %s: %w", id, err))
		return
	}
	actual := accountOf(state.Spec.Session)
	if owner != "" && owner != actual {
		resp.Diagnostics.AddError("The bridge belongs to another account", fmt.Sprintf("%s has a session of account "+
			"%q, not of %q.", id, actual, owner))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, actual, target.ID())...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
}

// withLog lets the work at the target write to Terraform's log.
func withLog(ctx context.Context, m model) context.Context {
	name := m.Name.ValueString()
	return deploy.WithLog(ctx, func(ctx context.Context, text string) {
		tflog.Info(ctx, text, map[string]any{"deployment": name})
	})
}

const defaultTimeout = 3 * time.Minute

// kinds returns the kinds of target, with the provider's configuration of them.
func (r *deploymentResource) kinds() []kind { return kinds(accessOf(r.client)) }

// claims returns the run's claims.
func (r *deploymentResource) claims() *claims {
	if r.client == nil {
		return new(claims)
	}
	return client.PerRun[claims](r.client)
}

// alreadyExists returns the error for a place that has a deployment.
func alreadyExists(k kind, id, name string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(k.path(k.PlaceArgument), "A bridge is already deployed there", fmt.Sprintf(
		"%s is the deployment %q. If it belongs to a resource that you renamed, write a moved block: "+
			"then nothing is created or destroyed. Without one, "+
			"the old is destroyed and the new created in any order, and a second apply may be needed. "+
			"Otherwise choose another %s, or import the deployment:\n\n%s",
		id, name, k.PlaceArgument, importBlock(id)))
}

func importBlock(id string) string {
	return fmt.Sprintf("import {\n  to = scimbridge_deployment.<name>\n  id = %q\n}", id)
}

// work describes an apply.
type work struct {
	kind     kind
	target   deploy.Target
	spec     deploy.Spec
	revision string
	token    session.Token
}

// wait returns the wait for the bridge that was deployed.
func (w work) wait() deploy.Wait {
	return deploy.Wait{Target: w.target, Revision: w.revision, Every: w.kind.Every, Unsealed: !w.token.IsZero() ||
		w.spec.Unseal == deploy.UnsealStored}
}

// prepare returns the work of an apply, when all values are known.
func (r *deploymentResource) prepare(ctx context.Context, plan, config model, before observation,
	diags *diag.Diagnostics,
) work {
	r.claims().apply()
	k, _ := plan.kind(r.kinds()) // checked by ModifyPlan
	target, d := plan.toTarget(ctx, k, before.Trace)
	diags.Append(d...)
	spec, known, d := plan.toSpec(ctx)
	diags.Append(d...)
	determined, d := config.addMonitoring(ctx, &spec)
	known = known && determined
	diags.Append(d...)
	if diags.HasError() {
		return work{}
	}
	if target == nil || !known {
		diags.AddError("Unknown values", "Some arguments were unknown during the apply. This is a bug in the provider.")
		return work{}
	}
	program, err := target.Fetch(ctx)
	if err != nil {
		diags.Append(k.diagnose("Cannot find the program", err))
		return work{}
	}
	chosen, err := chooseVersion(config.Version, target, program, before)
	if err != nil {
		diags.AddAttributeError(path.Root("version"), "The version cannot be deployed", capitalize(err.Error())+".")
		return work{}
	}
	if chosen.Digest != program.Digest {
		target.Keep(chosen.Digest)
	}
	program = chosen
	token, previous := r.checkToken(config.UnsealTokenWO, spec.Session, spec.Unseal, diags)
	if previous && plan.Status.IsUnknown() {
		warnPrevious(diags)
	}
	revision := spec.Revision(target.Build(program.Digest))
	if planned := plan.Revision; !planned.IsUnknown() && planned.ValueString() != revision {
		// Another resource of this run changed the program. The bridge keeps the old one; the next
		// plan shows the new one.
		target.Keep(before.Digest)
		revision = planned.ValueString()
		if before.Digest == "" || spec.Revision(target.Build(before.Digest)) != revision {
			diags.AddError("The plan is stale", "The program to deploy has changed since the plan was made. "+
				"Run terraform apply again.")
		}
	}
	return work{k, target, spec, revision, token}
}

// checkToken reads the token and refuses one that does not open the session.
// No message contains either.
//
// Previous reports whether the token opens the session that ends with the overlap. Such
// a token can unseal a bridge once, as the identity provider's requests do until it has
// the new token. If it were stored, a restart after the overlap would leave the bridge
// sealed.
func (r *deploymentResource) checkToken(text types.String, sealed string, unseal deploy.Unseal,
	diags *diag.Diagnostics) (token session.Token, previous bool) {
	file, err := session.Parse(sealed)
	if err != nil { // it was unknown during the validation
		diags.AddAttributeError(path.Root("session"), "Invalid session", capitalize(err.Error()))
		return session.Token{}, false
	}
	if text.ValueString() == "" {
		return session.Token{}, false
	}
	at := path.Root("unseal_token_wo")
	token, err = session.ParseToken(text.ValueString())
	if err != nil {
		diags.AddAttributeError(at, "Invalid token", capitalize(err.Error()))
		return session.Token{}, false
	}
	entry, ok := file.Match(token)
	if !ok {
		if r.client != nil && r.client.Noted(client.EphemeralToken+token.Fingerprint()) {
			return session.Token{}, false // it is new in every run, and opens the session only in the first
		}
		diags.AddAttributeError(at, "The token does not open the session",
			"The session was sealed under another bearer token. "+
				"Set unseal_token_wo to the same token as bearer_token_wo of scimbridge_provisioning.")
		return token, false
	}
	previous = entry.Header.TokenFingerprint != file.Entries[0].Header.TokenFingerprint
	if previous && unseal == deploy.UnsealStored {
		diags.AddAttributeError(at, "The token is the previous one",
			"The credentials were rotated, and this token opens the session only until the overlap ends. If it were "+
				"stored, the bridge would be sealed after that. Set unseal_token_wo to the new bearer token, as in "+
				"bearer_token_wo of scimbridge_provisioning.")
	}
	return token, previous
}

func warnPrevious(diags *diag.Diagnostics) {
	diags.AddAttributeWarning(path.Root("unseal_token_wo"), "The token is the previous one",
		"The credentials were rotated, and this token opens the session only until the overlap ends. Set "+
			"unseal_token_wo to the new bearer token, as in bearer_token_wo of scimbridge_provisioning.")
}

func refuseProtected(m model, diags *diag.Diagnostics) {
	if m.DeletionProtection.ValueBool() {
		diags.AddError("The deployment is protected",
			fmt.Sprintf("%s has deletion_protection. Set it to false and apply, then destroy or replace the "+
				"deployment.", m.ID.ValueString()))
	}
}

// addError adds the error of an apply.
func addError(diags *diag.Diagnostics, title string, err error) {
	if errors.Is(err, deploy.ErrElsewhere) {
		diags.AddError(title, elsewhereText(err))
		return
	}
	diags.AddError(title, capitalize(err.Error()))
}

// addUnready adds the reason why a bridge did not become ready, if any.
func addUnready(diags *diag.Diagnostics, onUnready string, err error) {
	if err == nil {
		return
	}
	if deploy.IsWarning(err, onUnready) {
		diags.AddWarning("The bridge is deployed but not ready yet", capitalize(err.Error()))
		return
	}
	diags.AddError("The bridge did not become ready", capitalize(err.Error()))
}

// capitalize turns an error's text into the beginning of a sentence.
func capitalize(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
