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

// ruleModel is a rule as all parts of the provider show it. Its match is in
// one of the fields that [matchAttributes] names.
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

// known reports whether everything that decides about the rule's effect is known.
func (m ruleModel) known() bool {
	for _, a := range matchAttributes {
		if !a.field(&m).IsWhollyKnown() {
			return false
		}
	}
	return !slices.ContainsFunc([]tfattr.Value{m.Action, m.Priority, m.Description}, tfattr.Value.IsUnknown)
}

// withPriority gives a rule whose priority is left out that of its action, so
// that the plan shows the number, and a number changed by hand shows as drift.
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

// toRule is the rule that the model asks for, its values in their one form and
// sorted. A priority that is unknown, as long as the action is, is the action's.
func (m ruleModel) toRule() firewall.Rule {
	rule := firewall.Rule{
		ID: m.ID.ValueString(), Action: firewall.Action(m.Action.ValueString()), Description: m.Description.ValueString(),
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

// toModel is the rule as the account has it.
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

// toInput asks the account for a rule; one that has an id stays the rule that has it.
func toInput(rule firewall.Rule) api.FirewallRuleInput {
	action := api.FirewallAction(rule.Action)
	in := api.FirewallRuleInput{Action: &action, Priority: &rule.Priority, Description: &rule.Description}
	if rule.ID != "" {
		in.Id = &rule.ID
	}
	api.SetMatch(&in, rule.Match)
	return in
}

// fromAPI is a rule of the account, its values in their one form and sorted. A
// match of a kind that this provider does not know is left out.
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

// rulesOf are the rules of a policy.
func rulesOf(f api.Firewall) []firewall.Rule {
	rules := make([]firewall.Rule, len(f.Rules))
	for i, rule := range f.Rules {
		rules[i] = fromAPI(rule)
	}
	return rules
}

// equals reports whether two rules are the same in all but their ids.
func equals(a, b firewall.Rule) bool { return contentKey(a) == contentKey(b) }

// contentKey is the same for rules that are the same in all but their ids.
func contentKey(rule firewall.Rule) string {
	return fmt.Sprintf("%s %d %s %q %q", rule.Action, rule.Priority, rule.Match.Kind, rule.Match.Values, rule.Description)
}

// describe is a rule in one line.
func describe(rule firewall.Rule) string {
	return fmt.Sprintf("%s, priority %d: %s", rule.Action, rule.Priority, strings.Join(rule.Match.Values, ","))
}
