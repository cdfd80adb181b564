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
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
)

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
	tokenless, previous := config.UnsealTokenWO.IsNull(), false
	if !plan.Session.IsUnknown() && !config.UnsealTokenWO.IsUnknown() {
		var token session.Token
		token, previous = r.checkToken(config.UnsealTokenWO, plan.Session.ValueString(), deploy.Unseal(plan.Unseal.ValueString()), &resp.Diagnostics)
		tokenless = token.IsZero()
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
		if previous {
			warnPrevious(&resp.Diagnostics)
		}
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
