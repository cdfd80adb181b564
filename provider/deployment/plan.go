package deployment

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// ModifyPlan works out the revision that the configuration means, and from it
// whether the bridge will be touched at all. Terraform plans a resource once
// more within the apply, when others have changed already: the values planned
// here depend on nothing that they can change.
func (r *bridge) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state, plan *model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	var away error // why this machine cannot touch the deployment
	if state != nil {
		away = elsewhere(ctx, req.Private, state.ID.ValueString())
	}
	if plan == nil {
		refuseProtected(*state, &resp.Diagnostics)
		warnElsewhere(away, &resp.Diagnostics)
		return
	}
	k, ok := plan.kind()
	if !ok {
		return // refused when the configuration is validated
	}
	if err := k.Supported(); err != nil && away == nil {
		resp.Diagnostics.AddAttributeError(path.Root(k.Name), fmt.Sprintf("The %s target does not work here", k.Name), err.Error())
		return
	}
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	target, diags := plan.target(ctx, k, "")
	resp.Diagnostics.Append(diags...)
	spec, known, diags := plan.spec(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	var found diag.Diagnostics // what may be another by the time of the apply
	before := recall(ctx, req.Private)
	trace := before.Trace
	if state == nil { // some plans of a new deployment come with what was remembered of the old, and others do not
		before = memory{}
	}
	program := programOf(ctx, k, target, before, away != nil, &found)
	plan.Revision = types.StringUnknown()
	if known && program.Digest != "" {
		plan.Revision = types.StringValue(spec.Revision(target.Build(program.Digest)))
	}
	tokenless, previous := config.UnsealTokenWO.IsNull(), false
	if !plan.Session.IsUnknown() && !config.UnsealTokenWO.IsUnknown() {
		var token session.Token
		token, previous = r.checkToken(config.UnsealTokenWO, plan.Session.ValueString(), deploy.Unseal(plan.Unseal.ValueString()), &found)
		tokenless = token.IsZero()
	}
	prior := state
	if state != nil && target != nil && state.ID.ValueString() != target.ID() { // replaced, as far as Terraform is concerned
		refuseProtected(*state, &resp.Diagnostics)
		state = nil
	}
	if state == nil && config.UnsealTokenWO.IsNull() && plan.Unseal.ValueString() == string(deploy.UnsealStored) {
		found.AddAttributeError(path.Root("unseal_token_wo"), "No token to store",
			`With unseal = "stored", a new deployment needs the bearer token: set unseal_token_wo.`)
	}
	if target != nil && away == nil {
		r.claim(ctx, *plan, k, target, prior, trace, resp, &found)
	}
	if prior == nil {
		found = demoted(found)
	}
	resp.Diagnostics.Append(found...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.foresee(state, target, program, before)
	if plan.Status.IsUnknown() {
		if previous {
			warnPrevious(&resp.Diagnostics)
		}
		warnProgram(state, program, before, &resp.Diagnostics)
		warnWhy(state, *plan, before, tokenless && plan.Unseal.ValueString() == string(deploy.UnsealOnce), &resp.Diagnostics)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	if away != nil && !resp.Plan.Raw.Equal(req.State.Raw) {
		warnElsewhere(away, &resp.Diagnostics)
	}
}

func warnElsewhere(err error, diags *diag.Diagnostics) {
	if err != nil {
		diags.AddWarning("The apply will fail on this machine", elsewhereText(err))
	}
}

// programOf is what the apply will deploy; a zero one while that is open. The
// program that comes with the provider does not change during a run. What the
// configuration names may be made by another resource of the run: it is the one
// that the refresh found there. On another machine it is the one that runs.
func programOf(ctx context.Context, k kind, target deploy.Target, before memory, away bool, diags *diag.Diagnostics) deploy.Program {
	switch {
	case target == nil:
		return deploy.Program{}
	case away:
		return deploy.Program{Digest: before.Digest}
	}
	source := target.Source()
	if source != "" && before.Offered != nil && before.Offered.Configured == source {
		return *before.Offered
	}
	program, err := target.Program(ctx)
	switch {
	case err != nil && source != "":
		diags.Append(demoted(diag.Diagnostics{k.diagnose("No bridge to deploy", err)})...)
		return deploy.Program{}
	case err != nil:
		diags.Append(k.diagnose("No bridge to deploy", err))
		return deploy.Program{}
	case source != "":
		return deploy.Program{}
	}
	return program
}

// claim says which place the deployment wants, and what stands against it.
func (r *bridge) claim(ctx context.Context, plan model, k kind, target deploy.Target, prior *model, trace string,
	resp *resource.ModifyPlanResponse, found *diag.Diagnostics,
) {
	mark := client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	isNew := prior == nil || prior.ID.ValueString() != target.ID()
	claims := r.claims()
	var clash diag.Diagnostics
	for _, err := range claims.add(mark, claim{plan.Name.ValueString(), target}) {
		clash.Append(k.diagnose("Two deployments in one place", err))
	}
	if isNew && claims.isApplying() { // see demoted
		clash = demoted(clash)
	}
	resp.Diagnostics.Append(clash...)
	if !isNew || clash.HasError() || claims.isManaged(target) { // the one that is there may be replaced by this one
		return
	}
	_, there, err := open(target.ID(), "")
	if err != nil {
		return // refused when the configuration is validated
	}
	state, err := there.Observe(ctx)
	if err != nil || state.Lost != "" {
		return // nothing is there, or Create says what
	}
	exists := alreadyExists(k, target.ID(), state.Spec.Name)
	if instance := k.Instance(trace); instance != "" && instance == k.Instance(state.Trace) {
		if prior == nil {
			return // this one, which is being replaced
		}
		found.AddAttributeError(k.path(k.PlaceArgument), "The deployment was moved", fmt.Sprintf(
			"%s is the bridge that this resource has deployed. Move it back, or let Terraform forget the old place and import the new one: "+
				"terraform state rm, then\n\n%s", target.ID(), importBlock(target.ID())))
		return
	}
	found.Append(demoted(diag.Diagnostics{exists})...)
}

// foresee sets the computed attributes: unknown as far as the apply changes
// them, else as they are. state is nil if the deployment is new.
func (m *model) foresee(state *model, target deploy.Target, program deploy.Program, before memory) {
	m.ID, m.URL, m.SCIMURL = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	var url, source string
	if target != nil {
		m.ID, source = types.StringValue(target.ID()), target.Source()
		public := m.setting("public_url")
		if url = address(public.ValueString(), target.URL()); url != "" && !public.IsUnknown() {
			m.URL, m.SCIMURL = types.StringValue(url), types.StringValue(scimURL(url))
		}
	}
	m.ObservedRevision, m.Status, m.Version = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	m.Problems, m.EgressAddress = types.ListUnknown(types.StringType), types.StringUnknown()
	// A program that the configuration names may be another when it is deployed, unless the revision names it.
	if program.Version != "" && (source == "" || !m.Revision.IsUnknown()) {
		m.Version = types.StringValue(program.Version)
	}
	if state == nil {
		return
	}
	if program.Digest != "" && program.Digest == before.Digest && !state.Version.IsNull() && (source == "" || !m.Revision.IsUnknown()) {
		m.Version = state.Version
	}
	if !state.EgressAddress.IsNull() && state.setting("source_address").Equal(m.setting("source_address")) {
		m.EgressAddress = state.EgressAddress // a replaced bridge is seen where the old one was
	}
	if touched(*state, *m, before) {
		return
	}
	m.ObservedRevision, m.Status, m.Version = state.ObservedRevision, state.Status, state.Version
	m.Problems, m.EgressAddress = state.Problems, state.EgressAddress
	if url == "" {
		m.URL, m.SCIMURL = state.URL, state.SCIMURL
	}
}

// touched reports whether the bridge must be started, replaced or unsealed, or its record written anew.
func touched(state, plan model, before memory) bool {
	status := deploy.Status(state.Status.ValueString())
	return !plan.Revision.Equal(state.Revision) || !state.ObservedRevision.Equal(state.Revision) ||
		status == deploy.Stopped || status == deploy.Sealed || before.Lost != ""
}

// warnProgram says that the bridge is replaced by another program, which no
// argument shows.
func warnProgram(state *model, program deploy.Program, before memory, diags *diag.Diagnostics) {
	if state == nil || program.Digest == "" || before.Digest == "" || program.Digest == before.Digest {
		return
	}
	from, to := state.Version.ValueString(), program.Version
	text := fmt.Sprintf("The apply replaces version %s of the bridge by version %s, in place and without losing a request.", orUnknown(from), orUnknown(to))
	if from == to {
		text = fmt.Sprintf("The apply replaces the bridge by another build of the same version, %s (sha256 %.12s, now %.12s), in place and without losing a request.",
			orUnknown(to), program.Digest, before.Digest)
	}
	diags.AddWarning("The bridge's program changes", text)
}

func orUnknown(version string) string {
	if version == "" {
		return "(unknown)"
	}
	return version
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
func warnWhy(state *model, plan model, before memory, tokenless bool, diags *diag.Diagnostics) {
	status := deploy.Status("")
	if state != nil {
		status = deploy.Status(state.Status.ValueString())
	}
	switch {
	case before.Lost != "": // Read has said so
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
			"Without unseal_token_wo it is sealed after the apply until it receives the bearer token, for instance with the identity provider's next request.")
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
