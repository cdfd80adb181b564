package firewall

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

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

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

type policyResource struct{ client *client.Client }

var (
	_ resource.ResourceWithConfigure   = (*policyResource)(nil)
	_ resource.ResourceWithIdentity    = (*policyResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*policyResource)(nil)
	_ resource.ResourceWithImportState = (*policyResource)(nil)
)

// NewPolicy is the resource scimbridge_firewall_policy.
func NewPolicy() resource.Resource { return &policyResource{} }

func (r *policyResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_firewall_policy"
}

func (r *policyResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *policyResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The account's firewall: its default action and, if `rules` is given, all its rules, " +
			"written in one transaction. An account has one policy, so a configuration has one such resource.\n\n" +
			"The plan evaluates the whole policy and fails if it would lock out the machine that runs Terraform, " +
			"or a bridge that is signed in. Without `rules` this is a warning, because single rules may allow them " +
			"before.\n\n" +
			"It is not created over rules that Terraform does not manage: the plan warns, " +
			"and the apply fails with the import block to paste. " +
			"With `on_unmanaged = \"report\"` other rules may exist, but none that equals one of `rules`. " +
			"Destroying this resource changes nothing in the account.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The account's id.",
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"default_action": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "The action if no rule matches: `allow`, `report`, which allows and records, " +
					"or `deny`. Changes in place.",
				Validators: []validator.String{stringvalidator.OneOf(actions...)},
			},
			"rules": schema.MapNestedAttribute{
				Optional: true,
				MarkdownDescription: "The rules, by names that only Terraform stores. A renamed rule keeps its id. " +
					"Without it, rules are not managed, and `scimbridge_firewall_rule` resources can manage single " +
					"ones. An empty map means no rules. Removing the argument leaves the rules in the account.",
				NestedObject: schema.NestedAttributeObject{
					Attributes: ruleAttributes(), Validators: []validator.Object{hasOneKind{}},
				},
			},
			"on_unmanaged": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(remove),
				MarkdownDescription: "What to do with rules in the account that are not in `rules`: " +
					"`remove` (the default) shows them in the plan as removed from `rules`, " +
					"and an apply removes them; `report` keeps and lists them in `unmanaged_rules`, " +
					"so that `scimbridge_firewall_rule` resources can manage them. " +
					"Changing it to `report` removes nothing in that apply; " +
					"changing it to `remove` removes the reported rules. Ignored without `rules`.",
				Validators: []validator.String{stringvalidator.OneOf(remove, report)},
			},
			"allow_lockout": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Write the policy even if it locks out the machine that runs Terraform, " +
					"or a bridge that is signed in.",
			},
			"unmanaged_rules": schema.MapNestedAttribute{
				Computed: true,
				MarkdownDescription: "With `report`, the rules in the account that are not in `rules`, by id; " +
					"use it in `check` blocks. Unknown before the apply that first manages `rules`. " +
					"Empty with `remove`, and null without `rules`.",
				NestedObject: schema.NestedAttributeObject{Attributes: foundAttributes()},
			},
		},
	}
}

func (r *policyResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identity.Schema("The account's id.")
}

// ModifyPlan computes the change of each rule, and refuses rules that two resources
// would manage, and lock-outs.
func (r *policyResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse) {
	var config, state, model *policyModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() || r.client == nil {
		return
	}
	if model == nil {
		resp.Diagnostics.AddWarning("The account's firewall is not changed",
			"Terraform only removes the policy from its state. To allow all addresses, first apply "+
				"default_action = \"allow\" and rules = {}.")
		return
	}
	configured, diags := toConfig(ctx, *config, *model)
	resp.Diagnostics.Append(diags...)
	before, diags := state.managed(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	planned := planRules(configured, before, r.present(ctx, configured, before, *model, &resp.Diagnostics))
	r.checkPresent(ctx, planned, before, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(model.set(ctx, configured, planned)...)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, model)...)
	owner := client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	r.claim(planned, configured.managesRules && !configured.reports, owner, &resp.Diagnostics)
	whole := planned.whole && !model.DefaultAction.IsUnknown()
	if resp.Diagnostics.HasError() || !whole || resp.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	if before.any && !configured.managesRules {
		resp.Diagnostics.AddAttributeWarning(path.Root("rules"), "The account's firewall rules are not changed",
			"Without the argument rules, the policy no longer manages them. To remove them, first apply rules = {}.")
	}
	r.warnRanges(ctx, before, planned, &resp.Diagnostics)
	r.checkLockout(ctx, *model, before, planned, &resp.Diagnostics)
}

// toConfig returns the configured rules, with the framework's defaults.
func toConfig(ctx context.Context, config, model policyModel) (policyConfig, diag.Diagnostics) {
	rules, wholeRules, diags := rulesIn(ctx, model.Rules)
	configured, wholeConfig, d := rulesIn(ctx, config.Rules)
	diags.Append(d...)
	priorities := make(map[string]types.Int64, len(configured))
	for name, rule := range configured {
		priorities[name] = rule.Priority
	}
	return policyConfig{
		managesRules: !model.Rules.IsNull(),
		whole:        wholeRules && wholeConfig && !model.OnUnmanaged.IsUnknown(),
		reports:      model.reports(),
		rules:        rules,
		priorities:   priorities,
	}, diags
}

// set sets the planned rules in the model.
func (m *policyModel) set(ctx context.Context, config policyConfig, planned plannedPolicy) (diags diag.Diagnostics) {
	if !config.managesRules {
		m.UnmanagedRules = noRules()
		return nil
	}
	if config.whole {
		m.Rules, diags = toMap(ctx, planned.rules)
	}
	if planned.unmanagedUnknown {
		m.UnmanagedRules = types.MapUnknown(ruleType)
		return diags
	}
	unmanaged, d := toMap(ctx, planned.unmanaged)
	m.UnmanagedRules = unmanaged
	diags.Append(d...)
	return diags
}

// warnRanges warns about the ranges of new and changed rules; a renamed rule is found
// by its id.
func (r *policyResource) warnRanges(ctx context.Context, before managedRules, planned plannedPolicy,
	diags *diag.Diagnostics) {
	if r.client.Applying() { // the plan has warned already
		return
	}
	were := before.byID()
	for _, name := range slices.Sorted(maps.Keys(planned.rules)) {
		rule := planned.rules[name]
		at := path.Root("rules").AtMapKey(name).AtName(string(firewall.IPRanges))
		warnRanges(ctx, at, were[rule.ID.ValueString()].IPRanges, rule.IPRanges, rule.Action.ValueString(), diags)
	}
}

// present returns the account's rules if the policy does not manage rules yet and the
// plan must be checked against them.
func (r *policyResource) present(
	ctx context.Context, config policyConfig, before managedRules, model policyModel, diags *diag.Diagnostics,
) []firewall.Rule {
	if !config.managesRules || !config.whole || before.any || !r.client.Known() || r.client.Applying() {
		return nil
	}
	if !before.exists && r.client.Noted(model.succeeds()) {
		return nil
	}
	present, err := r.client.Firewall(ctx)
	if err != nil {
		diags.Append(atPlan(before)(r.client.Diagnose("read the firewall policy", err)))
		return nil
	}
	return rulesOf(present.Firewall)
}

// atPlan returns how a plan reports an error: for a creation as a warning.
func atPlan(before managedRules) func(diag.Diagnostic) diag.Diagnostic {
	if before.exists {
		return client.AsError
	}
	return client.AtCreation
}

// checkPresent refuses a policy that would remove or adopt existing rules unnoticed, and
// warns of those that it adopts.
func (r *policyResource) checkPresent(ctx context.Context, planned plannedPolicy, before managedRules,
	diags *diag.Diagnostics) {
	if len(planned.foreign) > 0 {
		r.refuseOver(ctx, before.exists, planned.foreign, atPlan(before), diags)
	}
	if len(planned.adopted) > 0 {
		diags.AddAttributeWarning(path.Root("rules"), "Existing firewall rules will be adopted", fmt.Sprintf(
			"The account has these rules, which equal those in rules. After the apply this policy manages them:\n%s",
			listing(planned.adopted)))
	}
}

// Notes for the run on what a policy in its state manages: a policy that replaces
// it may be created over these rules.
const (
	managedSome = "some firewall rules are managed" // those that it lists
	managedAll  = "all firewall rules are managed"
)

// note notes for the run what the policy manages.
func (m policyModel) note(c *client.Client) {
	if m.Rules.IsNull() {
		return
	}
	c.Note(managedSome)
	if !m.reports() {
		c.Note(managedAll)
	}
}

// succeeds returns the note that a replaced policy must have left, so that this one may
// be created over existing rules.
func (m policyModel) succeeds() string {
	if m.reports() {
		return managedSome
	}
	return managedAll
}

func (r *policyResource) refuseOver(ctx context.Context, exists bool, rules []firewall.Rule,
	as func(diag.Diagnostic) diag.Diagnostic, diags *diag.Diagnostics,
) {
	const title = "The account already has firewall rules"
	what := fmt.Sprintf("The account has rules that this resource did not create:\n%s\n\n", listing(rules))
	if exists {
		diags.Append(as(diag.NewAttributeErrorDiagnostic(path.Root("rules"), title, what+
			"Set on_unmanaged = \"report\" and apply: this adopts the rules in the list and reports the others. "+
			"With \"remove\" after that, the plan shows the rules that it would remove.")))
		return
	}
	caller, err := r.client.Caller(ctx)
	if err != nil {
		diags.Append(as(r.client.Diagnose("reach the account", err)))
		return
	}
	diags.Append(as(diag.NewAttributeErrorDiagnostic(path.Root("rules"), title, what+fmt.Sprintf(
		"To manage the policy here, import it; the plan then shows the changes:\n\n%s\n\n"+
			"With on_unmanaged = \"report\", rules that are not in rules are kept. A rule that equals one of rules is "+
			"never adopted unnoticed.\n\n%s",
		importPolicy(caller.AccountId), client.ReplacedBeforeDestroyed))))
}

// importPolicy returns the import block for a policy that has rules.
func importPolicy(account string) string {
	return fmt.Sprintf("import {\n  to = scimbridge_firewall_policy.<name>\n  id = %q\n}", account)
}

// claim claims the rules that the policy manages: by id, and also by content, since a
// single rule may be created or adopted in this run.
func (r *policyResource) claim(planned plannedPolicy, removes bool, owner string, diags *diag.Diagnostics) {
	for _, name := range slices.Sorted(maps.Keys(planned.rules)) {
		rule := planned.rules[name]
		if !rule.known() || r.client.Applying() {
			continue
		}
		if client.PerRun[singles](r.client).Claim(owner, contentKey(rule.toRule())) {
			diags.AddAttributeError(path.Root("rules").AtMapKey(name), twiceTitle, twiceText)
		}
	}
	client.PerRun[claims](r.client).claimAll(owner, removes, planned.listed(), diags)
}

// checkLockout refuses a change that would lock out a subject. If single rules may
// allow it before the policy is written, it warns.
//
// It refuses a creation too, unlike client.AtCreation: a lock-out must be reported
// before anything is applied. During an apply that has begun to write it does not check
// (lockoutCheckerOf), and the account refuses the creation. The second plan of an apply
// that has written nothing yet cannot be distinguished from the first. Its error could
// leave a policy deposed that is being replaced, but only if the account has no rules
// and a bridge that would be locked out signed in between the plan and the apply.
func (r *policyResource) checkLockout(
	ctx context.Context, model policyModel, before managedRules, planned plannedPolicy, diags *diag.Diagnostics,
) {
	checker, ok := lockoutCheckerOf(ctx, r.client)
	if !ok {
		return
	}
	allowed := model.AllowLockout.ValueBool() || model.AllowLockout.IsUnknown()
	if model.Rules.IsNull() {
		if out := checker.checkDefaultAction(model.defaultAction()); len(out) > 0 && !allowed {
			diags.AddAttributeWarning(path.Root("default_action"), lockOutTitle,
				describeLockouts(out, checker.ruleName)+singleRuleRemedy(false))
		}
		return
	}
	proposed, names, err := planned.proposed(model.defaultAction())
	if err != nil {
		diags.AddAttributeError(path.Root("rules"), "Invalid firewall rule", err.Error())
		return
	}
	if !before.exists && !model.reports() && len(checker.present) > 0 {
		return // it will not be created
	}
	at := make(map[string][]lockout)
	paths := make(map[string]path.Path)
	keeps := func(id string) bool { return planned.keeps(before, id, model.reports()) }
	for _, out := range checker.checkPolicy(proposed, keeps) {
		where := placeOf(out, before, planned, names)
		at[where.String()], paths[where.String()] = append(at[where.String()], out), where
	}
	if allowed {
		return
	}
	for _, where := range slices.Sorted(maps.Keys(at)) {
		text := describeLockouts(at[where], func(id string) string {
			if name, mine := names[id]; mine {
				return fmt.Sprintf("rule %q", name)
			}
			return checker.ruleName(id)
		})
		if model.reports() {
			diags.AddAttributeWarning(paths[where], lockOutTitle, text+singleRuleRemedy(false))
			continue
		}
		diags.AddAttributeError(paths[where], lockOutTitle, text+policyRemedy)
	}
}

// placeOf returns the place in the configuration whose change causes a lock-out: the
// rule that allows the subject now, if that rule changes, else the deciding one.
func placeOf(out lockout, before managedRules, planned plannedPolicy, names map[string]string) path.Path {
	if was, own := before.byID()[out.until]; own && out.until != "" {
		name, stays := names[out.until]
		if !stays {
			return path.Root("rules") // it is no longer listed
		}
		if !equals(planned.rules[name].toRule(), was.toRule()) {
			return path.Root("rules").AtMapKey(name)
		}
	}
	if name, mine := names[out.by]; mine {
		return path.Root("rules").AtMapKey(name)
	}
	return path.Root("default_action")
}

// foreign returns the existing rules that a new policy must not adopt or remove without
// an import.
func (m policyModel) foreign(ctx context.Context, present []firewall.Rule) []firewall.Rule {
	config, _ := toConfig(ctx, m, m)
	return planRules(config, managedRules{}, present).foreign
}

func (r *policyResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan policyModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	present, err := r.client.Firewall(ctx)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("read the firewall policy", err))
		return
	}
	foreign := plan.foreign(ctx, rulesOf(present.Firewall))
	if len(foreign) > 0 && !r.client.AwaitNote(ctx, plan.succeeds()) {
		r.refuseOver(ctx, false, foreign, client.AsError, &resp.Diagnostics)
		return
	}
	write, diags := newPolicyWrite(ctx, nil, plan, &present.Etag)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	now, err := write.do(ctx, r.client)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("write the firewall policy", err))
		return
	}
	written, diags := write.written(ctx, account, plan, now)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, account)...)
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, now.Etag)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, written)...)
}

func (r *policyResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var prior policyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, account)...)
	client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	present, err := r.client.Firewall(ctx)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("read the firewall policy", err))
		return
	}
	state, diags := prior.refreshed(ctx, account, present)
	state.note(r.client)
	resp.Diagnostics.Append(diags...)
	warnNew(prior, state, present, &resp.Diagnostics)
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, present.Etag)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

// warnNew warns of rules that were added outside Terraform. Nothing is planned for
// them, and a plan does not show drift on which it does not act.
func warnNew(prior, state policyModel, present *client.Firewall, diags *diag.Diagnostics) {
	known := prior.UnmanagedRules.Elements()
	var added []firewall.Rule
	for id := range state.UnmanagedRules.Elements() {
		if _, seen := known[id]; !seen {
			added = append(added, fromAPI(present.ByID[id]))
		}
	}
	if len(added) == 0 || prior.OnUnmanaged.IsNull() {
		return
	}
	slices.SortFunc(added, func(a, b firewall.Rule) int { return strings.Compare(a.ID, b.ID) })
	diags.AddAttributeWarning(path.Root("unmanaged_rules"), "Firewall rules added outside Terraform",
		fmt.Sprintf("Added to the account since the last apply:\n%s", listing(added)))
}

func (r *policyResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan policyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	write, diags := newPolicyWrite(ctx, &state, plan, version(ctx, req.Private))
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	now, err := write.do(ctx, r.client)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("change the firewall policy", err))
		return
	}
	written, diags := write.written(ctx, account, plan, now)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, account)...)
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, now.Etag)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, written)...)
}

// Delete does not change the account, as the plan has warned.
func (r *policyResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state policyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if _, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics); ok {
		state.note(r.client)
	}
}

func (r *policyResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse) {
	id, account, ok := identity.Imported(ctx, r.client, req, &resp.Diagnostics)
	if !ok {
		return
	}
	if id != account {
		resp.Diagnostics.AddError("Invalid import id", "A firewall policy is imported by the account's id:\n\n"+
			importPolicy(account))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
}
