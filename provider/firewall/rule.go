package firewall

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"

	tfattr "github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

type ruleResource struct{ client *client.Client }

var (
	_ resource.ResourceWithConfigure   = (*ruleResource)(nil)
	_ resource.ResourceWithIdentity    = (*ruleResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*ruleResource)(nil)
	_ resource.ResourceWithImportState = (*ruleResource)(nil)

	_ resource.ResourceWithValidateConfig = (*ruleResource)(nil)
)

// NewRule is the resource scimbridge_firewall_rule.
func NewRule() resource.Resource { return &ruleResource{} }

// ruleResourceModel is a rule that is a resource of its own.
type ruleResourceModel struct {
	ruleModel
	AllowLockout  types.Bool `tfsdk:"allow_lockout"`
	AdoptExisting types.Bool `tfsdk:"adopt_existing"`
}

func (r *ruleResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_firewall_rule"
}

func (r *ruleResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *ruleResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "One rule of the account's firewall, beside others that Terraform may not manage.\n\n" +
			"Rules are tried by ascending `priority`; the first that matches decides, and if none does, " +
			"the account's default action. Every argument changes in place.\n\n" +
			"The plan warns of a change that would shut out whoever runs Terraform, or a bridge that is signed in, " +
			"and the account refuses it unless `allow_lockout` is set. A rule of the same configuration that lets them in " +
			"must come first: name it in `depends_on`, or put both into a `scimbridge_firewall_policy`, " +
			"which is checked and written as a whole.\n\n" +
			"A rule that the account has already, the same in action, values, priority and description, is not made again: " +
			"the plan warns, and the apply is an error, both with the `import` block to paste, " +
			"unless `adopt_existing` is set. A resource that gets another name needs a `moved` block; " +
			"without one the rule is created again after the same apply has destroyed the old one, " +
			"which it waits for a few seconds. With `create_before_destroy` that never comes.",
		Attributes: ruleAttributes(),
	}
	maps.Copy(resp.Schema.Attributes, map[string]schema.Attribute{
		"allow_lockout": schema.BoolAttribute{
			Optional: true,
			MarkdownDescription: "Write the rule even if it shuts out whoever runs Terraform or a bridge that is signed in. " +
				"To destroy a rule that lets Terraform in, set this and apply first.",
		},
		"adopt_existing": schema.BoolAttribute{
			Optional: true,
			Computed: true,
			Default:  booldefault.StaticBool(false),
			MarkdownDescription: "Take over an existing rule with the same action, values, " +
				"priority and description instead of failing. The resource manages it from then on, and a destroy removes it. " +
				"For use after a run that was killed while it created many objects. Default `false`. " +
				"A change after the creation has no effect.",
			PlanModifiers: []planmodifier.Bool{attr.OnlyAtCreation()},
		},
	})
}

func (r *ruleResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identity.Schema("The rule's id.")
}

// ValidateConfig refuses a rule that matches nothing, or things of two kinds.
func (r *ruleResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest,
	resp *resource.ValidateConfigResponse) {
	var config ruleResourceModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !resp.Diagnostics.HasError() {
		at := path.Root(string(matchAttributes[0].kind))
		valueOf := func(a matchAttribute) tfattr.Value { return a.field(&config.ruleModel) }
		resp.Diagnostics.Append(checkKinds(at, valueOf)...)
	}
}

func (r *ruleResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse) {
	var state ruleResourceModel
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if resp.Diagnostics.HasError() || r.client == nil {
		return
	}
	if req.Plan.Raw.IsNull() {
		client.PerRun[claims](r.client).release(state.ID.ValueString(), &resp.Diagnostics)
		resp.Diagnostics.Append(r.warnLockout(ctx, state.ID.ValueString(), nil, state.AllowLockout)...)
		return
	}
	var config, plan ruleResourceModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.ruleModel = plan.withPriority(config.Priority)
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("priority"), plan.Priority)...)
	client.PerRun[claims](r.client).claimOne(state.ID.ValueString(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() || !plan.known() {
		return
	}
	desired := plan.toRule()
	if desired.Match.Validate() != nil {
		return // what is wrong with it is said elsewhere
	}
	mark := client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	if !r.client.Applying() && client.PerRun[singles](r.client).Claim(mark, contentKey(desired)) {
		resp.Diagnostics.AddError(twiceTitle, twiceText)
	}
	if resp.Diagnostics.HasError() || resp.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	if !r.client.Applying() { // the plan has said it
		warnRanges(ctx, path.Root("ip_ranges"), state.IPRanges, plan.IPRanges, plan.Action.ValueString(), &resp.Diagnostics)
	}
	if req.State.Raw.IsNull() {
		resp.Diagnostics.Append(r.warnExisting(ctx, desired, plan.AdoptExisting.ValueBool())...)
	}
	resp.Diagnostics.Append(r.warnLockout(ctx, plan.ID.ValueString(), &desired, plan.AllowLockout)...)
}

// warnLockout warns of whom the planned change of a rule would shut out. It is
// no error: a rule that is planned later may let them in.
func (r *ruleResource) warnLockout(
	ctx context.Context, id string, to *firewall.Rule, allowed types.Bool,
) (diags diag.Diagnostics) {
	checker, ok := lockoutCheckerOf(ctx, r.client)
	if !ok {
		return nil
	}
	id, out := checker.checkRule(id, to)
	if len(out) == 0 || allowed.ValueBool() || allowed.IsUnknown() {
		return nil
	}
	diags.AddWarning(lockOutTitle, describeLockouts(out, func(by string) string {
		if by == id {
			return "this rule"
		}
		return checker.ruleName(by)
	})+singleRuleRemedy(to == nil))
	return diags
}

func (r *ruleResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan ruleResourceModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	key := rand.Text()
	created, err := client.RetryConflicts(ctx, r.client, func() (api.FirewallRule, error) {
		return client.Call[api.FirewallRule](r.client.API.CreateFirewallRule(ctx,
			&api.CreateFirewallRuleParams{IdempotencyKey: &key, AllowLockout: plan.AllowLockout.ValueBoolPointer()},
			toInput(plan.toRule())))
	})
	if id := existingID(err); id != "" && plan.AdoptExisting.ValueBool() && r.mayAdopt(id) {
		created, err = client.Call[api.FirewallRule](r.client.API.GetFirewallRule(ctx, id))
	}
	if id := existingID(err); id != "" {
		if client.PerRun[handover](r.client).Taken(id) {
			resp.Diagnostics.AddError(twiceTitle, twiceText)
			return
		}
		resp.Diagnostics.AddError(existsTitle, r.exists(ctx, id))
		return
	}
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("create the firewall rule", err))
		return
	}
	client.PerRun[existing](r.client).Made(created.Id)
	client.PerRun[handover](r.client).Made(created.Id)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, created.Id)...)
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, created.Etag)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, ruleResourceModel{
		toModel(fromAPI(created)), plan.AllowLockout, plan.AdoptExisting,
	})...)
}

// mayAdopt reports whether a rule that exists may be taken over. It is asked
// when the wait for another resource's change is over: one that is about to be
// something else is that resource's.
func (r *ruleResource) mayAdopt(id string) bool {
	return !client.PerRun[claims](r.client).Manages(id) && client.PerRun[handover](r.client).Take(id)
}

func (r *ruleResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var prior ruleResourceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	id := prior.ID.ValueString()
	client.PerRun[claims](r.client).Saw(id)
	client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)

	present, err := r.client.Firewall(ctx)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("read firewall rule "+id, err))
		return
	}
	found, ok := present.ByID[id]
	if !ok {
		resp.State.RemoveResource(ctx)
		return
	}
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, found.Etag)...)
	adopt := types.BoolValue(prior.AdoptExisting.ValueBool())
	resp.Diagnostics.Append(resp.State.Set(ctx, ruleResourceModel{toModel(fromAPI(found)), prior.AllowLockout, adopt})...)
}

func (r *ruleResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan ruleResourceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	id := plan.ID.ValueString()
	desired := plan.toRule()
	if equals(desired, state.toRule()) { // what changes lives in Terraform alone
		resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)
		resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
		return
	}
	replaced, err := client.RetryConflicts(ctx, r.client, func() (api.FirewallRule, error) {
		return client.Call[api.FirewallRule](r.client.API.ReplaceFirewallRule(ctx, id, &api.ReplaceFirewallRuleParams{
			IfMatch:      version(ctx, req.Private),
			AllowLockout: plan.AllowLockout.ValueBoolPointer(),
		}, toInput(desired)))
	})
	if client.Code(err) == api.ErrorCodeVersionMismatch {
		// A write whose answer was lost and that was repeated finds its own
		// work. If the rule is what it should be, nobody else's was lost.
		current, readErr := client.Call[api.FirewallRule](r.client.API.GetFirewallRule(ctx, id))
		if readErr == nil && equals(desired, fromAPI(current)) {
			replaced, err = current, nil
		}
	}
	if client.NotFound(err) {
		resp.Diagnostics.AddError("The firewall rule is gone", "Somebody deleted the rule "+id+" after the plan was made. "+
			"Run terraform apply again: it creates the rule again.")
		return
	}
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("change firewall rule "+id, err))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, replaced.Id)...)
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, replaced.Etag)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, ruleResourceModel{
		toModel(fromAPI(replaced)), plan.AllowLockout, plan.AdoptExisting,
	})...)
}

func (r *ruleResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state ruleResourceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if _, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics); !ok || resp.Diagnostics.HasError() {
		return
	}
	id := state.ID.ValueString()
	if !client.PerRun[handover](r.client).Destroy(id) {
		return // another resource of this run has taken it over
	}
	defer client.PerRun[handover](r.client).Destroyed(id)
	_, err := client.RetryConflicts(ctx, r.client, func() (client.Nothing, error) {
		return client.Call[client.Nothing](r.client.API.DeleteFirewallRule(ctx, id,
			&api.DeleteFirewallRuleParams{AllowLockout: state.AllowLockout.ValueBoolPointer()}))
	})
	if err != nil && !client.NotFound(err) {
		resp.Diagnostics.Append(r.client.Diagnose("delete firewall rule "+id, err))
	}
}

func (r *ruleResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse) {
	text, account, ok := identity.Imported(ctx, r.client, req, &resp.Diagnostics)
	if !ok {
		return
	}
	present, err := r.client.Firewall(ctx)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("list the firewall rules", err))
		return
	}
	id := text
	if _, ok := present.ByID[text]; !ok {
		found, err := find(rulesOf(present.Firewall), text)
		if err != nil {
			resp.Diagnostics.AddError("Cannot find the firewall rule to import",
				"A rule is imported by its id or by its exact set of values, separated by commas; "+err.Error())
			return
		}
		id = found.ID
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
}

// versionKey is where private state keeps the version that was read when the
// plan was made: what changed since is not overwritten unseen.
const versionKey = "version"

func rememberVersion(ctx context.Context, private client.Private, etag string) diag.Diagnostics {
	value, _ := json.Marshal(etag) // a string always marshals
	return private.SetKey(ctx, versionKey, value)
}

// privateReader is the private state of a request.
type privateReader interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

func version(ctx context.Context, private privateReader) *string {
	value, _ := private.GetKey(ctx, versionKey)
	var etag string
	if json.Unmarshal(value, &etag) != nil || etag == "" {
		return nil // made by a provider that kept none: the last write wins
	}
	return &etag
}
