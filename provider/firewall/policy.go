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

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

type wholePolicy struct{ client *client.Client }

var (
	_ resource.ResourceWithConfigure   = (*wholePolicy)(nil)
	_ resource.ResourceWithIdentity    = (*wholePolicy)(nil)
	_ resource.ResourceWithModifyPlan  = (*wholePolicy)(nil)
	_ resource.ResourceWithImportState = (*wholePolicy)(nil)
)

// NewPolicy is the resource scimbridge_firewall_policy.
func NewPolicy() resource.Resource { return &wholePolicy{} }

func (r *wholePolicy) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_firewall_policy"
}

func (r *wholePolicy) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *wholePolicy) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The account's firewall: its default action, and, where `rules` is given, all its rules, written in one transaction. " +
			"An account has one policy, so a configuration has one such resource.\n\n" +
			"The plan works out whom the whole policy would let in, and is an error if it would shut out whoever runs Terraform, or a bridge " +
			"that is signed in; a warning beside single rules, which may let them in before it.\n\n" +
			"Over rules that Terraform does not own it is not created: the plan warns, and the apply is an error with the import block to paste. " +
			"With `on_unmanaged = \"report\"`, others may be there, but none that is the same as one of `rules`. " +
			"Destroying it leaves the account's policy as it is.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The account's id.",
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"default_action": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "What happens to those whom no rule matches: `allow`, `report`, which lets pass and records, or `deny`. Changes in place.",
				Validators:          []validator.String{stringvalidator.OneOf(actions...)},
			},
			"rules": schema.MapNestedAttribute{
				Optional: true,
				MarkdownDescription: "The rules, by names that Terraform alone keeps; a rule under a new name stays the rule that it is. " +
					"Left out, rules are not managed, and the resource lives beside single `scimbridge_firewall_rule`. An empty map means that there shall be none. " +
					"Taking the argument away leaves the rules in the account.",
				NestedObject: schema.NestedAttributeObject{Attributes: ruleAttributes(), Validators: []validator.Object{hasOneKind{}}},
			},
			"on_unmanaged": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(remove),
				MarkdownDescription: "What becomes of rules in the account that are not in `rules`: `remove` (the default) shows them in the plan as removed from `rules`, " +
					"and an apply removes them; `report` leaves them and lists them in `unmanaged_rules`, so that single `scimbridge_firewall_rule` can live beside. " +
					"Changing it to `report` removes nothing in that apply; changing it to `remove` removes what was reported. Without `rules` it means nothing.",
				Validators: []validator.String{stringvalidator.OneOf(remove, report)},
			},
			"allow_lockout": schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Write the policy even if it shuts out whoever runs Terraform or a bridge that is signed in.",
			},
			"unmanaged_rules": schema.MapNestedAttribute{
				Computed: true,
				MarkdownDescription: "Under `report`, the rules in the account that are not in `rules`, by id; fit for `check` blocks. " +
					"Not known before the apply that first manages `rules`. Under `remove` empty, and null without `rules`.",
				NestedObject: schema.NestedAttributeObject{Attributes: foundAttributes()},
			},
		},
	}
}

func (r *wholePolicy) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identity.Schema("The account's id.")
}

// ModifyPlan works out what becomes of each rule, refuses what would be two
// owners of one policy, and whom it must not shut out.
func (r *wholePolicy) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var config, state, plan *policyModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() || r.client == nil {
		return
	}
	if plan == nil {
		resp.Diagnostics.AddWarning("The account's firewall stays as it is",
			"Terraform only forgets the policy. To let everybody in, apply default_action = \"allow\" and rules = {} first.")
		return
	}
	whole := r.planRules(ctx, config, state, plan, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	r.claim(ctx, *plan, client.OwnerOf(ctx, resp.Private, &resp.Diagnostics), &resp.Diagnostics)
	if resp.Diagnostics.HasError() || !whole || resp.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	if state != nil && !state.Rules.IsNull() && plan.Rules.IsNull() {
		resp.Diagnostics.AddAttributeWarning(path.Root("rules"), "The account's firewall rules stay as they are",
			"Without rules, the policy does not manage them any more. To remove them, apply rules = {} first.")
	}
	r.warnRanges(ctx, state, *plan, &resp.Diagnostics)
	r.foresee(ctx, state, *plan, &resp.Diagnostics)
}

// warnRanges says what there is to say of the ranges that are another rule's
// than before; a rule of another name is found by its id.
func (r *wholePolicy) warnRanges(ctx context.Context, state *policyModel, plan policyModel, diags *diag.Diagnostics) {
	if r.client.Applying() { // the plan has said it
		return
	}
	held, _ := state.heldBefore(ctx)
	before := make(map[string]ruleModel, len(held.own))
	for _, rule := range held.own {
		before[rule.ID.ValueString()] = rule
	}
	rules, _, _ := rulesIn(ctx, plan.Rules)
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		rule := rules[name]
		warnRanges(ctx, path.Root("rules").AtMapKey(name).AtName("ip_ranges"), before[rule.ID.ValueString()].IPRanges, rule.IPRanges,
			rule.Action.ValueString(), diags)
	}
}

// planRules completes the plan: priorities, ids, and what stays unmanaged. It
// tells whether all of it is known.
func (r *wholePolicy) planRules(ctx context.Context, config, state, plan *policyModel, diags *diag.Diagnostics) (whole bool) {
	if plan.Rules.IsNull() {
		plan.UnmanagedRules = noRules()
		return !plan.DefaultAction.IsUnknown()
	}
	rules, whole, d := rulesIn(ctx, plan.Rules)
	diags.Append(d...)
	configured, ok, d := rulesIn(ctx, config.Rules)
	diags.Append(d...)
	if !whole || !ok || plan.OnUnmanaged.IsUnknown() || diags.HasError() {
		plan.UnmanagedRules = types.MapUnknown(ruleType)
		return false
	}
	for name, rule := range rules {
		rules[name] = rule.withPriority(configured[name].Priority)
		whole = whole && rules[name].known(ctx)
	}
	plan.Rules, d = mapOf(ctx, rules)
	diags.Append(d...)
	held, d := state.heldBefore(ctx)
	diags.Append(d...)
	rules, unmanaged := held.to(ctx, rules, plan.reports())
	plan.Rules, d = mapOf(ctx, rules)
	diags.Append(d...)
	plan.UnmanagedRules, d = mapOf(ctx, unmanaged)
	diags.Append(d...)
	if state.managesNone() {
		if plan.reports() {
			plan.UnmanagedRules = types.MapUnknown(ruleType)
		}
		r.checkPresent(ctx, state, *plan, diags)
	}
	return whole && !plan.DefaultAction.IsUnknown() && !diags.HasError()
}

// checkPresent looks at the rules that are there when a policy first manages
// rules: it must not remove them unseen, nor take them over. What it says
// changes nothing in the plan, since rules of the same run may be made before
// the policy, or after it.
func (r *wholePolicy) checkPresent(ctx context.Context, state *policyModel, plan policyModel, diags *diag.Diagnostics) {
	if !r.client.Known() || r.client.Applying() || state == nil && r.client.Noted(plan.succeeds()) {
		return
	}
	as := client.AsError
	if state == nil {
		as = client.AtCreation
	}
	present, err := r.client.Firewall(ctx)
	if err != nil {
		diags.Append(as(r.client.Diagnose("read the firewall policy", err)))
		return
	}
	if foreign := plan.foreign(ctx, present.Rules, state != nil); len(foreign) > 0 {
		r.refuseOver(ctx, state != nil, foreign, as, diags)
	}
	if adopted := plan.twinsOf(ctx, present.Rules); state != nil && plan.reports() && len(adopted) > 0 {
		diags.AddAttributeWarning(path.Root("rules"), "Firewall rules are taken over",
			fmt.Sprintf("The account has these rules, and rules lists the same; from the apply on they are this policy's:\n%s", listing(adopted)))
	}
}

// What a policy that is, or until now was, in the state of this run manages:
// what is made in its place takes over no stranger's rules.
const (
	managedSome = "some firewall rules are managed" // those that it lists
	managedAll  = "all firewall rules are managed"
)

// note tells the run what the policy manages.
func (m policyModel) note(c *client.Client) {
	if m.Rules.IsNull() {
		return
	}
	c.Note(managedSome)
	if !m.reports() {
		c.Note(managedAll)
	}
}

// succeeds is what an older policy must have managed, so that this one may be
// made over the rules that are there.
func (m policyModel) succeeds() string {
	if m.reports() {
		return managedSome
	}
	return managedAll
}

func (r *wholePolicy) refuseOver(ctx context.Context, exists bool, rules []api.FirewallRule,
	as func(diag.Diagnostic) diag.Diagnostic, diags *diag.Diagnostics,
) {
	const title = "The account has firewall rules already"
	what := fmt.Sprintf("The account has rules that this resource did not make:\n%s\n\n", listing(rules))
	if exists {
		diags.Append(as(diag.NewAttributeErrorDiagnostic(path.Root("rules"), title, what+
			"Set on_unmanaged = \"report\" and apply: that adopts the rules that are listed, and reports the others. "+
			"With \"remove\" after that, the plan shows what would be removed.")))
		return
	}
	caller, err := r.client.Caller(ctx)
	if err != nil {
		diags.Append(as(r.client.Diagnose("reach the account", err)))
		return
	}
	diags.Append(as(diag.NewAttributeErrorDiagnostic(path.Root("rules"), title, what+fmt.Sprintf(
		"To manage the policy here, import it; the plan then shows what would change:\n\n%s\n\n"+
			"on_unmanaged = \"report\" leaves rules alone that are not in rules; one that is the same in all but its name is never taken over unseen.\n\n%s",
		importPolicy(caller.AccountId), client.ReplacedBeforeDestroyed))))
}

// importPolicy is what to paste when the policy has rules already.
func importPolicy(account string) string {
	return fmt.Sprintf("import {\n  to = scimbridge_firewall_policy.<name>\n  id = %q\n}", account)
}

// claim says which rules the policy manages: by their ids, and, since a single
// rule may be made or taken over in this run, by all but their id.
func (r *wholePolicy) claim(ctx context.Context, plan policyModel, owner string, diags *diag.Diagnostics) {
	rules, _, d := rulesIn(ctx, plan.Rules)
	diags.Append(d...)
	var listed []string
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if id := rules[name].ID.ValueString(); id != "" {
			listed = append(listed, id)
		}
		key, known := likeness(ctx, rules[name])
		if known && !r.client.Applying() && client.Once[singles](r.client).Claim(owner, key) {
			diags.AddAttributeError(path.Root("rules").AtMapKey(name), twiceTitle, twiceText)
		}
	}
	client.Once[owners](r.client).ownWhole(owner, !plan.Rules.IsNull() && !plan.reports(), listed, diags)
}

// foresee refuses what would shut somebody out. Beside single rules, which may
// let them in before it is written, it warns.
//
// It refuses a creation too, unlike client.AtCreation: whom a change shuts out
// must be said before anything is applied. Within an apply that has begun to
// write it says nothing (guardOf), and the account refuses the creation; the
// second plan of an apply that has written nothing yet is not told from the
// first. Its error could leave a policy deposed that is being replaced, only if
// the account has no rules, and a bridge that is shut out first signed in
// between the plan and the apply.
func (r *wholePolicy) foresee(ctx context.Context, state *policyModel, plan policyModel, diags *diag.Diagnostics) {
	g, ok := guardOf(ctx, r.client)
	if !ok {
		return
	}
	allowed := plan.AllowLockout.ValueBool() || plan.AllowLockout.IsUnknown()
	if plan.Rules.IsNull() {
		if out := g.defaultAction(plan.defaultAction()); len(out) > 0 && !allowed {
			diags.AddAttributeWarning(path.Root("default_action"), lockOutTitle, foreseen(out, g.described)+afterARule(false))
		}
		return
	}
	proposed, names, d := plan.proposed(ctx)
	diags.Append(d...)
	before, _ := state.heldBefore(ctx)
	if d.HasError() || state == nil && !plan.reports() && len(g.present.Rules) > 0 {
		return // it is not created over them
	}
	at := make(map[string][]shutOut)
	paths := make(map[string]path.Path)
	for _, out := range g.whole(proposed, func(id string) bool { return plan.keeps(before, id) }) {
		where := edited(ctx, out, before, plan, names)
		at[where.String()], paths[where.String()] = append(at[where.String()], out), where
	}
	if allowed {
		return
	}
	for _, where := range slices.Sorted(maps.Keys(at)) {
		text := foreseen(at[where], func(id string) string {
			if name, mine := names[id]; mine {
				return fmt.Sprintf("rule %q", name)
			}
			return g.described(id)
		})
		if plan.reports() {
			diags.AddAttributeWarning(paths[where], lockOutTitle, text+afterARule(false))
			continue
		}
		diags.AddAttributeError(paths[where], lockOutTitle, text+afterThePolicy)
	}
}

// keeps reports whether a rule that the policy does not list is left alone.
func (m policyModel) keeps(before holdings, id string) bool {
	if !m.reports() {
		return false
	}
	if _, stays := m.UnmanagedRules.Elements()[id]; stays {
		return true
	}
	for _, own := range before.own {
		if own.ID.ValueString() == id {
			return false
		}
	}
	return true
}

// edited is the place in the configuration whose change shuts somebody out:
// the rule that let it in until now, if that is what changes; else what decides.
func edited(ctx context.Context, out shutOut, before holdings, plan policyModel, names map[string]string) path.Path {
	now, _, _ := rulesIn(ctx, plan.Rules)
	for _, was := range before.own {
		if out.until == "" || was.ID.ValueString() != out.until {
			continue
		}
		name, stays := names[out.until]
		if !stays {
			return path.Root("rules") // it is listed no more
		}
		keyBefore, _ := likeness(ctx, was)
		if keyNow, _ := likeness(ctx, now[name]); keyNow != keyBefore {
			return path.Root("rules").AtMapKey(name)
		}
	}
	if name, mine := names[out.by]; mine {
		return path.Root("rules").AtMapKey(name)
	}
	return path.Root("default_action")
}

func (r *wholePolicy) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
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
	if foreign := plan.foreign(ctx, present.Rules, false); !plan.Rules.IsNull() && len(foreign) > 0 && !r.client.AwaitNote(ctx, plan.succeeds()) {
		r.refuseOver(ctx, false, foreign, client.AsError, &resp.Diagnostics)
		return
	}
	revision, diags := revisionOf(ctx, nil, plan, &present.Etag)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	now, err := revision.write(ctx, r.client)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("write the firewall policy", err))
		return
	}
	made, diags := revision.made(ctx, account, plan, now)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, account)...)
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, now.Etag)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, made)...)
}

func (r *wholePolicy) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
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

// warnNew tells of rules that somebody added beside the reported ones: nothing
// is planned for them, and a plan shows no drift that it does nothing about.
func warnNew(prior, state policyModel, present *client.Firewall, diags *diag.Diagnostics) {
	known := prior.UnmanagedRules.Elements()
	var added []api.FirewallRule
	for id := range state.UnmanagedRules.Elements() {
		if _, seen := known[id]; !seen {
			added = append(added, present.ByID[id])
		}
	}
	if len(added) == 0 || prior.OnUnmanaged.IsNull() {
		return
	}
	slices.SortFunc(added, func(a, b api.FirewallRule) int { return strings.Compare(a.Id, b.Id) })
	diags.AddAttributeWarning(path.Root("unmanaged_rules"), "Firewall rules that Terraform does not own",
		fmt.Sprintf("Since the last apply, somebody added to the account:\n%s", listing(added)))
}

func (r *wholePolicy) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan policyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	revision, diags := revisionOf(ctx, &state, plan, version(ctx, req.Private))
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	now, err := revision.write(ctx, r.client)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose("change the firewall policy", err))
		return
	}
	made, diags := revision.made(ctx, account, plan, now)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, account)...)
	resp.Diagnostics.Append(rememberVersion(ctx, resp.Private, now.Etag)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, made)...)
}

// Delete leaves the account as it is; the plan has said so.
func (r *wholePolicy) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state policyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if _, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics); ok {
		state.note(r.client)
	}
}

func (r *wholePolicy) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	id, account, ok := identity.Imported(ctx, r.client, req, &resp.Diagnostics)
	if !ok {
		return
	}
	if id != account {
		resp.Diagnostics.AddError("Invalid import id", "The firewall policy is imported by the account's id. It is:\n\n"+importPolicy(account))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
}
