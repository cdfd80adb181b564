package stories

import (
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// Plans and drift checks in CI work with a token of scope read.
func TestPlansNeedNoMoreThanATokenThatReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(w.base(""))
	w.apply(vars{"token": token.Reveal()})

	reads := strings.TrimSpace(w.account.Command("token", "create", "--name", "plans", "--scope", "read", "--expires",
		"90d"))
	w.env = append(w.env, "SCIMBRIDGE_ACCOUNT_TOKEN="+reads)
	w.plan(nil).expectNoChanges(t)

	// Drift is found, and the effect of a change is evaluated.
	id := w.attribute("scimbridge_firewall_rule.caller", "id")
	ranges, priority := []string{"127.0.0.1"}, 7
	resp, err := apitest.Read[api.FirewallRule](w.account.API.ReplaceFirewallRule(t.Context(), id, nil,
		api.FirewallRuleInput{IpRanges: &ranges, Priority: &priority}))
	done(t, resp.Status, resp.Body, err)
	w.plan(nil).expect(t, map[string]string{"scimbridge_firewall_rule.caller": "update"})
	w.config(strings.Replace(w.base(""), `ip_ranges   = ["127.0.0.1"]`, `ip_ranges   = ["192.0.2.1"]`, 1) + `
resource "scimbridge_firewall_policy" "this" {
  default_action = "deny"
}

resource "scimbridge_signup_domain" "second" {
  domain = "example.org"
}

data "scimbridge_firewall_verdict" "bridge" {
  address = "127.0.0.9"
}

data "scimbridge_members" "manager" {
  filter = { managed = true }
}

data "scimbridge_caller" "me" {}
`)
	if p := w.plan(nil); !strings.Contains(p.text, "127.0.0.1") ||
		p.changes["scimbridge_signup_domain.second"] != "create" {
		t.Errorf("the plan does not name the locked-out subject, or lacks the domain:\n%s", p.text)
	}

	// An apply is refused, and the error names the scope that it needs.
	code, out := w.run(nil, "apply", "-auto-approve", "-no-color", "-input=false",
		"-target=scimbridge_signup_domain.second")
	flat := strings.Join(strings.Fields(strings.ReplaceAll(out, "│", " ")), " ")
	if code == 0 || !strings.Contains(flat, "token create --scope admin") {
		t.Errorf("an apply with a token that reads: %d\n%s", code, out)
	}
}
