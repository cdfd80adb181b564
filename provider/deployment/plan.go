package deployment

import (
	"context"
	"errors"
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

// ModifyPlan computes the revision of the configuration, and from it whether the apply
// changes the bridge. Terraform plans a resource again during the apply, after other
// resources have changed. So the planned values must not depend on anything that those
// can change.
func (r *deploymentResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) {
	var state, plan *model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	var away error // why this machine cannot manage the deployment
	if state != nil {
		away = elsewhere(ctx, req.Private, state.ID.ValueString())
	}
	if plan == nil {
		refuseProtected(*state, &resp.Diagnostics)
		warnElsewhere(away, &resp.Diagnostics)
		return
	}
	k, ok := plan.kind(r.kinds())
	if !ok {
		return // refused by the validation
	}
	if err := k.Supported(); err != nil && away == nil {
		resp.Diagnostics.AddAttributeError(path.Root(k.Name),
			fmt.Sprintf("The %s target does not work here", k.Name), err.Error())
		return
	}
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	target, diags := plan.toTarget(ctx, k, "")
	resp.Diagnostics.Append(diags...)
	spec, known, diags := plan.toSpec(ctx)
	resp.Diagnostics.Append(diags...)
	determined, diags := config.addMonitoring(ctx, &spec)
	known = known && determined
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(plan.checkHolds(k)...)
	if resp.Diagnostics.HasError() {
		return
	}
	var found diag.Diagnostics // errors that another resource may solve before the apply
	before := loadObservation(ctx, req.Private)
	trace := before.Trace
	if state == nil { // some plans of a new deployment have the old one's private state
		before = observation{}
	}
	program := programOf(ctx, k, target, before, away != nil, &found)
	program, err := chooseVersion(config.Version, target, program, before)
	if err != nil && away == nil {
		resp.Diagnostics.AddAttributeError(path.Root("version"), "The version cannot be deployed",
			capitalize(err.Error())+".")
		return
	}
	plan.Revision = types.StringUnknown()
	if known && program.Digest != "" {
		plan.Revision = types.StringValue(spec.Revision(target.Build(program.Digest)))
	}
	tokenless, previous := config.UnsealTokenWO.IsNull(), false
	if !plan.Session.IsUnknown() && !config.UnsealTokenWO.IsUnknown() {
		var token session.Token
		token, previous = r.checkToken(config.UnsealTokenWO, plan.Session.ValueString(),
			deploy.Unseal(plan.Unseal.ValueString()), &found)
		tokenless = token.IsZero()
	}
	prior := state
	// Terraform replaces it
	if state != nil && target != nil && state.ID.ValueString() != target.ID() {
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
		found = asWarnings(found)
	}
	resp.Diagnostics.Append(found...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.planComputed(state, target, program, before)
	if !config.Version.IsNull() {
		plan.Version = config.Version
	}
	if plan.Status.IsUnknown() {
		if previous {
			warnPrevious(&resp.Diagnostics)
		}
		gap := r.gap(ctx, k, state, target, before)
		if gap == "" && state != nil && before.Lost == "" && (plan.holds() || state.holds()) {
			gap = k.holdsGap
		}
		warnProgram(state, program, before, gap, &resp.Diagnostics)
		warnGap(state, *plan, gap, &resp.Diagnostics)
		if k.SealedAlone != "" && plan.Unseal.ValueString() == string(deploy.UnsealOnce) {
			resp.Diagnostics.AddAttributeWarning(path.Root("unseal"), "New bridges will be sealed", k.SealedAlone+".")
		}
		warnWhy(state, *plan, before, tokenless && plan.Unseal.ValueString() == string(deploy.UnsealOnce),
			&resp.Diagnostics)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	if away != nil && !resp.Plan.Raw.Equal(req.State.Raw) {
		warnElsewhere(away, &resp.Diagnostics)
	}
}

// checkHolds refuses a suspension limit that is not the bridge's, and a target that does not keep what is held.
func (m model) checkHolds(k kind) (diags diag.Diagnostics) {
	limit := m.setting("suspension_limit")
	file, err := session.Parse(m.Session.ValueString())
	if err != nil || limit.IsUnknown() {
		return nil // the session is unknown, or refused by the validation
	}
	at := path.Root("settings").AtName("suspension_limit")
	switch isServer := file.Entries[0].Header.Kind() == session.KindDirectory; {
	case !isServer && !limit.IsNull():
		diags.AddAttributeError(at, "The account has a suspension limit of its own",
			"settings.suspension_limit is for a session of a SCIM server, and this session is of an account: remove "+
				"it, and set suspension_limit of scimbridge_provisioning.")
	case m.holds() && k.keepsNoHolds != "":
		diags.AddAttributeError(at, "Nothing keeps what the bridge holds",
			"The session is for a SCIM server, before which a bridge holds suspensions beyond a limit, in its data "+
				"folder. "+k.keepsNoHolds+" Set settings.suspension_limit = \"off\", so that the server is told of "+
				"all at once, or use another target.")
	}
	return diags
}

// holds reports whether the bridge keeps what it holds beyond a limit.
func (m model) holds() bool {
	return deploy.Settings{SuspensionLimit: m.setting("suspension_limit").ValueString()}.Holds(m.Session.ValueString())
}

func warnElsewhere(err error, diags *diag.Diagnostics) {
	if err != nil {
		diags.AddWarning("The apply will fail on this machine", elsewhereText(err))
	}
}

// programOf returns the program that the apply will deploy; zero while it is unknown. The
// provider's own program does not change during a run. A configured one may be written by
// another resource of the run, so the plan uses the one that the refresh found. On
// another machine the plan uses the running one.
func programOf(ctx context.Context, k kind, target deploy.Target, before observation, away bool,
	diags *diag.Diagnostics,
) deploy.Program {
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
	case errors.Is(err, deploy.ErrUndetermined):
		return deploy.Program{}
	case err != nil && source != "":
		diags.Append(asWarnings(diag.Diagnostics{k.diagnose("Cannot find the program", err)})...)
		return deploy.Program{}
	case err != nil:
		diags.Append(k.diagnose("Cannot find the program", err))
		return deploy.Program{}
	case source != "":
		return deploy.Program{}
	}
	return program
}

// chooseVersion returns the program of the configured version: the provider's own, or else
// the deployed one, so that a newer provider does not replace it. Without a configured
// version it returns own. The program is zero while the version is unknown.
func chooseVersion(version types.String, target deploy.Target, own deploy.Program, before observation) (
	deploy.Program, error,
) {
	want := version.ValueString()
	switch {
	case version.IsNull() || target == nil:
		return own, nil
	case target.Source() != "":
		return own, errors.New("another argument, the target's image or binary, names the program to deploy and so " +
			"its version; remove version")
	case version.IsUnknown() || own.Version == want:
		if version.IsUnknown() {
			own = deploy.Program{}
		}
		return own, nil
	case before.Version == want && before.Digest != "":
		return deploy.Program{Digest: before.Digest, Version: want}, nil
	case own.Digest == "":
		return own, nil // the target could not be asked for its platform; the apply asks again
	}
	text := fmt.Sprintf("this provider deploys version %s of the bridge, not %s", orUnknown(own.Version), want)
	if before.Version != "" {
		text += ", and the deployed bridge has version " + before.Version
	}
	remedy := "remove version"
	if validVersion(own.Version) == nil {
		remedy = "set version to " + own.Version
	}
	return own, fmt.Errorf("%s; %s, or use the provider's release %s", text, remedy, want)
}

// claim records the deployment's place and reports conflicts.
func (r *deploymentResource) claim(ctx context.Context, plan model, k kind, target deploy.Target, prior *model,
	trace string, resp *resource.ModifyPlanResponse, found *diag.Diagnostics,
) {
	owner := client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	isNew := prior == nil || prior.ID.ValueString() != target.ID()
	claims := r.claims()
	var conflicts diag.Diagnostics
	for _, err := range claims.add(owner, claim{plan.Name.ValueString(), target}) {
		conflicts.Append(k.diagnose("Two deployments in one place", err))
	}
	if isNew && claims.isApplying() { // see asWarnings
		conflicts = asWarnings(conflicts)
	}
	resp.Diagnostics.Append(conflicts...)
	// the existing deployment may be the one that is replaced
	if !isNew || conflicts.HasError() || claims.isManaged(target) {
		return
	}
	_, there, err := open(r.kinds(), target.Place(), "")
	if err != nil {
		return // refused by the validation
	}
	state, err := there.Observe(ctx)
	if err != nil || state.Lost != "" {
		return // no deployment exists there, or Create reports the error
	}
	exists := alreadyExists(k, target.ID(), state.Spec.Name)
	if instance := k.Instance(trace); instance != "" && instance == k.Instance(state.Trace) {
		if prior == nil {
			return // this resource's bridge, which is being replaced
		}
		found.AddAttributeError(k.path(k.PlaceArgument), "The deployment was moved", fmt.Sprintf(
			"%s is the bridge that this resource deployed. Move it back, or remove the resource from the state and "+
				"import it from its new place: terraform state rm, then\n\n%s", target.ID(), importBlock(target.ID())))
		return
	}
	found.Append(asWarnings(diag.Diagnostics{exists})...)
}

// planComputed sets the computed attributes: unknown if the apply changes them, else the
// state's. State is nil for a new deployment.
func (m *model) planComputed(state *model, target deploy.Target, program deploy.Program, before observation) {
	m.ID, m.URL, m.SCIMURL = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	var url, source string
	if target != nil {
		m.ID, source = types.StringValue(target.ID()), target.Source()
		public, domain := m.setting("public_url"), m.setting("tls_domain")
		url = address(public.ValueString(), domain.ValueString(), target.URL())
		if url != "" && !public.IsUnknown() && (!domain.IsUnknown() || public.ValueString() != "") {
			m.URL, m.SCIMURL = types.StringValue(url), types.StringValue(scimURL(url))
		}
	}
	m.ObservedRevision, m.Status, m.Version = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	m.Problems, m.EgressAddress = types.ListUnknown(types.StringType), types.StringUnknown()
	// A configured program may change before it is deployed, unless the revision names it.
	if program.Version != "" && (source == "" || !m.Revision.IsUnknown()) {
		m.Version = types.StringValue(program.Version)
	}
	if state == nil {
		return
	}
	if program.Digest != "" && program.Digest == before.Digest && !state.Version.IsNull() &&
		(source == "" || !m.Revision.IsUnknown()) {
		m.Version = state.Version
	}
	if !state.EgressAddress.IsNull() && state.setting("source_address").Equal(m.setting("source_address")) {
		m.EgressAddress = state.EgressAddress // the new bridge has the same address
	}
	if affected(*state, *m, before) {
		return
	}
	m.ObservedRevision, m.Status, m.Version = state.ObservedRevision, state.Status, state.Version
	m.Problems, m.EgressAddress = state.Problems, state.EgressAddress
	if url == "" {
		m.URL, m.SCIMURL = state.URL, state.SCIMURL
	}
}

// affected reports whether the bridge must be started, replaced or unsealed, or its record
// written again.
func affected(state, plan model, before observation) bool {
	status := deploy.Status(state.Status.ValueString())
	return !plan.Revision.Equal(state.Revision) || !state.ObservedRevision.Equal(state.Revision) ||
		status == deploy.Stopped || status == deploy.Sealed || before.Lost != "" || len(before.Drift) > 0
}

// warnProgram warns that another program replaces the bridge, which no argument shows.
func warnProgram(state *model, program deploy.Program, before observation, gap string, diags *diag.Diagnostics) {
	if state == nil || program.Digest == "" || before.Digest == "" || program.Digest == before.Digest ||
		program.Digest == program.Configured { // an image's name, which an argument shows
		return
	}
	from, to := state.Version.ValueString(), program.Version
	how := "in place and without losing a request"
	if gap != "" {
		how = "in place"
	}
	text := fmt.Sprintf("The apply replaces version %s of the bridge with version %s, %s.", orUnknown(from),
		orUnknown(to),
		how)
	if from == to {
		text = fmt.Sprintf("The apply replaces the bridge with another build of the same version, %s (sha256 "+
			"%.12s, now %.12s), %s.",
			orUnknown(to), program.Digest, before.Digest, how)
	}
	diags.AddWarning("The bridge's program changes", text)
}

// gap returns why the apply has a gap in which no bridge serves; empty if it has none.
func (r *deploymentResource) gap(ctx context.Context, k kind, state *model, target deploy.Target, before observation,
) string {
	if state == nil || target == nil || before.Lost != "" {
		return ""
	}
	old, diags := state.toTarget(ctx, k, before.Trace)
	if diags.HasError() || old == nil {
		return ""
	}
	return target.Gap(old)
}

// warnGap warns of a gap while a running bridge is replaced.
func warnGap(state *model, plan model, gap string, diags *diag.Diagnostics) {
	if gap == "" || plan.Revision.Equal(state.Revision) || state.Status.ValueString() == string(deploy.Stopped) {
		return
	}
	diags.AddWarning("The bridge is replaced with a gap", fmt.Sprintf("No bridge serves for a moment, since %s. "+
		"Identity providers repeat requests that found no bridge.", gap))
}

func orUnknown(version string) string {
	if version == "" {
		return "(unknown)"
	}
	return version
}

// setting returns one of the settings.
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

// warnWhy warns why the apply changes a bridge without a change in the configuration, and
// that the bridge will be sealed if no token is given.
func warnWhy(state *model, plan model, before observation, tokenless bool, diags *diag.Diagnostics) {
	status := deploy.Status("")
	if state != nil {
		status = deploy.Status(state.Status.ValueString())
	}
	switch {
	case before.Lost != "": // Read has warned already
	case len(before.Drift) > 0:
		diags.AddWarning("The deployment was changed outside Terraform", capitalize(strings.Join(before.Drift, "; "))+
			". The apply undoes it.")
	case status == deploy.Stopped:
		diags.AddWarning("The bridge is not running", whyStopped(before)+" The apply starts it again.")
	case status == deploy.Sealed:
		diags.AddWarning("The bridge is sealed", "It was started outside Terraform, or without the token.")
	case state != nil && plan.Revision.Equal(state.Revision):
		diags.AddWarning("The last roll-out is not complete",
			fmt.Sprintf("The bridge runs revision %s and has not signed in with it yet. Its problems: %s. The "+
				"apply waits for it again.",
				state.Revision.ValueString(), joinProblems(state.Problems)))
		return
	}
	if tokenless {
		diags.AddAttributeWarning(path.Root("unseal_token_wo"), "The bridge will be sealed",
			"Without unseal_token_wo the bridge is sealed after the apply until it receives the bearer token, for "+
				"instance with the identity provider's next request.")
	}
}

func whyStopped(before observation) string {
	if before.Ended == "" {
		return "It was stopped or killed."
	}
	return capitalize(strings.TrimRight(before.Ended, ".")) + "."
}

func joinProblems(problems types.List) string {
	var texts []string
	for _, p := range problems.Elements() {
		texts = append(texts, strings.Trim(p.String(), `"`))
	}
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, ", ")
}
