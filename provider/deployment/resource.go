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

// ModifyPlan works out the revision that the configuration means, and from it
// whether the bridge will be touched at all.
func (r *bridge) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state, plan *model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if plan == nil {
		refuseProtected(*state, &resp.Diagnostics)
		return
	}
	if err := process.Supported(); err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("process"), "The process target does not work here", err.Error())
		return
	}
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	target, diags := plan.target(ctx, r.here)
	resp.Diagnostics.Append(diags...)
	spec, known, diags := plan.spec(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.Revision = types.StringUnknown()
	if target != nil {
		build, err := target.Build(ctx)
		if err != nil {
			resp.Diagnostics.AddAttributeError(path.Root("process").AtName("binary"), "No bridge to deploy", sentence(err.Error()))
			return
		}
		if known {
			plan.Revision = types.StringValue(spec.Revision(build))
		}
	}
	tokenless := config.UnsealTokenWO.IsNull()
	if !plan.Session.IsUnknown() && !config.UnsealTokenWO.IsUnknown() {
		tokenless = r.checkToken(config.UnsealTokenWO, plan.Session.ValueString(), &resp.Diagnostics).IsZero()
	}
	if state != nil && target != nil && state.ID.ValueString() != target.ID() { // replaced, as far as Terraform is concerned
		refuseProtected(*state, &resp.Diagnostics)
		state = nil
	}
	if state == nil && config.UnsealTokenWO.IsNull() && plan.Unseal.ValueString() == string(deploy.UnsealStored) {
		resp.Diagnostics.AddAttributeError(path.Root("unseal_token_wo"), "No token to store",
			`With unseal = "stored", a new deployment needs the bearer token: set unseal_token_wo.`)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	plan.foresee(state, target)
	if plan.Status.IsUnknown() {
		warnWhy(state, *plan, tokenless && plan.Unseal.ValueString() == string(deploy.UnsealOnce), &resp.Diagnostics)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// foresee sets the computed attributes: unknown as far as the apply touches
// the bridge, else as they are. state is nil if the deployment is new.
func (m *model) foresee(state *model, target *process.Target) {
	m.ID, m.URL, m.SCIMURL = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	fixed := false
	if target != nil {
		m.ID = types.StringValue(target.ID())
		public := m.setting("public_url")
		var url string
		if url, fixed = address(public.ValueString(), target.Listen); fixed && !public.IsUnknown() {
			m.URL, m.SCIMURL = types.StringValue(url), types.StringValue(url+scimPath)
		}
	}
	m.ObservedRevision, m.Status, m.Version = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	m.Problems, m.EgressAddress = types.ListUnknown(types.StringType), types.StringUnknown()
	if state == nil {
		return
	}
	if !state.EgressAddress.IsNull() && state.setting("source_address").Equal(m.setting("source_address")) {
		m.EgressAddress = state.EgressAddress // a replaced bridge is seen where the old one was
	}
	if touched(*state, *m) {
		return
	}
	m.ObservedRevision, m.Status, m.Version = state.ObservedRevision, state.Status, state.Version
	m.Problems, m.EgressAddress = state.Problems, state.EgressAddress
	if !fixed {
		m.URL, m.SCIMURL = state.URL, state.SCIMURL
	}
}

// touched tells whether the bridge must be started, replaced or unsealed.
func touched(state, plan model) bool {
	status := deploy.Status(state.Status.ValueString())
	return !plan.Revision.Equal(state.Revision) || !state.ObservedRevision.Equal(state.Revision) ||
		status == deploy.Stopped || status == deploy.Sealed
}

// setting is one of the settings.
func (m model) setting(name string) types.String {
	if m.Settings.IsUnknown() {
		return types.StringUnknown()
	}
	s, ok := m.Settings.Attributes()[name].(types.String)
	if !ok {
		return types.StringNull()
	}
	return s
}

// warnWhy says why a bridge is touched when nothing in the configuration
// shows it, and that it will start sealed if nobody shows it the token.
func warnWhy(state *model, plan model, tokenless bool, diags *diag.Diagnostics) {
	status := deploy.Status("")
	if state != nil {
		status = deploy.Status(state.Status.ValueString())
	}
	switch {
	case status == deploy.Stopped:
		diags.AddWarning("The bridge does not run", "It was stopped or killed; the apply starts it again.")
	case status == deploy.Sealed:
		diags.AddWarning("The bridge is sealed", "It was started by something else than Terraform, or without the token.")
	case state != nil && plan.Revision.Equal(state.Revision):
		diags.AddWarning("The last roll-out is not over",
			fmt.Sprintf("The bridge runs revision %s and has not signed in with it yet. Problems it sees: %s. The apply waits for it once more.",
				state.Revision.ValueString(), list(state.Problems)))
		return
	}
	if tokenless {
		diags.AddAttributeWarning(path.Root("unseal_token_wo"), "The bridge will be sealed",
			"Without unseal_token_wo it stays sealed after the apply until somebody shows it the bearer token; the identity provider's next request does.")
	}
}

func list(problems types.List) string {
	var texts []string
	for _, p := range problems.Elements() {
		texts = append(texts, strings.Trim(p.String(), `"`))
	}
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, ", ")
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
	token := r.checkToken(config.UnsealTokenWO, spec.Session, diags)
	revision := spec.Revision(build)
	if !plan.Revision.IsUnknown() && plan.Revision.ValueString() != revision {
		diags.AddError("The plan is out of date", "The program to deploy is another one than when the plan was made. Run terraform apply again.")
	}
	return work{target, spec, revision, token}
}

// checkToken reads the token and refuses one that does not open the session.
// Neither is ever part of a message.
func (r *bridge) checkToken(text types.String, sealed string, diags *diag.Diagnostics) session.Token {
	file, err := session.Parse(sealed)
	if err != nil { // was unknown when the configuration was validated
		diags.AddAttributeError(path.Root("session"), "Invalid session", sentence(err.Error()))
		return session.Token{}
	}
	if text.ValueString() == "" {
		return session.Token{}
	}
	at := path.Root("unseal_token_wo")
	token, err := session.ParseToken(text.ValueString())
	if err != nil {
		diags.AddAttributeError(at, "Invalid token", sentence(err.Error()))
		return session.Token{}
	}
	if _, ok := file.Match(token); !ok {
		if r.client != nil && r.client.Noted(client.EphemeralToken+token.Fingerprint()) {
			return session.Token{} // another one in every run: after the first, it opens nothing
		}
		diags.AddAttributeError(at, "The token does not open the session",
			"The session was sealed under another bearer token. Give both resources the same one: bearer_token_wo of scimbridge_provisioning and unseal_token_wo.")
	}
	return token
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
