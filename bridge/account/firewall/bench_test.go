package firewall_test

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// Every request is judged: ten thousand rules that do not match must cost
// little beside reading the session.
func BenchmarkEvaluate(b *testing.B) {
	p := firewall.Policy{DefaultAction: firewall.Allow}
	for i := range 10_000 {
		p.Rules = append(p.Rules, firewall.Rule{
			ID: strconv.Itoa(i), Action: firewall.Deny, Priority: i, IPRanges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		})
	}
	p = p.Sorted()
	subject := firewall.Subject{Address: netip.MustParseAddr("192.0.2.1")}
	b.ReportAllocs()
	for b.Loop() {
		if !p.Evaluate(subject).Passes() {
			b.Fatal("a rule matched")
		}
	}
}
