//go:build engines

package engines

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A scimServer is a SCIM server that has tokens of its own: a bridge with an account.
type scimServer struct {
	*httptest.Server
	mu     sync.Mutex
	tokens []string
}

func newSCIMServer(t *testing.T, token string) *scimServer {
	t.Helper()
	bearer := newBearer(t)
	sealed := providertest.NewAccount(t).Activate("manager@example.com", bearer).Session
	to, err := url.Parse(providertest.NewBridge(t, *sealed, "server", &bearer).URL)
	if err != nil {
		t.Fatal(err)
	}
	s := &scimServer{tokens: []string{token}}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.accepts(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *scimServer) accepts(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.tokens, token)
}

// accept makes tokens the only ones that are accepted.
func (s *scimServer) accept(tokens ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = tokens
}

func newBearer(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A bridge before a SCIM server, with no account, is a container. Its bearer token and the server's are rotated while
// the identity provider goes on, and neither is where an engine or Terraform shows it.
func TestBothTokensOfADirectoryAreRotatedWithDocker(t *testing.T) {
	useProgram(t)
	startDocker(t)
	const firstServerToken, secondServerToken = "first-token-of-the-server", "second-token-of-the-server"
	server := newSCIMServer(t, firstServerToken)
	address, ca := serveTLS(t, server.URL)
	proxy := newProxyNetwork(t, "proxied", "bridge", ca)
	first, second := newBearer(t), newBearer(t)
	config := func(bearer session.Token, serverToken string) string {
		return fmt.Sprintf(`terraform {
  required_providers {
    scimbridge = { source = "scimbridge/scimbridge" }
  }
}
resource "scimbridge_directory" "it" {
  url             = "%s/scim/v2"
  token_wo        = %q
  bearer_token_wo = %[3]q
  overlap         = "1h"
}
resource "scimbridge_deployment" "it" {
  name            = "test"
  session         = scimbridge_directory.it.session
  unseal_token_wo = %[3]q
  docker          = { name = "bridge", network = "proxied", image = "trusting:1" }
  settings = {
    public_url       = "https://scim.example.com"
    suspension_limit = "off" # what is held would have to be copied while no bridge runs
  }
}
output "status" { value = scimbridge_deployment.it.status }
`, atGateway(t, address), serverToken, bearer.Reveal())
	}
	w := newWorkspace(t)
	if out := w.apply(config(first, firstServerToken)); !strings.Contains(out, `status = "ready"`) {
		t.Errorf("the apply:\n%s", out)
	}
	t.Cleanup(func() {
		if out, err := w.run(config(second, secondServerToken), "destroy", "-auto-approve"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	w.plan(config(first, firstServerToken))
	identityProvider := startTraffic(t, proxy, first.Reveal())
	identityProvider.goesOn(t)

	w.apply(config(second, firstServerToken))
	identityProvider.goesOn(t) // with the old bearer token, within the overlap
	server.accept(firstServerToken, secondServerToken)
	w.apply(config(second, secondServerToken))
	identityProvider.goesOn(t)
	sent, failed := identityProvider.end()
	t.Logf("%d of %d requests failed", len(failed), sent)
	if len(failed) > 0 {
		t.Errorf("%d of %d requests failed:\n%s", len(failed), sent, strings.Join(failed[:min(10, len(failed))], "\n"))
	}

	server.accept(secondServerToken)
	identityProvider = startTraffic(t, proxy, second.Reveal())
	identityProvider.goesOn(t)
	if sent, failed := identityProvider.end(); len(failed) > 0 {
		t.Errorf("without the server's old token %d of %d requests failed: %s", len(failed), sent, failed[0])
	}
	w.plan(config(second, secondServerToken))

	state, err := os.ReadFile(filepath.Join(w.folder, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	shown := docker(t, "inspect", "bridge") + docker(t, "logs", "bridge") + docker(t, "top", "bridge") + string(state)
	for _, secret := range []string{first.Reveal(), second.Reveal(), firstServerToken, secondServerToken} {
		if strings.Contains(shown, secret) {
			t.Errorf("the engine or the state shows the secret %.8s...", secret)
		}
	}
}
