package account_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	cryptorand "crypto/rand"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// Two servers of one account write rules, and some of what they write is
// rolled back, as when the request that it is part of fails: at every moment
// each decides by what is committed, to the last rule.
func TestRequestsAreDecidedByWhatIsCommitted(t *testing.T) {
	t.Parallel()
	dsn := storetest.New(t)
	servers := []*account.Account{serverOf(t, dsn, true), serverOf(t, dsn, false)}
	_, token, err := servers[0].CreateToken(t.Context(), "tests")
	if err != nil {
		t.Fatal(err)
	}
	steps := rand.New(rand.NewPCG(7, 7))
	undone := errors.New("undone")
	for step := range 60 {
		a := servers[steps.IntN(2)]
		rollBack := steps.IntN(3) == 0
		err := a.Store.Write(t.Context(), func(ctx context.Context, _ *store.Tx) error {
			for range 1 + steps.IntN(3) {
				if err := anyChange(ctx, a, steps); err != nil {
					return err
				}
			}
			if rollBack {
				return undone
			}
			return nil
		})
		if err != nil && !errors.Is(err, undone) {
			t.Fatalf("step %d: %v", step, err)
		}
		for i, a := range servers {
			expectDecidedAsWritten(t, fmt.Sprintf("step %d, server %d", step, i), a, token)
		}
	}
}

// addresses is a match of IP ranges, as a request spells them.
func addresses(ranges ...string) firewall.Match {
	return firewall.Match{Kind: firewall.IPRanges, Values: ranges}
}

// anyChange is a random write of the firewall.
func anyChange(ctx context.Context, a *account.Account, choice *rand.Rand) error {
	f, err := a.Firewall(ctx)
	if err != nil {
		return err
	}
	in := firewall.Rule{
		Action:   []firewall.Action{firewall.Allow, firewall.Deny, firewall.Report}[choice.IntN(3)],
		Match:    addresses([]string{asked[choice.IntN(len(asked))], "10.0.0.0/8"}[:1+choice.IntN(2)]...),
		Priority: choice.IntN(100),
	}
	some := ""
	if n := len(f.Rules); n > 0 {
		some = f.Rules[choice.IntN(n)].ID
	}
	switch what := choice.IntN(10); {
	case what < 5 || some == "":
		_, err = a.CreateFirewallRule(ctx, in, false)
		if account.IsCode(err, "firewall_rule_exists") {
			err = nil
		}
	case what < 7:
		_, err = a.ReplaceFirewallRule(ctx, some, in, "", false)
	case what < 9:
		err = a.DeleteFirewallRule(ctx, some, "", false)
	default:
		rules := []firewall.Rule{in}
		for _, r := range f.Rules[:len(f.Rules)/2] {
			r.Match.Values = r.Match.Values[:1]
			rules = append(rules, r.Rule)
		}
		_, err = a.UpdateFirewall(ctx, account.FirewallUpdate{DefaultAction: &in.Action, Rules: &rules}, "", false)
	}
	return err
}

var asked = []string{"10.0.0.1", "10.0.0.2", "10.1.0.0/16", "192.0.2.1", "2001:db8::1"}

func expectDecidedAsWritten(t *testing.T, when string, a *account.Account, token string) {
	t.Helper()
	f, err := a.Firewall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	written := firewall.Policy{DefaultAction: f.DefaultAction}
	for _, r := range f.Rules {
		written.Rules = append(written.Rules, r.Rule)
	}
	for _, text := range []string{"10.0.0.1", "10.0.0.2", "10.1.0.9", "192.0.2.1", "2001:db8::1", "198.51.100.1"} {
		address := netip.MustParseAddr(text)
		want := written.Compile().Decide(firewall.Subject{Address: address})
		_, err := a.AdmitToken(t.Context(), token, address)
		if blocked := account.IsCode(err, "firewall_blocked"); blocked == want.Passes() || err != nil && !blocked {
			t.Fatalf("%s: %s is answered %v, and the policy says %+v", when, text, err, want)
		}
		if e, ok := errors.AsType[*account.Error](err); ok && e.RuleID != want.RuleID() {
			t.Fatalf("%s: %s is blocked by %q, and the policy says %+v", when, text, e.RuleID, want)
		}
	}
}

func serverOf(t *testing.T, dsn string, first bool) *account.Account {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if first {
		_, err = account.Create(t.Context(), s, "Example", time.Now, cryptorand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	a, err := account.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What is there already is not made again, however it is spelt and however
// many clients try at once; a refusal names the existing rule.
func TestARuleThatExistsIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	d := newAccount(t)
	office := firewall.Rule{
		Action: firewall.Allow, Match: addresses("192.0.2.0/24", "203.0.113.7"),
		Priority: 100, Description: "the office",
	}
	with := func(change func(*firewall.Rule)) firewall.Rule {
		r := office
		change(&r)
		return r
	}
	var made, refused []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, err := d.CreateFirewallRule(t.Context(), office, false)
			mu.Lock()
			defer mu.Unlock()
			if e, ok := errors.AsType[*account.Error](err); ok && e.Code == "firewall_rule_exists" {
				refused = append(refused, e.ExistingID)
			} else if err != nil {
				t.Error(err)
			} else {
				made = append(made, r.ID)
			}
		})
	}
	wg.Wait()
	if len(made) != 1 || len(refused) != 7 || slices.ContainsFunc(refused, func(id string) bool {
		return id != made[0]
	}) {
		t.Fatalf("made %q, refused for %q", made, refused)
	}
	for _, row := range []struct {
		name string
		in   firewall.Rule
		made bool
	}{
		{"in another order, spelling and number", with(func(r *firewall.Rule) {
			r.Match = addresses("203.0.113.7/32", "192.0.2.0/24", "203.0.113.7")
		}), false},
		{"with another description", with(func(r *firewall.Rule) { r.Description = "the Office" }), true},
		{"with another action", with(func(r *firewall.Rule) { r.Action = firewall.Report }), true},
		{"with another priority", with(func(r *firewall.Rule) { r.Priority = 99 }), true},
		{"with one range less", with(func(r *firewall.Rule) { r.Match = addresses("192.0.2.0/24") }), true},
	} {
		r, err := d.CreateFirewallRule(t.Context(), row.in, false)
		switch {
		case row.made != (err == nil) || err != nil && !account.IsCode(err, "firewall_rule_exists"):
			t.Errorf("%s: got %v", row.name, err)
		case err == nil:
			if err := d.DeleteFirewallRule(t.Context(), r.ID, "", false); err != nil {
				t.Fatal(err)
			}
		}
	}
	// It is what the rule says now that counts.
	changed, err := d.ReplaceFirewallRule(t.Context(), made[0], firewall.Rule{
		Action: firewall.Allow, Match: addresses("198.51.100.0/24"),
	}, "", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.CreateFirewallRule(t.Context(), office, false); err != nil {
		t.Errorf("what the rule was before it changed: %v", err)
	}
	if err := d.DeleteFirewallRule(t.Context(), changed.ID, "", false); err != nil {
		t.Fatal(err)
	}
	if _, err := d.CreateFirewallRule(t.Context(), firewall.Rule{
		Action: firewall.Allow, Match: addresses("198.51.100.0/24"),
	}, false); err != nil {
		t.Errorf("what was deleted: %v", err)
	}
}

// A policy that cannot be read blocks all callers; disabling the firewall allows
// an administrator in all the same.
func TestADisabledFirewallAdmitsWhateverThePolicy(t *testing.T) {
	t.Parallel()
	a := serverOf(t, storetest.New(t), true)
	_, token, err := a.CreateToken(t.Context(), "tests")
	if err != nil {
		t.Fatal(err)
	}
	err = a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		f, err := tx.Firewall(ctx)
		if err != nil {
			return err
		}
		f.Revision = "of an unreadable rule"
		if err := tx.UpdateFirewall(ctx, f); err != nil {
			return err
		}
		return tx.PutFirewallRule(ctx, store.FirewallRule{ID: "r", Action: "deny",
			Kind: "ip_ranges", Values: "nonsense",
			Version: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	home := netip.MustParseAddr("192.0.2.1")
	if _, err := a.AdmitToken(t.Context(), token, home); err == nil {
		t.Error("an address was allowed past an unreadable rule")
	}
	if _, err := a.DisableFirewall(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AdmitToken(t.Context(), token, home); err != nil {
		t.Errorf("while the firewall is disabled: %v", err)
	}
}
