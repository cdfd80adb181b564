package provisioning

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// ModifyPlan warns of changes of the credentials, and refuses what the apply would refuse.
func (r *integrationResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) {
	switch {
	case req.Plan.Raw.IsNull():
		r.planDelete(ctx, req, resp)
	case req.State.Raw.IsNull():
		r.planCreate(ctx, req, resp)
	default:
		r.planUpdate(ctx, req, resp)
	}
}

func (r *integrationResource) planDelete(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if state.DeletionProtection.ValueBool() {
		refuseDeletion(&resp.Diagnostics)
	}
}

func (r *integrationResource) planCreate(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) {
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
	}
	tokenless := !inactive && config.BearerToken.IsNull()
	if !r.client.Known() {
		if tokenless {
			resp.Diagnostics.Append(tokenMissing())
		}
		return
	}
	checkEphemeral(r.client, config, &resp.Diagnostics)
	p, err := client.Call[api.Provisioning](r.client.API.GetProvisioning(ctx))
	if err != nil {
		p.Active = true // the account may answer during the apply
	} else if p.Active && !r.client.Noted(managed+types.StringPointerValue(p.Id).ValueString()) {
		resp.Diagnostics.Append(client.AtCreation(alreadyActive(p)))
	}
	switch {
	case tokenless && p.Active: // the plan may replace the active one: see client.AtCreation
		resp.Diagnostics.Append(client.AtCreation(tokenMissing()))
	case tokenless:
		resp.Diagnostics.Append(tokenMissing())
	}
}

func (r *integrationResource) planUpdate(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) {
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
	if !plan.ManagerEmail.IsUnknown() && sameAddress(plan.ManagerEmail, state.ManagerEmail) {
		plan.ManagerEmail = state.ManagerEmail // the account treats both as the same address
	}
	madeID, _ := loadMadeID(ctx, req.Private)
	do, why := decide(state, plan, madeID, loadUnusable(ctx, req.Private), r.comparable(token, plan))
	if do == keep && plan.Active.ValueBool() && config.BearerToken.IsUnknown() && !versionDecides(state, plan) {
		do = rotate // the token may be new
	}
	switch do {
	case keep:
	case activate:
		if !state.Active.ValueBool() { // an active integration keeps its id
			plan.ID = types.StringUnknown()
		}
		plan = plan.withNewCredentials()
	case rotate:
		plan = plan.withNewCredentials()
	case deactivate:
		plan = plan.withoutCredentials()
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)

	needed := do == activate || do == rotate
	tokens := exchange{
		from: newestToken(state), to: token, retired: loadRetired(ctx, req.Private, state),
		ephemeral: token != "" && r.client.Noted(client.EphemeralToken+token), unknown: config.BearerToken.IsUnknown(),
	}
	switch {
	case why != "":
		text := why + "\n\nThe apply activates provisioning again, with new credentials and a new session " +
			"sealed under bearer_token_wo. Bridges need that session: a scimbridge_deployment gets it if its session " +
			"refers to this resource."
		switch {
		case config.BearerToken.IsNull():
			text += "\n\n" + tokenNeeded
		case tokens.changes():
			text += "\n\n" + tokens.String()
		}
		resp.Diagnostics.AddAttributeWarning(path.Root("epoch"), "Provisioning must be activated again", text)
	case needed && config.BearerToken.IsNull():
		resp.Diagnostics.Append(tokenMissing())
	case do == rotate:
		title, text := describeRotation(state, plan, tokens)
		resp.Diagnostics.AddAttributeWarning(tokenPath, title, text)
	}
}

// comparable returns the fingerprint of the token for comparison with the session's. It is
// empty for a token of scimbridge_bearer_token, which is new in every run, so that the
// version decides.
func (r *integrationResource) comparable(token string, plan model) string {
	if token != "" && !plan.BearerTokenVersion.IsNull() && r.client.Noted(client.EphemeralToken+token) {
		return ""
	}
	return token
}

// withNewCredentials returns m with unknown credentials, which the apply will generate.
func (m model) withNewCredentials() model {
	m.Epoch, m.Session, m.SessionFingerprint = types.Int64Unknown(), types.StringUnknown(), types.StringUnknown()
	return m
}

func (m model) withoutCredentials() model {
	m.Epoch, m.Session, m.SessionFingerprint = types.Int64Null(), types.StringNull(), types.StringNull()
	return m
}
