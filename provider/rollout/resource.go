// Package rollout waits for bridges that something else deploys:
// scimbridge_rollout.
//
// It deploys nothing and knows no platform. It reads the account's list of
// bridges. A bridge that has never signed in is not on that list.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

// defaultTimeout is longer than that of a deployment: platforms fetch images
// and start machines first.
const defaultTimeout = 10 * time.Minute

type rolloutResource struct{ client *client.Client }

var (
	_ resource.ResourceWithConfigure   = (*rolloutResource)(nil)
	_ resource.ResourceWithIdentity    = (*rolloutResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*rolloutResource)(nil)
	_ resource.ResourceWithImportState = (*rolloutResource)(nil)
)

// New is the resource scimbridge_rollout.
func New() resource.Resource { return new(rolloutResource) }

func (r *rolloutResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_rollout"
}

func (r *rolloutResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse,
) {
	r.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

type model struct {
	ID              types.String   `tfsdk:"id"`
	Revision        types.String   `tfsdk:"revision"`
	Bridges         types.Int64    `tfsdk:"bridges"`
	OnUnready       types.String   `tfsdk:"on_unready"`
	Timeouts        timeouts.Value `tfsdk:"timeouts"`
	Instances       types.Set      `tfsdk:"instances"`
	Version         types.String   `tfsdk:"version"`
	EgressAddresses types.Set      `tfsdk:"egress_addresses"`
	Problems        types.List     `tfsdk:"problems"`
}

// setObserved stores what the account knows of the bridges.
func (m *model) setObserved(ctx context.Context, s observation) diag.Diagnostics {
	instances, diags := types.SetValueFrom(ctx, types.StringType, s.instances())
	addresses, d := types.SetValueFrom(ctx, types.StringType, s.addresses())
	diags.Append(d...)
	problems, d := types.ListValueFrom(ctx, types.StringType, s.problems())
	diags.Append(d...)
	m.Instances, m.EgressAddresses, m.Problems = instances, addresses, problems
	m.Version = types.StringNull()
	if v := s.version(); v != "" {
		m.Version = types.StringValue(v)
	}
	return diags
}

// setUnknown is for a plan whose apply looks again.
func (m *model) setUnknown() {
	m.Instances, m.EgressAddresses = types.SetUnknown(types.StringType), types.SetUnknown(types.StringType)
	m.Problems, m.Version = types.ListUnknown(types.StringType), types.StringUnknown()
}

// ModifyPlan plans a wait where bridges are missing.
func (r *rolloutResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) {
	var state, plan *model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || plan == nil || state == nil {
		return
	}
	want, have := plan.Bridges, int64(len(state.Instances.Elements()))
	if plan.Revision.Equal(state.Revision) && !want.IsUnknown() && have >= want.ValueInt64() {
		// Known, whatever else changes: a firewall rule of these addresses is checked in the plan.
		plan.Instances, plan.EgressAddresses = state.Instances, state.EgressAddresses
		plan.Problems, plan.Version = state.Problems, state.Version
		resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
		return
	}
	plan.setUnknown()
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	if plan.Revision.Equal(state.Revision) && want.Equal(state.Bridges) {
		resp.Diagnostics.AddWarning("Bridges are missing", fmt.Sprintf("The account hears from %d of %d bridges of "+
			"revision %q. The apply waits for the others.", have, want.ValueInt64(), plan.Revision.ValueString()))
	}
}

func (r *rolloutResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	timeout, diags := plan.Timeouts.Create(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	plan.ID = types.StringValue(plan.Revision.ValueString())
	if r.wait(ctx, &plan, timeout, "timeouts.create", &resp.Diagnostics) {
		resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, plan.ID.ValueString())...)
		resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	}
}

func (r *rolloutResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	timeout, diags := plan.Timeouts.Update(ctx, defaultTimeout)
	resp.Diagnostics.Append(diags...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, plan.ID.ValueString())...)
	if plan.Instances.IsUnknown() && !r.wait(ctx, &plan, timeout, "timeouts.update", &resp.Diagnostics) {
		return // with the prior state, so that the next plan waits again
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

// wait waits for the bridges of the plan and stores what was seen last. It
// reports whether that is to be kept: not if the resource has failed.
func (r *rolloutResource) wait(ctx context.Context, plan *model, timeout time.Duration, argument string,
	diags *diag.Diagnostics,
) (keep bool) {
	ctx, cancel := deploy.Within(ctx, timeout, argument)
	defer cancel()
	seen, err := newWait(r.client, plan.Revision.ValueString(), int(plan.Bridges.ValueInt64())).until(ctx)
	diags.Append(plan.setObserved(ctx, seen)...)
	switch {
	case err == nil:
	case !errors.As(err, new(*deploy.NotReadyError)): // the account's
		diags.Append(r.client.Diagnose("list the bridges", err))
	case deploy.IsWarning(err, plan.OnUnready.ValueString()):
		diags.AddWarning("The bridges are not ready yet", sentence(err))
	default:
		diags.AddError("The bridges did not become ready", sentence(err))
	}
	return !diags.HasError()
}

func (r *rolloutResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m model
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, m.ID.ValueString())...)
	seen, err := observe(ctx, r.client, m.Revision.ValueString())
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("list the bridges", err))
		return
	}
	resp.Diagnostics.Append(m.setObserved(ctx, seen)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// Delete ends nothing: what has deployed the bridges ends them.
func (r *rolloutResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

func (r *rolloutResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse,
) {
	id, account, ok := identity.Imported(ctx, r.client, req, &resp.Diagnostics)
	if !ok {
		return
	}
	seen, err := observe(ctx, r.client, id)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("list the bridges", err))
		return
	}
	if len(seen.ready) == 0 {
		resp.Diagnostics.AddError("No bridge of that revision", fmt.Sprintf("A roll-out is imported by its revision. "+
			"The account hears from no bridge of revision %q%s.", id, seen.others()))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)
	for name, value := range map[string]any{
		"id": id, "revision": id, "bridges": int64(len(seen.ready)), "on_unready": deploy.OnUnreadyFail,
	} {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(name), value)...)
	}
}
