package firewall_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// Rules come and go in any order: after each step the compiled policy says of
// all addresses what the plain one says, and the one before it still says what it
// said. The bytes of a run choose from few ranges and priorities, so that rules
// meet, nest and part.
func FuzzCompiledDecidesAsThePolicy(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		steps := make([]byte, 180)
		for i := range steps {
			steps[i] = byte(random.Uint32())
		}
		f.Add(steps)
	}
	asked := subjects()
	f.Fuzz(func(t *testing.T, steps []byte) {
		policy := firewall.Policy{DefaultAction: firewall.Report}
		compiled := policy.Compile()
		for step := 0; len(steps) >= 6 && step < 40; step, steps = step+1, steps[6:] {
			before, decided := compiled, decisions(plain(policy), asked)
			choice := binary.LittleEndian.Uint16(steps)
			if n := len(policy.Rules); n > 0 && choice%3 == 0 {
				i := int(choice) % n
				compiled = compiled.Without(&policy.Rules[i])
				policy.Rules = slices.Delete(slices.Clone(policy.Rules), i, i+1)
			} else {
				rule := chosen(steps[1:6])
				rule.ID = strconv.Itoa(step)
				compiled = compiled.With(&rule)
				policy.Rules = append(slices.Clone(policy.Rules), rule)
			}
			if got, want := decisions(compiled.Decide, asked),
				decisions(plain(policy), asked); !slices.Equal(got, want) {
				t.Fatalf("rules %+v\nsubjects %+v\ngot  %+v\nwant %+v", policy.Rules, asked, got, want)
			}
			if got := decisions(before.Decide, asked); !slices.Equal(got, decided) {
				t.Fatalf("the policy before decides %+v now, and decided %+v", got, decided)
			}
			if compiled.Len() != len(policy.Rules) {
				t.Fatalf("it counts %d rules of %d", compiled.Len(), len(policy.Rules))
			}
			for _, rule := range policy.Rules {
				for _, datum := range rule.Match.RequiredData() {
					if !slices.Contains(compiled.RequiredData(), datum) {
						t.Fatalf("a rule needs %s, and the policy %v", datum, compiled.RequiredData())
					}
				}
			}
		}
		for i := range policy.Rules {
			compiled = compiled.Without(&policy.Rules[i])
		}
		if none := (firewall.Policy{DefaultAction: firewall.Report}).Compile(); !reflect.DeepEqual(compiled, none) {
			t.Fatalf("all rules are gone, and of them is left %+v", compiled)
		}
	})
}

// plain decides as a policy reads: rule by rule, in their order.
func plain(p firewall.Policy) func(firewall.Subject) firewall.Decision {
	p = p.Sorted()
	return func(s firewall.Subject) firewall.Decision {
		s.Address = firewall.Normalize(s.Address)
		for i := range p.Rules {
			if r := &p.Rules[i]; r.Match.Matches(s) {
				return firewall.Decision{Action: r.Action, Rule: r}
			}
		}
		return firewall.Decision{Action: p.DefaultAction}
	}
}

// decisions are what is decided about subjects, as text.
func decisions(decide func(firewall.Subject) firewall.Decision, subjects []firewall.Subject) []string {
	all := make([]string, len(subjects))
	for i, s := range subjects {
		d := decide(s)
		all[i] = string(d.Action) + " " + d.RuleID()
	}
	return all
}

// subjects are in, beside and between the ranges of chosen.
func subjects() []firewall.Subject {
	var all []firewall.Subject
	for _, text := range []string{
		"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.127.255", "10.0.128.0", "10.255.255.255", "11.0.0.0", "192.0.2.1",
		"::ffff:10.0.0.1",
		"2001:db8::", "2001:db8::1", "2001:db8:8000::1", "2001:db9::1", "fe80::1%eth0", "::1",
	} {
		all = append(all, firewall.Subject{Address: netip.MustParseAddr(text)})
	}
	germany := firewall.Subject{Address: netip.MustParseAddr("10.0.0.1"), Facts: firewall.Facts{
		firewall.Country: {"DE"}, firewall.Continent: {"EU"},
	}}
	tor := firewall.Subject{Address: netip.MustParseAddr("2001:db8::1"), Facts: firewall.Facts{
		firewall.Country: {"FR"}, firewall.Continent: {"EU"}, firewall.Anonymous: {firewall.Tor},
	}}
	return append(all, germany, tor)
}

// chosen is the rule that five bytes stand for.
func chosen(b []byte) firewall.Rule {
	r := firewall.Rule{
		Action:   []firewall.Action{firewall.Allow, firewall.Deny, firewall.Report}[b[0]%3],
		Priority: int(b[1] % 4),
	}
	switch b[2] % 8 {
	case 0:
		r.Match = firewall.Match{Kind: firewall.Countries, Values: [][]string{{"DE"}, {"FR", "DE"}, {"FR"}}[b[3]%3]}
	case 1:
		r.Match = firewall.Match{Kind: firewall.Continents, Values: [][]string{{"EU"}, {"AF", "EU"}}[b[3]%2]}
	case 2:
		r.Match = firewall.Match{
			Kind: firewall.AnonymousIPs, Values: [][]string{{firewall.Tor}, {firewall.VPN}}[b[3]%2],
		}
	default:
		r.Match.Kind = firewall.IPRanges
		for _, choice := range b[3:] {
			r.Match.Values = append(r.Match.Values, few[int(choice)%len(few)])
		}
	}
	return r
}

var few = []string{
	"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/17", "10.0.128.0/17", "10.0.0.0/31", "10.0.0.1", "10.0.0.2",
	"192.0.2.0/24",
	"::/0", "2001:db8::/32", "2001:db8::/33", "2001:db8:8000::/33", "2001:db8::1", "::1",
}
