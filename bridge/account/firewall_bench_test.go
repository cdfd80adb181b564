package account_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// An apply of ten thousand single rules writes them one after the other: what
// one costs must not depend on how many there are already.
func BenchmarkOneRuleInAndOut(b *testing.B) {
	for _, size := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("beside %d", size), func(b *testing.B) {
			a := guarded(b, size)
			ctx := account.WithCaller(b.Context(), account.Caller{
				Kind: account.ByToken, ID: "bench", Address: netip.MustParseAddr("192.0.2.1"),
			})
			for b.Loop() {
				r, err := a.CreateFirewallRule(ctx,
					firewall.Rule{Action: firewall.Allow, Match: addresses("203.0.113.7")}, false)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := a.ReplaceFirewallRule(ctx, r.ID, firewall.Rule{
					Action: firewall.Allow, Match: addresses("203.0.113.8"),
				}, "", false); err != nil {
					b.Fatal(err)
				}
				if err := a.DeleteFirewallRule(ctx, r.ID, "", false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Every request of an administrator pays this before its own work begins.
func BenchmarkAdmission(b *testing.B) {
	for _, size := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("by %d rules", size), func(b *testing.B) {
			a := guarded(b, size)
			_, token, err := a.CreateToken(b.Context(), "bench")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := a.AdmitToken(b.Context(), token, netip.MustParseAddr("192.0.2.1")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// guarded is an account whose firewall has as many rules.
func guarded(b *testing.B, rules int) *account.Account {
	b.Helper()
	a := newAccount(b)
	all := make([]firewall.Rule, rules)
	for i := range all {
		all[i] = firewall.Rule{Action: firewall.Deny, Match: addresses(fmt.Sprintf("10.%d.%d.0/24", i/256, i%256))}
	}
	if _, err := a.UpdateFirewall(b.Context(), account.FirewallUpdate{Rules: &all}, "", false); err != nil {
		b.Fatal(err)
	}
	return a
}
