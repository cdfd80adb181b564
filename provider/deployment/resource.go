// Package deployment manages deployments of the bridge:
// scimbridge_deployment.
//
// It maps between Terraform and package deploy, whose targets do the work,
// and decides what a plan shows: a revision that is not there yet, a bridge
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

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

// bridge asks the account only which one it is, and for bridges that cannot
// be found: what it manages is at the target.
type bridge struct {
	client *client.Client // nil while it is not configured
	here   process.Machine
}

var (
	_ resource.ResourceWithConfigure   = (*bridge)(nil)
	_ resource.ResourceWithIdentity    = (*bridge)(nil)
	_ resource.ResourceWithModifyPlan  = (*bridge)(nil)
	_ resource.ResourceWithImportState = (*bridge)(nil)

	_ resource.ResourceWithValidateConfig = (*bridge)(nil)
)

// New is the resource scimbridge_deployment.
func New() resource.Resource { return &bridge{here: process.ThisMachine()} }

func (r *bridge) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_deployment"
}

func (r *bridge) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *bridge) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identity.Schema("The target's kind and the deployment's place there, `process:/absolute/data_dir`.")
}

func (r *bridge) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	timeout, diags := plan.Timeouts.Create(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	work := r.prepare(ctx, plan, config, memory{}, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := deploy.Within(ctx, timeout, "timeouts.create")
	defer cancel()

	createErr := work.target.Create(ctx, work.spec, work.revision, work.token)
	if exists, ok := errors.AsType[*deploy.ExistsError](createErr); ok {
		resp.Diagnostics.AddAttributeError(path.Root("process").AtName("data_dir"), existsTitle, existsText(work.target, exists.Name))
		return
	}
	state, err := work.target.Observe(context.WithoutCancel(ctx))
	if createErr != nil && errors.Is(err, deploy.ErrAbsent) { // it took back what it made
		report(&resp.Diagnostics, "Cannot deploy the bridge", createErr)
		return
	}
	if err != nil {
		report(&resp.Diagnostics, "Cannot deploy the bridge", errors.Join(createErr, err))
		return
	}
	// From here on a bridge exists: whatever happens next, Terraform must know it.
	planned := plan
	resp.Diagnostics.Append(r.remember(ctx, resp.Private, work.target, state)...)
	r.sameAccount(ctx, resp.Private, "", &resp.Diagnostics)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account(work.spec.Session), work.target.ID())...)
	resp.Diagnostics.Append(plan.compute(ctx, work.target, state)...)
	plan.keep(planned)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	if createErr != nil {
		report(&resp.Diagnostics, "Cannot deploy the bridge", createErr)
		return
	}
	state, err = work.wait().Until(ctx)
	if !errors.Is(err, deploy.ErrAbsent) {
		resp.Diagnostics.Append(plan.compute(ctx, work.target, state)...)
		plan.keep(planned)
		resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	}
	reportUnready(&resp.Diagnostics, plan.OnUnready.ValueString(), err)
}

func (r *bridge) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m model
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	dataDir, err := dataDirOf(m.ID.ValueString())
	if err != nil {
		resp.Diagnostics.AddError("Not a deployment that this version knows", err.Error())
		return
	}
	imported := m.Name.IsNull()
	r.claims().manage(dataDir)
	if !imported {
		resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account(m.Session.ValueString()), m.ID.ValueString())...)
		if err := r.sameMachine(ctx, req.Private, dataDir); err != nil {
			warnUnseen(&resp.Diagnostics, "The bridge runs on another machine", err)
			return
		}
	}
	target, err := process.Open(dataDir, r.here, recall(ctx, req.Private).Trace)
	var state deploy.State
	if err == nil {
		state, err = target.Observe(ctx)
	}
	_, elsewhere := errors.AsType[*process.ElsewhereError](err)
	switch {
	case err == nil:
		warnOverlap(&resp.Diagnostics, state)
	case imported:
		resp.Diagnostics.AddError("No bridge to import", fmt.Sprintf("Looked in %s: %v.", dataDir, err))
		return
	case errors.Is(err, deploy.ErrAbsent):
		r.readAbsent(ctx, m, req.Private, resp)
		return
	case elsewhere:
		warnUnseen(&resp.Diagnostics, "The bridge runs on another machine", err)
		return
	default:
		warnUnseen(&resp.Diagnostics, "Cannot look at the bridge", err)
		return
	}
	if imported {
		m.imported(state.Spec.Memo)
		resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account(state.Spec.Session), m.ID.ValueString())...)
	}
	resp.Diagnostics.Append(r.remember(ctx, resp.Private, target, state)...)
	if state.Lost != "" {
		// The specification is lost with the record; what the state has of it is all that is known.
		warnLost(&resp.Diagnostics, state)
		resp.Diagnostics.Append(m.computeStatus(ctx, state)...)
	} else {
		resp.Diagnostics.Append(m.observe(ctx, target, state)...)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// readAbsent decides what it means that neither the folder nor a process leads to the bridge.
func (r *bridge) readAbsent(ctx context.Context, m model, private client.Private, resp *resource.ReadResponse) {
	known := recall(ctx, private)
	instance := (&process.Target{Trace: known.Trace}).Instance()
	heard := r.heardOf(ctx, instance, m.Revision.ValueString())
	title, text := "The bridge is gone", fmt.Sprintf("%s holds no deployment, and no process of it runs. The plan makes it anew.", m.ID.ValueString())
	switch {
	case heard == nil:
		resp.State.RemoveResource(ctx)
	case instance != "":
		resp.State.RemoveResource(ctx)
		text += fmt.Sprintf(" But %s: if it runs from a folder that was moved, or on another machine, end it there first, or import it from there.", seenAt(*heard))
	default: // nothing here tells that its process has ended
		title, text = "The bridge cannot be found", sentence(lostSomewhere(m.ID.ValueString(), *heard))
		known.Lost = text
		if stored, err := json.Marshal(known); err == nil {
			resp.Diagnostics.Append(resp.Private.SetKey(ctx, memoryKey, stored)...)
		}
	}
	resp.Diagnostics.AddWarning(title, text)
}

func lostSomewhere(id string, heard api.Bridge) string {
	return fmt.Sprintf("%s holds no deployment, but %s. If its folder was moved, move it back. "+
		"If it runs from elsewhere, end its process by hand (`pgrep -af 'scim-bridge serve'` shows them); two minutes later the account knows it as gone", id, seenAt(heard))
}

// warnUnseen says why the bridge was not looked at. The state stays as it is:
// what cannot be seen is not gone.
func warnUnseen(diags *diag.Diagnostics, title string, err error) {
	diags.AddWarning(title, sentence(err.Error())+".\n\nThe state is kept as it was. An apply that would touch the bridge fails.")
}

// warnLost says what was found of a bridge whose record is lost.
func warnLost(diags *diag.Diagnostics, s deploy.State) {
	how := "The bridge does not run. The apply starts it again and writes the record anew"
	if s.Running {
		how = "The bridge runs all the same. The apply writes the record anew, and replaces the process where it cannot be reached otherwise"
	}
	diags.AddWarning("The record of the deployment is lost", fmt.Sprintf("%s. %s; destroying ends it.", sentence(s.Lost), how))
}

func (r *bridge) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	timeout, diags := plan.Timeouts.Update(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	work := r.prepare(ctx, plan, config, recall(ctx, req.Private), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := deploy.Within(ctx, timeout, "timeouts.update")
	defer cancel()
	if err := r.sameMachine(ctx, req.Private, work.target.DataDir); err != nil {
		report(&resp.Diagnostics, "The bridge runs on another machine", err)
	}
	r.sameAccount(ctx, resp.Private, plan.Session.ValueString(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if err := work.target.Update(ctx, work.spec, work.revision, work.token); err != nil {
		report(&resp.Diagnostics, "Cannot update the bridge", err) // the state stays as it was, and so, if it ran, does the bridge
		return
	}
	state, err := work.target.Observe(context.WithoutCancel(ctx))
	if err == nil && plan.Status.IsUnknown() {
		state, err = work.wait().Until(ctx)
	}
	if state.Trace != "" { // also if the wait has failed: this is the process that runs
		resp.Diagnostics.Append(r.remember(ctx, resp.Private, work.target, state)...)
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account(work.spec.Session), work.target.ID())...)
	reportUnready(&resp.Diagnostics, plan.OnUnready.ValueString(), err)
	if resp.Diagnostics.HasError() {
		return // with the prior state: after State.Set, the next plan would say that there is nothing to do
	}
	planned := plan
	resp.Diagnostics.Append(plan.compute(ctx, work.target, state)...)
	plan.keep(planned)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

// keep puts back what the plan promised. What changed meanwhile is seen by
// the next Read.
func (m *model) keep(planned model) {
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

func (r *bridge) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m model
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	timeout, diags := m.Timeouts.Delete(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	refuseProtected(m, &resp.Diagnostics)
	dataDir, err := dataDirOf(m.ID.ValueString())
	if err == nil {
		err = r.sameMachine(ctx, req.Private, dataDir)
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot destroy the deployment", sentence(err.Error()))
	}
	r.sameAccount(ctx, req.Private, m.Session.ValueString(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := deploy.Within(ctx, timeout, "timeouts.delete")
	defer cancel()
	target := &process.Target{DataDir: dataDir, Machine: r.here, Trace: recall(ctx, req.Private).Trace}
	if err := r.destroy(ctx, target, m); err != nil {
		resp.Diagnostics.AddError("Cannot destroy the deployment", sentence(err.Error()))
	}
}

// destroy ends the bridge, and refuses to take one for ended that the account hears of.
func (r *bridge) destroy(ctx context.Context, target *process.Target, m model) error {
	_, err := target.Observe(ctx)
	if errors.Is(err, deploy.ErrAbsent) && target.Trace == "" {
		if heard := r.heardOf(ctx, "", m.Revision.ValueString()); heard != nil {
			return errors.New(lostSomewhere(target.ID(), *heard))
		}
	}
	return target.Destroy(ctx)
}

func (r *bridge) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	id, owner := req.ID, ""
	if id == "" {
		resp.Diagnostics.Append(req.Identity.GetAttribute(ctx, path.Root("id"), &id)...)
		var named *string
		resp.Diagnostics.Append(req.Identity.GetAttribute(ctx, path.Root("account_id"), &named)...)
		if named != nil {
			owner = *named
		}
	}
	dataDir, err := dataDirOf(id)
	if err != nil {
		resp.Diagnostics.AddError("Cannot import the deployment", sentence(err.Error()))
	}
	if resp.Diagnostics.HasError() {
		return
	}
	target, err := process.Open(dataDir, r.here, "") // with its record: without it, there is nothing to import
	var state deploy.State
	if err == nil {
		state, err = target.Observe(ctx)
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot import the deployment", fmt.Sprintf("Looked in %s: %v.", dataDir, err))
		return
	}
	actual := account(state.Spec.Session)
	if owner != "" && owner != actual {
		resp.Diagnostics.AddError("The bridge belongs to another account", fmt.Sprintf("The bridge in %s has a session of account %q, not of %q.", dataDir, actual, owner))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, actual, id)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
}

const defaultTimeout = 3 * time.Minute

// claims are those of this run.
func (r *bridge) claims() *claims {
	if r.client == nil {
		return new(claims)
	}
	return client.Once[claims](r.client)
}

func dataDirOf(id string) (string, error) {
	dataDir, ok := strings.CutPrefix(id, process.IDPrefix)
	if !ok {
		return "", fmt.Errorf("the id %q must look like %s/absolute/data_dir", id, process.IDPrefix)
	}
	return dataDir, process.CheckDataDir(dataDir)
}

const existsTitle = "A bridge is deployed there already"

func existsText(t *process.Target, name string) string {
	return fmt.Sprintf("%s holds the deployment %q. If it is that of a resource that has another name now, write a moved block: nothing is made or "+
		"destroyed then. Without one, the old is destroyed and the new made in any order, and a second apply may be needed. "+
		"Otherwise choose another data_dir, or take that one over:\n\n%s", t.DataDir, name, importBlock(t))
}

func importBlock(t *process.Target) string {
	return fmt.Sprintf("import {\n  to = scimbridge_deployment.<name>\n  id = %q\n}", t.ID())
}

// work is what an apply has to do.
type work struct {
	target   *process.Target
	spec     deploy.Spec
	revision string
	token    session.Token
}

// wait is for the bridge that work deployed.
func (w work) wait() deploy.Wait {
	return deploy.Wait{Target: w.target, Revision: w.revision, Unsealed: !w.token.IsZero() || w.spec.Unseal == deploy.UnsealStored}
}

// prepare works out what to do, now that everything is known.
func (r *bridge) prepare(ctx context.Context, plan, config model, before memory, diags *diag.Diagnostics) work {
	r.claims().apply()
	target, d := plan.target(ctx, r.here)
	diags.Append(d...)
	spec, known, d := plan.spec(ctx)
	diags.Append(d...)
	if diags.HasError() {
		return work{}
	}
	if target == nil || !known {
		diags.AddError("Unknown values", "Terraform did not say all of what to deploy. This is a bug in the provider.")
		return work{}
	}
	target.Trace = before.Trace
	build, err := target.Build(ctx)
	if err != nil {
		diags.AddAttributeError(path.Root("process").AtName("binary"), "No bridge to deploy", sentence(err.Error()))
		return work{}
	}
	token, previous := r.checkToken(config.UnsealTokenWO, spec.Session, spec.Unseal, diags)
	if previous && plan.Status.IsUnknown() {
		warnPrevious(diags)
	}
	revision := spec.Revision(build)
	if planned := plan.Revision; !planned.IsUnknown() && planned.ValueString() != revision {
		// Something in this run made another program. The one that runs goes on, and the next plan shows the other.
		target.Keep, revision = before.Digest, planned.ValueString()
		if before.Digest == "" || spec.Revision(target.BuildOf(before.Digest)) != revision {
			diags.AddError("The plan is out of date", "The program to deploy is another one than when the plan was made. Run terraform apply again.")
		}
	}
	return work{target, spec, revision, token}
}

// checkToken reads the token and refuses one that does not open the session.
// Neither is ever part of a message.
//
// previous says that it opens what a bundle keeps for the overlap only. That
// will do for showing it to a bridge once, as the identity provider does until
// it is switched; stored, it would lock the bridge out when the overlap ends.
func (r *bridge) checkToken(text types.String, sealed string, unseal deploy.Unseal, diags *diag.Diagnostics) (token session.Token, previous bool) {
	file, err := session.Parse(sealed)
	if err != nil { // was unknown when the configuration was validated
		diags.AddAttributeError(path.Root("session"), "Invalid session", sentence(err.Error()))
		return session.Token{}, false
	}
	if text.ValueString() == "" {
		return session.Token{}, false
	}
	at := path.Root("unseal_token_wo")
	token, err = session.ParseToken(text.ValueString())
	if err != nil {
		diags.AddAttributeError(at, "Invalid token", sentence(err.Error()))
		return session.Token{}, false
	}
	entry, ok := file.Match(token)
	if !ok {
		if r.client != nil && r.client.Noted(client.EphemeralToken+token.Fingerprint()) {
			return session.Token{}, false // another one in every run: after the first, it opens nothing
		}
		diags.AddAttributeError(at, "The token does not open the session",
			"The session was sealed under another bearer token. Give both resources the same one: bearer_token_wo of scimbridge_provisioning and unseal_token_wo.")
		return token, false
	}
	previous = entry.Header.TokenFingerprint != file.Entries[0].Header.TokenFingerprint
	if previous && unseal == deploy.UnsealStored {
		diags.AddAttributeError(at, "The token is the previous one",
			"The credentials were rotated, and this token opens the session only until the overlap ends; stored, it would lock the bridge out then. "+
				"Set unseal_token_wo to the new bearer token, the one that bearer_token_wo of scimbridge_provisioning was given.")
	}
	return token, previous
}

func warnPrevious(diags *diag.Diagnostics) {
	diags.AddAttributeWarning(path.Root("unseal_token_wo"), "The token is the previous one",
		"The credentials were rotated, and this token opens the session only until the overlap ends. The bridge works with it until then; "+
			"set unseal_token_wo to the new bearer token, the one that bearer_token_wo of scimbridge_provisioning was given.")
}

func refuseProtected(m model, diags *diag.Diagnostics) {
	if m.DeletionProtection.ValueBool() {
		diags.AddError("The deployment is protected",
			fmt.Sprintf("%s has deletion_protection. Set it to false and apply, then destroy or replace the deployment.", m.ID.ValueString()))
	}
}

// report tells an error that ended an apply.
func report(diags *diag.Diagnostics, title string, err error) {
	diags.AddError(title, sentence(err.Error()))
}

// reportUnready tells why a bridge did not become ready, or nothing.
func reportUnready(diags *diag.Diagnostics, onUnready string, err error) {
	if err == nil {
		return
	}
	reason, ok := errors.AsType[*deploy.NotReadyError](err)
	if ok && (reason.Pending || onUnready == onUnreadyWarn) {
		diags.AddWarning("The bridge is deployed, and not ready yet", sentence(reason.Error()))
		return
	}
	diags.AddError("The bridge did not become ready", sentence(err.Error()))
}

// sentence makes an error text, which begins in lower case, fit for a person.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
