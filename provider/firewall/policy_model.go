package firewall

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// The values of on_unmanaged, for rules that scimbridge_firewall_policy does not list.
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

// reports reports whether rules that the policy does not list are kept.
func (m policyModel) reports() bool { return m.OnUnmanaged.ValueString() == report }

func (m policyModel) defaultAction() firewall.Action {
	return firewall.Action(m.DefaultAction.ValueString())
}

// noRules returns a null map of rules.
func noRules() types.Map { return types.MapNull(ruleType) }

// rulesIn returns the rules of a map by key. Whole is false while the map or a rule in it
// is unknown.
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

func toMap(ctx context.Context, rules map[string]ruleModel) (types.Map, diag.Diagnostics) {
	return types.MapValueFrom(ctx, ruleType, rules)
}

// refreshed returns m with the account's current rules. With "remove" all rules belong
// to the resource, so that a plan shows which it would remove; with "report" only those
// that did before. Only Terraform has names for rules: a rule from elsewhere is named by
// its description or its id.
func (m policyModel) refreshed(ctx context.Context, account string, f *client.Firewall,
) (policyModel, diag.Diagnostics) {
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
	own, unmanaged := refreshedRules(before, rulesOf(f.Firewall), m.reports())
	var d diag.Diagnostics
	m.Rules, d = toMap(ctx, own)
	diags.Append(d...)
	m.UnmanagedRules, d = toMap(ctx, unmanaged)
	diags.Append(d...)
	return m, diags
}

// refreshedRules divides the account's rules into the policy's own, by name, and the
// unmanaged ones, by id.
func refreshedRules(before map[string]ruleModel, present []firewall.Rule, reports bool,
) (own, unmanaged map[string]ruleModel) {
	own, unmanaged = make(map[string]ruleModel), make(map[string]ruleModel)
	names := make(map[string]string)
	for name, rule := range before {
		names[rule.ID.ValueString()] = name
	}
	var others []firewall.Rule
	for _, found := range present {
		name, mine := names[found.ID]
		switch {
		case mine && equals(before[name].toRule(), found):
			own[name] = before[name] // in the same spelling
		case mine:
			own[name] = toModel(found)
		case reports:
			unmanaged[found.ID] = toModel(found)
		default:
			others = append(others, found)
		}
	}
	for _, found := range others {
		name := found.Description
		if _, taken := own[name]; taken || before[name].ID.ValueString() != "" || name == "" {
			name = found.ID
		}
		own[name] = toModel(found)
	}
	return own, unmanaged
}

// managedRules are the rules in the state that a plan starts from.
type managedRules struct {
	exists    bool                 // the policy exists
	any       bool                 // it manages rules
	own       map[string]ruleModel // by name
	unmanaged map[string]ruleModel // by id
	reports   bool
}

// managed returns the rules in the state; m is nil for a policy that will be created.
func (m *policyModel) managed(ctx context.Context) (managedRules, diag.Diagnostics) {
	if m == nil || m.Rules.IsNull() {
		return managedRules{exists: m != nil}, nil
	}
	own, _, diags := rulesIn(ctx, m.Rules)
	unmanaged, _, d := rulesIn(ctx, m.UnmanagedRules)
	diags.Append(d...)
	return managedRules{true, true, own, unmanaged, m.reports()}, diags
}

// byID returns the policy's own rules by id.
func (m managedRules) byID() map[string]ruleModel {
	rules := make(map[string]ruleModel, len(m.own))
	for _, rule := range m.own {
		rules[rule.ID.ValueString()] = rule
	}
	return rules
}
