package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// Every refusal is a problem document with a stable code, a request id and,
// where there is one, the place in the request.
func TestProblems(t *testing.T) {
	t.Parallel()
	c := converse(t)
	deep := strings.Repeat(`{"op":"not","terms":[`, 80) + `{"op":"pr"}` + strings.Repeat(`]}`, 80)
	for _, row := range []struct {
		name, method, path, body string
		header                   string // Authorization; the administrator's if empty
		status                   int
		code, field              string
	}{
		{name: "an unknown member is named", method: "POST", path: "/v1/firewall/rules",
			body:   `{"ip_range":["10.0.0.0/8"]}`,
			status: 400, code: "malformed_request", field: "/ip_range"},
		{name: "an unknown member inside another is named by its path", method: "PATCH", path: "/v1/firewall",
			body: `{"rules":[{"ip_ranges":["10.0.0.0/8"]},{"prio":1}]}`, status: 400, code: "malformed_request",
			field: "/rules/1/prio"},
		{name: "a name in another case is unknown", method: "POST", path: "/v1/signup-domains",
			body: `{"Domain":"example.com"}`, status: 400, code: "malformed_request", field: "/Domain"},
		{name: "a member that is given twice", method: "POST", path: "/v1/signup-domains",
			body: `{"domain":"example.com","domain":"example.org"}`, status: 400,
			code: "malformed_request", field: "/domain"},
		{name: "a missing member", method: "POST", path: "/v1/signup-domains", body: `{}`, status: 400,
			code: "malformed_request", field: "/domain"},
		{name: "a missing member inside another", method: "POST", path: "/v1/provisioning",
			body: `{"manager_email":"a@example.com","session":"x","enrolment":{"epoch":1,"verifier":"1"}}`, status: 400,
			code: "malformed_request", field: "/enrolment/kdf"},
		{name: "a wrong type", method: "POST", path: "/v1/signup-domains", body: `{"domain":7}`, status: 400,
			code: "malformed_request", field: "/domain"},
		{name: "null for what is required", method: "POST", path: "/v1/signup-domains",
			body: `{"domain":null}`, status: 400,
			code: "malformed_request", field: "/domain"},
		{name: "a fraction for an integer", method: "POST", path: "/v1/firewall/rules",
			body: `{"ip_ranges":["10.0.0.0/8"],"priority":1.5}`, status: 400,
			code: "malformed_request", field: "/priority"},
		{name: "a wrong type in a list", method: "POST", path: "/v1/firewall/rules",
			body:   `{"ip_ranges":["10.0.0.0/8",{}]}`,
			status: 400, code: "malformed_request", field: "/ip_ranges/1"},
		{name: "an array for an object", method: "POST", path: "/v1/signup-domains", body: `[]`, status: 400,
			code: "malformed_request"},
		{name: "no body", method: "POST", path: "/v1/signup-domains", status: 400, code: "malformed_request"},
		{name: "no JSON", method: "POST", path: "/v1/signup-domains", body: `domain=example.com`, status: 400,
			code: "malformed_request"},
		{name: "half a document", method: "POST", path: "/v1/signup-domains", body: `{"domain":"exam`, status: 400,
			code: "malformed_request", field: "/domain"},
		{name: "two documents", method: "POST", path: "/v1/signup-domains",
			body: `{"domain":"example.com"}{}`, status: 400,
			code: "malformed_request"},
		{name: "too large a body", method: "POST", path: "/v1/signup-domains", body: `{"domain":"` + strings.Repeat("a",
			1<<20) + `"}`, status: 413, code: "too_large"},
		{name: "a parameter of the wrong type", method: "GET", path: "/v1/audit-events?limit=many", status: 400,
			code: "malformed_request", field: "/limit"},
		{name: "an unknown query parameter is named", method: "GET",
			path: "/v1/members?adr=ann@example.com", status: 400,
			code: "malformed_request", field: "/adr"},
		{name: "a query parameter of another operation is unknown", method: "GET",
			path:   "/v1/signup-domains?state=active",
			status: 400, code: "malformed_request", field: "/state"},
		{name: "a query parameter in another case is unknown", method: "GET",
			path: "/v1/members?Managed=true", status: 400,
			code: "malformed_request", field: "/Managed"},
		{name: "a query parameter where there are none", method: "GET", path: "/v1/whoami?verbose", status: 400,
			code: "malformed_request", field: "/verbose"},
		{name: "a query parameter on a write", method: "DELETE", path: "/v1/firewall/rules/x?force=true", status: 400,
			code: "malformed_request", field: "/force"},
		{name: "a query parameter that is given twice", method: "GET", path: "/v1/members?limit=1&limit=2", status: 400,
			code: "malformed_request", field: "/limit"},
		{name: "a query that is no query", method: "GET", path: "/v1/members?address=%zz", status: 400,
			code: "malformed_request"},
		{name: "a stranger's query parameter is first of all a stranger's", method: "GET", path: "/v1/members?x=1",
			header: "-", status: 401, code: "token_missing"},
		{name: "a state that no member has", method: "GET", path: "/v1/members?state=foo", status: 400,
			code: "malformed_request", field: "/state"},
		{name: "an empty name", method: "PATCH", path: "/v1/members/nobody", body: `{"name":""}`, status: 422,
			code: "invalid_value", field: "/name"},
		{name: "a name of two lines", method: "POST", path: "/v1/members",
			body: `{"address":"ann@example.com","name":"Ann\nLee"}`, status: 422,
			code: "invalid_value", field: "/name"},
		{name: "a name that turns the line around", method: "POST", path: "/v1/members",
			body: `{"address":"ann@example.com","name":"Ann\u202eeeL"}`, status: 422,
			code: "invalid_value", field: "/name"},
		{name: "a name of 201 characters", method: "POST", path: "/v1/members",
			body:   `{"address":"ann@example.com","name":"` + strings.Repeat("ä", 201) + `"}`,
			status: 422, code: "invalid_value",
			field: "/name"},
		{name: "a limit out of range", method: "GET", path: "/v1/audit-events?limit=1001",
			status: 422, code: "invalid_value",
			field: "/limit"},
		{name: "an unknown cursor", method: "GET", path: "/v1/audit-events?cursor=abc", status: 422,
			code: "invalid_cursor", field: "/cursor"},
		{name: "a path that is no route", method: "GET", path: "/v2/whoami", status: 404, code: "not_found"},
		{name: "a method that the path does not have", method: "DELETE", path: "/v1/whoami", status: 405,
			code: "method_not_allowed"},
		{name: "an id that names nothing", method: "GET", path: "/v1/firewall/rules/nothing",
			status: 404, code: "not_found"},
		{name: "no token", method: "GET", path: "/v1/whoami", header: "-", status: 401, code: "token_missing"},
		{name: "another scheme", method: "GET", path: "/v1/whoami", header: "Basic YTpi",
			status: 401, code: "token_missing"},
		{name: "an unknown token", method: "GET", path: "/v1/whoami", header: "Bearer sba_nothing", status: 401,
			code: "token_rejected"},
		{name: "an admin token where a session is needed", method: "GET", path: "/v1/directory/attention", status: 401,
			code: "session_ended"},
		{name: "a stranger's malformed body is first of all a stranger's", method: "POST", path: "/v1/signup-domains",
			body: `{`, header: "Bearer x", status: 401, code: "token_rejected"},
		{name: "too long a name", method: "POST", path: "/v1/auth/start",
			body: `{"account_id":"a","epoch":1,"email":"` +
				strings.Repeat("a", 300) + `"}`, status: 422, code: "invalid_value", field: "/email"},
		{name: "more than a stranger needs to begin", method: "POST", path: "/v1/auth/start",
			body: strings.Repeat(" ", 8<<10+1), header: "-", status: 413, code: "too_large"},
		{name: "more than a stranger needs to finish", method: "POST", path: "/v1/auth/finish",
			body: strings.Repeat(" ", 8<<10+1), header: "-", status: 413, code: "too_large"},
		{name: "too deep a body", method: "POST", path: "/v1/auth/start", body: deep,
			status: 400, code: "malformed_request",
			field: "/op"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var headers []string
			if row.header != "" {
				headers = []string{"Authorization", strings.TrimPrefix(row.header, "-")}
			}
			resp := c.raw(t, row.method, row.path, row.body, headers...)
			p := resp.Problem
			equal(t, "status", resp.Status, row.status)
			equal(t, "status in the document", p.Status, row.status)
			equal(t, "type", p.Type, "about:blank")
			equal(t, "code", p.Code, api.ErrorCode(row.code))
			equal(t, "request id", deref(p.RequestId), resp.Header.Get("X-Request-Id"))
			if deref(p.Detail) == "" || p.Title == "" {
				t.Errorf("the problem explains nothing: %+v", p)
			}
			field := ""
			if p.Details != nil {
				field = deref(p.Details.Field)
			}
			equal(t, "field", field, row.field)
			stranger := row.status == http.StatusUnauthorized || strings.HasPrefix(row.path, "/v1/auth/")
			if !stranger && !strings.Contains(c.log.String(), deref(p.RequestId)) {
				t.Error("the log does not know the request id")
			}
		})
	}
}

// The probes are open, and readiness is the database's.
func TestProbes(t *testing.T) {
	t.Parallel()
	c := converse(t)
	for _, path := range []string{"/ping", "/ready"} {
		equal(t, path, c.raw(t, "GET", path, "", "Authorization", "").Status, http.StatusNoContent)
	}
	ok(t, c.account.Store.Close())
	equal(t, "/ping without a database", c.raw(t, "GET", "/ping", "", "Authorization", "").Status, http.StatusNoContent)
	equal(t, "/ready without a database", c.raw(t, "GET", "/ready", "", "Authorization", "").Problem.Code,
		"database_unavailable")
	got := c.raw(t, "GET", "/v1/whoami", "")
	equal(t, "a request without a database", got.Problem.Code, "internal")
	if strings.Contains(got.Text, "database is closed") || !strings.Contains(c.log.String(), "database is closed") {
		t.Errorf("the cause belongs into the log, and there only: %s", got.Text)
	}
}

// The same key and request get the same answer, and one effect, however
// often and however much at once they come.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	c := converse(t)
	const body = `{"ip_ranges":["203.0.113.0/24"]}`
	var mu sync.Mutex
	answers := map[string]int{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			resp := c.raw(t, "POST", "/v1/firewall/rules", body, "Idempotency-Key", "key-1")
			mu.Lock()
			defer mu.Unlock()
			answers[strconv.Itoa(resp.Status)+resp.Header.Get("ETag")+resp.Text]++
		})
	}
	wg.Wait()
	equal(t, "different answers", len(answers), 1)
	equal(t, "rules", len(c.firewall(t).Rules), 1)
	for a := range answers {
		equal(t, "the answer", a[:6], `201"1"`)
	}

	p := c.raw(t, "POST", "/v1/firewall/rules", `{"ip_ranges":["203.0.113.1"]}`, "Idempotency-Key", "key-1").Problem
	equal(t, "another body", p.Code, "idempotency_key_reused")
	p = c.raw(t, "POST", "/v1/signup-domains", `{"domain":"example.com"}`, "Idempotency-Key", "key-1").Problem
	equal(t, "another path", p.Code, "idempotency_key_reused")
	p = c.raw(t, "POST", "/v1/firewall/rules", body, "Idempotency-Key", "key-2").Problem
	equal(t, "another key is another request", p.Code, "firewall_rule_exists")
	equal(t, "what exists", deref(p.Details.ExistingId), c.firewall(t).Rules[0].Id)

	// What was refused may succeed once its cause is gone.
	locked := `{"action":"deny","ip_ranges":["192.0.2.0/24"]}`
	p = c.raw(t, "POST", "/v1/firewall/rules", locked, "Idempotency-Key", "key-3").Problem
	equal(t, "refused", p.Code, "would_lock_out")
	equal(t, "rules after the refusal", len(c.firewall(t).Rules), 1)
	problem, err := create(api.FirewallRuleInput{IpRanges: &[]string{home}, Priority: new(1)})(t.Context(), c, false)
	ok(t, err)
	equal(t, "the cure", codeOf(problem), "")
	resp := c.raw(t, "POST", "/v1/firewall/rules", locked, "Idempotency-Key", "key-3")
	equal(t, "the same request after the cure", resp.Status, 201)

	// A day later the key is a new one.
	c.clock.advance(25 * time.Hour)
	p = c.raw(t, "POST", "/v1/firewall/rules", body, "Idempotency-Key", "key-1").Problem
	equal(t, "a day later", p.Code, "firewall_rule_exists")
	resp = c.raw(t, "POST", "/v1/firewall/rules", `{"ip_ranges":["203.0.113.2"]}`, "Idempotency-Key", "key-1")
	equal(t, "another body a day later", resp.Status, 201)
}

// Keys are each caller's own.
func TestIdempotencyKeysAreNotShared(t *testing.T) {
	t.Parallel()
	c := converse(t)
	_, other, err := c.account.CreateToken(t.Context(), "other")
	ok(t, err)
	resp := c.raw(t, "POST", "/v1/signup-domains", `{"domain":"example.com"}`, "Idempotency-Key", "k")
	equal(t, "the first", resp.Status, 201)
	p := c.raw(t, "POST", "/v1/signup-domains", `{"domain":"example.com"}`, "Idempotency-Key", "k", "Authorization",
		"Bearer "+other).Problem
	equal(t, "another caller with the same key", p.Code, "already_exists")
}

// A repetition makes no second token, and the first one's secret is nowhere in
// the database to be had again.
func TestATokensSecretIsNotKeptForRepetitions(t *testing.T) {
	t.Parallel()
	c := converseIn(t, storetest.NewFile(t))
	ask := func(name string) reply {
		return c.raw(t, "POST", "/v1/tokens", `{"name":"`+name+`"}`, "Idempotency-Key", "key")
	}
	first := ask("pipeline")
	equal(t, "the first", first.Status, http.StatusCreated)
	var made api.Token
	ok(t, json.Unmarshal([]byte(first.Text), &made))
	equal(t, "the secret is good", c.raw(t, "GET", "/v1/whoami", "", "Authorization",
		"Bearer "+deref(made.Secret)).Status,
		http.StatusOK)

	again := ask("pipeline")
	equal(t, "the repetition", again.Status, http.StatusConflict)
	equal(t, "its code", again.Problem.Code, "secret_not_kept")
	equal(t, "the token it names", deref(again.Problem.Details.ExistingId), made.Id)
	equal(t, "another request under the key", ask("other").Problem.Code, "idempotency_key_reused")
	list, err := apitest.Read[api.TokenPage](c.ListTokens(t.Context(), nil))
	ok(t, err)
	equal(t, "tokens, with the tests' own", len(list.Value.Items), 2)
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(strings.TrimPrefix(c.database, "sqlite:") + suffix)
		ok(t, err)
		if bytes.Contains(text, []byte(deref(made.Secret))) {
			t.Errorf("the secret is in the database%s", suffix)
		}
	}
}

// A client that read the integration before another one changed it does not change
// the manager.
func TestTheManagerIsChangedAtAVersion(t *testing.T) {
	t.Parallel()
	c := converse(t)
	c.activate(t)
	old := c.provisioning(t).Etag
	change := func(ifMatch, email string) reply {
		return c.raw(t, "PUT", "/v1/provisioning/manager", `{"email":"`+email+`"}`, "If-Match", ifMatch)
	}
	first := change(old, "first@example.com")
	equal(t, "at the version that is there", first.Status, http.StatusOK)
	equal(t, "the ETag", first.Header.Get("ETag"), c.provisioning(t).Etag)
	second := change(old, "second@example.com")
	equal(t, "at the one before", second.Status, http.StatusPreconditionFailed)
	equal(t, "its code", second.Problem.Code, "version_mismatch")
	equal(t, "the manager", deref(c.provisioning(t).ManagerEmail), "first@example.com")
}

// Numbers for operators are an administrator's, and no client makes a series.
func TestMetrics(t *testing.T) {
	t.Parallel()
	c := converse(t)
	equal(t, "to strangers", c.raw(t, "GET", "/metrics", "", "Authorization", "").Status, http.StatusUnauthorized)
	c.raw(t, "GET", "/v1/members/ann", "")
	c.raw(t, "GET", "/made/up", "")
	c.raw(t, "BREW", "/made/up", "")
	got := c.raw(t, "GET", "/metrics", "")
	equal(t, "status", got.Status, http.StatusOK)
	for _, want := range []string{
		`scimbridge_account_http_requests_total{method="GET",route="/v1/members/{id}",status="404"} 1`,
		`scimbridge_account_http_requests_total{method="GET",route="/",status="404"} 1`,
		`scimbridge_account_http_requests_total{method="other",route="/",status="404"} 1`,
		`scimbridge_account_http_requests_total{method="GET",route="/metrics",status="401"} 1`,
		`scimbridge_account_http_request_duration_seconds_count{route="/v1/members/{id}"} 1`,
		`scimbridge_account_writes_total `, `scimbridge_account_commits_total `, `go_goroutines `,
	} {
		if !strings.Contains(got.Text, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(got.Text, "BREW") || strings.Contains(got.Text, "/made/up") {
		t.Error("a client made a series of its own")
	}
}

// Admin tokens are made, listed without their secret, and dead once revoked.
func TestTokens(t *testing.T) {
	t.Parallel()
	c := converse(t)
	made, err := apitest.Read[api.Token](c.CreateToken(t.Context(), nil, api.TokenInput{Name: "pipeline"}))
	ok(t, err)
	pipeline := c.as(t, deref(made.Value.Secret), home)
	who, err := apitest.Read[api.Caller](pipeline.WhoAmI(t.Context()))
	ok(t, err)
	equal(t, "token", who.Value.TokenId, made.Value.Id)
	equal(t, "address", who.Value.Address, home)
	equal(t, "account", who.Value.AccountId, c.account.ID)
	list, err := apitest.Read[api.TokenPage](c.ListTokens(t.Context(), nil))
	ok(t, err)
	equal(t, "tokens", len(list.Value.Items), 2)
	for _, token := range list.Value.Items {
		if token.Secret != nil || token.LastUsedAt == nil {
			t.Errorf("listed token is %+v", token)
		}
	}
	_, err = apitest.Read[struct{}](c.RevokeToken(t.Context(), made.Value.Id))
	ok(t, err)
	who, err = apitest.Read[api.Caller](pipeline.WhoAmI(t.Context()))
	ok(t, err)
	equal(t, "after it was revoked", codeOf(who.Problem), "token_rejected")
	again, err := apitest.Read[struct{}](c.RevokeToken(t.Context(), made.Value.Id))
	ok(t, err)
	equal(t, "revoking twice", codeOf(again.Problem), "not_found")
}

// What people paste instead of a domain is refused with what is wrong.
func TestSignupDomains(t *testing.T) {
	t.Parallel()
	c := converse(t)
	for _, row := range []struct{ name, domain, says string }{
		{"a URL", "https://example.com", "is a URL"},
		{"a space", "example .com", "contains a space"},
		{"a wildcard", "*.example.com", "sub-domains are entries of their own"},
		{"an e-mail address", "ann@example.com", "is an e-mail address"},
		{"a path", "example.com/people", "more than a host name"},
		{"a port", "example.com:443", "more than a host name"},
		{"a root dot", "example.com.", "ends in a dot"},
		{"upper case", "Example.com", "example.com"},
		{"umlauts", "bücher.example", "xn--bcher-kva.example"},
		{"an IP address", "192.0.2.1", "is an IP address"},
		{"one label", "localhost", "one label"},
		{"an underscore", "a_b.example.com", "is not a host name"},
		{"an empty label", "a..example.com", "is not a host name"},
		{"nothing", "", "is empty"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := apitest.Read[api.SignupDomain](c.CreateSignupDomain(t.Context(), nil,
				api.SignupDomainInput{Domain: row.domain}))
			ok(t, err)
			p := r.Problem
			equal(t, "code", codeOf(p), "invalid_value")
			if p != nil && !strings.Contains(deref(p.Detail), row.says) {
				t.Errorf("detail is %q, want %q in it", deref(p.Detail), row.says)
			}
		})
	}
	for _, domain := range []string{"example.com", "people.example.com", "xn--bcher-kva.example"} {
		r, err := apitest.Read[api.SignupDomain](c.CreateSignupDomain(t.Context(), nil,
			api.SignupDomainInput{Domain: domain}))
		ok(t, err)
		equal(t, domain, r.Status, 201)
	}
	again, err := apitest.Read[api.SignupDomain](c.CreateSignupDomain(t.Context(), nil,
		api.SignupDomainInput{Domain: "example.com"}))
	ok(t, err)
	equal(t, "twice", codeOf(again.Problem), "already_exists")
	one, err := apitest.Read[api.SignupDomain](c.GetSignupDomain(t.Context(), "example.com"))
	ok(t, err)
	stale, err := apitest.Read[struct{}](c.DeleteSignupDomain(t.Context(), "example.com",
		&api.DeleteSignupDomainParams{IfMatch: new(`"1"`)}))
	ok(t, err)
	equal(t, "deleting on another version", codeOf(stale.Problem), "version_mismatch")
	gone, err := apitest.Read[struct{}](c.DeleteSignupDomain(t.Context(), "example.com", &api.DeleteSignupDomainParams{
		IfMatch: &one.Value.Etag,
	}))
	ok(t, err)
	equal(t, "deleting", gone.Status, http.StatusNoContent)
	list, err := apitest.Read[api.SignupDomainPage](c.ListSignupDomains(t.Context(), nil))
	ok(t, err)
	equal(t, "left", len(list.Value.Items), 2)
}

// The log has who did what, but no secrets and no attributes.
func TestLogHoldsNoSecret(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	in, refused := c.signIn(t, creds, "bridge-1")
	if refused != nil {
		t.Fatal(refused.Code)
	}
	bridge := c.as(t, in.SessionToken, office)
	_, err := apitest.Read[api.Person](bridge.CreatePerson(t.Context(), nil, api.PersonInput{
		Attributes:    api.Attributes(`{"userName":"kim@example.com","name":{"familyName":"Quillfeather"}}`),
		SignInAddress: new("kim@example.com"),
	}))
	ok(t, err)
	join := c.mailedLink(t, "/join/")
	c.raw(t, "GET", join, "")
	log := c.log.String()
	if !strings.Contains(log, "bridge:bridge-1") || !strings.Contains(log, `"POST /v1/directory/people"`) {
		t.Fatalf("the log does not tell who did what:\n%s", log)
	}
	password, key := creds.secrets.Reveal()
	for what, secret := range map[string]string{
		"admin token": c.admin, "session token": in.SessionToken, "Master Password": password, "Secret Key": key,
		"link": strings.TrimPrefix(join, "/join/"), "name": "Quillfeather", "address": "kim@example.com",
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds the %s", what)
		}
	}
}

// The document is public, and a client that has it already gets 304.
func TestTheDocumentIsServed(t *testing.T) {
	t.Parallel()
	c := converse(t)
	first := c.raw(t, "GET", "/v1/openapi.yaml", "", "Authorization", "")
	equal(t, "status", first.Status, http.StatusOK)
	equal(t, "body", first.Text, string(api.Document))
	equal(t, "media type", first.Header.Get("Content-Type"), "application/yaml")
	again := c.raw(t, "GET", "/v1/openapi.yaml", "", "Authorization", "", "If-None-Match", first.Header.Get("ETag"))
	equal(t, "status for a client that has it", again.Status, http.StatusNotModified)
}

// They are counted once a minute, however often somebody asks.
func TestMembersAreCountedByState(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.bridge(t)
	c.limit(t, "off")
	const invited, suspended = `{state="invited",suspended="false"}`, `{state="invited",suspended="true"}`
	before := c.members(t)
	person := provision(t, bridge, "ann@example.com")
	provision(t, bridge, "bob@example.com")
	if now := c.members(t); !maps.Equal(now, before) {
		t.Errorf("within the minute they are %v, before %v", now, before)
	}
	c.clock.advance(time.Minute)
	equal(t, "invited", c.members(t)[invited], before[invited]+2)
	suspend(t, bridge, person, "REQUEST")
	c.clock.advance(time.Minute)
	after := c.members(t)
	equal(t, "invited and not suspended", after[invited], before[invited]+1)
	equal(t, "invited and suspended", after[suspended], before[suspended]+1)
	if len(after) != 6 {
		t.Errorf("there are the series %v", after)
	}
}

// members are the metrics of members, by their labels.
func (c *conversation) members(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for line := range strings.Lines(c.raw(t, "GET", "/metrics", "").Text) {
		if series, found := strings.CutPrefix(line, "scimbridge_account_members"); found {
			labels, count, _ := strings.Cut(strings.TrimSpace(series), " ")
			n, err := strconv.Atoi(count)
			ok(t, err)
			counts[labels] = n
		}
	}
	return counts
}

// Whoever disconnects before the answer is no fault of the account: not a stranger, and nobody with a secret.
func TestARequestThatIsGivenUpIsNoFault(t *testing.T) {
	t.Parallel()
	c := converse(t)
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	var log bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})
	events := httpkit.NewEventLog(logger)
	h := server.New(server.Config{Account: c.account, Logger: logger, Events: events})
	for _, request := range []string{
		"GET /ready", "GET /join/" + rand.Text(), "POST /join/" + rand.Text(), "GET /confirm/" + rand.Text(),
		"POST /signup", "POST /v1/auth/start", "GET /v1/account", "GET /v1/members", "POST /v1/members", "GET /metrics",
	} {
		method, path, _ := strings.Cut(request, " ")
		r := httptest.NewRequestWithContext(given, method, path, strings.NewReader(`{}`))
		r.Header.Set("Authorization", "Bearer "+c.admin)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	events.Flush()
	if strings.Contains(log.String(), "[ERROR]") {
		t.Errorf("the log has\n%s", log.String())
	}
	answer := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.Header.Set("Authorization", "Bearer "+c.admin)
	h.ServeHTTP(answer, r)
	text := answer.Body.String()
	if strings.Contains(text, `status="5`) || !strings.Contains(text, `status="canceled"`) {
		t.Errorf("the metrics are\n%s", text)
	}
}
