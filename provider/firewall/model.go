package firewall

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	policy "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

type ruleModel struct {
	ID           types.String `tfsdk:"id"`
	Action       types.String `tfsdk:"action"`
	IPRanges     types.Set    `tfsdk:"ip_ranges"`
	Countries    types.Set    `tfsdk:"countries"`
	Continents   types.Set    `tfsdk:"continents"`
	AnonymousIPs types.Set    `tfsdk:"anonymous_ips"`
	Priority     types.Int64  `tfsdk:"priority"`
	Description  types.String `tfsdk:"description"`
	AllowLockout types.Bool   `tfsdk:"allow_lockout"`
}

// wanted is what the account is asked to store, ranges in their one spelling.
type wanted api.FirewallRuleInput

func (m ruleModel) wanted(ctx context.Context) (wanted, diag.Diagnostics) {
	action := api.FirewallAction(m.Action.ValueString())
	priority := int(m.Priority.ValueInt64())
	description := m.Description.ValueString()
	in := wanted{Action: &action, Priority: &priority, Description: &description}

	var ranges []string
	diags := m.IPRanges.ElementsAs(ctx, &ranges, false)
	diags.Append(elements(ctx, m.Countries, &in.Countries)...)
	diags.Append(elements(ctx, m.Continents, &in.Continents)...)
	diags.Append(elements(ctx, m.AnonymousIPs, &in.AnonymousIps)...)
	if diags.HasError() {
		return in, diags
	}
	for i, text := range ranges {
		prefix, err := policy.ParseRange(text)
		if err != nil {
			diags.AddError("Invalid IP range", err.Error())
			continue
		}
		ranges[i] = policy.FormatRange(prefix)
	}
	if len(ranges) > 0 {
		slices.Sort(ranges)
		in.IpRanges = &ranges
	}
	return in, diags
}

// is tells whether a rule is what was asked for.
func (w wanted) is(rule api.FirewallRule) bool {
	return rule.Action == *w.Action && rule.Description == *w.Description &&
		(w.Priority == nil || rule.Priority == *w.Priority) &&
		slices.Equal(values(rule), values(api.FirewallRule{
			IpRanges: w.IpRanges, Countries: w.Countries, Continents: w.Continents, AnonymousIps: w.AnonymousIps,
		}))
}

func elements[T ~string](ctx context.Context, set types.Set, to **[]T) diag.Diagnostics {
	if set.IsNull() {
		return nil
	}
	var texts []string
	diags := set.ElementsAs(ctx, &texts, false)
	slices.Sort(texts)
	values := make([]T, len(texts))
	for i, text := range texts {
		values[i] = T(text)
	}
	*to = &values
	return diags
}

// modelOf is the rule as the account has it. allow_lockout is no part of the
// rule; the caller keeps it.
func modelOf(ctx context.Context, rule api.FirewallRule) (ruleModel, diag.Diagnostics) {
	m := ruleModel{
		ID:          types.StringValue(rule.Id),
		Action:      types.StringValue(string(rule.Action)),
		Priority:    types.Int64Value(int64(rule.Priority)),
		Description: types.StringValue(rule.Description),
	}
	var diags, d diag.Diagnostics
	m.IPRanges = types.SetNull(attr.CIDRType{})
	if rule.IpRanges != nil && len(*rule.IpRanges) > 0 {
		m.IPRanges, diags = types.SetValueFrom(ctx, attr.CIDRType{}, *rule.IpRanges)
	}
	m.Countries, d = setOf(ctx, rule.Countries)
	diags.Append(d...)
	m.Continents, d = setOf(ctx, rule.Continents)
	diags.Append(d...)
	m.AnonymousIPs, d = setOf(ctx, rule.AnonymousIps)
	diags.Append(d...)
	return m, diags
}

func setOf[T ~string](ctx context.Context, values *[]T) (types.Set, diag.Diagnostics) {
	if values == nil || len(*values) == 0 {
		return types.SetNull(types.StringType), nil
	}
	return types.SetValueFrom(ctx, types.StringType, *values)
}

// values are all that a rule matches, in their one spelling and sorted.
func values(rule api.FirewallRule) []string {
	var all []string
	if rule.IpRanges != nil {
		for _, text := range *rule.IpRanges {
			if prefix, err := policy.ParseRange(text); err == nil {
				text = policy.FormatRange(prefix)
			}
			all = append(all, text)
		}
	}
	if rule.Countries != nil {
		all = append(all, *rule.Countries...)
	}
	if rule.Continents != nil {
		for _, continent := range *rule.Continents {
			all = append(all, string(continent))
		}
	}
	if rule.AnonymousIps != nil {
		for _, kind := range *rule.AnonymousIps {
			all = append(all, string(kind))
		}
	}
	slices.Sort(all)
	return all
}

// find is the one rule whose values are exactly those listed in text,
// separated by commas, in any order and spelling.
func find(rules []api.FirewallRule, text string) (api.FirewallRule, error) {
	var wanted []string
	for value := range strings.SplitSeq(text, ",") {
		value = strings.TrimSpace(value)
		if prefix, err := policy.ParseRange(value); err == nil {
			value = policy.FormatRange(prefix)
		}
		wanted = append(wanted, value)
	}
	slices.Sort(wanted)
	var found []api.FirewallRule
	for _, rule := range rules {
		if slices.Equal(values(rule), wanted) {
			found = append(found, rule)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return api.FirewallRule{}, fmt.Errorf("no rule has the id %q or exactly these values. The account's rules:\n%s", text, listing(rules))
	default:
		return api.FirewallRule{}, fmt.Errorf("%d rules have exactly these values; import by id:\n%s", len(found), listing(found))
	}
}

func listing(rules []api.FirewallRule) string {
	if len(rules) == 0 {
		return "  (none)"
	}
	var lines strings.Builder
	for _, rule := range rules {
		fmt.Fprintf(&lines, "  %s  %s, priority %d: %s\n", rule.Id, rule.Action, rule.Priority, strings.Join(values(rule), ","))
	}
	return strings.TrimSuffix(lines.String(), "\n")
}
