package provisioning

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// ModifyPlan says in the plan what an apply will do to the credentials, and
// refuses what an apply could only refuse.
func (r *integration) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	switch {
	case req.Plan.Raw.IsNull():
		r.planDelete(ctx, req, resp)
	case req.State.Raw.IsNull():
		r.planCreate(ctx, req, resp)
	default:
		r.planUpdate(ctx, req, resp)
	}
}

func (r *integration) planDelete(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if state.DeletionProtection.ValueBool() {
		refuseDeletion(&resp.Diagnostics)
	}
}

func (r *integration) planCreate(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	inactive := !plan.Active.IsUnknown() && !plan.Active.ValueBool()
	if inactive {
		plan.ID = types.StringNull()
		plan = plan.withoutCredentials()
		resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	} else if config.BearerToken.IsNull() {
		resp.Diagnostics.AddAttributeError(tokenPath, "The bearer token is needed", tokenNeeded)
	}
	if !r.client.Known() {
		return
	}
	checkEphemeral(r.client, config, &resp.Diagnostics)
	p, err := client.Call[api.Provisioning](r.client.API.GetProvisioning(ctx))
	if err == nil && p.Active && !r.client.Noted(managed+types.StringPointerValue(p.Id).ValueString()) {
		refuseSecond(p, &resp.Diagnostics)
	} // an account that cannot be asked now may be there when the apply comes to it
}

func (r *integration) planUpdate(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var state, plan, config model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if r.client.Known() {
		checkEphemeral(r.client, config, &resp.Diagnostics)
	}
	token, err := fingerprint(config.BearerToken)
	if err != nil {
		resp.Diagnostics.AddAttributeError(tokenPath, "Invalid bearer token", err.Error())
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if !plan.ManagerEmail.IsUnknown() && strings.EqualFold(plan.ManagerEmail.ValueString(), state.ManagerEmail.ValueString()) {
		plan.ManagerEmail = state.ManagerEmail // the account does not tell the two spellings apart
	}
	madeID, _ := made(ctx, req.Private)
	do, why := decide(state, plan, madeID, unusable(ctx, req.Private), token)
	if do == keep && plan.Active.ValueBool() && config.BearerToken.IsUnknown() && !versionDecides(state, plan) {
		do = rotate // it may be another token
	}
	switch do {
	case activate:
		if !state.Active.ValueBool() { // else it is given new credentials, and stays
			plan.ID = types.StringUnknown()
		}
		plan = plan.renewed()
	case rotate:
		plan = plan.renewed()
	case deactivate:
		plan = plan.withoutCredentials()
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)

	needed := do == activate || do == rotate
	switch {
	case why != "":
		text := why + "\n\nApplying activates provisioning anew: new credentials, a new session, sealed under bearer_token_wo. " +
			"Bridges must be given that session; scimbridge_deployment does so when its session refers to this resource."
		if config.BearerToken.IsNull() {
			text += "\n\n" + tokenNeeded
		}
		resp.Diagnostics.AddAttributeWarning(path.Root("epoch"), "Provisioning must be activated again", text)
	case needed && config.BearerToken.IsNull():
		resp.Diagnostics.AddAttributeError(tokenPath, "The bearer token is needed", tokenNeeded)
	}
}

// renewed is m with credentials that only an apply will know.
func (m model) renewed() model {
	m.Epoch, m.Session, m.SessionFingerprint = types.Int64Unknown(), types.StringUnknown(), types.StringUnknown()
	return m
}

func (m model) withoutCredentials() model {
	m.Epoch, m.Session, m.SessionFingerprint = types.Int64Null(), types.StringNull(), types.StringNull()
	return m
}
