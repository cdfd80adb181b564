//go:build engines

package examples

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
	"github.com/scimbridge/terraform-provider-scimbridge/test/certificates"
	"github.com/scimbridge/terraform-provider-scimbridge/test/dockerd"
)

// A compose file that was written for 1Password's image runs ours when the image and the session are exchanged: the
// variables, the user, the place of the session and the ports stay. What is added is the authority of the account's
// certificate, which no public one signed. A container that answers nothing is in the place of Redis.
func TestTheVendorsComposeFileInDocker(t *testing.T) {
	dockerd.Start(t)
	image := loadImage(t)
	importShell(t)
	dockerd.Run(t, "create", "--name", "idle", shellImage, "sh")
	dockerd.Run(t, "commit", "--change", `ENTRYPOINT ["sh", "-c", "exec busybox sleep 3600", "redis"]`, "idle", "redis")

	h := newContainerHost(t, "vendor-compose")
	ca := certificates.NewCA(t)
	h.w.write("ca.pem", string(ca.PEM))
	h.give(filepath.Join(h.w.dir, "ca.pem"), vendorUser, 0o444)
	h.authority = filepath.Join(h.w.dir, "ca.pem")
	h.env = []string{
		"SCIMBRIDGE_ACCOUNT_URL=" + ca.Serve(dockerd.Gateway, h.account.URL),
		"SCIMBRIDGE_ACCOUNT_TOKEN=" + h.account.Token, "SSL_CERT_FILE=" + h.authority,
		"TF_VAR_bearer_token=" + h.token.Reveal(), composeAsDocker(t),
	}
	h.succeed(h.apply())
	h.shell(providertest.Terraform(t) + " output -raw session | install -o 999 -g 999 -m 0440 /dev/stdin scimsession")
	certificate, key := ca.Issue("", "", "scim.example.com", "127.0.0.1")
	h.w.write("tls.crt", string(certificate))
	h.w.write("tls.key", string(key))
	h.give(filepath.Join(h.w.dir, "tls.crt"), vendorUser, 0o444)
	h.give(filepath.Join(h.w.dir, "tls.key"), vendorUser, 0o440)

	text, err := os.ReadFile("vendor-compose/compose.yaml")
	if err != nil || strings.Count(string(text), "image: scim-bridge:0.1.0") != 1 {
		t.Fatalf("%v\n%s", err, text)
	}
	h.w.write("compose.yaml", strings.Replace(string(text), "scim-bridge:0.1.0", image, 1))
	for _, row := range []struct{ name, env, more, url string }{
		{
			"behind a proxy", "OP_TLS_DOMAIN=\nOP_JSON_LOGS=1\nOP_PRETTY_LOGS=1\n", "ports: [80:3002]",
			"http://127.0.0.1",
		},
		{
			"with a certificate of one's own", "OP_TLS_DOMAIN=scim.example.com\nOP_TLS_CERT_FILE=/tls.crt\n" +
				"OP_TLS_KEY_FILE=/tls.key\nOP_JSON_LOGS=1\nOP_DEBUG=1\n",
			"volumes: [./tls.crt:/tls.crt:ro, ./tls.key:/tls.key:ro]", "https://127.0.0.1",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			h.t, h.w.t = t, t
			h.w.write("scim.env", row.env)
			h.w.write("variant.yaml", "services:\n  scim:\n    "+row.more+"\n")
			h.w.write("authority.yaml", "services:\n  scim:\n    environment: [SSL_CERT_FILE=/ca.pem]\n"+
				"    volumes: [./ca.pem:/ca.pem:ro]\n")
			compose := "docker compose -f compose.yaml -f variant.yaml -f authority.yaml "
			h.shell(compose + "up --detach")
			h.checkVendors(row.url)
			// Sealed again, as the vendor's after a restart: the identity provider's next request opens it.
			h.shell(compose + "restart scim")
			h.simulate(row.url)
			h.shell(compose + "down")
		})
	}
}

const vendorUser = 999

func (h *containerHost) checkVendors(url string) {
	h.t.Helper()
	name := dockerd.Run(h.t, "ps", "--filter", "label=com.docker.compose.service=scim", "--format", "{{.Names}}")
	h.logAtTheEnd(name)
	dockerd.Await(h.t, "the image's health check", func() bool {
		return dockerd.Run(h.t, "inspect", "--format", "{{.State.Health.Status}}", name) == "healthy"
	})
	h.simulate(url)
	// By the control socket, which is in the user's data folder. The bridge may have a problem: suspensions are held.
	status, err := dockerd.Try(h.t, "exec", name, "scim-bridge", "status", "--local", "--json")
	if err != nil && !strings.Contains(status, string(problem.SuspensionsHeld)) {
		h.t.Errorf("%v\n%s", err, status)
	}
	log := dockerd.Run(h.t, "logs", name)
	for line := range strings.Lines(log) {
		var event struct{ Time, Level, Message string }
		if err := json.Unmarshal([]byte(line), &event); err != nil ||
			event.Time == "" || event.Level == "" || event.Message == "" {
			h.t.Errorf("a log pipeline for the vendor's lines cannot read %s(%v)", line, err)
		}
	}
	if !strings.Contains(log, "no Redis is needed") || strings.Contains(log, "unknown environment variables") {
		h.t.Errorf("the variables for Redis:\n%s", log)
	}
	if strings.Contains(log, "plain HTTP") != strings.HasPrefix(url, "http:") {
		h.t.Errorf("plain HTTP at %s:\n%s", url, log)
	}
	if strings.Contains(dockerd.Run(h.t, "inspect", name)+log, h.token.Reveal()) {
		h.t.Error("docker shows the token")
	}
}
