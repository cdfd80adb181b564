//go:build engines

package engines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	place "github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// useProgram makes the programs that `make test-engines` has built those of the tests.
func useProgram(t *testing.T) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(top, "bin/linux_"+runtime.GOARCH, "scim-bridge"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SCIMBRIDGE_TEST_BINARY", path)
	t.Setenv(deploy.BinaryVariable, path)
}

// A deployment is the bridge of an account of its own, as a container.
type deployment struct {
	*testing.T
	account *providertest.Account
	token   session.Token
	spec    deploy.Spec
	config  place.Config
	host    string // of the engine; empty: the environment's
	trace   string
}

// newDeployment is in the host's network, where it reaches its account without TLS.
func newDeployment(t *testing.T, name string) *deployment {
	t.Helper()
	network := "host"
	d := &deployment{T: t, account: providertest.NewAccount(t), config: place.Config{Name: name, Network: &network}}
	var err error
	if d.token, err = session.NewToken(); err != nil {
		t.Fatal(err)
	}
	d.spec = deploy.Spec{
		Name: "test", Session: *d.account.Activate("manager@example.com", d.token).Session, Unseal: deploy.UnsealOnce,
		Size: deploy.SizeBase, Memo: map[string]string{"note": "kept"},
		Settings: deploy.Settings{InsecureHTTP: true},
	}
	if file, err := session.Parse(d.spec.Session); err == nil {
		d.spec.Session = file.String()
	}
	d.monitor(aMonitoringToken)
	t.Cleanup(func() {
		if err := d.target().Destroy(context.Background()); err != nil {
			t.Errorf("destroying: %v", err)
		}
	})
	return d
}

const aMonitoringToken, anotherMonitoringToken = "a-monitoring-token-of-engines", "another-monitoring-token-of-engines"

// monitor gives the deployment a monitoring token.
func (d *deployment) monitor(text string) {
	d.Helper()
	token, err := deploy.ParseMonitoringToken(text)
	if err != nil {
		d.Fatal(err)
	}
	d.spec.Monitoring = &deploy.Monitoring{Token: token}
}

// expectMonitoring checks which token the bridge in the host's network accepts.
func (d *deployment) expectMonitoring(want string) {
	d.Helper()
	for _, token := range []string{aMonitoringToken, anotherMonitoringToken} {
		req, err := http.NewRequestWithContext(d.Context(), http.MethodGet, "http://127.0.0.1:3002/health", http.NoBody)
		if err != nil {
			d.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := new(http.Transport).RoundTrip(req)
		if err != nil {
			d.Fatal(err)
		}
		resp.Body.Close()
		if accepted := resp.StatusCode != http.StatusUnauthorized; accepted != (token == want) {
			d.Errorf("%s is accepted: %t", token, accepted)
		}
	}
}

// target is the deployment's target, as each run of Terraform makes it anew.
func (d *deployment) target() deploy.Target {
	d.Helper()
	target, err := place.Kind(engine.Config{Host: d.host}).FromConfig(func(into any) error {
		*into.(*place.Config) = d.config
		return nil
	}, d.trace)
	if err != nil {
		d.Fatal(err)
	}
	return target
}

func (d *deployment) revision(target deploy.Target) string {
	d.Helper()
	program, err := target.Fetch(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	return d.spec.Revision(target.Build(program.Digest))
}

// create deploys, and waits until the bridge is ready.
func (d *deployment) create() deploy.State {
	d.Helper()
	target := d.target()
	revision := d.revision(target)
	if err := target.Create(d.Context(), d.spec, revision, d.token); err != nil {
		d.Fatal(err)
	}
	return d.await(revision)
}

// update applies what has changed, and waits.
func (d *deployment) update() deploy.State {
	d.Helper()
	target := d.target()
	revision := d.revision(target)
	if err := target.Update(d.Context(), d.spec, revision, d.token); err != nil {
		d.Fatal(err)
	}
	return d.await(revision)
}

func (d *deployment) await(revision string) deploy.State {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), patience)
	defer cancel()
	state, err := deploy.Wait{Target: d.target(), Revision: revision, Unsealed: true}.Until(ctx)
	if err != nil {
		d.Fatal(err)
	}
	d.trace = state.Trace
	return state
}

func (d *deployment) observe() deploy.State {
	d.Helper()
	state, err := d.target().Observe(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	return state
}

// leftovers are the engine's objects of the deployment.
func leftovers(t *testing.T, name string) string {
	t.Helper()
	label := "label=scimbridge.deployment=" + name
	return strings.TrimSpace(docker(t, "ps", "--all", "--quiet", "--filter", label) + docker(t, "volume", "ls",
		"--quiet",
		"--filter", label))
}

func (d *deployment) id() string {
	d.Helper()
	return docker(d.T, "inspect", "--format", "{{.Id}}", d.config.Name)
}

func TestDockerTarget(t *testing.T) {
	useProgram(t)
	startDocker(t)
	t.Run("a deployment is made, found, changed and destroyed", testTargetLife)
	t.Run("what was changed by hand is seen and undone", testTargetDrift)
	t.Run("behind a proxy a bridge is replaced without a gap", testWithoutGap)
	t.Run("a new bridge that cannot run says why, and the old one goes on", testTargetFailures)
}

// accountKey waits for the key of a container's account at the ACME authority and returns it.
func accountKey(t *testing.T, container string) (key string) {
	t.Helper()
	await(t, "the key of the account at the authority", func() bool {
		folder := t.TempDir()
		if _, err := try(t, "cp", container+":/var/lib/scim-bridge/acme", folder); err != nil {
			return false
		}
		found, err := filepath.Glob(filepath.Join(folder, "acme/*/account.key"))
		if err != nil || len(found) != 1 {
			return false
		}
		text, err := os.ReadFile(found[0])
		key = string(text)
		return err == nil && key != ""
	})
	return key
}

func testTargetLife(t *testing.T) {
	d := newDeployment(t, "life")
	if _, err := d.target().Observe(t.Context()); !errors.Is(err, deploy.ErrAbsent) {
		t.Errorf("before: %v", err)
	}
	state := d.create()
	if state.Status() != deploy.Ready || state.Spec.Session != d.spec.Session || state.Spec.Memo["note"] != "kept" ||
		state.Lost != "" || len(state.Drift) != 0 || state.URL != "http://127.0.0.1:3002" {
		t.Errorf("it is %+v", state)
	}
	if got, ok := state.Config.(place.Config); !ok || fmt.Sprint(got) == "" || *got.Network != "host" ||
		got.Memory != nil {
		t.Errorf("its configuration is %+v", state.Config)
	}
	how := docker(t, "inspect", "--format", "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} "+
		"{{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.RestartPolicy.Name}} "+
		"{{.HostConfig.Memory}} {{.HostConfig.LogConfig}}", "life")
	if how != "65532:65532 true [ALL] [no-new-privileges] unless-stopped 671088640 {json-file map[max-file:4 "+
		"max-size:16m]}" {
		t.Errorf("it runs as %s", how)
	}
	awaitHealth(t, "life", "healthy")
	noSecrets(t, d)
	if err := d.target().Create(t.Context(), d.spec, "r", d.token); err == nil {
		t.Error("it is made twice")
	}

	before := d.id()
	d.spec.Memo = map[string]string{"note": "changed"}
	if state = d.update(); d.id() != before || state.Spec.Memo["note"] != "changed" {
		t.Errorf("a note replaces the container, or is not kept: %+v", state.Spec)
	}
	d.expectMonitoring(aMonitoringToken)
	d.monitor(anotherMonitoringToken)
	if d.update(); d.id() != before {
		t.Error("a new monitoring token replaces the container")
	}
	d.expectMonitoring(anotherMonitoringToken)
	d.spec.Settings.LogLevel = "debug"
	if state = d.update(); d.id() == before || state.Spec.Settings.LogLevel != "debug" || len(state.Drift) != 0 {
		t.Errorf("a setting does not replace the container: %+v", state)
	}
	before = d.id()
	if err := d.target().Redeploy(t.Context(), d.token); err != nil || d.id() == before {
		t.Errorf("redeploying: %v", err)
	}
	d.await(d.observe().Revision)
	d.expectMonitoring(anotherMonitoringToken)
	d.spec.Unseal = deploy.UnsealStored
	d.update()
	docker(t, "restart", "life")
	d.await(d.observe().Revision)
	noSecrets(t, d)
	d.spec.Monitoring = nil
	d.update()
	d.expectMonitoring("")
	// Made, changed, redeployed, with a stored token, restarted, without a monitoring token.
	if n := startsRecorded(t, "life"); n < 6 {
		t.Errorf("of six starts, the journal has %d", n)
	}

	// The authority cannot be reached from here. The key of the account there is made before that, and authorities
	// limit how many of them, and of certificates, they give.
	d.spec.Settings.TLSDomain = "scim.example.com"
	d.update()
	awaitHealth(t, "life", "healthy")
	key := accountKey(t, "life")
	d.spec.Settings.LogLevel = "info"
	d.update()
	if got := accountKey(t, "life"); got != key {
		t.Error("a replaced container has lost the folder of its certificates")
	}

	if err := d.target().Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, "life"); left != "" {
		t.Errorf("what is left: %s", left)
	}
	if left := docker(t, "images", "--quiet", "--filter", "label=scimbridge.program"); left != "" {
		t.Errorf("images that are left: %s", left)
	}
	if err := d.target().Destroy(t.Context()); err != nil {
		t.Errorf("destroying what is gone: %v", err)
	}
}

// startsRecorded is how many starts a bridge's journal has, those of the containers before among them.
func startsRecorded(t *testing.T, container string) int {
	t.Helper()
	text := docker(t, "exec", container, "scim-bridge", "journal", "--kind", "started", "--json")
	return strings.Count(text, `"kind":"started"`)
}

// noSecrets fails if the engine shows a secret of the deployment.
func noSecrets(t *testing.T, d *deployment) {
	t.Helper()
	shown := docker(t, "inspect", d.config.Name) + docker(t, "logs", d.config.Name) + docker(t, "top", d.config.Name) +
		docker(t, "volume", "ls", "--format", "{{.}} {{.Labels}}") + docker(t, "inspect", docker(t, "inspect",
		"--format", "{{.Image}}", d.config.Name))
	for _, secret := range []string{d.token.Reveal(), d.spec.Session, d.spec.Monitoring.Token.Reveal()} {
		if len(secret) < 20 {
			t.Fatalf("a secret of %d bytes is too short to be looked for", len(secret))
		}
		if strings.Contains(shown, secret) {
			t.Error("the engine shows a secret")
		}
	}
}

func testTargetDrift(t *testing.T) {
	d := newDeployment(t, "drift")
	d.create()
	for _, row := range []struct {
		name   string
		change func()
		seen   func(deploy.State) bool
	}{
		{"the container is stopped", func() { docker(t, "stop", "drift") },
			func(s deploy.State) bool {
				return s.Status() == deploy.Stopped && strings.Contains(s.Ended, "exit code 0")
			}},
		{"the container is removed", func() { docker(t, "rm", "--force", "drift") },
			func(s deploy.State) bool { return strings.Contains(s.Lost, "was removed") }},
		{"the container is killed", func() { docker(t, "kill", "drift") },
			func(s deploy.State) bool { return s.Status() == deploy.Stopped }},
		{"the container is paused", func() { docker(t, "pause", "drift") },
			func(s deploy.State) bool { return slices.Contains(s.Drift, "the container is paused") }},
		{"the memory is changed", func() { docker(t, "update", "--memory", "700m", "--memory-swap", "700m", "drift") },
			func(s deploy.State) bool {
				c, _ := s.Config.(place.Config)
				return c.Memory != nil && *c.Memory == 700
			}},
		{"the restart policy is changed", func() { docker(t, "update", "--restart", "no", "drift") },
			func(s deploy.State) bool { return strings.Contains(fmt.Sprint(s.Drift), `restart policy is "no"`) }},
		{"the container is renamed", func() { docker(t, "rename", "drift", "other") },
			func(s deploy.State) bool { return strings.Contains(fmt.Sprint(s.Drift), "named other") }},
		{"the session is edited", func() { edit(t, "drift", "session", "nonsense") },
			func(s deploy.State) bool { return s.Spec.Session == "" }},
		{"the monitoring token is edited", func() { edit(t, "drift", "monitoring-token", "nonsense") },
			func(s deploy.State) bool { return strings.Contains(fmt.Sprint(s.Drift), "monitoring token") }},
		{"an apply ends before the bridge uses its new monitoring token", func() {
			d.host = withoutReload(t)
			d.monitor(anotherMonitoringToken)
			if err := d.target().Update(t.Context(), d.spec, d.observe().Revision, session.Token{}); err == nil {
				t.Error("a bridge that cannot be told counts as one that was")
			}
			d.host = ""
		}, func(s deploy.State) bool { return strings.Contains(fmt.Sprint(s.Drift), "monitoring token") }},
		{"the record is removed", func() { edit(t, "drift", "deployment.json", "") },
			func(s deploy.State) bool { return strings.Contains(s.Lost, "missing or damaged") }},
		{"a container of an interrupted run is left", func() {
			docker(t, "create", "--name", "drift-old", "--label", "scimbridge.deployment=drift", docker(t, "inspect",
				"--format", "{{.Image}}", "drift"), "version")
		}, func(s deploy.State) bool { return strings.Contains(fmt.Sprint(s.Drift), "drift-old") }},
		{"a volume of an interrupted run is left", func() {
			docker(t, "volume", "create", "--label", "scimbridge.deployment=drift", "drift-left")
		}, func(s deploy.State) bool { return strings.Contains(fmt.Sprint(s.Drift), "drift-left") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.change()
			state := d.observe()
			if !row.seen(state) {
				t.Errorf("it is seen as %+v", state)
			}
			state = d.update()
			if state.Status() != deploy.Ready || len(state.Drift) != 0 || state.Lost != "" ||
				state.Spec.Session != d.spec.Session {
				t.Errorf("after the update it is %+v", state)
			}
			if c, ok := state.Config.(place.Config); !ok || c.Memory != nil {
				t.Errorf("after the update it has %+v", state.Config)
			}
			const ours = "label=scimbridge.deployment=drift"
			if names := docker(t, "ps", "--all", "--filter", ours, "--format", "{{.Names}}"); names != "drift" {
				t.Errorf("after the update there are the containers %q", names)
			}
			if volumes := docker(t, "volume", "ls", "--filter", ours, "--quiet"); strings.Contains(volumes, "\n") {
				t.Errorf("after the update there are the volumes %q", volumes)
			}
		})
		if t.Failed() {
			return
		}
	}
	d.expectMonitoring(anotherMonitoringToken)
}

// withoutReload returns the address of a way to the engine, on which commands named reload do not start.
func withoutReload(t *testing.T) string {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", "/var/run/docker.sock")
	}
	proxy := &httputil.ReverseProxy{Transport: &http.Transport{DialContext: dial}, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/exec") {
			body, err := io.ReadAll(r.Body)
			if err != nil || bytes.Contains(body, []byte(`"reload"`)) {
				http.Error(w, `{"message": "the test ends it here"}`, http.StatusInternalServerError)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return "tcp://" + server.Listener.Addr().String()
}

// edit replaces a file in a container's volume; an empty text removes it.
func edit(t *testing.T, container, name, text string) {
	t.Helper()
	folder := docker(t, "volume", "inspect", "--format", "{{.Mountpoint}}", docker(t, "inspect", "--format",
		`{{range .Mounts}}{{.Name}}{{end}}`, container))
	path := filepath.Join(folder, "scim-bridge", name)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if text == "" {
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65532, 65532); err != nil {
		t.Fatal(err)
	}
}

// apply applies what has changed, and waits.
func (d *deployment) apply(update bool) error {
	target := d.target()
	program, err := target.Fetch(d.Context())
	if err != nil {
		return err
	}
	revision := d.spec.Revision(target.Build(program.Digest))
	if update {
		err = target.Update(d.Context(), d.spec, revision, d.token)
	} else {
		err = target.Create(d.Context(), d.spec, revision, d.token)
	}
	if err != nil {
		return err
	}
	_, err = deploy.Wait{Target: d.target(), Revision: revision, Unsealed: true}.Until(d.Context())
	return err
}

// makeImage makes an image of the program with other files and instructions.
func makeImage(t *testing.T, name, instructions string, files ...string) {
	t.Helper()
	folder := t.TempDir()
	for _, file := range append(files, filepath.Join(top, "bin/linux_"+runtime.GOARCH, "scim-bridge")) {
		command(t, "cp", file, folder)
	}
	text := "FROM scratch\nCOPY scim-bridge /usr/bin/scim-bridge\nENV PATH=/usr/bin\nUSER 65532\n" +
		"ENTRYPOINT [\"/usr/bin/scim-bridge\"]\n" + instructions
	if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	docker(t, "build", "--quiet", "--tag", name, folder)
}

func testTargetFailures(t *testing.T) {
	makeImage(t, "crashes:1", "ENTRYPOINT [\"/usr/bin/scim-bridge\", \"nonsense\"]\n")
	makeImage(t, "named-user:1", "USER nobody\n")
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	docker(t, "create", "--name", "foreign", "crashes:1")
	defer docker(t, "rm", "foreign")
	text := func(s string) *string { return &s }
	number := func(n int64) *int64 { return &n }
	for _, row := range []struct {
		name   string
		change func(*deployment)
		want   []string
	}{
		{"the image cannot be pulled", func(d *deployment) { d.config.Image = text("127.0.0.1:1/none:1") },
			[]string{"the image 127.0.0.1:1/none:1 cannot be pulled", "connection refused", "cannot reach the " +
				"registry"}},
		{"the bridge ends each time it is started", func(d *deployment) { d.config.Image = text("crashes:1") },
			[]string{"exit code", "nonsense", "The end of the bridge's log"}},
		{"the image's user has no number", func(d *deployment) { d.config.Image = text("named-user:1") },
			[]string{`the user "nobody"`, "must be a number"}},
		{"the bridge needs more memory than it may use", func(d *deployment) { d.config.Memory = number(10) },
			[]string{"memory, 10 MiB", "raise"}},
		{"the port is taken", func(d *deployment) {
			d.config.Network, d.config.Ports = nil, []string{taken.Addr().String() + ":3002"}
		}, []string{"address already in use", "choose another port"}},
		{"the network does not exist", func(d *deployment) { d.config.Network = text("nowhere") },
			[]string{"nowhere", "create the network"}},
		{"the session is not the account's", func(d *deployment) {
			other := providertest.NewAccount(d)
			d.spec.Session = *other.Activate("manager@example.com", d.token).Session
			d.spec.Settings.AccountURL = d.account.URL
		}, []string{"the account refuses its credentials", "Remedy:"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			name := "fails"
			d := newDeployment(t, name)
			d.create()
			before, good := d.id(), *d
			row.change(d)
			began := time.Now()
			err := d.apply(true)
			if err == nil {
				t.Fatal("it is deployed")
			}
			t.Logf("after %s: %v", time.Since(began).Round(100*time.Millisecond), err)
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), d.token.Reveal()) {
				t.Error("the error shows the token")
			}
			d.config, d.spec = good.config, good.spec
			if state := d.await(d.revision(d.target())); d.id() != before || state.Status() != deploy.Ready ||
				len(state.Drift) != 0 {
				t.Errorf("the old bridge is %+v", state)
			}
			if err := d.target().Destroy(t.Context()); err != nil {
				t.Fatal(err)
			}
			if row.change(d); d.spec.Session != good.spec.Session {
				return // its container is kept, since another resource may heal the integration
			}
			if err := d.apply(false); err == nil {
				t.Error("it is made anew")
			}
			if left := leftovers(t, name); left != "" && strings.Contains(row.name, "port") {
				t.Errorf("a creation that failed leaves %s", left)
			}
		})
	}
	t.Run("another container has the name", func(t *testing.T) {
		d := newDeployment(t, "foreign")
		if err := d.apply(false); err == nil || !strings.Contains(err.Error(), "another container with the name "+
			"foreign") {
			t.Errorf("making it: %v", err)
		}
		if err := d.target().Destroy(t.Context()); err != nil {
			t.Error(err)
		}
		if docker(t, "ps", "--all", "--quiet", "--filter", "name=foreign") == "" {
			t.Error("the other container is gone")
		}
	})
}
