package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

func from(who, address string) subject {
	return subject{who, firewall.Subject{Address: netip.MustParseAddr(address)}}
}

func ipRule(id string, action firewall.Action, priority int, ranges ...string) firewall.Rule {
	return rule(id, action, priority, firewall.IPRanges, ranges...)
}

func rule(id string, action firewall.Action, priority int, kind firewall.Kind, values ...string) firewall.Rule {
	return firewall.Rule{ID: id, Action: action, Priority: priority, Match: firewall.Match{Kind: kind, Values: values}}
}

func newChecker(t testing.TB, present firewall.Policy, subjects ...subject) *lockoutChecker {
	t.Helper()
	c := &lockoutChecker{loaded: true}
	if err := c.start(present, subjects); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhomAWholePolicyShutsOut(t *testing.T) {
	t.Parallel()
	caller, bridge := from("the machine that runs Terraform", "192.0.2.1"), from("the bridge", "198.51.100.9")
	cloud := subject{"the cloud bridge", firewall.Subject{
		Address: netip.MustParseAddr("203.0.113.9"), Facts: firewall.Facts{
			firewall.Country: {"DE"}, firewall.Continent: {"EU"}, firewall.Anonymous: {firewall.CloudProvider},
		},
	}}
	open := firewall.Policy{DefaultAction: firewall.Allow}
	for _, row := range []struct {
		name              string
		present, proposed firewall.Policy
		want              []string
	}{
		{"none, if all addresses are allowed", open, open, nil},
		{"all, by the default action", open, firewall.Policy{DefaultAction: firewall.Deny}, []string{
			"the machine that runs Terraform, at 192.0.2.1 by ", "the bridge, at 198.51.100.9 by ",
			"the cloud bridge, at 203.0.113.9 by ",
		}},
		{
			"one, by a rule", open,
			firewall.Policy{DefaultAction: firewall.Allow, Rules: []firewall.Rule{
				ipRule("no", firewall.Deny, 1, "198.51.100.0/24"),
			}},
			[]string{"the bridge, at 198.51.100.9 by no"},
		},
		{
			"none by a rule after the one that allows it", open,
			firewall.Policy{DefaultAction: firewall.Allow, Rules: []firewall.Rule{
				ipRule("no", firewall.Deny, 2, "198.51.100.0/24"), ipRule("yes", firewall.Allow, 1, "198.51.100.9"),
			}},
			nil,
		},
		{
			"none that was locked out before", firewall.Policy{DefaultAction: firewall.Deny}, firewall.Policy{
				DefaultAction: firewall.Deny,
			}, nil,
		},
		{"none by a report", open, firewall.Policy{DefaultAction: firewall.Report}, nil},
		{
			"a country", open, firewall.Policy{DefaultAction: firewall.Allow, Rules: []firewall.Rule{
				rule("de", firewall.Deny, 0, firewall.Countries, "DE"),
			}},
			[]string{"the cloud bridge, at 203.0.113.9 by de"},
		},
		{
			"cloud providers", open, firewall.Policy{DefaultAction: firewall.Allow, Rules: []firewall.Rule{
				rule("c", firewall.Deny, 0, firewall.AnonymousIPs, firewall.CloudProvider),
			}},
			[]string{"the cloud bridge, at 203.0.113.9 by c"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, out := range newChecker(t, row.present, caller, bridge,
				cloud).checkPolicy(row.proposed, func(string) bool {
				return false
			}) {
				got = append(got, out.String()+" by "+out.by)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("shut out: %q, want %q", got, row.want)
			}
		})
	}
}

// Each change of a run is checked on top of those that were planned before it.
func TestARunIsCheckedAsItIsPlanned(t *testing.T) {
	t.Parallel()
	c := newChecker(t, firewall.Policy{DefaultAction: firewall.Allow, Rules: []firewall.Rule{
		ipRule("there", firewall.Allow, 5, "192.0.2.0/24"),
	}},
		from("the machine that runs Terraform", "192.0.2.1"))
	deny, far, near := ipRule("", firewall.Deny, 7, "0.0.0.0/0"), ipRule("", firewall.Deny, 1, "198.51.100.0/24"),
		ipRule("", firewall.Deny, 1, "192.0.2.1")
	if out := c.checkDefaultAction(firewall.Deny); len(out) != 0 {
		t.Errorf("the default action shuts out %v, though a rule lets in", out)
	}
	if _, out := c.checkRule("", &deny); len(out) != 0 {
		t.Errorf("a late rule shuts out %v", out)
	}
	if _, out := c.checkRule("", &far); len(out) != 0 {
		t.Errorf("a rule about others shuts out %v", out)
	}
	if _, out := c.checkRule("there", nil); len(out) != 1 || out[0].by == "" {
		t.Errorf("without the rule that lets in, %v are shut out, want the caller by the late rule", out)
	}
	if _, out := c.checkRule("", &near); len(out) != 0 {
		t.Errorf("what is shut out is shut out again: %v", out)
	}
}

// Ten thousand rules are planned one by one; none may look at all others.
func BenchmarkPlanningManyRules(b *testing.B) {
	present := firewall.Policy{DefaultAction: firewall.Deny}
	for i := range 10_000 {
		present.Rules = append(present.Rules, ipRule(fmt.Sprint(i), firewall.Allow, 100,
			fmt.Sprintf("10.%d.%d.0/24", i/250, i%250)))
	}
	c := newChecker(b, present, from("the machine that runs Terraform", "10.0.7.1"), from("the bridge", "10.9.9.9"))
	for b.Loop() {
		for i := range present.Rules {
			c.checkRule(present.Rules[i].ID, &present.Rules[i])
		}
	}
}
