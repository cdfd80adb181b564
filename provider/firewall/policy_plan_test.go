package firewall

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

// modelOf is an allow rule for some ranges, new without an id.
func modelOf(id string, ranges ...string) ruleModel {
	m := toModel(fromAPI(ranged(id, ranges...)))
	m.IPRanges = attr.CIDRsType().Of(ranges) // as they are spelled
	if id == "" {
		m.ID = types.StringUnknown()
	}
	return m
}

func TestPlan(t *testing.T) {
	t.Parallel()
	type models = map[string]ruleModel
	a, b, c := modelOf("a", "192.0.2.1"), modelOf("b", "192.0.2.2"), modelOf("c", "192.0.2.3")
	newA, newD := modelOf("", "192.0.2.1/32"), modelOf("", "192.0.2.4")
	unknown, undecided, unnumbered := newD, newD, newD
	unknown.IPRanges = attr.CIDRsType().Unknown()
	undecided.Action, undecided.Priority = types.StringUnknown(), types.Int64Null()
	unnumbered.Priority = types.Int64Unknown()
	managing := func(own models) managedRules { return managedRules{exists: true, any: true, own: own} }
	reporting := func(own, unmanaged models) managedRules {
		return managedRules{exists: true, any: true, own: own, unmanaged: unmanaged, reports: true}
	}
	made, unmade := managedRules{exists: true}, managedRules{}
	present := rulesOf(api.Firewall{Rules: []api.FirewallRule{ranged("a", "192.0.2.1"), ranged("b", "192.0.2.2")}})

	for _, row := range []struct {
		name    string
		rules   models // nil: not managed
		reports bool
		state   managedRules
		present []firewall.Rule

		want      string // name=id, an id of "" being a new rule's
		unmanaged string // their ids; "?" if only the apply knows
		foreign   string // ids
		adopted   string // ids
		unknown   bool   // something but ids is
	}{
		{name: "without rules nothing is planned", state: managing(models{"one": a}), present: present},
		{name: "by its name, whatever it does now", rules: models{"one": newD}, state: managing(models{"one": a}),
			want: "one=a"},
		{name: "under another name, by what it is", rules: models{"other": newA}, state: managing(models{"one": a}),
			want: "other=a"},
		{name: "a name comes before what it is", rules: models{"two": newA},
			state: managing(models{"one": a, "two": b}),
			want:  "two=b"},
		{name: "one rule is not two", rules: models{"x": newA, "y": newA},
			state: managing(models{"one": a}), want: "x=a y="},
		{name: "what is unknown is new", rules: models{"x": unknown}, state: managing(models{"one": a}), want: "x=",
			unknown: true},
		{name: "an unknown action leaves the priority unknown", rules: models{"x": undecided}, state: managing(nil),
			want: "x=", unknown: true},
		{name: "a priority that is left out is the action's", rules: models{"x": unnumbered}, state: managing(nil),
			want: "x="},
		{
			name:  "a foreign rule that is listed is adopted, others are reported",
			rules: models{"x": newA}, reports: true,
			state: reporting(nil, models{"a": a, "b": b}), want: "x=a", unmanaged: "b",
		},
		{
			name: "what is not listed any more goes, though others are reported", rules: models{}, reports: true,
			state: reporting(models{"one": a}, models{"b": b}), unmanaged: "b",
		},
		{
			name: "turning to report removes nothing", rules: models{"one": newA}, reports: true,
			state: managing(models{"one": a, "two": c}), want: "one=a", unmanaged: "c",
		},
		{
			name: "turning to remove removes what was reported", rules: models{"one": newA},
			state: reporting(models{"one": a}, models{"b": b}), want: "one=a",
		},
		{name: "a new policy is not made over rules", rules: models{"x": newA}, state: unmade,
			present: present, want: "x=",
			foreign: "a b"},
		{
			name:  "a new policy that reports leaves others alone, and takes over none that is the same",
			rules: models{"x": newA}, reports: true,
			state: unmade, present: present, want: "x=", unmanaged: "?", foreign: "a",
		},
		{
			name: "a policy that first manages rules does not remove others unseen", rules: models{"x": newD},
			state: made, present: present, want: "x=", foreign: "a b",
		},
		{
			name:  "one that first manages rules and reports says what it adopts",
			rules: models{"x": newA}, reports: true,
			state: made, present: present, want: "x=", unmanaged: "?", adopted: "a",
		},
		{name: "an empty account has no conflicts", rules: models{"x": newA}, state: unmade, want: "x="},
		{
			name: "what is there is of no concern once rules are managed", rules: models{"one": newA},
			state: managing(models{"one": a}), present: present, want: "one=a",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			config := policyConfig{managesRules: row.rules != nil, whole: true, reports: row.reports, rules: row.rules}
			config.priorities = make(map[string]types.Int64)
			for name, rule := range row.rules {
				if config.priorities[name] = rule.Priority; rule.Priority.IsUnknown() {
					config.priorities[name] = types.Int64Null() // computed, as it is left out
				}
			}
			p := planRules(config, row.state, row.present)
			var got []string
			for _, name := range slices.Sorted(maps.Keys(p.rules)) {
				got = append(got, name+"="+p.rules[name].ID.ValueString())
				if p.rules[name].Priority.ValueInt64() != 100 && !p.rules[name].Action.IsUnknown() {
					t.Errorf("%s has priority %s", name, p.rules[name].Priority)
				}
			}
			unmanaged := strings.Join(slices.Sorted(maps.Keys(p.unmanaged)), " ")
			if p.unmanagedUnknown {
				unmanaged = "?"
			}
			for what, pair := range map[string][2]string{
				"rules": {strings.Join(got, " "), row.want}, "unmanaged": {unmanaged, row.unmanaged},
				"foreign": {idsOf(p.foreign), row.foreign}, "adopted": {idsOf(p.adopted), row.adopted},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
				}
			}
			if p.whole == row.unknown {
				t.Errorf("whole: %t", p.whole)
			}
		})
	}
}

// While it is not known which rules there are, nothing is said of any.
func TestPlanOfRulesThatAreNotKnown(t *testing.T) {
	t.Parallel()
	p := planRules(policyConfig{managesRules: true}, managedRules{exists: true, any: true, own: map[string]ruleModel{
		"one": modelOf("a", "192.0.2.1"),
	}}, nil)
	if p.whole || !p.unmanagedUnknown || len(p.rules)+len(p.unmanaged)+len(p.foreign) > 0 {
		t.Errorf("planned %+v", p)
	}
}

func idsOf(rules []firewall.Rule) string {
	ids := make([]string, len(rules))
	for i, rule := range rules {
		ids[i] = rule.ID
	}
	return strings.Join(ids, " ")
}
