package stories

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// S10: the next plan shows exactly what was changed by hand, and apply restores
// it.
func TestAPlanShowsExactlyWhatSomebodyChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(w.base(""))
	w.apply(vars{"token": token.Reveal()})
	w.plan(nil).expectNoChanges(t)
	client := w.account.API

	for _, drift := range []struct {
		what  string
		make  func()
		plan  map[string]string
		given vars // what healing needs
	}{
		{
			what: "a rule's priority is changed",
			make: func() {
				id := w.attribute("scimbridge_firewall_rule.caller", "id")
				ranges, priority := []string{"127.0.0.1"}, 7
				resp, err := apitest.Read[api.FirewallRule](client.ReplaceFirewallRule(t.Context(), id, nil,
					api.FirewallRuleInput{IpRanges: &ranges, Priority: &priority}))
				done(t, resp.Status, resp.Body, err)
			},
			plan: map[string]string{"scimbridge_firewall_rule.caller": "update"},
		},
		{
			what: "a rule is deleted",
			make: func() {
				resp, err := apitest.Read[struct{}](client.DeleteFirewallRule(t.Context(),
					w.attribute("scimbridge_firewall_rule.caller", "id"), nil))
				done(t, resp.Status, resp.Body, err)
			},
			plan: map[string]string{"scimbridge_firewall_rule.caller": "create"},
		},
		{
			what: "a sign-up domain is removed",
			make: func() {
				resp, err := apitest.Read[struct{}](client.DeleteSignupDomain(t.Context(), "example.com", nil))
				done(t, resp.Status, resp.Body, err)
			},
			plan: map[string]string{"scimbridge_signup_domain.company": "create"},
		},
		{
			what: "the bridge is killed",
			make: func() {
				providertest.Kill(t, w.bridge().PID)
			},
			plan:  map[string]string{"scimbridge_deployment.bridge": "update"},
			given: vars{"token": token.Reveal()},
		},
		{
			what: "the integration is deactivated",
			make: func() {
				resp, err := apitest.Read[struct{}](client.DeactivateProvisioning(t.Context(), nil))
				done(t, resp.Status, resp.Body, err)
			},
			plan: map[string]string{
				"scimbridge_provisioning.this": "update",
				"scimbridge_deployment.bridge": "update",
			},
			given: vars{"token": token.Reveal()},
		},
	} {
		t.Log(drift.what)
		drift.make()
		w.plan(drift.given).expect(t, drift.plan)
		w.apply(drift.given)
		w.plan(nil).expectNoChanges(t)
		w.eventuallyHealthy(token)
	}
	w.destroy(nil)
}

// A destroy in one go, without any variable, leaves nothing of the bridge.
func TestDestroyLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(w.base(""))
	w.apply(vars{"token": token.Reveal()})
	w.destroy(nil)

	if left, err := os.ReadDir(w.dataDir); err == nil && len(left) > 0 {
		var names []string
		for _, entry := range left {
			names = append(names, entry.Name())
		}
		t.Errorf("the data folder still holds %s", strings.Join(names, ", "))
	}
	if _, _, err := w.try(token, http.MethodGet, "/ping", nil); err == nil {
		t.Error("a process still answers at the bridge's address")
	}
	resp, err := apitest.Read[api.Provisioning](w.account.API.GetProvisioning(t.Context()))
	done(t, resp.Status, resp.Body, err)
	if resp.Value.Active {
		t.Error("provisioning is still active")
	}
	rules, err := apitest.Read[api.FirewallRulePage](w.account.API.ListFirewallRules(t.Context(), nil))
	done(t, rules.Status, rules.Body, err)
	if len(rules.Value.Items) > 0 {
		t.Errorf("rules are left: %+v", rules.Value.Items)
	}
}
