package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// refusals returns the audit events of refused changes, newest first.
func (c *conversation) refusals(t *testing.T) (refused []api.AuditEvent) {
	t.Helper()
	page, err := apitest.Read[api.AuditEventPage](c.ListAuditEvents(t.Context(),
		&api.ListAuditEventsParams{Limit: new(1000)}))
	ok(t, err)
	for _, e := range page.Value.Items {
		if e.Action == "change.refuse" {
			refused = append(refused, e)
		}
	}
	return refused
}

// Administration that failed is in the log, too: whose it was, what was asked for, and why it was refused.
func TestRefusedChangesAreAudited(t *testing.T) {
	t.Parallel()
	c := converse(t)
	reader, secret, err := c.account.IssueToken(t.Context(),
		account.TokenInput{Name: "reads", Scope: account.ScopeRead})
	ok(t, err)
	me, err := apitest.Read[api.Caller](c.WhoAmI(t.Context()))
	ok(t, err)
	for _, row := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		actor, object, summary   string
	}{
		{name: "a token that only reads", method: "POST", path: "/v1/signup-domains", body: `{"domain":"example.com"}`,
			headers: []string{"Authorization", "Bearer " + secret}, status: 403, actor: reader.ID,
			summary: "POST /v1/signup-domains: 403 scope_insufficient"},
		{name: "a token that only reads, on one object", method: "DELETE", path: "/v1/signup-domains/example.com",
			headers: []string{"Authorization", "Bearer " + secret}, status: 403, actor: reader.ID,
			object: "example.com", summary: "DELETE /v1/signup-domains/{domain}: 403 scope_insufficient"},
		{name: "the last admin token", method: "DELETE", path: "/v1/tokens/" + me.Value.TokenId, status: 409,
			actor: me.Value.TokenId, object: me.Value.TokenId, summary: "DELETE /v1/tokens/{id}: 409 last_admin_token"},
		{name: "a lock-out", method: "PATCH", path: "/v1/firewall", body: `{"default_action":"deny"}`, status: 409,
			actor: me.Value.TokenId, summary: "PATCH /v1/firewall: 409 would_lock_out"},
		{name: "a body that is wrong", method: "POST", path: "/v1/tokens", body: `{"name":""}`, status: 422,
			actor: me.Value.TokenId, summary: "POST /v1/tokens: 422 invalid_value"},
		{name: "a request with an Idempotency-Key, whose transaction is undone", method: "POST", path: "/v1/tokens",
			body: `{"name":""}`, headers: []string{"Idempotency-Key", "k"}, status: 422, actor: me.Value.TokenId,
			summary: "POST /v1/tokens: 422 invalid_value"},
		{name: "an id that is none", method: "DELETE", path: "/v1/tokens/%3Cscript%3E", status: 404,
			actor: me.Value.TokenId, summary: "DELETE /v1/tokens/{id}: 404 not_found"},
	} {
		before := len(c.refusals(t))
		c.clock.advance(time.Second)
		got := c.raw(t, row.method, row.path, row.body, row.headers...)
		equal(t, row.name, got.Status, row.status)
		events := c.refusals(t)
		if len(events) != before+1 {
			t.Fatalf("%s: %d events, want one more than %d", row.name, len(events), before)
		}
		e := events[0]
		equal(t, row.name+": actor", e.Actor, "token:"+row.actor)
		equal(t, row.name+": object", e.Object, row.object)
		if !strings.HasPrefix(deref(e.Summary), row.summary+", request ") {
			t.Errorf("%s: summary %q, want %q", row.name, deref(e.Summary), row.summary)
		}
	}
}

// What succeeds, what changes nothing, and what strangers try adds no event.
func TestOnlyRefusedChangesOfAdministratorsAreAudited(t *testing.T) {
	t.Parallel()
	c := converse(t)
	for _, row := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
	}{
		{name: "a change", method: "POST", path: "/v1/signup-domains", body: `{"domain":"example.com"}`, status: 201},
		{name: "a read that is refused", method: "GET", path: "/v1/audit-events?limit=0", status: 422},
		{name: "an evaluation that is refused", method: "POST", path: "/v1/firewall/evaluate", body: `{"x":1}`,
			status: 400},
		{name: "a stranger without a token", method: "DELETE", path: "/v1/signup-domains/example.com",
			headers: []string{"Authorization", ""}, status: 401},
		{name: "a stranger with a wrong token", method: "DELETE", path: "/v1/signup-domains/example.com",
			headers: []string{"Authorization", "Bearer sba_wrong"}, status: 401},
	} {
		equal(t, row.name, c.raw(t, row.method, row.path, row.body, row.headers...).Status, row.status)
		equal(t, row.name+": events", len(c.refusals(t)), 0)
	}
}

// A program that repeats a refused request does not fill the log, and what was left out is counted.
func TestRefusedChangesOfATokenAreBounded(t *testing.T) {
	t.Parallel()
	c := converse(t)
	refuse := func() {
		t.Helper()
		equal(t, "refused", c.raw(t, "DELETE", "/v1/tokens/nobody", "").Status, http.StatusNotFound)
	}
	for range 75 {
		refuse()
	}
	equal(t, "events in the first hour", len(c.refusals(t)), 60)
	c.clock.advance(time.Hour)
	refuse()
	events := c.refusals(t)
	equal(t, "events in the next hour", len(events), 61)
	if want := fmt.Sprintf("; %d refused changes of this token before it were not recorded", 15); !strings.HasSuffix(
		deref(events[0].Summary), want) {
		t.Errorf("the next one says %q, want %q", deref(events[0].Summary), want)
	}
}
