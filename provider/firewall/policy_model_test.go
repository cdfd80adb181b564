package firewall

import (
	"maps"
	"slices"
	"testing"

	tfattr "github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// model is an allow rule for some ranges.
func model(t *testing.T, id string, ranges ...string) ruleModel {
	t.Helper()
	m, diags := modelOf(t.Context(), ranged(id, ranges...))
	if diags.HasError() {
		t.Fatal(diags)
	}
	if id == "" {
		m.ID = types.StringUnknown()
	}
	return m
}

func TestWhichRuleIsWhich(t *testing.T) {
	t.Parallel()
	a, b, c := model(t, "a", "192.0.2.1"), model(t, "b", "192.0.2.2"), model(t, "c", "192.0.2.3")
	newA, newD := model(t, "", "192.0.2.1/32"), model(t, "", "192.0.2.4")
	unknown := newD
	unknown.IPRanges = attr.CIDRsType().Unknown()
	for _, row := range []struct {
		name      string
		held      holdings
		planned   map[string]ruleModel
		reports   bool
		ids       map[string]string // empty: a new rule
		unmanaged []string
	}{
		{
			"by its name, whatever it does now", holdings{own: map[string]ruleModel{"one": a}},
			map[string]ruleModel{"one": newD}, false, map[string]string{"one": "a"}, nil,
		},
		{
			"under another name, by what it is", holdings{own: map[string]ruleModel{"one": a}},
			map[string]ruleModel{"other": newA}, false, map[string]string{"other": "a"}, nil,
		},
		{
			"a name comes before what it is", holdings{own: map[string]ruleModel{"one": a, "two": b}},
			map[string]ruleModel{"two": newA}, false, map[string]string{"two": "b"}, nil,
		},
		{
			"one rule is not two", holdings{own: map[string]ruleModel{"one": a}},
			map[string]ruleModel{"x": newA, "y": newA}, false, map[string]string{"x": "a", "y": ""}, nil,
		},
		{
			"what is unknown is new", holdings{own: map[string]ruleModel{"one": a}},
			map[string]ruleModel{"x": unknown}, false, map[string]string{"x": ""}, nil,
		},
		{
			"a foreign rule that is listed is adopted, others are reported",
			holdings{foreign: map[string]ruleModel{"a": a, "b": b}, reports: true},
			map[string]ruleModel{"x": newA}, true, map[string]string{"x": "a"}, []string{"b"},
		},
		{
			"what is not listed any more goes, though others are reported",
			holdings{own: map[string]ruleModel{"one": a}, foreign: map[string]ruleModel{"b": b}, reports: true},
			map[string]ruleModel{}, true, map[string]string{}, []string{"b"},
		},
		{
			"turning to report removes nothing", holdings{own: map[string]ruleModel{"one": a, "two": c}},
			map[string]ruleModel{"one": newA}, true, map[string]string{"one": "a"}, []string{"c"},
		},
		{
			"turning to remove removes what was reported",
			holdings{own: map[string]ruleModel{"one": a}, foreign: map[string]ruleModel{"b": b}, reports: true},
			map[string]ruleModel{"one": newA}, false, map[string]string{"one": "a"}, nil,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			rules, unmanaged := row.held.to(t.Context(), row.planned, row.reports)
			ids := make(map[string]string)
			for name, rule := range rules {
				ids[name] = rule.ID.ValueString()
			}
			if !maps.Equal(ids, row.ids) {
				t.Errorf("ids %v, want %v", ids, row.ids)
			}
			if left := slices.Sorted(maps.Keys(unmanaged)); !slices.Equal(left, row.unmanaged) {
				t.Errorf("unmanaged %v, want %v", left, row.unmanaged)
			}
		})
	}
}

func TestWhatARefreshFinds(t *testing.T) {
	t.Parallel()
	described := ranged("d", "192.0.2.9")
	described.Description = "the office"
	account := client.NewFirewall(api.Firewall{DefaultAction: api.Deny, Rules: []api.FirewallRule{ranged("a", "192.0.2.1"), described}})
	own := func(rules map[string]ruleModel) types.Map {
		m, diags := mapOf(t.Context(), rules)
		if diags.HasError() {
			t.Fatal(diags)
		}
		return m
	}
	empty := types.MapValueMust(ruleType, map[string]tfattr.Value{})
	state := func(onUnmanaged string, rules types.Map) policyModel {
		return policyModel{DefaultAction: types.StringValue("allow"), OnUnmanaged: types.StringValue(onUnmanaged), Rules: rules, UnmanagedRules: empty}
	}
	spelled := model(t, "a", "192.0.2.1/32")
	for _, row := range []struct {
		name             string
		state            policyModel
		rules, unmanaged []string // nil: null
	}{
		{"all, after an import, by description or id", policyModel{Rules: noRules(), UnmanagedRules: noRules()}, []string{"a", "the office"}, []string{}},
		{"nothing, without rules", state(remove, noRules()), nil, nil},
		{"what would be removed", state(remove, own(map[string]ruleModel{"mine": spelled})), []string{"mine", "the office"}, []string{}},
		{"what is reported", state(report, own(map[string]ruleModel{"mine": spelled})), []string{"mine"}, []string{"d"}},
		{"what was deleted", state(report, own(map[string]ruleModel{"mine": spelled, "gone": model(t, "g", "192.0.2.8")})), []string{"mine"}, []string{"d"}},
		{"a name that is taken", state(remove, own(map[string]ruleModel{"the office": spelled})), []string{"d", "the office"}, []string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, diags := row.state.refreshed(t.Context(), "acc", account)
			if diags.HasError() {
				t.Fatal(diags)
			}
			for what, pair := range map[string]struct {
				got  types.Map
				want []string
			}{"rules": {got.Rules, row.rules}, "unmanaged_rules": {got.UnmanagedRules, row.unmanaged}} {
				keys := slices.Sorted(maps.Keys(pair.got.Elements()))
				if pair.got.IsNull() != (pair.want == nil) || !slices.Equal(keys, pair.want) {
					t.Errorf("%s: %v, want %v", what, keys, pair.want)
				}
			}
			if got.DefaultAction.ValueString() != "deny" {
				t.Errorf("default_action is %s", got.DefaultAction)
			}
			if rules, _, _ := rulesIn(t.Context(), got.Rules); len(rules) > 0 && !row.state.Rules.IsNull() {
				for _, rule := range rules {
					if rule.ID.ValueString() == "a" && !rule.IPRanges.Equal(spelled.IPRanges) {
						t.Errorf("spelled %s, want %s", rule.IPRanges, spelled.IPRanges)
					}
				}
			}
		})
	}
}
