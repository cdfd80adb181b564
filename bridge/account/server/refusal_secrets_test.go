package server_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
)

// secretKinds are what a script may put in the place of an id by mistake.
func secretKinds(c *conversation) map[string]string {
	return map[string]string{
		"an admin token":                        c.admin,
		"an admin token in other text":          "id-" + c.admin,
		"the token of a bridge's session":       "sbs_" + strings.Repeat("Zz9-", 11)[:43],
		"a bearer token":                        "sbt1_" + strings.Repeat("Zz9-", 12),
		"a sealed session":                      "eyJhY2NvdW50IjoiYSIsImFsZyI6ImRpciJ9..Zz9Zz9Zz9Z.Zz9Zz9.Zz9Zz9",
		"a bearer token in base64":              "c2J0MV9aejktWno5LVp6OS1aejktWno5LVp6OS1aejkt",
		"the token of a mail's link":            strings.Repeat("Zz9_", 11)[:43],
		"a digest":                              strings.Repeat("0a", 32),
		"a UUID, as some clients' secrets are":  "123e4567-e89b-42d3-a456-426614174000",
		"a secret of another program":           "ghp_" + strings.Repeat("Zz9", 12),
		"a secret key with dashes":              "A3-ZZ9ZZ9-ZZ9ZZ9-ZZ9ZZ-ZZ9ZZ-ZZ9ZZ-ZZ9ZZ",
		"an admin token as a part of a domain":  c.admin + ".example.com",
		"an admin token after a domain's label": "www." + c.admin + ".com",
		"an e-mail address":                     "ann@example.com",
	}
}

// What a client puts in the place of an id stands neither in the log, which nobody can change and everyone reads who
// may read the account, nor in the answer.
func TestASecretInAPathIsNotAudited(t *testing.T) {
	t.Parallel()
	c := converse(t)
	for kind, secret := range secretKinds(c) {
		c.clock.advance(time.Hour) // so many of an hour are audited
		for _, path := range []string{"/v1/tokens/", "/v1/signup-domains/", "/v1/members/", "/v1/firewall/rules/"} {
			before := len(c.refusals(t))
			got := c.raw(t, http.MethodDelete, path+url.PathEscape(secret), "")
			if strings.Contains(got.Text, secret) {
				t.Errorf("DELETE %s of %s: the answer repeats it: %s", path, kind, got.Text)
			}
			if got.Status == http.StatusMethodNotAllowed { // no change, and so no event
				continue
			}
			equal(t, kind+": status", got.Status, http.StatusNotFound)
			events := c.refusals(t)
			equal(t, kind+": events", len(events), before+1)
			if len(events) > before {
				equal(t, "DELETE "+path+" of "+kind+": object", events[0].Object, "")
			}
		}
	}
	c.auditHasNone(t)
}

// auditHasNone fails if the log has a secret of secretKinds anywhere.
func (c *conversation) auditHasNone(t *testing.T) {
	t.Helper()
	var export bytes.Buffer
	_, err := c.account.ExportAudit(t.Context(), account.AuditQuery{}, &export)
	ok(t, err)
	page := c.raw(t, http.MethodGet, "/v1/audit-events?limit=1000", "")
	for kind, secret := range secretKinds(c) {
		if strings.Contains(export.String(), secret) || strings.Contains(page.Text, secret) {
			t.Errorf("%s is in the audit log", kind)
		}
	}
}

// The other texts that the log takes from requests are names: of a token, of a bridge, of a request, of a domain.
func TestASecretInANameIsNotAudited(t *testing.T) {
	t.Parallel()
	c := converse(t)
	for _, name := range []string{c.admin, "sbs_" + strings.Repeat("Zz9-", 11)[:43], "for " + c.admin} {
		got := c.raw(t, http.MethodPost, "/v1/tokens", `{"name":"`+name+`"}`)
		equal(t, "a token's name that is a secret", got.Status, http.StatusUnprocessableEntity)
		if strings.Contains(got.Text, name) || !strings.Contains(got.Text, "name its purpose") {
			t.Errorf("the refusal of a name: %s", got.Text)
		}
		got = c.raw(t, http.MethodPost, "/v1/signup-domains", `{"domain":"`+strings.ReplaceAll(name, " ", ".")+`"}`)
		equal(t, "a domain that is a secret", got.Status, http.StatusUnprocessableEntity)
		if strings.Contains(strings.ToLower(got.Text), strings.ToLower(name[len(name)-30:])) {
			t.Errorf("the refusal of a domain repeats it: %s", got.Text)
		}
	}
	bridge := c.mustSignIn(t, c.activate(t), c.admin)
	c.limit(t, "max(0, 0%)/1h")
	suspend(t, bridge, provision(t, bridge, "ann@example.com"), c.admin)
	if held := c.raw(t, http.MethodGet, "/v1/holds", ""); strings.Contains(held.Text, `"request_id":"`+c.admin) {
		t.Errorf("a hold has the secret as the request's id: %s", held.Text)
	}
	c.auditHasNone(t)
}
