package stories

import (
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The address of a bridge behind a translation of addresses is known only once
// it has tried to sign in: the rule that lets it in takes it from the roll-out.
func TestTheRuleThatLetsARolloutsBridgesInTakesTheirAddress(t *testing.T) {
	t.Parallel()
	w, token := newWorld(t), newToken(t)
	w.deny(500, "127.0.0.9", "127.0.0.10")
	providertest.NewBridge(t, *w.account.Activate("manager@example.com", token).Session, "r1", &token,
		"--source-address", "127.0.0.9")
	w.config(`
terraform {
  required_providers {
    scimbridge = { source = "scimbridge/scimbridge" }
  }
}

resource "scimbridge_rollout" "bridges" {
  revision = "r1"
}

resource "scimbridge_firewall_rule" "bridges" {
  ip_ranges   = scimbridge_rollout.bridges.egress_addresses
  description = "the bridges"
}
`)
	out := w.apply(nil)
	for _, text := range []string{
		"The bridges are not ready yet", "127.0.0.9", `"made by hand", priority 500`,
		`resource "scimbridge_firewall_rule"`,
	} {
		if !strings.Contains(out, text) {
			t.Errorf("the apply does not say %q:\n%s", text, out)
		}
	}
	w.eventually("the bridge is let in", func() (bool, string) {
		code, out := w.run(nil, "plan", "-no-color", "-input=false", "-detailed-exitcode")
		return code == 0, out
	})
}
