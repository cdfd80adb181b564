package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// The author of a policy must not lock out itself or an active bridge by
// mistake, but may do so intentionally.
func TestLockout(t *testing.T) {
	t.Parallel()
	const deny, permit = api.Deny, api.Allow
	both := rule(permit, home, office)
	for _, row := range []struct {
		name     string
		rules    []api.FirewallRuleInput // before, with the default action deny if there are any
		signedIn bool
		write    func(context.Context, *conversation, bool) (*api.Problem, error)
		who      string // empty: let through
		ruleID   string // "first", "new" or empty for the default action
	}{
		{
			name:  "a deny rule on the caller's own network is refused",
			write: create(rule(deny, "192.0.2.0/24")), who: "caller", ruleID: "new",
		},
		{
			name: "a deny rule on a bridge at work is refused", signedIn: true,
			write: create(rule(deny, "198.51.100.0/24")), who: "bridge", ruleID: "new",
		},
		{
			name:  "a deny rule on a bridge without a session is let through",
			write: create(rule(deny, "198.51.100.0/24")),
		},
		{
			name:  "a deny rule on another address is accepted",
			write: create(rule(deny, "203.0.113.0/24")), signedIn: true,
		},
		{
			name:  "a report rule on the caller is let through: it lets pass",
			write: create(rule(api.Report, "192.0.2.0/24")),
		},
		{
			name:  "denying by default without a rule for the caller is refused",
			write: denyByDefault, who: "caller",
		},
		{
			name:  "denying by default with a rule for the caller but none for the bridge is refused",
			rules: nil, signedIn: true, write: policy(deny, rule(permit, home)), who: "bridge",
		},
		{
			name:  "denying by default with rules for both is let through",
			write: policy(deny, both), signedIn: true,
		},
		{
			name:  "moving the rule away from the bridge is refused",
			rules: []api.FirewallRuleInput{both}, signedIn: true,
			write: replaceFirst(rule(permit, home)), who: "bridge",
		},
		{
			name:  "turning the rule that lets both in into one that denies is refused, naming it",
			rules: []api.FirewallRuleInput{both}, signedIn: true,
			write: replaceFirst(rule(deny, home, office)), who: "caller",
			ruleID: "first",
		},
		{
			name:  "deleting the rule that lets the caller in is refused",
			rules: []api.FirewallRuleInput{both}, write: deleteFirst, who: "caller",
		},
		{
			name:     "deleting the rule that lets only the bridge in is let through",
			rules:    []api.FirewallRuleInput{rule(permit, office), rule(permit, home)},
			signedIn: true, write: deleteFirst,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := converse(t)
			if row.rules != nil {
				problem, err := policy(deny, row.rules...)(t.Context(), c, false)
				ok(t, err)
				equal(t, "the policy before", codeOf(problem), "")
			}
			if row.signedIn {
				c.mustSignIn(t, c.activate(t), "bridge-1")
			}
			before := c.firewall(t)
			problem, err := row.write(t.Context(), c, false)
			ok(t, err)
			if row.who == "" {
				equal(t, "the write", codeOf(problem), "")
				return
			}
			if codeOf(problem) != "would_lock_out" || problem.Status != http.StatusConflict {
				t.Fatalf("got %+v, want would_lock_out", problem)
			}
			address := map[string]string{"caller": home, "bridge": office}[row.who]
			ruleID := row.ruleID
			if ruleID == "first" {
				ruleID = before.Rules[0].Id
			}
			equal(t, "who", *problem.Details.Who, row.who)
			equal(t, "address", *problem.Details.Address, address)
			equal(t, "rule", deref(problem.Details.RuleId), ruleID)
			if row.who == "bridge" {
				equal(t, "instance", deref(problem.Details.Instance), "bridge-1")
			}
			equal(t, "the policy's version after a refusal", c.firewall(t).Etag, before.Etag)

			problem, err = row.write(t.Context(), c, true)
			ok(t, err)
			equal(t, "the same with allow_lockout", codeOf(problem), "")
		})
	}
}

// A bridge that a rule shuts out is told by which, keeps being seen, and is
// back the moment the rule is.
func TestBridgeIsBlockedAndBack(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	bridge := c.mustSignIn(t, creds, "bridge-1")
	blocked, err := apitest.Read[api.FirewallRule](c.CreateFirewallRule(t.Context(),
		&api.CreateFirewallRuleParams{AllowLockout: new(true)}, rule(api.Deny, office)))
	ok(t, err)
	id := blocked.Value.Id

	r, err := apitest.Read[api.HeartbeatAnswer](bridge.SendHeartbeat(t.Context(), api.Heartbeat{
		State: "healthy", Problems: []string{},
	}))
	ok(t, err)
	p := r.Problem
	equal(t, "the session's request", codeOf(p), "firewall_blocked")
	equal(t, "address", *p.Details.Address, office)
	equal(t, "rule", *p.Details.RuleId, id)
	_, refused := c.signIn(t, creds, "bridge-1")
	equal(t, "signing in", codeOf(refused), "firewall_blocked")
	_, refused = c.signIn(t, credentials{creds.email, creds.epoch + 9, creds.secrets}, "stranger")
	equal(t, "a stranger does not learn of the firewall", codeOf(refused), "sign_in_failed")

	last := c.provisioning(t).LastRefusal
	if last == nil || last.Code != "firewall_blocked" || last.Address != office || deref(last.RuleId) != id {
		t.Errorf("last refusal is %+v", last)
	}
	b := c.onlyBridge(t)
	equal(t, "state", b.State, "refused")
	equal(t, "address", b.Address, office)
	equal(t, "the bridge's last refusal", b.LastRefusal.Code, "firewall_blocked")

	_, err = apitest.Read[struct{}](c.DeleteFirewallRule(t.Context(), id, nil))
	ok(t, err)
	equal(t, "the same session after the cure", beat(t, bridge), "")
}

// Attempts of one session, address, rule and hour are one entry with a count.
func TestAttemptsAreMerged(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.mustSignIn(t, c.activate(t), "bridge-1")
	_, err := apitest.Read[api.FirewallRule](c.CreateFirewallRule(t.Context(),
		&api.CreateFirewallRuleParams{AllowLockout: new(true)}, rule(api.Deny, office)))
	ok(t, err)
	for range 3 {
		equal(t, "blocked", beat(t, bridge), "firewall_blocked")
		c.clock.advance(time.Minute)
	}
	c.clock.advance(time.Hour)
	equal(t, "blocked in the next hour", beat(t, bridge), "firewall_blocked")

	page, err := apitest.Read[api.SignInAttemptPage](c.ListSignInAttempts(t.Context(), nil))
	ok(t, err)
	var got []string
	for _, a := range page.Value.Items {
		got = append(got, fmt.Sprintf("%s %s x%d", a.Result, a.Address, a.Count))
	}
	want := []string{"firewall_blocked " + office + " x1", "firewall_blocked " + office + " x3", "ok " + office + " x1"}
	equal(t, "attempts, newest first", strings.Join(got, ", "), strings.Join(want, ", "))

	c.clock.advance(61 * 24 * time.Hour)
	page, err = apitest.Read[api.SignInAttemptPage](c.ListSignInAttempts(t.Context(), nil))
	ok(t, err)
	equal(t, "attempts after 61 days", len(page.Value.Items), 0)
	ok(t, c.account.Sweep(t.Context()))
	c.clock.advance(-61 * 24 * time.Hour)
	page, err = apitest.Read[api.SignInAttemptPage](c.ListSignInAttempts(t.Context(), nil))
	ok(t, err)
	equal(t, "attempts that the sweep left", len(page.Value.Items), 0)
}

// Who is locked out breaks the glass on the database's machine, beside the
// running server. The server sees it with the next request, no rule is
// touched, and it ends by itself.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	c := converse(t)
	problem, err := policy(api.Deny)(t.Context(), c, true)
	ok(t, err)
	equal(t, "locking out all callers", codeOf(problem), "")
	who, err := apitest.Read[api.Caller](c.WhoAmI(t.Context()))
	ok(t, err)
	equal(t, "the administrator", codeOf(who.Problem), "firewall_blocked")

	beside, err := store.Open(t.Context(), c.database)
	ok(t, err)
	defer beside.Close()
	machine, err := account.Load(t.Context(), beside)
	ok(t, err)
	machine.Now = c.clock.Now
	disabled, err := machine.DisableFirewall(t.Context(), time.Hour)
	ok(t, err)
	if equal(t, "who was refused", len(disabled.WouldBlock), 1); len(disabled.WouldBlock) > 0 {
		equal(t, "is named", disabled.WouldBlock[0].Who, "administrator")
	}

	f := c.firewall(t)
	equal(t, "enforced", f.Enforced, false)
	equal(t, "until", f.DisabledUntil.Equal(disabled.Until), true)
	equal(t, "default action", f.DefaultAction, api.Deny)
	// Behind the broken glass the policy is repaired one rule after the other.
	problem, err = create(rule(api.Allow, office))(t.Context(), c, false)
	ok(t, err)
	equal(t, "a first rule that does not let the caller in yet", codeOf(problem), "")
	events, err := apitest.Read[api.AuditEventPage](c.ListAuditEvents(t.Context(), nil))
	ok(t, err)
	var audited bool
	for _, e := range events.Value.Items {
		audited = audited || e.Action == "firewall.disable" && e.Actor == "machine"
	}
	equal(t, "audited", audited, true)

	attempts, err := apitest.Read[api.SignInAttemptPage](c.ListSignInAttempts(t.Context(), nil))
	ok(t, err)
	equal(t, "attempts", len(attempts.Value.Items), 1)
	equal(t, "whose", attempts.Value.Items[0].Address, home)
	equal(t, "what came of it", attempts.Value.Items[0].Result, "firewall_blocked")

	c.clock.advance(time.Hour)
	who, err = apitest.Read[api.Caller](c.WhoAmI(t.Context()))
	ok(t, err)
	equal(t, "the administrator after the hour", codeOf(who.Problem), "firewall_blocked")
	if _, err := machine.DisableFirewall(t.Context(), 25*time.Hour); err == nil {
		t.Error("the glass could be broken for more than a day")
	}
}

// A rule carries its version; a write that changes nothing leaves it.
func TestRuleVersions(t *testing.T) {
	t.Parallel()
	c := converse(t)
	made, err := apitest.Read[api.FirewallRule](c.CreateFirewallRule(t.Context(), nil,
		rule(api.Allow, "203.0.113.0/24")))
	ok(t, err)
	first := *made.Value
	equal(t, "default priority", first.Priority, 100)
	equal(t, "ETag header", made.Header.Get("ETag"), first.Etag)

	same, err := apitest.Read[api.FirewallRule](c.ReplaceFirewallRule(t.Context(), first.Id, nil,
		rule(api.Allow, "203.0.113.0/24")))
	ok(t, err)
	equal(t, "etag after writing the same", same.Value.Etag, first.Etag)
	changed, err := apitest.Read[api.FirewallRule](c.ReplaceFirewallRule(t.Context(), first.Id,
		&api.ReplaceFirewallRuleParams{IfMatch: &first.Etag}, rule(api.Deny, "203.0.113.9")))
	ok(t, err)
	equal(t, "priority of a deny rule", changed.Value.Priority, 500)
	equal(t, "one address is written without a length", (*changed.Value.IpRanges)[0], "203.0.113.9")
	stale, err := apitest.Read[api.FirewallRule](c.ReplaceFirewallRule(t.Context(), first.Id,
		&api.ReplaceFirewallRuleParams{IfMatch: &first.Etag}, rule(api.Allow, "203.0.113.0/24")))
	ok(t, err)
	equal(t, "a write on an old version", codeOf(stale.Problem), "version_mismatch")
	gone, err := apitest.Read[struct{}](c.DeleteFirewallRule(t.Context(), first.Id,
		&api.DeleteFirewallRuleParams{IfMatch: &first.Etag}))
	ok(t, err)
	equal(t, "a delete on an old version", codeOf(gone.Problem), "version_mismatch")
}

// Rules that one build cannot evaluate are refused, each saying which field.
func TestRefusedRules(t *testing.T) {
	t.Parallel()
	c := converse(t)
	for _, row := range []struct{ name, body, code, field string }{
		{"host bits", `{"ip_ranges":["10.0.0.5/8"]}`, "invalid_value", "/ip_ranges/0"},
		{"no address", `{"ip_ranges":["10.0.0.0/8","ten"]}`, "invalid_value", "/ip_ranges/1"},
		{"no values", `{"action":"deny"}`, "invalid_value", ""},
		{"a country", `{"countries":["DE"]}`, "ip_database_required", "/countries"},
		{"a continent", `{"continents":["EU"]}`, "ip_database_required", "/continents"},
		{"an anonymous kind", `{"anonymous_ips":["tor"]}`, "ip_database_required", "/anonymous_ips"},
		{"a priority out of range", `{"ip_ranges":["10.0.0.0/8"],"priority":-1}`, "invalid_value", ""},
		{"an action that is none", `{"ip_ranges":["10.0.0.0/8"],"action":"block"}`, "malformed_request", "/action"},
		{"an id for a new rule", `{"id":"mine","ip_ranges":["10.0.0.0/8"]}`, "invalid_value", "/id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := c.raw(t, "POST", "/v1/firewall/rules", row.body).Problem
			equal(t, "code", p.Code, api.ErrorCode(row.code))
			field := ""
			if p.Details != nil {
				field = deref(p.Details.Field)
			}
			equal(t, "field", field, row.field)
		})
	}
	equal(t, "rules that were made", len(c.firewall(t).Rules), 0)
}

// Verdicts are told for the present policy and for a proposed one, which
// changes nothing.
func TestEvaluate(t *testing.T) {
	t.Parallel()
	c := converse(t)
	present, err := apitest.Read[api.Evaluation](c.EvaluateFirewall(t.Context(), api.EvaluationInput{
		Addresses: []string{home},
	}))
	ok(t, err)
	equal(t, "present", present.Value.Verdicts[0].Action, api.Allow)
	proposed, err := apitest.Read[api.Evaluation](c.EvaluateFirewall(t.Context(), api.EvaluationInput{
		Addresses: []string{home, "::ffff:" + office, "2001:db8::1"},
		Policy: &api.FirewallUpdate{
			DefaultAction: new(api.Deny),
			Rules:         &[]api.FirewallRuleInput{rule(api.Allow, office), rule(api.Report, home)},
		},
	}))
	ok(t, err)
	var got []string
	for _, v := range proposed.Value.Verdicts {
		got = append(got, fmt.Sprintf("%s %s %s", v.Address, v.Action, deref(v.RuleId)))
	}
	equal(t, "proposed", strings.Join(got, "; "), home+" report new-2; "+office+" allow new-1; 2001:db8::1 deny ")
	equal(t, "rules", len(c.firewall(t).Rules), 0)
}

// The whole policy is replaced in one write; a rule whose id is given stays
// the rule that it is.
func TestWholePolicy(t *testing.T) {
	t.Parallel()
	c := converse(t)
	problem, err := policy(api.Allow, rule(api.Allow, home), rule(api.Deny, "203.0.113.0/24"))(t.Context(), c, false)
	ok(t, err)
	equal(t, "first", codeOf(problem), "")
	before := c.firewall(t)
	kept := rule(api.Allow, home)
	kept.Id = &before.Rules[0].Id
	stale, err := apitest.Read[api.Firewall](c.UpdateFirewall(t.Context(),
		&api.UpdateFirewallParams{IfMatch: new(`"0"`)},
		api.FirewallUpdate{}))
	ok(t, err)
	equal(t, "on an old version", codeOf(stale.Problem), "version_mismatch")
	problem, err = policy(api.Deny, kept, rule(api.Allow, office))(t.Context(), c, false)
	ok(t, err)
	equal(t, "second", codeOf(problem), "")
	after := c.firewall(t)
	equal(t, "rules", len(after.Rules), 2)
	var found bool
	for _, r := range after.Rules {
		found = found || r.Id == before.Rules[0].Id && r.Etag == before.Rules[0].Etag
	}
	equal(t, "the kept rule is there, unchanged", found, true)
	unknown := rule(api.Allow, home)
	unknown.Id = new("nobody")
	problem, err = policy(api.Deny, unknown)(t.Context(), c, true)
	ok(t, err)
	equal(t, "an unknown id", codeOf(problem), "invalid_value")
}

// Writers at the same time lose nothing.
func TestRulesConcurrently(t *testing.T) {
	t.Parallel()
	c := converse(t)
	const writers = 32
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			problem, err := create(rule(api.Allow, fmt.Sprintf("10.0.%d.0/24", i)))(t.Context(), c, false)
			if err != nil || problem != nil {
				t.Errorf("writer %d: %v, %v", i, err, codeOf(problem))
			}
		})
	}
	wg.Wait()
	equal(t, "rules", len(c.firewall(t).Rules), writers)

	// Cursors pass over none and repeat none.
	seen := map[string]bool{}
	for params := (&api.ListFirewallRulesParams{Limit: new(5)}); ; {
		page, err := apitest.Read[api.FirewallRulePage](c.ListFirewallRules(t.Context(), params))
		ok(t, err)
		for _, r := range page.Value.Items {
			seen[r.Id] = true
		}
		if page.Value.NextCursor == nil {
			break
		}
		params.Cursor = page.Value.NextCursor
	}
	equal(t, "rules seen by cursor", len(seen), writers)
}

func rule(action api.FirewallAction, ranges ...string) api.FirewallRuleInput {
	return api.FirewallRuleInput{Action: &action, IpRanges: &ranges}
}

func create(r api.FirewallRuleInput) func(context.Context, *conversation, bool) (*api.Problem, error) {
	return func(ctx context.Context, c *conversation, allow bool) (*api.Problem, error) {
		resp, err := apitest.Read[api.FirewallRule](c.CreateFirewallRule(ctx,
			&api.CreateFirewallRuleParams{AllowLockout: &allow}, r))
		return problemIn(resp, err)
	}
}

func policy(action api.FirewallAction, rules ...api.FirewallRuleInput,
) func(context.Context, *conversation, bool) (*api.Problem, error) {
	return func(ctx context.Context, c *conversation, allow bool) (*api.Problem, error) {
		rules := append([]api.FirewallRuleInput{}, rules...)
		resp, err := apitest.Read[api.Firewall](c.UpdateFirewall(ctx, &api.UpdateFirewallParams{AllowLockout: &allow},
			api.FirewallUpdate{DefaultAction: &action, Rules: &rules}))
		return problemIn(resp, err)
	}
}

func denyByDefault(ctx context.Context, c *conversation, allow bool) (*api.Problem, error) {
	resp, err := apitest.Read[api.Firewall](c.UpdateFirewall(ctx, &api.UpdateFirewallParams{AllowLockout: &allow},
		api.FirewallUpdate{DefaultAction: new(api.Deny)}))
	return problemIn(resp, err)
}

func replaceFirst(r api.FirewallRuleInput) func(context.Context, *conversation, bool) (*api.Problem, error) {
	return func(ctx context.Context, c *conversation, allow bool) (*api.Problem, error) {
		id, err := c.firstRule(ctx)
		if err != nil {
			return nil, err
		}
		resp, err := apitest.Read[api.FirewallRule](c.ReplaceFirewallRule(ctx, id,
			&api.ReplaceFirewallRuleParams{AllowLockout: &allow}, r))
		return problemIn(resp, err)
	}
}

func deleteFirst(ctx context.Context, c *conversation, allow bool) (*api.Problem, error) {
	id, err := c.firstRule(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := apitest.Read[struct{}](c.DeleteFirewallRule(ctx, id,
		&api.DeleteFirewallRuleParams{AllowLockout: &allow}))
	return problemIn(resp, err)
}

// problemIn takes the problem out of any answer.
func problemIn[T any](resp *apitest.Answer[T], err error) (*api.Problem, error) {
	if err != nil {
		return nil, err
	}
	return resp.Problem, nil
}

// firstRule is the one that the table's rows change: the first that begins with
// the office, or else the first that is asked.
func (c *conversation) firstRule(ctx context.Context) (string, error) {
	f, err := apitest.Read[api.Firewall](c.GetFirewall(ctx))
	if err != nil {
		return "", err
	}
	for _, r := range f.Value.Rules {
		if r.IpRanges != nil && (*r.IpRanges)[0] == office {
			return r.Id, nil
		}
	}
	return f.Value.Rules[0].Id, nil
}

func (c *conversation) firewall(t *testing.T) api.Firewall {
	t.Helper()
	r, err := apitest.Read[api.Firewall](c.GetFirewall(t.Context()))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("reading the firewall: %s", r.Body)
	}
	return *r.Value
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
