//go:build engines

package engines

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/test/certificates"
)

// The image under Docker, as the guide says it, and then as other deployments have it. One engine serves all.
func TestDocker(t *testing.T) {
	startDocker(t)
	g := newGuide(t)
	out := g.run(t, "Run both on one host")
	for _, want := range []string{"Apply complete! Resources: 1 added", "connection test", "@example.com: "} {
		if !strings.Contains(out, want) {
			t.Errorf("the guide's output lacks %q:\n%s", want, out)
		}
	}
	if t.Failed() {
		return
	}
	bridge, account := containerOf(t, "bridge"), containerOf(t, "account")
	secrets := []string{g.read(t, "secrets/bearer-token"), g.read(t, "admin-token")}

	t.Run("both are healthy, without root and with nothing written outside their volume", func(t *testing.T) {
		for _, container := range []string{bridge, account} {
			awaitHealth(t, container, "healthy")
			how := docker(t, "inspect", "--format",
				"{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.RestartCount}} {{.HostConfig.CapDrop}}", container)
			if how != "65532:65532 true 0 [ALL]" {
				t.Errorf("%s runs as %s", container, how)
			}
			for change := range strings.Lines(docker(t, "diff", container)) {
				if !slices.Contains([]string{"A /run", "A /run/secrets"}, strings.TrimSpace(change)) { // to mount at
					t.Errorf("%s has written %s", container, change)
				}
			}
		}
	})
	t.Run("/ping answers", func(t *testing.T) {
		for address, want := range map[string]int{
			"http://127.0.0.1:3002/ping": 200, "http://127.0.0.1:8600/ping": 204,
		} {
			if got := status(t, address); got != want {
				t.Errorf("%s answers %d, want %d", address, got, want)
			}
		}
	})
	t.Run("no secret is shown", func(t *testing.T) {
		shown := docker(t, "history", "--no-trunc", image(t)) + docker(t, "inspect", image(t))
		for _, container := range []string{bridge, account} {
			shown += docker(t, "inspect", container) + docker(t, "logs", container) + docker(t, "top", container)
		}
		for _, secret := range secrets {
			if len(secret) < 20 {
				t.Fatalf("a secret of %d bytes is too short to be looked for", len(secret))
			}
			if strings.Contains(shown, secret) {
				t.Error("docker inspect, history, logs or top shows a secret")
			}
		}
	})
	t.Run("the image is one layer and says what it is", func(t *testing.T) { checkImage(t, image(t)) })
	t.Run("the health check finds the server", func(t *testing.T) { testHealthCheck(t, image(t)) })
	t.Run("root certificates are inside", func(t *testing.T) { testRoots(t, image(t)) })
	t.Run("the program alone is enough", testAlone)
	t.Run("the account is behind TLS", func(t *testing.T) { testTLS(t, g) })
	t.Run("the Containerfile makes the same image", func(t *testing.T) { testContainerfile(t, image(t)) })

	g.run(t, "Stop")
	if left := docker(t, "ps", "--all", "--quiet"); left != "" {
		t.Errorf("after the guide's end there is %s", left)
	}
}

// containerOf returns the name of a container of the guide; Compose 2 writes it with a hyphen.
func containerOf(t *testing.T, service string) string {
	t.Helper()
	name := docker(t, "ps", "--filter", "label=com.docker.compose.service="+service, "--format", "{{.Names}}")
	if name == "" || strings.Contains(name, "\n") {
		t.Fatalf("the containers of %s are %q", service, name)
	}
	return name
}

func status(t *testing.T, address string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// An inspection is what docker inspect tells of an image.
type inspection struct {
	Size   int64
	RootFS struct{ Layers []string }
	Config struct {
		User, WorkingDir string
		Entrypoint, Cmd  []string
		Env              []string
		ExposedPorts     map[string]struct{}
		Volumes          map[string]struct{}
		Labels           map[string]string
		Healthcheck      any
	}
}

func inspect(t *testing.T, image string) (i inspection) {
	t.Helper()
	var all []inspection
	if err := json.Unmarshal([]byte(docker(t, "inspect", image)), &all); err != nil || len(all) != 1 {
		t.Fatal(err)
	}
	return all[0]
}

func checkImage(t *testing.T, image string) {
	i := inspect(t, image)
	file, err := os.Stat(archive(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("size: %.1f MB unpacked, %.1f MB to load", float64(i.Size)/1e6, float64(file.Size())/1e6)
	if i.Size > 60e6 || len(i.RootFS.Layers) != 1 || len(i.Config.Volumes) != 0 ||
		!slices.Equal(i.Config.Cmd, []string{"serve"}) ||
		!slices.Equal(i.Config.Entrypoint, []string{"/usr/bin/scim-bridge"}) {
		t.Errorf("the image is %+v", i)
	}
	said := docker(t, "run", "--rm", image, "version")
	for _, label := range []string{"version", "revision"} {
		if text := i.Config.Labels["org.opencontainers.image."+label]; text == "" || !strings.Contains(said, text) {
			t.Errorf("the label %s is %q, and the program says\n%s", label, text, said)
		}
	}
}

// Each deployment says in its own way where the server listens; the image's health check must follow.
func testHealthCheck(t *testing.T, image string) {
	soon := []string{"--health-interval", "1s"} // the command and its timeout stay the image's
	for _, row := range []struct {
		name   string
		engine []string // arguments of docker run
		server []string
		want   string
	}{
		{"flag", nil, []string{"serve", "--listen", ":9000", "--insecure-http"}, "healthy"},
		{"default", nil, []string{"serve", "--insecure-http"}, "healthy"},
		{"our-variable", []string{"--env", "SCIMBRIDGE_LISTEN=:9000"}, []string{"serve", "--insecure-http"}, "healthy"},
		{"vendor-variable", []string{"--env", "OP_PORT=80"}, []string{"serve"}, "healthy"},
		{"vendor-user", []string{"--env", "OP_PORT=3002", "--user", "999:999", "--volume", "/home/opuser"}, nil,
			"healthy"},
		{"init", []string{"--init"}, []string{"serve", "--listen", ":9000", "--insecure-http"}, "healthy"},
		{"both", nil, []string{"dev", "--data-dir", "dev", "--listen", "127.0.0.1:9000"}, "healthy"},
		{"another-user", []string{"--user", "1000:1000", "--tmpfs", "/var/lib/scim-bridge:uid=1000,mode=0700"},
			[]string{"serve", "--insecure-http"}, "healthy"},
		{"certificate", []string{"--volume", ownCertificate(t) + ":/tls:ro"},
			[]string{"serve", "--tls-cert-file", "/tls/tls.crt", "--tls-key-file", "/tls/tls.key"}, "healthy"},
		{"certificate-by-acme", nil, []string{"serve", "--tls-domain", "scim.example.com", "--acme-directory",
			"https://127.0.0.1:1/directory"}, "healthy"}, // by the temporary one
		{"stopped", nil, []string{"serve", "--insecure-http"}, "unhealthy"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if !slices.Contains(row.engine, "--tmpfs") {
				row.engine = append(row.engine, "--volume", "/var/lib/scim-bridge") // a new one, with the image's owner
			}
			name := "health-" + row.name
			start(t, name, slices.Concat(soon, row.engine, []string{image}, row.server)...)
			awaitHealth(t, name, "healthy")
			if row.want == "unhealthy" {
				docker(t, "kill", "--signal", "STOP", name)
				awaitHealth(t, name, "unhealthy")
				if said := docker(t, "inspect", "--format", "{{json .State.Health.Log}}", name); !strings.Contains(said,
					"http://127.0.0.1:3002/ping does not answer") {
					t.Errorf("the engine shows %s", said)
				}
				docker(t, "kill", "--signal", "CONT", name)
				awaitHealth(t, name, "healthy")
			}
		})
	}
}

// ownCertificate returns a folder with the files of a certificate, which only the user of the image may read.
func ownCertificate(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	cert, key := certificates.NewCA(t).Issue("bridge", "scimbridge", "scim.example.com")
	for name, text := range map[string][]byte{"tls.crt": cert, "tls.key": key} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 65532, 65532); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// What verifies a recorded chain is the test binary of the program, in the place of the program.
func testRoots(t *testing.T, image string) {
	mount := func(path, as string) []string {
		absolute, err := filepath.Abs(filepath.Join(top, path))
		if err != nil {
			t.Fatal(err)
		}
		return []string{"--volume", absolute + ":" + as + ":ro"}
	}
	run := slices.Concat([]string{"run", "--rm", "--read-only", "--network", "none", "--entrypoint", "/verify-chain"},
		mount("bin/verify-chain", "/verify-chain"),
		mount("bridge/cmd/scim-bridge/testdata/roots/www.google.com.pem", "/chain.pem"))
	docker(t, append(run, image, "/chain.pem")...)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writeCA(t, ca)
	out, err := try(t, append(run, "--volume", ca+":/ca.pem:ro", "--env",
		"SSL_CERT_FILE=/ca.pem", image, "/chain.pem")...)
	if err == nil || !strings.Contains(out, "certificate signed by unknown authority") {
		t.Errorf("with an operator's certificates alone: %v %s", err, out)
	}
}

// The static program in a container that has nothing else, not even the image's folders and user.
func testAlone(t *testing.T) {
	folder := t.TempDir()
	archive := filepath.Join(folder, "alone.tar")
	program, err := filepath.Abs(filepath.Join(top, "bin/linux_"+runtime.GOARCH))
	if err != nil {
		t.Fatal(err)
	}
	command(t, "tar", "-C", program, "-cf", archive, "scim-bridge")
	docker(t, "import", archive, "alone")
	start(t, "alone", "--tmpfs", "/state:mode=0700", "alone", "/scim-bridge", "dev", "--data-dir", "/state")
	await(t, "the program alone to answer", func() bool {
		_, err := try(t, "exec", "alone", "/scim-bridge", "ping")
		return err == nil
	})
}
