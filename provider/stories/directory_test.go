package stories

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A bridge stands before a SCIM server, and no account is there. Both tokens are rotated
// while the identity provider goes on.
func TestABridgeBeforeASCIMServerIsManagedWithoutAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.env = slices.DeleteFunc(w.env, func(entry string) bool { return strings.HasPrefix(entry, "SCIMBRIDGE_ACCOUNT_") })
	server := newSCIMServer(t)
	w.config(fmt.Sprintf(`
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
`, server.url(), w.listen, w.dataDir))
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
	w.apply(rotated)
	w.scim(second, http.MethodGet, "/Users", nil, http.StatusOK)
	w.scim(first, http.MethodGet, "/Users", nil, http.StatusOK) // within the overlap

	server.set(func() { server.tokens = []string{firstFarToken, secondFarToken} })
	rotated["server_token"] = secondFarToken
	old := w.bridge().PID
	w.plan(rotated).expect(t, both)
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

	state, err := os.ReadFile(filepath.Join(w.dir, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{first.Reveal(), second.Reveal(), firstFarToken, secondFarToken} {
		if strings.Contains(string(state), secret) || strings.Contains(w.log(), secret) {
			t.Errorf("the state or the bridge's log has the secret %.8s...", secret)
		}
	}
}
