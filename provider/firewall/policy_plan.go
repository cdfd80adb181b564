package firewall

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// policyConfig is what a configuration says of the account's rules.
type policyConfig struct {
	managesRules bool                   // rules is given
	whole        bool                   // which rules there are is known, and what becomes of others
	reports      bool                   // others are left alone
	rules        map[string]ruleModel   // by name, with the framework's defaults
	priorities   map[string]types.Int64 // as they are configured
}

// plannedPolicy is what becomes of the account's rules.
type plannedPolicy struct {
	rules     map[string]ruleModel // by name; the id of one that is to be made is unknown
	unmanaged map[string]ruleModel // by id: those that are left alone and reported
	// unmanagedUnknown is set where only the apply knows what is beside rules.
	unmanagedUnknown bool
	whole            bool // everything is known but the ids of new rules

	// Of the account's rules: those that the policy must neither remove nor
	// take over unseen, and those that become its own.
	foreign, adopted []firewall.Rule
}

// plan works out what becomes of each rule. present are the account's rules
// when a policy first manages rules, and nil where they are not known: they
// decide what is said of the plan, and change nothing in it, since rules of the
// same run may be made before the policy, or after it.
func plan(config policyConfig, state managedRules, present []firewall.Rule) plannedPolicy {
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
	default: // a plan that changes a policy shows which rules it adopts
		p.adopted = same
	}
	return p
}

// identify gives planned rules the ids of the rules that they are, by name, or
// else by being the same in all but the name; and returns which rules stay
// unmanaged.
//
// Turning "remove" into "report" removes nothing: what is not listed any more
// is what is to be reported.
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
	if m.reports { // what was the resource's and is not listed any more goes
		maps.DeleteFunc(left, func(id string, _ ruleModel) bool { return dropped[id] })
	}
	return rules, left
}

// identical are those of the present rules that are the same as a planned one.
func identical(planned map[string]ruleModel, present []firewall.Rule) []firewall.Rule {
	desired := newTwins(planned)
	return slices.DeleteFunc(slices.Clone(present), func(r firewall.Rule) bool { return len(desired[contentKey(r)]) == 0 })
}

// twins are the keys of rules by everything but their id.
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

// take gives away a rule that is the same as this one, each once.
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

// listed are the ids of the rules that are there.
func (p plannedPolicy) listed() (ids []string) {
	for _, rule := range p.rules {
		if id := rule.ID.ValueString(); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// proposed is the planned policy in the form that is evaluated, without what
// stays beside it, and the names of its rules by the ids that they have in it.
// All of it must be known, but ids.
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

// keeps reports whether a rule that the policy does not list is left alone.
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
