package firewall

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/resourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	policy "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

type rule struct{ client *client.Client }

var (
	_ resource.ResourceWithConfigure        = (*rule)(nil)
	_ resource.ResourceWithConfigValidators = (*rule)(nil)
	_ resource.ResourceWithIdentity         = (*rule)(nil)
	_ resource.ResourceWithModifyPlan       = (*rule)(nil)
	_ resource.ResourceWithImportState      = (*rule)(nil)
)

// NewRule is the resource scimbridge_firewall_rule.
func NewRule() resource.Resource { return &rule{} }

func (r *rule) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_firewall_rule"
}

func (r *rule) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *rule) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "One rule of the account's firewall, beside others that Terraform may not own.\n\n" +
			"Rules are tried by ascending `priority`; the first that matches decides, and if none does, the account's default action. " +
			"Everything changes in place. A change that would shut out whoever runs Terraform, or a bridge that is signed in, is refused " +
			"unless `allow_lockout` is set.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The rule's id.",
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"action": schema.StringAttribute{
				Optional:            true,
				Computed:            true,
				Default:             stringdefault.StaticString(string(api.Allow)),
				MarkdownDescription: "`allow`, `deny`, or `report`, which lets pass and records. Default `allow`.",
				Validators:          []validator.String{stringvalidator.OneOf(string(api.Allow), string(api.Report), string(api.Deny))},
			},
			"ip_ranges": schema.SetAttribute{
				Optional:    true,
				ElementType: attr.CIDRType{},
				MarkdownDescription: "IP addresses, or networks in CIDR notation without host bits. Exactly one of `ip_ranges`, " +
					"`countries`, `continents` and `anonymous_ips` must be given.",
				Validators:    []validator.Set{setvalidator.SizeBetween(1, 1000), attr.AreRanges()},
				PlanModifiers: []planmodifier.Set{attr.KeepRangeSpelling()},
			},
			"countries": schema.SetAttribute{
				Optional:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Countries, as ISO 3166-1 alpha-2 codes in upper case. The account needs an IP database for them.",
				Validators: []validator.Set{setvalidator.SizeAtLeast(1),
					setvalidator.ValueStringsAre(stringvalidator.RegexMatches(countryCode, "must be two upper-case letters, for instance \"CH\""))},
			},
			"continents": schema.SetAttribute{
				Optional:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Continents: `AF`, `AN`, `AS`, `EU`, `NA`, `OC`, `SA`. The account needs an IP database for them.",
				Validators: []validator.Set{setvalidator.SizeAtLeast(1),
					setvalidator.ValueStringsAre(stringvalidator.OneOf("AF", "AN", "AS", "EU", "NA", "OC", "SA"))},
			},
			"anonymous_ips": schema.SetAttribute{
				Optional:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Kinds of anonymous addresses: `cloud_provider`, `vpn`, `tor`, `public_proxy`. The account needs an IP database for them.",
				Validators: []validator.Set{setvalidator.SizeAtLeast(1),
					setvalidator.ValueStringsAre(stringvalidator.OneOf("cloud_provider", "vpn", "tor", "public_proxy"))},
			},
			"priority": schema.Int64Attribute{
				Optional:            true,
				Computed:            true,
				MarkdownDescription: "0 to 1000000; a lower number is tried earlier. Default 100 for `allow`, 500 for `deny`, 1000 for `report`. Equal numbers: `deny` before `report` before `allow`.",
				Validators:          []validator.Int64{int64validator.Between(0, 1_000_000)},
			},
			"description": schema.StringAttribute{
				Optional:            true,
				Computed:            true,
				Default:             stringdefault.StaticString(""),
				MarkdownDescription: "For people; at most 500 characters.",
				Validators:          []validator.String{stringvalidator.UTF8LengthAtMost(500)},
			},
			"allow_lockout": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Write the rule even if it shuts out whoever runs Terraform or a bridge that is signed in. To destroy a rule that lets Terraform in, set this and apply first.",
			},
		},
	}
}

func (r *rule) ConfigValidators(context.Context) []resource.ConfigValidator {
	return []resource.ConfigValidator{resourcevalidator.ExactlyOneOf(
		path.MatchRoot("ip_ranges"), path.MatchRoot("countries"), path.MatchRoot("continents"), path.MatchRoot("anonymous_ips"))}
}

func (r *rule) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identity.Schema("The rule's id.")
}

// ModifyPlan gives priority the default of the planned action, so that the
// plan shows the number, and a number changed by hand shows as drift.
func (r *rule) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var config, plan ruleModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || !config.Priority.IsNull() {
		return
	}
	priority := types.Int64Unknown()
	if !plan.Action.IsUnknown() {
		priority = types.Int64Value(int64(policy.Action(plan.Action.ValueString()).DefaultPriority()))
	}
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("priority"), priority)...)
}

func (r *rule) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan ruleModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	wanted, diags := plan.wanted(ctx)
	resp.Diagnostics.Append(diags...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	if plan.Priority.IsUnknown() { // the action was
		wanted.Priority = nil
	}
	key := rand.Text()
	created, err := client.Call[api.FirewallRule](r.client.API.CreateFirewallRule(ctx,
		&api.CreateFirewallRuleParams{IdempotencyKey: &key, AllowLockout: plan.AllowLockout.ValueBoolPointer()}, api.FirewallRuleInput(wanted)))
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("create the firewall rule", err))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, created.Id)...)
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, created)...)
	state, diags := modelOf(ctx, created)
	resp.Diagnostics.Append(diags...)
	state.AllowLockout = plan.AllowLockout
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *rule) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var prior ruleModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, prior.ID.ValueString())...)

	found, err := client.Call[api.FirewallRule](r.client.API.GetFirewallRule(ctx, prior.ID.ValueString()))
	if client.NotFound(err) {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("read firewall rule "+prior.ID.ValueString(), err))
		return
	}
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, found)...)
	state, diags := modelOf(ctx, found)
	resp.Diagnostics.Append(diags...)
	state.AllowLockout = prior.AllowLockout
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *rule) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan ruleModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	wanted, diags := plan.wanted(ctx)
	resp.Diagnostics.Append(diags...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	if plan.Priority.IsUnknown() {
		wanted.Priority = nil
	}
	id := plan.ID.ValueString()
	replaced, err := client.Call[api.FirewallRule](r.client.API.ReplaceFirewallRule(ctx, id, &api.ReplaceFirewallRuleParams{
		IfMatch:      version(ctx, req.Private),
		AllowLockout: plan.AllowLockout.ValueBoolPointer(),
	}, api.FirewallRuleInput(wanted)))
	if client.Code(err) == "version_mismatch" {
		// A write whose answer was lost and that was repeated finds its own
		// work. If the rule is what it should be, nobody else's was lost.
		if current, readErr := client.Call[api.FirewallRule](r.client.API.GetFirewallRule(ctx, id)); readErr == nil && wanted.is(current) {
			replaced, err = current, nil
		}
	}
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("change firewall rule "+id, err))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, replaced.Id)...)
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, replaced)...)
	state, diags := modelOf(ctx, replaced)
	resp.Diagnostics.Append(diags...)
	state.AllowLockout = plan.AllowLockout
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *rule) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state ruleModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if _, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics); !ok || resp.Diagnostics.HasError() {
		return
	}
	id := state.ID.ValueString()
	_, err := client.Call[client.Nothing](r.client.API.DeleteFirewallRule(ctx, id,
		&api.DeleteFirewallRuleParams{AllowLockout: state.AllowLockout.ValueBoolPointer()}))
	if err != nil && !client.NotFound(err) {
		resp.Diagnostics.Append(r.client.Diagnose("delete firewall rule "+id, err))
	}
}

func (r *rule) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	text, account, ok := identity.Imported(ctx, r.client, req, &resp.Diagnostics)
	if !ok {
		return
	}
	rules, err := r.all(ctx)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("list the firewall rules", err))
		return
	}
	id := text
	if !slices.ContainsFunc(rules, func(rule api.FirewallRule) bool { return rule.Id == text }) {
		found, err := find(rules, text)
		if err != nil {
			resp.Diagnostics.AddError("Cannot find the firewall rule to import",
				"A rule is imported by its id or by its exact set of values, separated by commas; "+err.Error())
			return
		}
		id = found.Id
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
}

// all pages through the account's rules.
func (r *rule) all(ctx context.Context) ([]api.FirewallRule, error) {
	var rules []api.FirewallRule
	var params api.ListFirewallRulesParams
	for {
		page, err := client.Call[api.FirewallRulePage](r.client.API.ListFirewallRules(ctx, &params))
		if err != nil {
			return nil, err
		}
		rules = append(rules, page.Items...)
		if page.NextCursor == nil || *page.NextCursor == "" {
			return rules, nil
		}
		params.Cursor = page.NextCursor
	}
}

// versionKey is where private state keeps the version that was read when the
// plan was made: a rule that changed since is not overwritten unseen.
const versionKey = "version"

func rememberVersion(ctx context.Context, private client.Private, rule api.FirewallRule) diag.Diagnostics {
	value, _ := json.Marshal(rule.Etag) // a string always marshals
	return private.SetKey(ctx, versionKey, value)
}

func version(ctx context.Context, private client.Private) *string {
	value, _ := private.GetKey(ctx, versionKey)
	var etag string
	if json.Unmarshal(value, &etag) != nil || etag == "" {
		return nil // made by a provider that kept none: the last write wins
	}
	return &etag
}
