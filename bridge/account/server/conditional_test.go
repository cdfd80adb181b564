package server_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// A client that has the policy already gets no body, until something changes.
func TestAKnownVersionIsNotSentAgain(t *testing.T) {
	t.Parallel()
	c := converse(t)
	first, err := apitest.Read[api.Firewall](c.GetFirewall(t.Context()))
	ok(t, err)
	known := func(tags string) api.RequestEditorFn {
		return func(_ context.Context, r *http.Request) error { r.Header.Set("If-None-Match", tags); return nil }
	}
	for _, row := range []struct {
		name, tags string
		status     int
	}{
		{"the present version", first.Value.Etag, http.StatusNotModified},
		{"one of several versions", `"other", W/` + first.Value.Etag, http.StatusNotModified},
		{"any version", "*", http.StatusNotModified},
		{"another version", `"other"`, http.StatusOK},
	} {
		r, err := apitest.Read[api.Firewall](c.GetFirewall(t.Context(), known(row.tags)))
		ok(t, err)
		equal(t, row.name, r.Status, row.status)
		equal(t, row.name+": a body", len(r.Body) > 0, row.status == http.StatusOK)
		equal(t, row.name+": ETag", r.Header.Get("ETag"), first.Value.Etag)
	}
	problem, err := create(rule(api.Allow, office))(t.Context(), c, false)
	ok(t, err)
	equal(t, "a new rule", codeOf(problem), "")
	r, err := apitest.Read[api.Firewall](c.GetFirewall(t.Context(), known(first.Value.Etag)))
	ok(t, err)
	equal(t, "after a change", r.Status, http.StatusOK)
}

// Ten thousand rules are one request; other bodies stay small.
func TestAWholePolicyMayBeLarge(t *testing.T) {
	t.Parallel()
	c := converse(t)
	large := strings.Repeat(" ", 2<<20)
	equal(t, "a policy", c.raw(t, "PATCH", "/v1/firewall", large+`{"default_action":"report"}`).Problem.Code, "")
	equal(t, "a rule", c.raw(t, "POST", "/v1/firewall/rules", large+`{"ip_ranges":["192.0.2.1"]}`).Problem.Code,
		"too_large")
}

// A change without a write is reported to a client that asks again, and does not block
// of no write: a change is refused because of another change alone.
func TestNewsIsToldAndStopsNoWrite(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, path, change string
		begin              func(*testing.T, *conversation) (news func())
	}{
		{"a bridge was heard", "/v1/provisioning", `{"idp":"okta"}`, func(t *testing.T, c *conversation) func() {
			bridge := c.bridge(t)
			return func() {
				c.clock.advance(time.Hour)
				equal(t, "the bridge", beat(t, bridge), "")
			}
		}},
		{"a bridge was refused", "/v1/provisioning", `{"idp":"okta"}`, func(t *testing.T, c *conversation) func() {
			creds := c.activate(t)
			equal(t, "a rule", c.raw(t, "POST", "/v1/firewall/rules",
				`{"action":"deny","ip_ranges":["`+office+`"]}`).Status,
				201)
			return func() {
				_, refused := c.signIn(t, creds, "bridge-1")
				equal(t, "the bridge", codeOf(refused), "firewall_blocked")
			}
		}},
		{"the firewall is enforced again", "/v1/firewall", `{"default_action":"report"}`,
			func(t *testing.T, c *conversation) func() {
				_, err := c.account.DisableFirewall(t.Context(), time.Hour)
				ok(t, err)
				return func() { c.clock.advance(time.Hour) }
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := converse(t)
			news := row.begin(t, c)
			first := c.raw(t, "GET", row.path, "").Header.Get("ETag")
			equal(t, "asked again", c.raw(t, "GET", row.path, "", "If-None-Match", first).Status,
				http.StatusNotModified)
			news()
			again := c.raw(t, "GET", row.path, "", "If-None-Match", first)
			equal(t, "asked for news", again.Status, http.StatusOK)
			equal(t, "the tag stays", again.Header.Get("ETag") == first, false)
			if !strings.Contains(again.Text, strconv.Quote(again.Header.Get("ETag"))) {
				t.Errorf("the document has another tag than its header, %s: %s", again.Header.Get("ETag"), again.Text)
			}
			equal(t, "a change of what was read", c.raw(t, "PATCH", row.path, row.change, "If-Match", first).Status,
				http.StatusOK)
			equal(t, "a second one", c.raw(t, "PATCH", row.path, row.change, "If-Match", first).Problem.Code,
				"version_mismatch")
		})
	}
}
