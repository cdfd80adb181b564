//go:build engines

package engines

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// Two bridges of one session serve at once, so a deployment moves to another kind of target in
// two applies, with the proxy switched in between.
func TestAProcessMovesToDockerUnderTraffic(t *testing.T) {
	useProgram(t)
	startDocker(t)
	account := providertest.NewAccount(t)
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkspace(t)
	before := `
resource "scimbridge_deployment" "process" {
  name            = "before"
  session         = scimbridge_provisioning.it.session
  unseal_token_wo = "` + token.Reveal() + `"
  process         = { data_dir = "` + filepath.Join(t.TempDir(), "bridge") + `", listen = "127.0.0.1:3010" }
}
`
	after := `
resource "scimbridge_deployment" "docker" {
  name            = "after"
  session         = scimbridge_provisioning.it.session
  unseal_token_wo = "` + token.Reveal() + `"
  docker          = { name = "bridge", network = "host" }
  settings        = { insecure_http = true }
}
output "status" { value = scimbridge_deployment.docker.status }
`
	config := func(deployments string) string { return provisioned(account, token, "") + deployments }
	w.apply(config(before))
	t.Cleanup(func() {
		if out, err := w.run(config(after), "destroy", "-auto-approve"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})

	var upstream atomic.Pointer[url.URL]
	upstream.Store(&url.URL{Scheme: "http", Host: "127.0.0.1:3010"})
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream.Load())
	}})
	defer proxy.Close()
	identityProvider := startTraffic(t, proxy.URL, token.Reveal())

	if out := w.apply(config(before + after)); !strings.Contains(out, `status = "ready"`) {
		t.Errorf("the second bridge:\n%s", out)
	}
	w.plan(config(before + after))
	upstream.Store(&url.URL{Scheme: "http", Host: "127.0.0.1:3002"})
	out := w.apply(config(after))
	if !strings.Contains(out, "1 destroyed") {
		t.Errorf("the first bridge stays:\n%s", out)
	}
	w.plan(config(after))
	sent, failed := identityProvider.end()
	t.Logf("%d of %d requests failed", len(failed), sent)
	if len(failed) > 0 || sent < 50 {
		t.Errorf("of %d requests failed: %s", sent, strings.Join(failed, "\n"))
	}
}
