package firewall

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	policy "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// What becomes of rules that scimbridge_firewall_policy does not list.
const (
	remove = "remove"
	report = "report"
)

type policyModel struct {
	ID             types.String `tfsdk:"id"`
	DefaultAction  types.String `tfsdk:"default_action"`
	Rules          types.Map    `tfsdk:"rules"`
	OnUnmanaged    types.String `tfsdk:"on_unmanaged"`
	AllowLockout   types.Bool   `tfsdk:"allow_lockout"`
	UnmanagedRules types.Map    `tfsdk:"unmanaged_rules"`
}

// reports tells that foreign rules are left alone.
func (m policyModel) reports() bool { return m.OnUnmanaged.ValueString() == report }

// noRules is a map of rules that is not there.
func noRules() types.Map { return types.MapNull(ruleType) }

// rulesIn are the rules of a map by their keys. None is null; whole is false
// while a rule, or the map, is unknown.
func rulesIn(ctx context.Context, m types.Map) (rules map[string]ruleModel, whole bool, diags diag.Diagnostics) {
	if m.IsUnknown() {
		return nil, false, nil
	}
	for _, element := range m.Elements() {
		if element.IsUnknown() {
			return nil, false, nil
		}
	}
	rules = make(map[string]ruleModel)
	if !m.IsNull() {
		diags = m.ElementsAs(ctx, &rules, false)
	}
	return rules, true, diags
}

func mapOf(ctx context.Context, rules map[string]ruleModel) (types.Map, diag.Diagnostics) {
	return types.MapValueFrom(ctx, ruleType, rules)
}

// refreshed is m with what the account has now. Under "remove" all rules are
// the resource's, so that a plan shows what it would remove; under "report"
// only those that were. The names of rules are Terraform's alone: a rule of
// somebody else's goes by its description, or by its id.
func (m policyModel) refreshed(ctx context.Context, account string, f *client.Firewall) (policyModel, diag.Diagnostics) {
	m.ID = types.StringValue(account)
	m.DefaultAction = types.StringValue(string(f.DefaultAction))
	imported := m.OnUnmanaged.IsNull()
	if imported {
		m.OnUnmanaged = types.StringValue(remove)
	}
	if m.Rules.IsNull() && !imported {
		m.UnmanagedRules = noRules()
		return m, nil
	}
	before, _, diags := rulesIn(ctx, m.Rules)
	own, names := make(map[string]ruleModel), make(map[string]string)
	for name, rule := range before {
		names[rule.ID.ValueString()] = name
	}
	unmanaged := make(map[string]ruleModel)
	for _, found := range f.Rules {
		rule, d := modelOf(ctx, found)
		diags.Append(d...)
		name, mine := names[found.Id]
		switch {
		case mine:
			if wanted, d := before[name].wanted(ctx); !d.HasError() && wanted.is(found) {
				rule = before[name] // as it was spelled
			}
			own[name] = rule
		case m.reports():
			unmanaged[found.Id] = rule
		}
	}
	if !m.reports() {
		for _, found := range f.Rules {
			if _, mine := names[found.Id]; mine {
				continue
			}
			name := found.Description
			if _, taken := own[name]; taken || before[name].ID.ValueString() != "" || name == "" {
				name = found.Id
			}
			rule, d := modelOf(ctx, found)
			diags.Append(d...)
			own[name] = rule
		}
	}
	var d diag.Diagnostics
	m.Rules, d = mapOf(ctx, own)
	diags.Append(d...)
	m.UnmanagedRules, d = mapOf(ctx, unmanaged)
	diags.Append(d...)
	return m, diags
}

// holdings are the rules that a policy starts from.
type holdings struct {
	own     map[string]ruleModel // by name
	foreign map[string]ruleModel // by id
	reports bool
}

// held are the rules that the state has.
func (m policyModel) held(ctx context.Context) (holdings, diag.Diagnostics) {
	own, _, diags := rulesIn(ctx, m.Rules)
	foreign, _, d := rulesIn(ctx, m.UnmanagedRules)
	diags.Append(d...)
	return holdings{own, foreign, m.reports()}, diags
}

// managesNone reports whether no rule is the policy's yet; m is nil for one
// that is to be created.
func (m *policyModel) managesNone() bool { return m == nil || m.Rules.IsNull() }

// heldBefore are the rules that a plan starts from.
func (m *policyModel) heldBefore(ctx context.Context) (holdings, diag.Diagnostics) {
	if m.managesNone() {
		return holdings{}, nil
	}
	return m.held(ctx)
}

// to gives planned rules the ids of the rules that they are, by name, or else
// by being the same in all but the name; and says which rules stay unmanaged.
//
// Turning "remove" into "report" removes nothing: what is not listed any more
// is what is to be reported.
func (h holdings) to(ctx context.Context, planned map[string]ruleModel, reports bool) (rules, unmanaged map[string]ruleModel) {
	rules = make(map[string]ruleModel, len(planned))
	left := maps.Clone(h.foreign)
	if left == nil {
		left = make(map[string]ruleModel)
	}
	dropped := make(map[string]bool)
	for name, rule := range h.own {
		if _, stays := planned[name]; !stays {
			id := rule.ID.ValueString()
			left[id], dropped[id] = rule, true
		}
	}
	same := newTwins(ctx, left)
	for _, name := range slices.Sorted(maps.Keys(planned)) {
		rule := planned[name]
		if held, ok := h.own[name]; ok {
			rule.ID = held.ID
		} else if id, ok := same.take(ctx, rule); ok {
			rule.ID = types.StringValue(id)
			delete(left, id)
		} else {
			rule.ID = types.StringUnknown()
		}
		rules[name] = rule
	}
	if !reports {
		return rules, map[string]ruleModel{}
	}
	if h.reports { // what was the resource's and is not listed any more goes
		maps.DeleteFunc(left, func(id string, _ ruleModel) bool { return dropped[id] })
	}
	return rules, left
}

// foreign are the rules that the policy must not take over, or remove, without
// being told to. One that exists and reports shows in its plan which it adopts.
func (m policyModel) foreign(ctx context.Context, present []api.FirewallRule, exists bool) []api.FirewallRule {
	if !m.reports() {
		return present
	}
	if exists {
		return nil
	}
	return m.twinsOf(ctx, present)
}

// twinsOf are those of the present rules that are the same as a planned one.
func (m policyModel) twinsOf(ctx context.Context, present []api.FirewallRule) []api.FirewallRule {
	planned, _, _ := rulesIn(ctx, m.Rules)
	wanted := newTwins(ctx, planned)
	return slices.DeleteFunc(slices.Clone(present), func(r api.FirewallRule) bool { return len(wanted[alike(r)]) == 0 })
}

// twins finds rules by everything but their id.
type twins map[string][]string

func newTwins(ctx context.Context, rules map[string]ruleModel) twins {
	t := make(twins)
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		if key, ok := likeness(ctx, rules[id]); ok {
			t[key] = append(t[key], id)
		}
	}
	return t
}

// take gives away a rule like this one, each once.
func (t twins) take(ctx context.Context, rule ruleModel) (id string, ok bool) {
	key, ok := likeness(ctx, rule)
	if !ok || len(t[key]) == 0 {
		return "", false
	}
	id, t[key] = t[key][0], t[key][1:]
	return id, true
}

// likeness is the same for rules that are the same in all but the id.
func likeness(ctx context.Context, rule ruleModel) (key string, known bool) {
	if !rule.known(ctx) {
		return "", false
	}
	wanted, diags := rule.wanted(ctx)
	if diags.HasError() {
		return "", false
	}
	return alike(wanted.asRule("")), true
}

func alike(rule api.FirewallRule) string {
	return fmt.Sprintf("%s %d %q %q", rule.Action, rule.Priority, values(rule), rule.Description)
}

func (m policyModel) defaultAction() policy.Action {
	return policy.Action(m.DefaultAction.ValueString())
}

// proposed is the planned policy in the form that is evaluated, without what
// stays beside it, and the names of its rules by the ids that they have in it.
// All of it must be known, but ids.
func (m policyModel) proposed(ctx context.Context) (p policy.Policy, names map[string]string, diags diag.Diagnostics) {
	p.DefaultAction = m.defaultAction()
	names = make(map[string]string)
	add := func(id string, rule ruleModel) {
		wanted, d := rule.wanted(ctx)
		diags.Append(d...)
		if d.HasError() {
			return
		}
		r, err := ruleOf(wanted.asRule(id))
		if err != nil {
			diags.AddError("Invalid firewall rule", err.Error())
			return
		}
		p.Rules = append(p.Rules, r)
	}
	rules, _, d := rulesIn(ctx, m.Rules)
	diags.Append(d...)
	for name, rule := range rules {
		id := rule.ID.ValueString()
		if id == "" {
			id = planned + name
		}
		names[id] = name
		add(id, rule)
	}
	return p, names, diags
}
