package firewall

import (
	"fmt"
	"slices"
	"strings"

	tfattr "github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

// ruleModel is the Terraform model of a rule. Its match is in one of the fields of
// [matchAttributes].
type ruleModel struct {
	ID           types.String      `tfsdk:"id"`
	Action       types.String      `tfsdk:"action"`
	IPRanges     attr.CIDRs        `tfsdk:"ip_ranges"`
	Countries    attr.Codes        `tfsdk:"countries"`
	Continents   attr.Codes        `tfsdk:"continents"`
	AnonymousIPs attr.AnonymousIPs `tfsdk:"anonymous_ips"`
	Priority     types.Int64       `tfsdk:"priority"`
	Description  types.String      `tfsdk:"description"`
}

// ruleType is ruleModel's type.
var ruleType = schema.NestedAttributeObject{Attributes: foundAttributes()}.Type()

// known reports whether the values that determine the rule's effect are known.
func (m ruleModel) known() bool {
	for _, a := range matchAttributes {
		if !a.field(&m).IsWhollyKnown() {
			return false
		}
	}
	return !slices.ContainsFunc([]tfattr.Value{m.Action, m.Priority, m.Description}, tfattr.Value.IsUnknown)
}

// withPriority returns m with its action's priority if none is configured, so that the
// plan shows the number, and a number changed outside Terraform shows as drift.
func (m ruleModel) withPriority(configured types.Int64) ruleModel {
	switch {
	case !configured.IsNull():
	case m.Action.IsUnknown():
		m.Priority = types.Int64Unknown()
	default:
		m.Priority = types.Int64Value(int64(firewall.Action(m.Action.ValueString()).DefaultPriority()))
	}
	return m
}

// toRule returns the rule with its values canonical and sorted. A priority that is
// unknown because the action is unknown is the default of its action.
func (m ruleModel) toRule() firewall.Rule {
	rule := firewall.Rule{
		ID: m.ID.ValueString(), Action: firewall.Action(m.Action.ValueString()),
		Description: m.Description.ValueString(),
	}
	rule.Priority = rule.Action.DefaultPriority()
	if !m.Priority.IsUnknown() {
		rule.Priority = int(m.Priority.ValueInt64())
	}
	for _, a := range matchAttributes {
		if values := a.field(&m); !values.IsNull() {
			rule.Match = firewall.Match{Kind: a.kind, Values: values.Canonical()}
		}
	}
	return rule
}

// toModel returns the model of an existing rule.
func toModel(rule firewall.Rule) ruleModel {
	m := ruleModel{
		ID:          types.StringValue(rule.ID),
		Action:      types.StringValue(string(rule.Action)),
		Priority:    types.Int64Value(int64(rule.Priority)),
		Description: types.StringValue(rule.Description),
	}
	for _, a := range matchAttributes {
		var values []string
		if a.kind == rule.Match.Kind {
			values = rule.Match.Values
		}
		a.field(&m).SetTexts(values)
	}
	return m
}

// toInput translates a rule for the API; one with an id replaces the rule with this id.
func toInput(rule firewall.Rule) api.FirewallRuleInput {
	action := api.FirewallAction(rule.Action)
	in := api.FirewallRuleInput{Action: &action, Priority: &rule.Priority, Description: &rule.Description}
	if rule.ID != "" {
		in.Id = &rule.ID
	}
	api.SetMatch(&in, rule.Match)
	return in
}

// fromAPI translates a rule of the account, with its values canonical and sorted. A
// match of an unknown kind is left out.
func fromAPI(rule api.FirewallRule) firewall.Rule {
	r := firewall.Rule{ID: rule.Id, Action: firewall.Action(rule.Action), Priority: rule.Priority,
		Description: rule.Description}
	if matches := api.Matches(rule); len(matches) > 0 {
		r.Match = matches[0]
		for i, value := range r.Match.Values {
			if canonical, err := r.Match.Kind.Canonical(value); err == nil {
				r.Match.Values[i] = canonical
			}
		}
		slices.Sort(r.Match.Values)
	}
	return r
}

// rulesOf returns the rules of a policy.
func rulesOf(f api.Firewall) []firewall.Rule {
	rules := make([]firewall.Rule, len(f.Rules))
	for i, rule := range f.Rules {
		rules[i] = fromAPI(rule)
	}
	return rules
}

// equals reports whether two rules are equal in all but their ids.
func equals(a, b firewall.Rule) bool { return contentKey(a) == contentKey(b) }

// contentKey is equal for rules that are equal in all but their ids.
func contentKey(rule firewall.Rule) string {
	return fmt.Sprintf("%s %d %s %q %q", rule.Action, rule.Priority, rule.Match.Kind,
		rule.Match.Values, rule.Description)
}

// describe formats a rule in one line.
func describe(rule firewall.Rule) string {
	return fmt.Sprintf("%s, priority %d: %s", rule.Action, rule.Priority, strings.Join(rule.Match.Values, ","))
}
