package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	policy "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

func from(who, address string) subject {
	return subject{who, policy.Subject{Address: netip.MustParseAddr(address)}}
}

func ipRule(id string, action policy.Action, priority int, ranges ...string) policy.Rule {
	r := policy.Rule{ID: id, Action: action, Priority: priority}
	for _, text := range ranges {
		r.IPRanges = append(r.IPRanges, netip.MustParsePrefix(text))
	}
	return r
}

func guarding(present policy.Policy, subjects ...subject) *guard {
	g := &guard{loaded: true, present: present, subjects: subjects}
	for _, s := range subjects {
		g.planned = append(g.planned, policy.Policy{
			DefaultAction: present.DefaultAction,
			Rules:         slices.DeleteFunc(slices.Clone(present.Rules), func(r policy.Rule) bool { return !concerns(r, s) }),
		})
	}
	return g
}

func TestWhomAWholePolicyShutsOut(t *testing.T) {
	t.Parallel()
	caller, bridge := from("whoever runs Terraform", "192.0.2.1"), from("the bridge", "198.51.100.9")
	cloud := subject{"the cloud bridge", policy.Subject{
		Address: netip.MustParseAddr("203.0.113.9"), Country: "DE", Continent: "EU", Anonymous: []string{policy.CloudProvider},
	}}
	open := policy.Policy{DefaultAction: policy.Allow}
	for _, row := range []struct {
		name              string
		present, proposed policy.Policy
		want              []string
	}{
		{"nobody, when everybody gets in", open, open, nil},
		{"all, by the default action", open, policy.Policy{DefaultAction: policy.Deny}, []string{
			"whoever runs Terraform, at 192.0.2.1 by ", "the bridge, at 198.51.100.9 by ", "the cloud bridge, at 203.0.113.9 by ",
		}},
		{
			"one, by a rule", open,
			policy.Policy{DefaultAction: policy.Allow, Rules: []policy.Rule{ipRule("no", policy.Deny, 1, "198.51.100.0/24")}},
			[]string{"the bridge, at 198.51.100.9 by no"},
		},
		{
			"nobody by a rule that comes after the one that lets him in", open,
			policy.Policy{DefaultAction: policy.Allow, Rules: []policy.Rule{
				ipRule("no", policy.Deny, 2, "198.51.100.0/24"), ipRule("yes", policy.Allow, 1, "198.51.100.9/32"),
			}},
			nil,
		},
		{
			"nobody who was shut out before", policy.Policy{DefaultAction: policy.Deny}, policy.Policy{DefaultAction: policy.Deny}, nil,
		},
		{"nobody by a report", open, policy.Policy{DefaultAction: policy.Report}, nil},
		{
			"a country", open, policy.Policy{DefaultAction: policy.Allow, Rules: []policy.Rule{{ID: "de", Action: policy.Deny, Countries: []string{"DE"}}}},
			[]string{"the cloud bridge, at 203.0.113.9 by de"},
		},
		{
			"cloud providers", open, policy.Policy{DefaultAction: policy.Allow, Rules: []policy.Rule{{ID: "c", Action: policy.Deny, Anonymous: []string{policy.CloudProvider}}}},
			[]string{"the cloud bridge, at 203.0.113.9 by c"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, out := range guarding(row.present, caller, bridge, cloud).whole(row.proposed, func(string) bool { return false }) {
				got = append(got, out.String()+" by "+out.by)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("shut out: %q, want %q", got, row.want)
			}
		})
	}
}

// Each change of a run is judged on top of those that were planned before it.
func TestARunIsJudgedAsItIsPlanned(t *testing.T) {
	t.Parallel()
	g := guarding(policy.Policy{DefaultAction: policy.Allow, Rules: []policy.Rule{ipRule("there", policy.Allow, 5, "192.0.2.0/24")}},
		from("whoever runs Terraform", "192.0.2.1"))
	deny, far, near := ipRule("", policy.Deny, 7, "0.0.0.0/0"), ipRule("", policy.Deny, 1, "198.51.100.0/24"), ipRule("", policy.Deny, 1, "192.0.2.1/32")
	if out := g.defaultAction(policy.Deny); len(out) != 0 {
		t.Errorf("the default action shuts out %v, though a rule lets in", out)
	}
	if _, out := g.rule("", &deny); len(out) != 0 {
		t.Errorf("a late rule shuts out %v", out)
	}
	if _, out := g.rule("", &far); len(out) != 0 {
		t.Errorf("a rule about others shuts out %v", out)
	}
	if _, out := g.rule("there", nil); len(out) != 1 || out[0].by == "" {
		t.Errorf("without the rule that lets in, %v are shut out, want the caller by the late rule", out)
	}
	if _, out := g.rule("", &near); len(out) != 0 {
		t.Errorf("who is shut out is shut out again: %v", out)
	}
}

// Ten thousand rules are planned one by one; none may look at all others.
func BenchmarkPlanningManyRules(b *testing.B) {
	present := policy.Policy{DefaultAction: policy.Deny}
	for i := range 10_000 {
		present.Rules = append(present.Rules, ipRule(fmt.Sprint(i), policy.Allow, 100, fmt.Sprintf("10.%d.%d.0/24", i/250, i%250)))
	}
	g := guarding(present, from("whoever runs Terraform", "10.0.7.1"), from("the bridge", "10.9.9.9"))
	for b.Loop() {
		for i := range present.Rules {
			g.rule(present.Rules[i].ID, &present.Rules[i])
		}
	}
}
