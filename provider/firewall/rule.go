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

// ruleResourceModel is the model of scimbridge_firewall_rule.
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
		MarkdownDescription: "One rule of the account's firewall. Other rules may be managed elsewhere.\n\n" +
			"Rules are evaluated by ascending `priority`; the first that matches decides. If none matches, " +
			"the account's default action decides. Every argument changes in place.\n\n" +
			"The plan warns of a change that would lock out the machine that runs Terraform, " +
			"or a bridge that is signed in, and the account refuses it unless `allow_lockout` is set. " +
			"A rule of the same configuration that allows them must be written first: name it in `depends_on`, " +
			"or put both into a `scimbridge_firewall_policy`, which is checked and written as a whole.\n\n" +
			"If the account already has a rule with the same action, values, priority and description, " +
			"the plan warns and the apply fails, both with the `import` block to paste, " +
			"unless `adopt_existing` is set. To rename a resource, use a `moved` block. " +
			"Without one the rule is created again after the same apply has destroyed the old one, " +
			"for which it waits a few seconds; with `create_before_destroy` it waits in vain.",
		Attributes: ruleAttributes(),
	}
	maps.Copy(resp.Schema.Attributes, map[string]schema.Attribute{
		"allow_lockout": schema.BoolAttribute{
			Optional: true,
			MarkdownDescription: "Write the rule even if it locks out the machine that runs Terraform, " +
				"or a bridge that is signed in. To destroy a rule that allows Terraform, first set this and apply.",
		},
		"adopt_existing": schema.BoolAttribute{
			Optional: true,
			Computed: true,
			Default:  booldefault.StaticBool(false),
			MarkdownDescription: "Adopt an existing rule with the same action, values, " +
				"priority and description instead of failing. The resource then manages it, " +
				"and a destroy deletes it. For use after a run that was killed while it created many objects. " +
				"Default `false`. Changing it after the creation has no effect.",
			PlanModifiers: []planmodifier.Bool{attr.OnlyAtCreation()},
		},
	})
}

func (r *ruleResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identity.Schema("The rule's id.")
}

// ValidateConfig refuses a rule without a match or with several kinds.
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
		return // its errors are reported elsewhere
	}
	mark := client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	if !r.client.Applying() && client.PerRun[singles](r.client).Claim(mark, contentKey(desired)) {
		resp.Diagnostics.AddError(twiceTitle, twiceText)
	}
	if resp.Diagnostics.HasError() || resp.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	if !r.client.Applying() { // else the plan has warned already
		warnRanges(ctx, path.Root("ip_ranges"), state.IPRanges, plan.IPRanges,
			plan.Action.ValueString(), &resp.Diagnostics)
	}
	if req.State.Raw.IsNull() {
		resp.Diagnostics.Append(r.warnExisting(ctx, desired, plan.AdoptExisting.ValueBool())...)
	}
	resp.Diagnostics.Append(r.warnLockout(ctx, plan.ID.ValueString(), &desired, plan.AllowLockout)...)
}

// warnLockout warns of the subjects that the planned change would lock out. It is not
// an error: a rule that is planned later may allow them.
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

// mayAdopt reports whether an existing rule may be adopted. It is called after the wait
// for other resources' changes: a rule that another resource is changing is not free.
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
	resp.Diagnostics.Append(resp.State.Set(ctx,
		ruleResourceModel{toModel(fromAPI(found)), prior.AllowLockout, adopt})...)
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
	if equals(desired, state.toRule()) { // only arguments without a counterpart at the account change
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
		// A repeated write whose first answer was lost finds its own change. If the
		// rule is as planned, no other change is overwritten.
		current, readErr := client.Call[api.FirewallRule](r.client.API.GetFirewallRule(ctx, id))
		if readErr == nil && equals(desired, fromAPI(current)) {
			replaced, err = current, nil
		}
	}
	if client.NotFound(err) {
		resp.Diagnostics.AddError("The firewall rule was deleted", "Rule "+id+" was deleted after the plan was made. "+
			"Run terraform apply again to create it.")
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
		return // another resource of this run has adopted it
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
				"A rule is imported by its id or by its exact set of values, separated by commas: "+err.Error())
			return
		}
		id = found.ID
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
}

// versionKey is the key in private state of the version that was read when the plan was
// made, so that later changes are not overwritten unnoticed.
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
		return nil // from a provider that stored none: the last write wins
	}
	return &etag
}
