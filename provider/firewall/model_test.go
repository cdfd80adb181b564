package firewall

import (
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

func ranged(id string, ranges ...string) api.FirewallRule {
	return api.FirewallRule{Id: id, Action: api.Allow, Priority: 100, IpRanges: &ranges}
}

func TestARuleIsFoundByItsExactSetOfValues(t *testing.T) {
	t.Parallel()
	countries := []string{"CH", "AT"}
	rules := []api.FirewallRule{
		ranged("rule_1", "192.0.2.1", "198.51.100.0/24"),
		ranged("rule_2", "192.0.2.1"),
		ranged("rule_3", "203.0.113.0/24"),
		ranged("rule_4", "203.0.113.0/24"),
		{Id: "rule_5", Action: api.Deny, Countries: &countries},
	}
	for _, row := range []struct {
		name, text, want string
		fault            []string
	}{
		{name: "one value", text: "192.0.2.1", want: "rule_2"},
		{name: "another spelling", text: "192.0.2.1/32", want: "rule_2"},
		{name: "several values in any order, with spaces", text: "198.51.100.0/24, 192.0.2.1", want: "rule_1"},
		{name: "countries", text: "AT,CH", want: "rule_5"},
		{name: "some of the values are not enough", text: "198.51.100.0/24", fault: []string{"no rule", "rule_1", "rule_5"}},
		{name: "two rules with the same values are listed", text: "203.0.113.0/24", fault: []string{"2 rules", "rule_3", "rule_4"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			found, err := find(rules, row.text)
			if row.want != "" {
				if err != nil || found.Id != row.want {
					t.Errorf("found %q, %v; want %q", found.Id, err, row.want)
				}
				return
			}
			for _, want := range row.fault {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			}
		})
	}
}
