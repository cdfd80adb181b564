package signup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

type domainsResource struct{ client *client.Client }

var (
	_ resource.ResourceWithConfigure   = (*domainsResource)(nil)
	_ resource.ResourceWithIdentity    = (*domainsResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*domainsResource)(nil)
	_ resource.ResourceWithImportState = (*domainsResource)(nil)
)

// NewDomains is the resource scimbridge_signup_domains.
func NewDomains() resource.Resource { return &domainsResource{} }

func (r *domainsResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_signup_domains"
}

func (r *domainsResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse,
) {
	r.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *domainsResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "All domains that are allowed for sign-up, " +
			"and what to do with those that are added outside Terraform. An account has one list, " +
			"so a configuration has one such resource. See `scimbridge_signup_domain` for what a domain allows.\n\n" +
			"It is not created over a list that has domains: the plan warns, " +
			"and the apply fails with the import block to paste. " +
			"Destroying this resource changes nothing in the account.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The account's id.",
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"domains": schema.SetAttribute{
				Required:   true,
				CustomType: attr.DomainsType(),
				MarkdownDescription: "The domains, for instance `example.com`. Each matches exactly: " +
					"a sub-domain needs its own entry. An empty set disables sign-up. " +
					"A change adds and removes in place, new domains first.",
				Validators:    []validator.Set{attr.AreDomains()},
				PlanModifiers: []planmodifier.Set{attr.SuppressEquivalentDomains()},
			},
			"on_unmanaged": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(remove),
				MarkdownDescription: "What to do with domains in the account that are not in `domains`: " +
					"`remove` (the default) shows them in the plan as removed from `domains`, " +
					"and an apply removes them; `report` keeps and lists them in `unmanaged_domains`, " +
					"so that `scimbridge_signup_domain` resources can manage them. " +
					"Changing it to `report` removes nothing in that apply; " +
					"changing it to `remove` removes what was reported.",
				Validators: []validator.String{stringvalidator.OneOf(remove, report)},
			},
			"unmanaged_domains": schema.SetAttribute{
				Computed:   true,
				CustomType: attr.DomainsType(),
				MarkdownDescription: "With `report`, the domains in the account that are not in `domains`; " +
					"use it in `check` blocks. Unknown before the list is created. Empty with `remove`.",
				PlanModifiers: []planmodifier.Set{setplanmodifier.UseStateForUnknown()},
			},
		},
	}
}

func (r *domainsResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identity.Schema("The account's id.")
}

// ModifyPlan plans the unmanaged domains, and refuses domains that two resources would
// manage.
func (r *domainsResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse) {
	var state, plan *domainsModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if plan == nil {
		resp.Diagnostics.AddWarning("The account's sign-up domains are not changed",
			"Terraform only removes the list from its state. To disable sign-up, first apply domains = [].")
		return
	}
	owner := client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	desired, whole := attr.DomainsByName(plan.Domains)
	before := domainsModel{Domains: toSet(nil), UnmanagedDomains: toSet(nil), OnUnmanaged: plan.OnUnmanaged}
	if state != nil {
		before = *state
	} else {
		// Only the creation of a list knows its unmanaged domains: single domains of the
		// same run may be created before it or after it.
		whole = false
		r.planCreate(ctx, *plan, &resp.Diagnostics)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	changes, _ := before.changesTo(*plan)
	plan.UnmanagedDomains = toSet(changes.unmanaged)
	if !whole && plan.OnUnmanaged.ValueString() != remove {
		plan.UnmanagedDomains = attr.DomainsType().Unknown()
	}
	client.PerRun[claims](r.client).claimAll(owner, plan.OnUnmanaged.ValueString() == remove,
		slices.Collect(maps.Keys(desired)), &resp.Diagnostics)
	warnPublicMail(path.Root("domains"), changes.allow, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// planCreate warns of domains that Create will refuse to adopt. For why it is not an error
// see client.AtCreation.
func (r *domainsResource) planCreate(ctx context.Context, plan domainsModel, diags *diag.Diagnostics) {
	if !r.client.Known() || r.client.Applying() || r.client.Noted(plan.succeeds()) {
		return
	}
	present, err := allowed(ctx, r.client)
	if err != nil {
		diags.Append(client.AtCreation(r.client.Diagnose("list the sign-up domains", err)))
		return
	}
	if foreign := plan.foreign(present); len(foreign) > 0 {
		r.refuseOver(ctx, foreign, client.AtCreation, diags)
	}
}

// Notes for the run on what a list in its state manages: a list that replaces it may
// be created over these domains.
const (
	managedSome = "some sign-up domains are managed" // those that it lists
	managedAll  = "all sign-up domains are managed"
)

// note notes for the run what the list manages.
func (m domainsModel) note(c *client.Client) {
	c.Note(managedSome)
	if m.OnUnmanaged.ValueString() != report {
		c.Note(managedAll)
	}
}

// succeeds returns the note that a replaced list must have left, so that this one may be
// created over existing domains.
func (m domainsModel) succeeds() string {
	if m.OnUnmanaged.ValueString() == report {
		return managedSome
	}
	return managedAll
}

func (r *domainsResource) refuseOver(ctx context.Context, foreign []string, as func(diag.Diagnostic) diag.Diagnostic,
	diags *diag.Diagnostics) {
	caller, err := r.client.Caller(ctx)
	if err != nil {
		diags.Append(as(r.client.Diagnose("reach the account", err)))
		return
	}
	diags.Append(as(diag.NewAttributeErrorDiagnostic(path.Root("domains"), "Domains are already allowed", fmt.Sprintf(
		"The account's list has domains that this resource did not create: %s. To manage the list here, import it; "+
			"the plan then shows the changes:\n\n%s\n\n%s",
		listing(foreign), importWhole(caller.AccountId), client.ReplacedBeforeDestroyed))))
}

func (r *domainsResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan domainsModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	present, err := allowed(ctx, r.client)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("list the sign-up domains", err))
		return
	}
	if foreign := plan.foreign(present); len(foreign) > 0 && !r.client.AwaitNote(ctx, plan.succeeds()) {
		r.refuseOver(ctx, foreign, client.AsError, &resp.Diagnostics)
		return
	}
	changes, ok := domainsModel{Domains: toSet(nil), UnmanagedDomains: toSet(present),
		OnUnmanaged: plan.OnUnmanaged}.changesTo(plan)
	if !ok {
		resp.Diagnostics.AddAttributeError(path.Root("domains"), "Invalid domain",
			"A value that became known in this apply is not a domain.")
		return
	}
	// A partial creation would be tainted, or unmanaged in the next plan. So a creation
	// adds all domains or none.
	if !r.allow(ctx, changes.allow, &resp.Diagnostics) {
		r.undo(ctx, changes.allow, &resp.Diagnostics)
		return
	}
	if !r.end(ctx, changes.end, &resp.Diagnostics) { // only if it replaces another list
		return
	}
	if plan.UnmanagedDomains.IsUnknown() {
		plan.UnmanagedDomains = toSet(changes.unmanaged)
	}
	plan.ID = types.StringValue(account)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, account)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

func (r *domainsResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state domainsModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, account)...)
	client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	state.note(r.client)
	present, err := allowed(ctx, r.client)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("list the sign-up domains", err))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, state.refreshed(account, present))...)
}

func (r *domainsResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan domainsModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	changes, ok := state.changesTo(plan)
	if !ok {
		resp.Diagnostics.AddAttributeError(path.Root("domains"), "Invalid domain",
			"A value that became known in this apply is not a domain.")
		return
	}
	if !r.allow(ctx, changes.allow, &resp.Diagnostics) || !r.end(ctx, changes.end, &resp.Diagnostics) {
		return // the next plan reads the list again
	}
	if plan.UnmanagedDomains.IsUnknown() {
		plan.UnmanagedDomains = toSet(changes.unmanaged)
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, account)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

// Delete does not change the account, as the plan has warned.
func (r *domainsResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state domainsModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if _, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics); ok {
		state.note(r.client)
	}
}

func (r *domainsResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse) {
	id, account, ok := identity.Imported(ctx, r.client, req, &resp.Diagnostics)
	if !ok {
		return
	}
	if id != account {
		resp.Diagnostics.AddError("Invalid import id",
			fmt.Sprintf("The list of sign-up domains is imported by the account's id:\n\n%s", importWhole(account)))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
}

// allow adds domains to the account's list. One that was added meanwhile is not an error.
func (r *domainsResource) allow(ctx context.Context, names []string, diags *diag.Diagnostics) bool {
	err := forEach(ctx, names, func(ctx context.Context, name string) error {
		if _, err := allow(ctx, r.client, name); err != nil && client.Code(err) != api.ErrorCodeAlreadyExists {
			return err
		}
		return nil
	})
	if err != nil {
		diags.Append(r.client.Diagnose("allow the sign-up domains", err))
	}
	return err == nil
}

func (r *domainsResource) end(ctx context.Context, names []string, diags *diag.Diagnostics) bool {
	err := forEach(ctx, names, func(ctx context.Context, name string) error { return end(ctx, r.client, name) })
	if err != nil {
		diags.Append(r.client.Diagnose("remove sign-up domains", err))
	}
	return err == nil
}

// undo reverts a failed creation, even if Terraform is being interrupted.
func (r *domainsResource) undo(ctx context.Context, names []string, diags *diag.Diagnostics) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if !r.end(ctx, names, diags) {
		diags.AddWarning("Incomplete creation was not undone",
			"The creation failed and could not be undone. The next plan names the added domains and how to import "+
				"them.")
	}
}
