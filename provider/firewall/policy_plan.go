package firewall

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// policyConfig has the configured rules of the account.
type policyConfig struct {
	managesRules bool                   // rules is given
	whole        bool                   // the rules and on_unmanaged are known
	reports      bool                   // on_unmanaged is "report"
	rules        map[string]ruleModel   // by name, with the framework's defaults
	priorities   map[string]types.Int64 // as they are configured
}

// plannedPolicy has the planned rules of the account.
type plannedPolicy struct {
	rules     map[string]ruleModel // by name; the id of a new rule is unknown
	unmanaged map[string]ruleModel // by id: kept and reported
	// unmanagedUnknown is set if only the apply can know the unmanaged rules.
	unmanagedUnknown bool
	whole            bool // everything is known but the ids of new rules

	// Of the account's rules: those that the policy must not remove or adopt
	// unnoticed, and those that it adopts.
	foreign, adopted []firewall.Rule
}

// planRules computes the change of each rule. Present has the account's rules if the
// policy does not manage rules yet, or nil if they are not known. They affect only the
// diagnostics, not the plan, since rules of the same run may be created before the
// policy or after it.
func planRules(config policyConfig, state managedRules, present []firewall.Rule) plannedPolicy {
	if !config.managesRules {
		return plannedPolicy{whole: true}
	}
	if !config.whole {
		return plannedPolicy{unmanagedUnknown: true}
	}
	p := plannedPolicy{whole: true}
	rules := make(map[string]ruleModel, len(config.rules))
	for name, rule := range config.rules {
		rules[name] = rule.withPriority(config.priorities[name])
		p.whole = p.whole && rules[name].known()
	}
	p.rules, p.unmanaged = state.identify(rules, config.reports)
	if state.any {
		return p
	}
	p.unmanagedUnknown = config.reports
	same := identical(p.rules, present)
	switch {
	case !config.reports:
		p.foreign = present
	case !state.exists:
		p.foreign = same
	default: // the plan of a change shows which rules it adopts
		p.adopted = same
	}
	return p
}

// identify sets the ids of planned rules that exist, found by name or else by content,
// and returns the rules that stay unmanaged.
//
// Changing "remove" to "report" removes nothing: rules that are no longer listed are
// reported.
func (m managedRules) identify(planned map[string]ruleModel, reports bool) (rules, unmanaged map[string]ruleModel) {
	rules = make(map[string]ruleModel, len(planned))
	left := make(map[string]ruleModel)
	maps.Copy(left, m.unmanaged)
	dropped := make(map[string]bool)
	for name, rule := range m.own {
		if _, stays := planned[name]; !stays {
			id := rule.ID.ValueString()
			left[id], dropped[id] = rule, true
		}
	}
	twins := newTwins(left)
	for _, name := range slices.Sorted(maps.Keys(planned)) {
		rule := planned[name]
		if own, ok := m.own[name]; ok {
			rule.ID = own.ID
		} else if id, ok := twins.take(rule); ok {
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
	if m.reports { // a rule that is no longer listed is removed
		maps.DeleteFunc(left, func(id string, _ ruleModel) bool { return dropped[id] })
	}
	return rules, left
}

// identical returns the present rules that equal a planned one.
func identical(planned map[string]ruleModel, present []firewall.Rule) []firewall.Rule {
	desired := newTwins(planned)
	return slices.DeleteFunc(slices.Clone(present), func(r firewall.Rule) bool {
		return len(desired[contentKey(r)]) == 0
	})
}

// twins are the keys of rules by content.
type twins map[string][]string

func newTwins(rules map[string]ruleModel) twins {
	t := make(twins)
	for _, id := range slices.Sorted(maps.Keys(rules)) {
		if rule := rules[id]; rule.known() {
			key := contentKey(rule.toRule())
			t[key] = append(t[key], id)
		}
	}
	return t
}

// take returns and removes the id of a rule that equals this one.
func (t twins) take(rule ruleModel) (id string, ok bool) {
	if !rule.known() {
		return "", false
	}
	key := contentKey(rule.toRule())
	if len(t[key]) == 0 {
		return "", false
	}
	id, t[key] = t[key][0], t[key][1:]
	return id, true
}

// listed returns the ids of the existing rules.
func (p plannedPolicy) listed() (ids []string) {
	for _, rule := range p.rules {
		if id := rule.ID.ValueString(); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// proposed returns the planned policy for evaluation, without unmanaged rules, and the
// names of its rules by their ids in it. All values except ids must be known.
func (p plannedPolicy) proposed(defaultAction firewall.Action) (f firewall.Policy, names map[string]string, err error) {
	f.DefaultAction = defaultAction
	names = make(map[string]string, len(p.rules))
	for name, model := range p.rules {
		rule := model.toRule()
		if rule.ID == "" {
			rule.ID = plannedPrefix + name
		}
		if err := rule.Match.Validate(); err != nil {
			return f, nil, fmt.Errorf("rule %q: %w", name, err)
		}
		names[rule.ID] = name
		f.Rules = append(f.Rules, rule)
	}
	return f, names, nil
}

// keeps reports whether a rule that the policy does not list is kept.
func (p plannedPolicy) keeps(state managedRules, id string, reports bool) bool {
	if !reports {
		return false
	}
	if _, stays := p.unmanaged[id]; stays {
		return true
	}
	_, own := state.byID()[id]
	return !own
}
