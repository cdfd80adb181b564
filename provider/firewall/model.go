package firewall

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tfattr "github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	policy "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

// ruleModel is a rule as all parts of the provider show it.
type ruleModel struct {
	ID           types.String `tfsdk:"id"`
	Action       types.String `tfsdk:"action"`
	IPRanges     attr.CIDRs   `tfsdk:"ip_ranges"`
	Countries    attr.Codes   `tfsdk:"countries"`
	Continents   attr.Codes   `tfsdk:"continents"`
	AnonymousIPs types.Set    `tfsdk:"anonymous_ips"`
	Priority     types.Int64  `tfsdk:"priority"`
	Description  types.String `tfsdk:"description"`
}

// ruleType is ruleModel's type.
var ruleType = types.ObjectType{AttrTypes: map[string]tfattr.Type{
	"id":            types.StringType,
	"action":        types.StringType,
	"ip_ranges":     attr.CIDRsType(),
	"countries":     attr.CodesType(),
	"continents":    attr.CodesType(),
	"anonymous_ips": types.SetType{ElemType: types.StringType},
	"priority":      types.Int64Type,
	"description":   types.StringType,
}}

// known tells whether everything that decides about the rule's effect is known.
func (m ruleModel) known(ctx context.Context) bool {
	for _, value := range []tfattr.Value{m.Action, m.IPRanges, m.Countries, m.Continents, m.AnonymousIPs, m.Priority, m.Description} {
		if raw, err := value.ToTerraformValue(ctx); err != nil || !raw.IsFullyKnown() {
			return false
		}
	}
	return true
}

// withPriority gives a rule whose priority is left out that of its action, so
// that the plan shows the number, and a number changed by hand shows as drift.
func (m ruleModel) withPriority(configured types.Int64) ruleModel {
	switch {
	case !configured.IsNull():
	case m.Action.IsUnknown():
		m.Priority = types.Int64Unknown()
	default:
		m.Priority = types.Int64Value(int64(policy.Action(m.Action.ValueString()).DefaultPriority()))
	}
	return m
}

// wanted is what the account is asked to store, every value in its one
// spelling, sorted.
type wanted api.FirewallRuleInput

func (m ruleModel) wanted(ctx context.Context) (wanted, diag.Diagnostics) {
	action := api.FirewallAction(m.Action.ValueString())
	description := m.Description.ValueString()
	in := wanted{Action: &action, Description: &description}
	if !m.Priority.IsUnknown() { // as long as the action is: then the account takes that action's
		priority := int(m.Priority.ValueInt64())
		in.Priority = &priority
	}
	diags := elements(ctx, m.IPRanges.SetValue, &in.IpRanges, formatRange)
	diags.Append(elements(ctx, m.Countries.SetValue, &in.Countries, attr.FormatCode)...)
	diags.Append(elements(ctx, m.Continents.SetValue, &in.Continents, attr.FormatCode)...)
	diags.Append(elements(ctx, m.AnonymousIPs, &in.AnonymousIps, strings.Clone)...)
	return in, diags
}

func elements[T ~string](ctx context.Context, set types.Set, to **[]T, spell func(string) string) diag.Diagnostics {
	if set.IsNull() {
		return nil
	}
	var texts []string
	diags := set.ElementsAs(ctx, &texts, false)
	values := make([]T, len(texts))
	for i, text := range texts {
		values[i] = T(spell(text))
	}
	slices.Sort(values)
	*to = &values
	return diags
}

// formatRange gives a range its one spelling. What is none stays as it is:
// validation refuses it, and the account would.
func formatRange(text string) string {
	if prefix, err := policy.ParseRange(text); err == nil {
		return policy.FormatRange(prefix)
	}
	return text
}

// is tells whether a rule is what was asked for.
func (w wanted) is(rule api.FirewallRule) bool {
	return rule.Action == *w.Action && rule.Description == *w.Description &&
		(w.Priority == nil || rule.Priority == *w.Priority) &&
		slices.Equal(values(rule), values(w.asRule("")))
}

// asRule is the rule that the account would make.
func (w wanted) asRule(id string) api.FirewallRule {
	rule := api.FirewallRule{
		Id: id, Action: *w.Action, Description: *w.Description,
		IpRanges: w.IpRanges, Countries: w.Countries, Continents: w.Continents, AnonymousIps: w.AnonymousIps,
	}
	rule.Priority = policy.Action(rule.Action).DefaultPriority()
	if w.Priority != nil {
		rule.Priority = *w.Priority
	}
	return rule
}

// inputOf says of a rule that it shall stay what it is.
func inputOf(rule api.FirewallRule) api.FirewallRuleInput {
	return api.FirewallRuleInput{
		Id: &rule.Id, Action: &rule.Action, Priority: &rule.Priority, Description: &rule.Description,
		IpRanges: rule.IpRanges, Countries: rule.Countries, Continents: rule.Continents, AnonymousIps: rule.AnonymousIps,
	}
}

// ruleOf is a rule in the form that is evaluated.
func ruleOf(rule api.FirewallRule) (policy.Rule, error) {
	r := policy.Rule{ID: rule.Id, Action: policy.Action(rule.Action), Priority: rule.Priority, Description: rule.Description}
	if rule.IpRanges != nil {
		for _, text := range *rule.IpRanges {
			prefix, err := policy.ParseRange(text)
			if err != nil {
				return r, fmt.Errorf("reading firewall rule %q: %w", rule.Id, err)
			}
			r.IPRanges = append(r.IPRanges, prefix)
		}
	}
	r.Countries = texts(rule.Countries)
	r.Continents = texts(rule.Continents)
	r.Anonymous = texts(rule.AnonymousIps)
	return r, nil
}

// policyOf is a policy in the form that is evaluated.
func policyOf(f api.Firewall) (policy.Policy, error) {
	p := policy.Policy{DefaultAction: policy.Action(f.DefaultAction), Rules: make([]policy.Rule, len(f.Rules))}
	for i, rule := range f.Rules {
		var err error
		if p.Rules[i], err = ruleOf(rule); err != nil {
			return p, err
		}
	}
	return p, nil
}

// modelOf is the rule as the account has it.
func modelOf(ctx context.Context, rule api.FirewallRule) (ruleModel, diag.Diagnostics) {
	m := ruleModel{
		ID:          types.StringValue(rule.Id),
		Action:      types.StringValue(string(rule.Action)),
		IPRanges:    attr.CIDRsType().OrNull(texts(rule.IpRanges)),
		Countries:   attr.CodesType().OrNull(texts(rule.Countries)),
		Continents:  attr.CodesType().OrNull(texts(rule.Continents)),
		Priority:    types.Int64Value(int64(rule.Priority)),
		Description: types.StringValue(rule.Description),
	}
	var diags diag.Diagnostics
	m.AnonymousIPs, diags = kindsOf(ctx, rule.AnonymousIps)
	return m, diags
}

func kindsOf(ctx context.Context, kinds *[]api.AnonymousIP) (types.Set, diag.Diagnostics) {
	if kinds == nil || len(*kinds) == 0 {
		return types.SetNull(types.StringType), nil
	}
	return types.SetValueFrom(ctx, types.StringType, texts(kinds))
}

func texts[T ~string](values *[]T) []string {
	if values == nil {
		return nil
	}
	all := make([]string, len(*values))
	for i, value := range *values {
		all[i] = string(value)
	}
	return all
}

// values are all that a rule matches, in their one spelling and sorted.
func values(rule api.FirewallRule) []string {
	all := texts(rule.IpRanges)
	for i, text := range all {
		all[i] = formatRange(text)
	}
	for _, text := range slices.Concat(texts(rule.Countries), texts(rule.Continents)) {
		all = append(all, attr.FormatCode(text))
	}
	all = append(all, texts(rule.AnonymousIps)...)
	slices.Sort(all)
	return all
}
