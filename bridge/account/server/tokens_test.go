package server_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// A token with the scope read covers all GETs and evaluations, and nothing else.
func TestATokenThatMayOnlyReadChangesNothing(t *testing.T) {
	t.Parallel()
	c := converse(t)
	_, secret, err := c.account.IssueToken(t.Context(), account.TokenInput{Name: "plans", Scope: account.ScopeRead})
	ok(t, err)
	reads, writes := 0, 0
	for pattern := range adminOperations(t) {
		method, path, _ := strings.Cut(pattern, " ")
		got := c.raw(t, method, regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x"), "{}", "Authorization",
			"Bearer "+secret)
		if method == http.MethodGet || path == "/v1/firewall/evaluate" {
			reads++
			if got.Status == http.StatusForbidden || got.Status == http.StatusUnauthorized {
				t.Errorf("%s is refused to a token that reads: %d %s", pattern, got.Status, got.Text)
			}
			continue
		}
		writes++
		if got.Status != http.StatusForbidden || got.Problem.Code != "scope_insufficient" ||
			!strings.Contains(deref(got.Problem.Detail), "--scope admin") {
			t.Errorf("%s is not refused with the remedy: %d %s", pattern, got.Status, got.Text)
		}
	}
	if reads < 10 || writes < 10 {
		t.Fatalf("%d reads and %d writes: the test would prove nothing", reads, writes)
	}
	equal(t, "metrics", c.raw(t, "GET", "/metrics", "", "Authorization", "Bearer "+secret).Status, http.StatusOK)
}

// adminOperations are those of openapi.yaml that ask for an admin token, as "METHOD /path".
func adminOperations(t *testing.T) map[string]bool {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	ok(t, err)
	all := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if s := operation.Security; s != nil && len(*s) == 1 && (*s)[0]["adminToken"] != nil {
				all[method+" "+path] = true
			}
		}
	}
	return all
}

func TestATokenEndsWhenItExpires(t *testing.T) {
	t.Parallel()
	c := converse(t)
	ends := c.clock.Now().Add(time.Hour)
	scope := api.Read
	made, err := apitest.Read[api.Token](c.CreateToken(t.Context(), nil, api.TokenInput{
		Name: "short", Scope: &scope, ExpiresAt: &ends,
	}))
	ok(t, err)
	if made.Value == nil || made.Value.Scope != api.Read || made.Value.ExpiresAt == nil ||
		!made.Value.ExpiresAt.Equal(ends) {
		t.Fatalf("made %s", made.Body)
	}
	try := func() reply {
		return c.raw(t, "GET", "/v1/whoami", "", "Authorization", "Bearer "+*made.Value.Secret)
	}
	equal(t, "before", try().Status, http.StatusOK)
	c.clock.advance(time.Hour)
	got := try()
	equal(t, "after", got.Status, http.StatusUnauthorized)
	equal(t, "its code", got.Problem.Code, api.ErrorCode("token_expired"))
	for name, body := range map[string]string{
		"an end in the past":         `{"name":"x","expires_at":"2020-01-01T00:00:00Z"}`,
		"an end in a hundred years":  `{"name":"x","expires_at":"2126-01-01T00:00:00Z"}`,
		"a scope that there is none": `{"name":"x","scope":"write"}`,
	} {
		if got := c.raw(t, "POST", "/v1/tokens", body); got.Status < 400 || got.Status > 422 {
			t.Errorf("%s: %d %s", name, got.Status, got.Text)
		}
	}
}

// Without an admin token no other could be created.
func TestTheLastAdminTokenCannotRevokeItself(t *testing.T) {
	t.Parallel()
	c := converse(t)
	me, err := apitest.Read[api.Caller](c.WhoAmI(t.Context()))
	ok(t, err)
	// Neither a token that reads nor one that has expired can make another.
	_, _, err = c.account.IssueToken(t.Context(), account.TokenInput{Name: "reads", Scope: account.ScopeRead})
	ok(t, err)
	_, _, err = c.account.IssueToken(t.Context(), account.TokenInput{
		Name: "expires", ExpiresAt: c.clock.Now().Add(time.Minute),
	})
	ok(t, err)
	c.clock.advance(time.Hour)
	got := c.raw(t, "DELETE", "/v1/tokens/"+me.Value.TokenId, "")
	equal(t, "the last one", got.Status, http.StatusConflict)
	equal(t, "its code", got.Problem.Code, api.ErrorCode("last_admin_token"))

	_, _, err = c.account.CreateToken(t.Context(), "another")
	ok(t, err)
	equal(t, "beside another", c.raw(t, "DELETE", "/v1/tokens/"+me.Value.TokenId, "").Status, http.StatusNoContent)
}

// Who tries admin tokens is seen, and leaves one row a day however often.
func TestWrongAdminTokensAreOneEventADay(t *testing.T) {
	t.Parallel()
	c := converse(t)
	try := func(times int) {
		t.Helper()
		for i := range times {
			equal(t, "a wrong token", c.raw(t, "GET", "/v1/whoami", "", "Authorization",
				fmt.Sprintf("Bearer sba_wrong%d", i)).Status, http.StatusUnauthorized)
		}
	}
	events := func() (refused []api.AuditEvent) {
		t.Helper()
		page, err := apitest.Read[api.AuditEventPage](c.ListAuditEvents(t.Context(), nil))
		ok(t, err)
		for _, e := range page.Value.Items {
			if e.Action == "token.refused" {
				refused = append(refused, e)
			}
		}
		return refused
	}
	if got := events(); len(got) != 0 {
		t.Fatalf("before any request: %+v", got)
	}
	try(3)
	events()
	try(4)
	got := events()
	if len(got) != 1 || !strings.Contains(deref(got[0].Summary), "7 requests") || got[0].Address == nil ||
		*got[0].Address != home {
		t.Errorf("after 7 tries: %+v", got)
	}
	metrics := c.raw(t, "GET", "/metrics", "").Text
	if !strings.Contains(metrics, "scimbridge_account_refused_tokens_total 7") {
		t.Error("the metric does not count them")
	}
	c.clock.advance(24 * time.Hour)
	try(1)
	equal(t, "events after another day", len(events()), 2)
	c.clock.advance(61 * 24 * time.Hour)
	try(1)
	equal(t, "events after two months", len(events()), 1)
}
