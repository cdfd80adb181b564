package firewall_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// The firewall decides about every request: ten thousand rules that do not match must cost
// little beside reading the session.
func BenchmarkDecide(b *testing.B) {
	subject := firewall.Subject{Address: netip.MustParseAddr("192.0.2.1")}
	for _, size := range []int{10, 10_000} {
		p := denying(size).Compile()
		b.Run(fmt.Sprintf("%d rules", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !p.Decide(subject).Passes() {
					b.Fatal("a rule matched")
				}
			}
		})
	}
}

// A single rule comes or goes beside as many.
func BenchmarkWithAndWithout(b *testing.B) {
	rule := &firewall.Rule{ID: "new", Action: firewall.Allow, Match: addresses("10.1.1.1")}
	for _, size := range []int{10, 10_000} {
		p := denying(size).Compile()
		b.Run(fmt.Sprintf("%d rules", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p.With(rule).Without(rule).Len() != size {
					b.Fatal("it was not taken away again")
				}
			}
		})
	}
}

// denying has rules about addresses from 10.0.0.0 on.
func denying(rules int) firewall.Policy {
	p := firewall.Policy{DefaultAction: firewall.Allow}
	at := netip.MustParseAddr("10.0.0.0")
	for i := range rules {
		p.Rules = append(p.Rules, firewall.Rule{ID: strconv.Itoa(i), Action: firewall.Deny, Priority: i,
			Match: addresses(at.String())})
		at = at.Next()
	}
	return p
}
