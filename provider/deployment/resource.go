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

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

// bridge asks nothing of the account: what it manages is at the target.
type bridge struct {
	client *client.Client // for the notes of this run; nil while it is not configured
	here   process.Machine
}

var (
	_ resource.ResourceWithConfigure   = (*bridge)(nil)
	_ resource.ResourceWithIdentity    = (*bridge)(nil)
	_ resource.ResourceWithModifyPlan  = (*bridge)(nil)
	_ resource.ResourceWithImportState = (*bridge)(nil)
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
	work := r.prepare(ctx, plan, config, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	createErr := work.target.Create(ctx, work.spec, work.revision, work.token)
	if exists, ok := errors.AsType[*deploy.ExistsError](createErr); ok {
		resp.Diagnostics.AddAttributeError(path.Root("process").AtName("data_dir"), "A bridge is deployed there already", fmt.Sprintf(
			"%s holds the deployment %q. Choose another data_dir, or take that one over:\n\nimport {\n  to = scimbridge_deployment.<name>\n  id = %q\n}",
			work.target.DataDir, exists.Name, work.target.ID()))
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
	machine, _ := json.Marshal(r.here) // two texts always marshal
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, machineKey, machine)...)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account(work.spec.Session), work.target.ID())...)
	resp.Diagnostics.Append(plan.compute(ctx, work.target, state)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	if createErr != nil {
		report(&resp.Diagnostics, "Cannot deploy the bridge", createErr)
		return
	}
	state, err = work.wait().Until(ctx)
	if !errors.Is(err, deploy.ErrAbsent) {
		resp.Diagnostics.Append(plan.compute(ctx, work.target, state)...)
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
	owner := account(m.Session.ValueString())
	if !imported {
		resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, owner, m.ID.ValueString())...)
		if err := r.sameMachine(ctx, req.Private, dataDir); err != nil {
			resp.Diagnostics.AddError("The bridge runs on another machine", sentence(err.Error()))
			return
		}
	}
	target, err := process.Open(dataDir, r.here)
	if errors.Is(err, deploy.ErrAbsent) {
		if imported {
			resp.Diagnostics.AddError("No bridge to import", fmt.Sprintf("No bridge is deployed in %s: the file bridge.json, which a deployment keeps there, is missing.", dataDir))
			return
		}
		resp.State.RemoveResource(ctx)
		return
	}
	if _, elsewhere := errors.AsType[*process.ElsewhereError](err); elsewhere {
		resp.Diagnostics.AddError("The bridge runs on another machine", sentence(err.Error()))
		return
	}
	var state deploy.State
	if err == nil {
		state, err = target.Observe(ctx)
	}
	if err != nil {
		resp.Diagnostics.AddError("Cannot look at the bridge", sentence(err.Error()))
		return
	}
	if imported {
		m.imported(state.Spec.Memo)
		owner = account(state.Spec.Session)
		machine, _ := json.Marshal(r.here) // two texts always marshal
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, machineKey, machine)...)
		resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, owner, m.ID.ValueString())...)
	}
	resp.Diagnostics.Append(m.observe(ctx, target, state)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (r *bridge) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	timeout, diags := plan.Timeouts.Update(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	work := r.prepare(ctx, plan, config, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := work.target.Update(ctx, work.spec, work.revision, work.token); err != nil {
		report(&resp.Diagnostics, "Cannot update the bridge", err) // the state stays as it was, and so, if it ran, does the bridge
		return
	}
	state, err := work.target.Observe(ctx)
	if err == nil && plan.Status.IsUnknown() {
		state, err = work.wait().Until(ctx)
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
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	target := &process.Target{DataDir: dataDir, Machine: r.here}
	if err := target.Destroy(ctx); err != nil {
		resp.Diagnostics.AddError("Cannot destroy the deployment", sentence(err.Error()))
	}
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
	target, err := process.Open(dataDir, r.here)
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

// machineKey is where private state keeps the machine that a process runs on:
// on any other, its folder is missing, which must not look like a deleted bridge.
const machineKey = "machine"

func (r *bridge) sameMachine(ctx context.Context, private client.Private, dataDir string) error {
	stored, _ := private.GetKey(ctx, machineKey)
	if len(stored) == 0 { // imported, and not yet read
		return nil
	}
	var there process.Machine
	if err := json.Unmarshal(stored, &there); err != nil {
		return fmt.Errorf("reading the machine from private state: %w", err)
	}
	if there.ID == r.here.ID {
		return nil
	}
	return &process.ElsewhereError{DataDir: dataDir, There: there, Here: r.here}
}

func dataDirOf(id string) (string, error) {
	dataDir, ok := strings.CutPrefix(id, process.IDPrefix)
	if !ok {
		return "", fmt.Errorf("the id %q must look like %s/absolute/data_dir", id, process.IDPrefix)
	}
	return dataDir, process.CheckDataDir(dataDir)
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
func (r *bridge) prepare(ctx context.Context, plan, config model, diags *diag.Diagnostics) work {
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
	if !plan.Revision.IsUnknown() && plan.Revision.ValueString() != revision {
		diags.AddError("The plan is out of date", "The program to deploy is another one than when the plan was made. Run terraform apply again.")
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
