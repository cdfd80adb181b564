package stories

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
)

// S5: the firewall rule that allows the bridge is edited by hand. The log, the
// status page and the account name the address and the rule, the plan shows
// exactly that drift, and apply repairs it without restarting the bridge.
func TestAFirewallRuleThatBlocksTheBridgeIsNamedAndRepaired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(w.base(fromAddress))
	w.apply(vars{"token": token.Reveal()})

	w.defaultAction(api.Deny)
	w.eventuallyHealthy(token)
	pid := w.bridge().PID

	id := w.attribute("scimbridge_firewall_rule.bridge", "id")
	action, ranges := api.Allow, []string{"127.0.0.77"}
	edited := api.FirewallRuleInput{Action: &action, IpRanges: &ranges}

	refused, err := apitest.Read[api.FirewallRule](w.account.API.ReplaceFirewallRule(t.Context(), id, nil, edited))
	if err != nil {
		t.Fatal(err)
	}
	if refused.Status != http.StatusConflict || !strings.Contains(string(refused.Body), "would_lock_out") ||
		!strings.Contains(string(refused.Body), "127.0.0.9") {
		t.Fatalf("shutting out a live bridge was not refused with its address: %d %s", refused.Status, refused.Body)
	}
	yes := true
	allowed, err := apitest.Read[api.FirewallRule](w.account.API.ReplaceFirewallRule(t.Context(), id,
		&api.ReplaceFirewallRuleParams{AllowLockout: &yes}, edited))
	done(t, allowed.Status, allowed.Body, err)

	w.eventuallyLogged("Your current location or network is blocked by an account firewall rule")
	text := w.eventuallyProblem(token, "firewall_blocked")
	for _, want := range []string{"127.0.0.9", "scimbridge_firewall_rule"} {
		if !strings.Contains(text, want) {
			t.Errorf("the problem does not name %q: %s", want, text)
		}
	}
	if status, _ := w.request(token, http.MethodGet, "/scim/v2/Users", nil); status != http.StatusServiceUnavailable {
		t.Errorf("SCIM behind the firewall answers %d, want 503", status)
	}
	provisioning, err := apitest.Read[api.Provisioning](w.account.API.GetProvisioning(t.Context()))
	done(t, provisioning.Status, provisioning.Body, err)
	if r := provisioning.Value.LastRefusal; r == nil || r.Address != "127.0.0.9" || r.RuleId != nil ||
		r.Code != api.RefusalCodeFirewallBlocked {
		t.Errorf("the account's last refusal should name 127.0.0.9 and no rule: %+v", r)
	}

	w.plan(nil).expect(t, map[string]string{"scimbridge_firewall_rule.bridge": "update"})
	w.apply(nil)
	w.eventuallyHealthy(token)
	if w.bridge().PID != pid {
		t.Error("the bridge's process was touched")
	}
	w.plan(nil).expectNoChanges(t)

	// While all other addresses are denied, destroying the caller's own rule is refused.
	if code, out := w.run(nil, "destroy", "-auto-approve", "-no-color", "-input=false"); code == 0 ||
		!strings.Contains(out, "allow_lockout") {
		t.Errorf("destroy should refuse to lock out its own caller and name allow_lockout; "+
			"it ended with %d:\n%s", code, out)
	}
	w.defaultAction(api.Allow)
	// Terraform plans what is already destroyed as a creation, which needs a
	// token; any token will do.
	w.destroy(vars{"token": newToken(t).Reveal()})
}

// S6: the bridge runs at a cloud provider, and a rule denies cloud providers.
// The remedy offers both ways out. The allow rule for the bridge's address,
// placed before it, repairs it without restarting the bridge.
func TestARuleOnCloudProvidersIsNamedWithBothWaysOut(t *testing.T) {
	t.Parallel()
	const amazon = 16509
	database := ipdatatest.Write(t, "GeoLite2-ASN",
		map[string]ipdatatest.Record{"127.0.0.9/32": ipdatatest.ASN(amazon)})
	w := newWorld(t, "--ip-database="+database)
	token := newToken(t)
	w.config(w.base(fromAddress))
	w.apply(vars{"token": token.Reveal()})
	w.eventuallyHealthy(token)
	pid := w.bridge().PID

	yes, first := true, 50
	action, kinds := api.Deny, []api.AnonymousIP{api.CloudProvider}
	rule, err := apitest.Read[api.FirewallRule](w.account.API.CreateFirewallRule(t.Context(),
		&api.CreateFirewallRuleParams{AllowLockout: &yes},
		api.FirewallRuleInput{Action: &action, AnonymousIps: &kinds, Priority: &first}))
	done(t, rule.Status, rule.Body, err)

	text := w.eventuallyProblem(token, "firewall_blocked_cloud_provider")
	for _, want := range []string{"127.0.0.9", rule.Value.Id, "ip_ranges", "cloud_provider"} {
		if !strings.Contains(text, want) {
			t.Errorf("the problem does not name %q: %s", want, text)
		}
	}

	w.config(strings.Replace(w.base(fromAddress), `description = "the bridge"`,
		"description = \"the bridge\"\n  priority = 10", 1))
	w.plan(nil).expect(t, map[string]string{"scimbridge_firewall_rule.bridge": "update"})
	w.apply(nil)
	w.eventuallyHealthy(token)
	if w.bridge().PID != pid {
		t.Error("the bridge's process was touched")
	}
	w.plan(nil).expectNoChanges(t)
	w.destroy(nil)
}

// S9: the plan of a firewall change names the bridge or the Terraform caller
// that it would lock out, before anything is applied.
func TestAPlanSaysWhomAFirewallChangeWouldLockOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(w.base(fromAddress))
	w.apply(vars{"token": token.Reveal()})
	w.eventuallyHealthy(token)

	for _, change := range []struct{ what, deny, named string }{
		{"the bridge", "127.0.0.9", "bridge"},
		{"the caller", "127.0.0.1", "Terraform"},
	} {
		w.config(w.base(fromAddress) + `
resource "scimbridge_firewall_rule" "mistake" {
  action    = "deny"
  priority  = 1
  ip_ranges = ["` + change.deny + `"]
}
`)
		p := w.plan(nil)
		p.expect(t, map[string]string{"scimbridge_firewall_rule.mistake": "create"})
		for _, want := range []string{"Warning", change.deny, change.named} {
			if !strings.Contains(p.text, want) {
				t.Errorf("the plan of a rule that shuts out %s does not say %q:\n%s", change.what, want, p.text)
			}
		}
	}
	w.config(w.base(fromAddress))
	w.plan(nil).expectNoChanges(t)
	w.destroy(nil)
}

// defaultAction changes the account's default action by hand.
func (w *world) defaultAction(action api.FirewallAction) {
	w.t.Helper()
	resp, err := apitest.Read[api.Firewall](w.account.API.UpdateFirewall(w.t.Context(), nil,
		api.FirewallUpdate{DefaultAction: &action}))
	done(w.t, resp.Status, resp.Body, err)
}
