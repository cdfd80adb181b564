package firewall

import (
	"maps"
	"slices"
	"testing"

	tfattr "github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

func TestWhatARefreshFinds(t *testing.T) {
	t.Parallel()
	described := ranged("d", "192.0.2.9")
	described.Description = "the office"
	account := client.NewFirewall(api.Firewall{DefaultAction: api.Deny, Rules: []api.FirewallRule{
		ranged("a", "192.0.2.1"), described,
	}})
	own := func(rules map[string]ruleModel) types.Map {
		m, diags := toMap(t.Context(), rules)
		if diags.HasError() {
			t.Fatal(diags)
		}
		return m
	}
	empty := types.MapValueMust(ruleType, map[string]tfattr.Value{})
	state := func(onUnmanaged string, rules types.Map) policyModel {
		return policyModel{DefaultAction: types.StringValue("allow"), OnUnmanaged: types.StringValue(onUnmanaged),
			Rules: rules, UnmanagedRules: empty}
	}
	spelled := modelOf("a", "192.0.2.1/32")
	for _, row := range []struct {
		name             string
		state            policyModel
		rules, unmanaged []string // nil: null
	}{
		{"all, after an import, by description or id", policyModel{Rules: noRules(), UnmanagedRules: noRules()},
			[]string{"a", "the office"}, []string{}},
		{"nothing, without rules", state(remove, noRules()), nil, nil},
		{"what would be removed", state(remove, own(map[string]ruleModel{"mine": spelled})),
			[]string{"mine", "the office"},
			[]string{}},
		{"what is reported", state(report, own(map[string]ruleModel{"mine": spelled})),
			[]string{"mine"}, []string{"d"}},
		{"what was deleted", state(report,
			own(map[string]ruleModel{"mine": spelled, "gone": modelOf("g", "192.0.2.8")})),
			[]string{"mine"}, []string{"d"}},
		{"a name that is taken", state(remove, own(map[string]ruleModel{"the office": spelled})),
			[]string{"d", "the office"},
			[]string{}},
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
