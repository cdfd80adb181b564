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
// everybody what the plain one says, and the one before it still says what it
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
			before, said := compiled, verdicts(policy.Evaluate, asked)
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
			if got, want := verdicts(compiled.Evaluate, asked), verdicts(policy.Evaluate, asked); !slices.Equal(got, want) {
				t.Fatalf("rules %+v\nsubjects %+v\ngot  %+v\nwant %+v", policy.Rules, asked, got, want)
			}
			if got := verdicts(before.Evaluate, asked); !slices.Equal(got, said) {
				t.Fatalf("the policy before says %+v now, and said %+v", got, said)
			}
			if compiled.Len() != len(policy.Rules) {
				t.Fatalf("it counts %d rules of %d", compiled.Len(), len(policy.Rules))
			}
			for _, rule := range policy.Rules {
				for _, q := range rule.Questions() {
					if !slices.Contains(compiled.Questions(), q) {
						t.Fatalf("a rule asks for %s, and the policy for %v", q, compiled.Questions())
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

func verdicts(ask func(firewall.Subject) firewall.Verdict, subjects []firewall.Subject) []firewall.Verdict {
	all := make([]firewall.Verdict, len(subjects))
	for i, s := range subjects {
		all[i] = ask(s)
	}
	return all
}

// subjects are in, beside and between the ranges of chosen.
func subjects() []firewall.Subject {
	var all []firewall.Subject
	for _, text := range []string{
		"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.127.255", "10.0.128.0", "10.255.255.255", "11.0.0.0", "192.0.2.1", "::ffff:10.0.0.1",
		"2001:db8::", "2001:db8::1", "2001:db8:8000::1", "2001:db9::1", "fe80::1%eth0", "::1",
	} {
		all = append(all, firewall.Subject{Address: netip.MustParseAddr(text)})
	}
	germany := firewall.Subject{Address: netip.MustParseAddr("10.0.0.1"), Country: "DE", Continent: "EU"}
	tor := firewall.Subject{Address: netip.MustParseAddr("2001:db8::1"), Country: "FR", Continent: "EU", Anonymous: []string{firewall.Tor}}
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
		r.Countries = [][]string{{"DE"}, {"FR", "DE"}, {"FR"}}[b[3]%3]
	case 1:
		r.Continents = [][]string{{"EU"}, {"AF", "EU"}}[b[3]%2]
	case 2:
		r.Anonymous = [][]string{{firewall.Tor}, {firewall.VPN}}[b[3]%2]
	default:
		for _, choice := range b[3:] {
			r.IPRanges = append(r.IPRanges, few[int(choice)%len(few)])
		}
	}
	return r
}

var few = func() (all []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/17", "10.0.128.0/17", "10.0.0.0/31", "10.0.0.1/32", "10.0.0.2/32", "192.0.2.0/24",
		"::/0", "2001:db8::/32", "2001:db8::/33", "2001:db8:8000::/33", "2001:db8::1/128", "::1/128",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()
