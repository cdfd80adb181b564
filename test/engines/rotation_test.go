//go:build engines

package engines

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The stories of a rotation with an overlap, and of a firewall rule that blocks the bridge, with
// a container in place of a process.
func TestRotationAndAFirewallBlockWithDocker(t *testing.T) {
	useProgram(t)
	startDocker(t)
	account := providertest.NewAccount(t)
	var tokens [2]session.Token
	for i := range tokens {
		var err error
		if tokens[i], err = session.NewToken(); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorkspace(t)
	config := func(generation int, more string) string {
		token := tokens[generation-1]
		overlapping := fmt.Sprintf("bearer_token_wo_version = %d\n  overlap = \"1h\"", generation)
		return provisioned(account, token, overlapping) + fmt.Sprintf(`
resource "scimbridge_deployment" "it" {
  name            = "test"
  session         = scimbridge_provisioning.it.session
  unseal_token_wo = %q
  docker          = { name = "bridge", network = "host" }
  settings        = { insecure_http = true, source_address = "127.0.0.9" }
}
output "status" { value = scimbridge_deployment.it.status }
output "problems" { value = scimbridge_deployment.it.problems }
`, token.Reveal()) + more
	}
	w.apply(config(1, ""))
	t.Cleanup(func() {
		if out, err := w.run(config(2, ""), "destroy", "-auto-approve"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	identityProvider := startTraffic(t, bridgeAddress, tokens[0].Reveal())

	if out := w.apply(config(2, "")); !strings.Contains(out, `status = "ready"`) {
		t.Errorf("the rotation:\n%s", out)
	}
	for i, token := range tokens {
		if got := list(t, token); got != http.StatusOK {
			t.Errorf("after the rotation the token %d is answered with %d", i+1, got)
		}
	}
	w.plan(config(2, ""))
	sent, failed := identityProvider.end()
	t.Logf("%d of %d requests failed: a container in the host's network is replaced with a gap", len(failed), sent)
	for _, text := range failed { // the identity provider repeats what did not reach a bridge
		if strings.Contains(text, " POST /scim") || strings.Contains(text, " GET /scim") {
			t.Errorf("during the rotation a bridge answered: %s", text)
		}
	}

	blocked := config(2, `
resource "scimbridge_firewall_rule" "block" {
  action        = "deny"
  ip_ranges     = ["127.0.0.9"]
  allow_lockout = true
}
`)
	identityProvider = startTraffic(t, bridgeAddress, tokens[1].Reveal())
	w.apply(blocked)
	await(t, "the bridge is blocked", func() bool { return list(t, tokens[1]) == http.StatusServiceUnavailable })
	w.plan(blocked, "firewall_blocked")
	w.apply(config(2, ""))
	await(t, "the bridge is let in again", func() bool { return list(t, tokens[1]) == http.StatusOK })
	sent, failed = identityProvider.end()
	t.Logf("%d of %d requests failed during the block", len(failed), sent)
	for _, text := range failed { // an identity provider comes back after a 503
		if !strings.Contains(text, ": 503 ") {
			t.Errorf("a blocked bridge answered: %s", text)
		}
	}
	w.apply(config(2, ""))
	w.plan(config(2, ""))
}

// bridgeAddress is where a bridge in the host's network is.
const bridgeAddress = "http://127.0.0.1:3002"

// list lists people, and returns the status of the answer.
func list(t *testing.T, token session.Token) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, bridgeAddress+"/scim/v2/Users?count=1",
		http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}
