package stories

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A bridge stands before a SCIM server, and no account is there. Both tokens are rotated
// while the identity provider goes on. Then the bridge is killed, and the state is lost.
func TestABridgeBeforeASCIMServerIsManagedWithoutAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.env = slices.DeleteFunc(w.env, func(entry string) bool { return strings.HasPrefix(entry, "SCIMBRIDGE_ACCOUNT_") })
	logged := filepath.Join(w.dir, "terraform.log")
	w.env = append(w.env, "TF_LOG=trace", "TF_LOG_PATH="+logged)
	server := newSCIMServer(t)
	config := fmt.Sprintf(`
terraform {
  required_providers {
    scimbridge = { source = "scimbridge/scimbridge" }
  }
}

variable "token" {
  type      = string
  ephemeral = true
  default   = null
}

variable "server_token" {
  type      = string
  ephemeral = true
  default   = null
}

resource "scimbridge_directory" "this" {
  url             = %q
  token_wo        = var.server_token
  bearer_token_wo = var.token
}

resource "scimbridge_deployment" "bridge" {
  name            = "story"
  session         = scimbridge_directory.this.session
  unseal_token_wo = var.token
  process = {
    listen   = %q
    data_dir = %q
  }
}
`, server.url(), w.listen, w.dataDir)
	w.config(config)
	first, second := newToken(t), newToken(t)
	w.apply(vars{"token": first.Reveal(), "server_token": firstFarToken})
	w.healed()
	w.plan(nil).expectNoChanges(t)
	w.plan(vars{"token": first.Reveal(), "server_token": firstFarToken}).expectNoChanges(t)
	if got := w.bridge(); got.DirectoryURL != server.url() || got.ObservedRevision != got.Revision {
		t.Errorf("the bridge stands before %q, and runs %q of %q", got.DirectoryURL, got.ObservedRevision, got.Revision)
	}

	requests := startTraffic(w, first)
	both := map[string]string{"scimbridge_directory.this": "update", "scimbridge_deployment.bridge": "update"}
	rotated := vars{"token": second.Reveal(), "server_token": firstFarToken}
	w.plan(rotated).expect(t, both)
	plans := planContent(t, filepath.Join(w.dir, "plan.bin"))
	w.apply(rotated)
	w.scim(second, http.MethodGet, "/Users", nil, http.StatusOK)
	w.scim(first, http.MethodGet, "/Users", nil, http.StatusOK) // within the overlap

	server.set(func() { server.tokens = []string{firstFarToken, secondFarToken} })
	rotated["server_token"] = secondFarToken
	old := w.bridge().PID
	w.plan(rotated).expect(t, both)
	plans += planContent(t, filepath.Join(w.dir, "plan.bin"))
	w.apply(rotated)
	w.eventually("the bridge with the server's first token ends", func() (bool, string) {
		return !providertest.Runs(old), fmt.Sprintf("process %d runs", old)
	})
	server.set(func() { server.tokens = []string{secondFarToken} })
	w.scim(second, http.MethodGet, "/Users", nil, http.StatusOK)
	w.plan(nil).expectNoChanges(t)
	requests.stop()
	for _, failure := range requests.failures {
		t.Errorf("a request during the rotations: %d %v", failure.status, failure.err)
	}

	providertest.Kill(t, w.bridge().PID)
	w.plan(rotated).expect(t, map[string]string{"scimbridge_deployment.bridge": "update"})
	w.apply(rotated)
	w.scim(second, http.MethodGet, "/Users", nil, http.StatusOK)

	running, imports := w.bridge().PID, ""
	for address, id := range map[string]string{
		"scimbridge_directory.this":    w.attribute("scimbridge_directory.this", "session"),
		"scimbridge_deployment.bridge": w.attribute("scimbridge_deployment.bridge", "id"),
	} {
		imports += fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", address, id)
	}
	if code, out := w.run(nil, "state", "rm", "scimbridge_directory.this", "scimbridge_deployment.bridge"); code != 0 {
		t.Fatalf("forget both:\n%s", out)
	}
	w.config(config + imports)
	if out := w.apply(rotated); !strings.Contains(out, "2 imported, 0 added, 0 changed, 0 destroyed") {
		t.Errorf("not a clean import:\n%s", out)
	}
	w.plan(rotated).expectNoChanges(t)
	if pid := w.bridge().PID; pid != running {
		t.Errorf("the import has replaced process %d by %d", running, pid)
	}

	ofProvider := ""
	for line := range strings.Lines(content(t, logged)) {
		if strings.Contains(line, "provider.terraform-provider-scimbridge") { // Terraform itself logs the protocol
			ofProvider += line
		}
	}
	for place, text := range map[string]string{
		"the state": content(t, filepath.Join(w.dir, "terraform.tfstate")), "the plans": plans,
		"the bridge's log": w.log(), "the provider's log": ofProvider,
	} {
		if text == "" {
			t.Errorf("%s is empty: nothing was proved", place)
		}
		for _, secret := range []string{first.Reveal(), second.Reveal(), firstFarToken, secondFarToken} {
			if strings.Contains(text, secret) {
				t.Errorf("%s has the secret %.8s...", place, secret)
			}
		}
	}
}
