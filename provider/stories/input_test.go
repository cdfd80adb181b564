package stories

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Each bad body or parameter gets a SCIM error that says what was wrong, and the
// process keeps running.
func TestBadRequestsGetAClearAnswerAndLeaveTheBridgeUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(w.base(""))
	w.apply(vars{"token": token.Reveal()})
	id := w.invite(token, "ada@example.com")
	pid := w.bridge().PID

	for _, bad := range []struct {
		what, method, path, body string
		status                   int
		scimType                 string
	}{
		{"not JSON", "POST", "/Users", `userName=ada`, 400, "invalidSyntax"},
		{"cut short", "POST", "/Users", `{"userName": "a`, 400, "invalidSyntax"},
		{"an array", "POST", "/Users", `[]`, 400, "invalidSyntax"},
		{"no userName", "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}`,
			400, "invalidValue"},
		{"userName an object", "POST", "/Users", `{"userName": {"a": 5}}`, 400, "invalidValue"},
		{"name a string", "POST", "/Users", `{"userName": "x", "name": "y"}`, 400, "invalidValue"},
		{"emails a boolean", "PUT", "/Users/" + id, `{"userName": "x", "emails": true}`, 400, "invalidValue"},
		{"too deep", "POST", "/Users", `{"userName":"x","x":` + strings.Repeat("[",
			10000) + strings.Repeat("]", 10000) + `}`,
			400, ""},
		{"too large", "POST", "/Users", `{"userName":"x","x":"` + strings.Repeat("y", 12<<20) + `"}`, 413, ""},
		{"larger than the account keeps", "POST", "/Users",
			`{"userName":"x","x":"` + strings.Repeat("y", 70<<10) + `"}`, 413,
			""},
		{"a NUL byte", "POST", "/Users", "{\"userName\":\"a\x00b\"}", 400, ""},
		{"invalid UTF-8", "POST", "/Users", "{\"userName\":\"a\xffb\"}", 400, ""},
		{"a bad filter", "GET", "/Users?filter=userName%20eq", "", 400, "invalidFilter"},
		{"an unknown operation", "PATCH", "/Users/" + id, `{"Operations":[{"op":"move","path":"x"}]}`, 400, ""},
		{"no operations", "PATCH", "/Users/" + id, `{"Operations":5}`, 400, ""},
		{"an unclosed path", "PATCH", "/Users/" + id,
			`{"Operations":[{"op":"add","path":"emails[type eq","value":1}]}`, 400,
			"invalidPath"},
		{"an unknown id", "GET", "/Users/nobody", "", 404, ""},
		{"a method that is not there", "DELETE", "/Users", "", 405, ""},
	} {
		status, answer := w.request(token, bad.method, "/scim/v2"+bad.path, bodyOf(bad.body))
		var e struct {
			Schemas                  []string
			Status, ScimType, Detail string
		}
		if err := json.Unmarshal(answer, &e); err != nil {
			t.Errorf("%s: the answer is no SCIM error: %d %.200s", bad.what, status, answer)
			continue
		}
		if status != bad.status || bad.scimType != "" && e.ScimType != bad.scimType {
			t.Errorf("%s: %d %q, want %d %q: %s", bad.what, status, e.ScimType, bad.status, bad.scimType, e.Detail)
		}
		if len(e.Schemas) != 1 || e.Schemas[0] != "urn:ietf:params:scim:api:messages:2.0:Error" || e.Detail == "" {
			t.Errorf("%s: not a SCIM error with a detail: %.300s", bad.what, answer)
		}
	}
	if got := w.scim(token, http.MethodGet, "/Users/"+id, nil, http.StatusOK)["userName"]; got != "ada@example.com" {
		t.Errorf("the person was changed to %v", got)
	}
	if w.bridge().PID != pid {
		t.Error("the bridge was restarted")
	}
	w.destroy(nil)
}

func bodyOf(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// A mistake in the configuration is an error of the plan, at the argument.
func TestBadConfigurationIsRefusedAtPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const head = `
terraform {
  required_providers { scimbridge = { source = "scimbridge/scimbridge" } }
}
`
	for _, bad := range []struct {
		what, config string
		says         []string
	}{
		{"host bits in a CIDR range", `resource "scimbridge_firewall_rule" "x" { ip_ranges = ["10.0.0.7/24"] }`,
			[]string{"ip_ranges", "10.0.0.0/24"}},
		{"no address at all", `resource "scimbridge_firewall_rule" "x" { ip_ranges = ["office"] }`,
			[]string{"ip_ranges", "office"}},
		{"a domain with a scheme", `resource "scimbridge_signup_domain" "x" { domain = "https://example.com" }`,
			[]string{"domain", "example.com"}},
		{"a domain with a space", `resource "scimbridge_signup_domain" "x" { domain = "example .com" }`,
			[]string{"domain"}},
		{"a relative data folder", `resource "scimbridge_deployment" "x" {
  name = "x"
  session = "x"
  process = { listen = "127.0.0.1:0", data_dir = "here" }
}`, []string{"data_dir", "absolute"}},
		{"no target", `resource "scimbridge_deployment" "x" {
  name = "x"
  session = "x"
}`, []string{"process"}},
	} {
		w.config(head + bad.config)
		code, out := w.run(nil, "plan", "-no-color", "-input=false")
		if code != 1 {
			t.Errorf("%s: plan ended with %d:\n%s", bad.what, code, out)
		}
		for _, want := range bad.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s: the error does not say %q:\n%s", bad.what, want, out)
			}
		}
	}
}
