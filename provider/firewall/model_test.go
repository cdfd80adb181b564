package firewall

import (
	"reflect"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

func ranged(id string, ranges ...string) api.FirewallRule {
	return api.FirewallRule{Id: id, Action: api.Allow, Priority: 100, IpRanges: &ranges}
}

func TestARuleIsFoundByItsExactSetOfValues(t *testing.T) {
	t.Parallel()
	rules := rulesOf(api.Firewall{Rules: []api.FirewallRule{
		ranged("rule_1", "198.51.100.0/24", "192.0.2.1/32"),
		ranged("rule_2", "192.0.2.1"),
		ranged("rule_3", "203.0.113.0/24"),
		ranged("rule_4", "203.0.113.0/24"),
		{Id: "rule_5", Action: api.Deny, Countries: &[]string{"CH", "AT"}},
		{Id: "rule_6", Action: api.Deny, Countries: &[]string{"AF"}},
		{Id: "rule_7", Action: api.Deny, Continents: &[]api.Continent{"AF"}},
		{Id: "rule_8", Action: api.Deny, AnonymousIps: &[]api.AnonymousIP{"vpn", "tor"}},
	}})
	for _, row := range []struct {
		name, text, want string
		fault            []string
	}{
		{name: "one value", text: "192.0.2.1", want: "rule_2"},
		{name: "another spelling", text: "192.0.2.1/32", want: "rule_2"},
		{name: "several values in any order, with spaces", text: "198.51.100.0/24, 192.0.2.1", want: "rule_1"},
		{name: "countries", text: "AT,ch", want: "rule_5"},
		{name: "kinds of anonymous addresses", text: "tor,vpn", want: "rule_8"},
		{name: "a code of a country and of a continent is both", text: "af",
			fault: []string{"2 rules", "rule_6", "rule_7"}},
		{name: "some of the values are not enough", text: "198.51.100.0/24",
			fault: []string{"no rule", "rule_1", "rule_5"}},
		{name: "two rules with the same values are listed", text: "203.0.113.0/24", fault: []string{
			"2 rules", "rule_3", "rule_4",
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			found, err := find(rules, row.text)
			if row.want != "" {
				if err != nil || found.ID != row.want {
					t.Errorf("found %q, %v; want %q", found.ID, err, row.want)
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

// The account would keep both: a country and a continent may have one code.
func TestRulesOfDifferentKindsAreDifferent(t *testing.T) {
	t.Parallel()
	afghanistan := fromAPI(api.FirewallRule{Action: api.Deny, Countries: &[]string{"AF"}})
	africa := fromAPI(api.FirewallRule{Action: api.Deny, Continents: &[]api.Continent{"AF"}})
	if equals(afghanistan, africa) ||
		len(identical(map[string]ruleModel{"x": toModel(africa)}, []firewall.Rule{afghanistan})) != 0 {
		t.Error("a rule about Afghanistan is taken for one about Africa")
	}
}

// What the account has, in whatever order and spelling, survives the way
// through a model and back to a request.
func TestARuleSurvivesTheWayThroughAModel(t *testing.T) {
	t.Parallel()
	for _, rule := range []api.FirewallRule{
		{Id: "1", Action: api.Allow, Priority: 7, Description: "x", IpRanges: &[]string{"2001:db8::/32", "192.0.2.1"}},
		{Id: "2", Action: api.Deny, Countries: &[]string{"DE", "CH"}},
		{Id: "3", Action: api.Report, Continents: &[]api.Continent{"EU"}},
		{Id: "4", Action: api.Deny, Priority: 500, AnonymousIps: &[]api.AnonymousIP{"tor", "vpn"}},
	} {
		want := fromAPI(rule)
		model := toModel(want)
		if got := model.toRule(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s became %+v, want %+v", rule.Id, got, want)
		}
		in := toInput(want)
		matches := api.Matches(in)
		if *in.Id != rule.Id || *in.Priority != rule.Priority || len(matches) != 1 ||
			!reflect.DeepEqual(matches[0], want.Match) {
			t.Errorf("%s is asked for as %+v", rule.Id, in)
		}
		if in := unchanged(rule); !reflect.DeepEqual(api.Matches(in), api.Matches(rule)) {
			t.Errorf("%s shall stay, and is asked for as %+v", rule.Id, in)
		}
	}
}
