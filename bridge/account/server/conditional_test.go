package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// A client that has the policy already gets no body, until something changes.
func TestAKnownVersionIsNotSentAgain(t *testing.T) {
	t.Parallel()
	c := converse(t)
	first, err := c.GetFirewallWithResponse(t.Context())
	ok(t, err)
	known := func(tags string) api.RequestEditorFn {
		return func(_ context.Context, r *http.Request) error { r.Header.Set("If-None-Match", tags); return nil }
	}
	for _, row := range []struct {
		name, tags string
		status     int
	}{
		{"the present version", first.JSON200.Etag, http.StatusNotModified},
		{"one of several versions", `"other", W/` + first.JSON200.Etag, http.StatusNotModified},
		{"any version", "*", http.StatusNotModified},
		{"another version", `"other"`, http.StatusOK},
	} {
		r, err := c.GetFirewallWithResponse(t.Context(), known(row.tags))
		ok(t, err)
		equal(t, row.name, r.StatusCode(), row.status)
		equal(t, row.name+": a body", len(r.Body) > 0, row.status == http.StatusOK)
		equal(t, row.name+": ETag", r.HTTPResponse.Header.Get("ETag"), first.JSON200.Etag)
	}
	problem, err := create(rule(api.Allow, office))(t.Context(), c, false)
	ok(t, err)
	equal(t, "a new rule", codeOf(problem), "")
	r, err := c.GetFirewallWithResponse(t.Context(), known(first.JSON200.Etag))
	ok(t, err)
	equal(t, "after a change", r.StatusCode(), http.StatusOK)
}

// Ten thousand rules are one request; other bodies stay small.
func TestAWholePolicyMayBeLarge(t *testing.T) {
	t.Parallel()
	c := converse(t)
	large := strings.Repeat(" ", 2<<20)
	equal(t, "a policy", c.raw(t, "PATCH", "/v1/firewall", large+`{"default_action":"report"}`).Problem.Code, "")
	equal(t, "a rule", c.raw(t, "POST", "/v1/firewall/rules", large+`{"ip_ranges":["192.0.2.1"]}`).Problem.Code, "too_large")
}
