//go:build engines

package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
	"github.com/scimbridge/terraform-provider-scimbridge/test/certificates"
	"github.com/scimbridge/terraform-provider-scimbridge/test/dockerd"
)

// ECS, Cloud Run and Container Apps cannot be had here. What an example gives the stand-in for its provider is what it
// would send to the platform, and containers are made of that as the platform's documentation says: entry point,
// command and environment, the image's user, a read-only root where it is asked for, volumes with the owner and the
// modes that they have there, containers that run before others, probes and health checks until they pass, and SIGTERM
// with the time that the platform leaves after it. These containers are real, and so are the bridges in them,
// Terraform, and the account that they reach over TLS.
//
// What else a platform does is not shown: pulling images, its secret store and who may read it, limits of memory and
// CPU, gVisor under Cloud Run, load balancers, restarts, and the roll-out of a second revision.
func TestTheRolloutInDockerWaitsForContainers(t *testing.T) {
	dockerd.Start(t)
	image := loadImage(t)
	importShell(t)
	for _, row := range []struct {
		folder   string
		resource string // with it, the platform has all that it needs to start containers
		replicas func(*containerHost) []replica
	}{
		{"rollout-ecs", "aws_ecs_service", (*containerHost).ecs},
		{"rollout-cloud-run", "google_cloud_run_v2_service", (*containerHost).cloudRun},
		{"rollout-container-apps", "azurerm_container_app", (*containerHost).containerApp},
	} {
		t.Run(row.folder, func(t *testing.T) {
			h := newContainerHost(t, row.folder, "--trusted-proxies", "127.0.0.1")
			ca := certificates.NewCA(t)
			h.authority = filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(h.authority, ca.PEM, 0o644); err != nil { // for the image's user
				t.Fatal(err)
			}
			// A registry has the image by a name and this digest. An engine has what was loaded by the digest.
			h.setUp(ca.Serve(dockerd.Gateway, h.account.URL),
				"scim-bridge@"+dockerd.Run(t, "inspect", "--format", "{{.Id}}", image))
			h.env = append(h.env, "SSL_CERT_FILE="+h.authority)

			applied := h.apply()
			h.await(row.resource, applied)
			replicas := row.replicas(h)
			if len(replicas) != 2 {
				t.Fatalf("the platform is asked for %d bridges", len(replicas))
			}
			for i := range replicas {
				h.start(fmt.Sprintf("%s-%d", row.folder, i), &replicas[i])
			}
			h.succeed(applied)
			h.check("scimbridge_rollout.bridges", replicas)
			for _, r := range replicas {
				dockerd.Run(t, "stop", "-t", strconv.Itoa(r.stop), r.name)
				h.ended(r.name)
			}
		})
	}
	t.Run("rollout-compose", func(t *testing.T) { testCompose(t, image) })
}

// Compose is the platform itself: nothing is left out but the proxy in front.
func testCompose(t *testing.T, image string) {
	h := newContainerHost(t, "rollout-compose")
	h.setUp(h.account.URL, image)
	h.env = append(h.env, "TF_VAR_bearer_token="+h.token.Reveal(), composeAsDocker(t))
	h.w.write("bearer-token", h.token.Reveal()+"\n")
	main, err := os.ReadFile(filepath.Join(h.w.dir, "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	install := regexp.MustCompile(`sudo (install .* secrets/bearer-token)`).FindSubmatch(main)
	if install == nil {
		t.Fatal("main.tf does not say how the token is installed")
	}
	h.shell(string(install[1]))

	h.succeed(h.apply())
	name := dockerd.Run(t, "ps", "--filter", "label=com.docker.compose.service=bridge", "--format", "{{.Names}}")
	h.logAtTheEnd(name)
	h.env = slices.DeleteFunc(h.env, func(v string) bool { return strings.HasPrefix(v, "TF_VAR_bearer_token=") })
	h.check("scimbridge_rollout.bridge", []replica{
		{name: name, address: "127.0.0.1", port: 3002, probes: []string{":3002/ping", ":3002/ready"}},
	})
	h.shell("docker compose stop")
	h.ended(name)
	h.shell("docker compose down")
}

// composeAsDocker is a PATH on which docker knows compose, as with the plugin. Debian has a program of its own.
func composeAsDocker(t *testing.T) string {
	t.Helper()
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	script := "#!/bin/sh\nif [ \"$1\" = compose ] && command -v docker-compose >/dev/null; then\n" +
		"\tshift\n\texec docker-compose \"$@\"\nfi\nexec " + docker + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(folder, "docker"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + folder + string(os.PathListSeparator) + providertest.Path(t)
}

// loadImage loads the image that was built, and returns its name.
func loadImage(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../bin/image/scim-bridge_*_image_linux_" + runtime.GOARCH + ".tar")
	if err != nil || len(files) != 1 {
		t.Fatalf("found %q, %v: run `make image`", files, err)
	}
	_, name, found := strings.Cut(dockerd.Run(t, "load", "--input", files[0]), "Loaded image: ")
	if !found {
		t.Fatalf("%s has no name", files[0])
	}
	return name
}

const shellImage = "shell"

// importShell makes an image of busybox, as the examples take one from a registry.
func importShell(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	bin := filepath.Join(root, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "busybox"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "printf", "chown"} {
		if err := os.Symlink("busybox", filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	archive := filepath.Join(t.TempDir(), "shell.tar")
	out, err := exec.CommandContext(t.Context(), "tar", "-C", root, "-cf", archive, "bin").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dockerd.Run(t, "import", archive, shellImage)
}

// A containerHost makes containers of what the stand-in for a platform's provider is given.
type containerHost struct {
	t       *testing.T
	example string
	w       *workspace
	account *providertest.Account
	token   session.Token
	env     []string // of Terraform
	folders []string // of the stand-ins

	authority string                     // file with the certificate of the account's authority
	user      int                        // of the bridge's image
	given     map[string]json.RawMessage // attributes, by the type of their resource
}

func newContainerHost(t *testing.T, example string, flags ...string) *containerHost {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	h := &containerHost{
		t: t, example: example, w: newWorkspace(t), account: providertest.NewAccount(t, flags...), token: token,
		given: make(map[string]json.RawMessage),
	}
	h.w.copyAll(example)
	h.folders = h.w.standIn(othersIn(readExamples(t, example)), token.Reveal())
	return h
}

// setUp sets the example's variables, and those of our provider.
func (h *containerHost) setUp(account, image string) {
	h.t.Helper()
	variables := maps.Clone(rollouts[h.example])
	variables["image"], variables["shell_image"] = image, shellImage
	h.env = append(toEnvironment(h.t, variables), "SCIMBRIDGE_ACCOUNT_URL="+account,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+h.account.Token)
	user, _, _ := strings.Cut(dockerd.Run(h.t, "inspect", "--format", "{{.Config.User}}", toLocal(image)), ":")
	var err error
	if h.user, err = strconv.Atoi(user); err != nil {
		h.t.Fatal(err)
	}
}

// toLocal returns what the engine calls an image. It knows one that was loaded by its digest alone.
func toLocal(image string) string {
	if _, digest, found := strings.Cut(image, "@"); found {
		return digest
	}
	return image
}

// An outcome is that of a run of Terraform.
type outcome struct {
	code int
	out  string
}

// apply applies the example, while the platform starts what it is given.
func (h *containerHost) apply() <-chan outcome {
	applied := make(chan outcome, 1)
	go func() {
		code, out := h.w.run(h.env, "apply", "-auto-approve", "-no-color", "-input=false")
		applied <- outcome{code, out}
	}()
	return applied
}

// await waits until the platform is given a resource.
func (h *containerHost) await(resource string, applied <-chan outcome) {
	h.t.Helper()
	dockerd.Await(h.t, resource, func() bool {
		select {
		case end := <-applied:
			h.t.Fatalf("without %s, the apply ended with %d:\n%s", resource, end.code, end.out)
		default:
		}
		for _, folder := range h.folders {
			files, err := appliedIn(folder)
			if err != nil {
				h.t.Fatal(err)
			}
			for file, attributes := range files {
				kind, _, _ := strings.Cut(file, "-")
				h.given[kind] = attributes
			}
		}
		return h.given[resource] != nil
	})
}

// read reads the attributes of a resource.
func (h *containerHost) read(resource string, into any) {
	h.t.Helper()
	if err := json.Unmarshal(h.given[resource], into); err != nil {
		h.t.Fatalf("%s: %v", resource, err)
	}
}

// readAll is for what the test acts upon, all of it: it fails if into lacks something that is in the text.
func (h *containerHost) readAll(text []byte, into any) {
	h.t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		h.t.Fatalf("%v, in %s", err, text)
	}
}

// volume makes a folder for containers. It belongs to a user and the group of the same number.
func (h *containerHost) volume(user int, mode fs.FileMode) string {
	h.t.Helper()
	folder := h.t.TempDir()
	h.give(folder, user, mode)
	return folder
}

// give gives a file or folder to a user.
func (h *containerHost) give(path string, user int, mode fs.FileMode) {
	h.t.Helper()
	if err := os.Chown(path, user, user); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		h.t.Fatal(err)
	}
}

// secret is what the platform's store has. A file was put there, which ends as files do.
func (h *containerHost) secret() string { return h.token.Reveal() + "\n" }

// A container is one that is to be started.
type container struct {
	image               string
	entrypoint, command []string // empty: the image's
	options             []string // of docker create
}

func (c *container) env(name, value string) { c.options = append(c.options, "--env", name+"="+value) }

// mount mounts one of the volumes.
func (c *container) mount(h *containerHost, volumes map[string]string, name, path, options string) {
	h.t.Helper()
	folder, found := volumes[name]
	if !found {
		h.t.Fatalf("there is no volume %q for %s", name, path)
	}
	c.options = append(c.options, "--volume", folder+":"+path+options)
}

// A replica is what a platform starts several times: containers that end, one after the other, and then a bridge.
type replica struct {
	name, address string // once it is started
	first         []container
	bridge        container
	port          int      // where others reach the bridge
	probes        []string // of HTTP: a port and a path
	health        []string // a command in the bridge's container; may be empty
	stop          int      // seconds from SIGTERM to SIGKILL
}

// start starts the containers of a replica, and waits until the probes are content.
func (h *containerHost) start(name string, r *replica) {
	h.t.Helper()
	r.name = name
	for i, c := range r.first {
		h.create(fmt.Sprintf("%s-first-%d", name, i), c)
		dockerd.Run(h.t, "start", "--attach", fmt.Sprintf("%s-first-%d", name, i)) // ends as the container does
	}
	c := r.bridge
	c.options = append(c.options, "--volume", h.authority+":/ca.pem:ro")
	c.env("SSL_CERT_FILE", "/ca.pem")
	h.create(name, c)
	dockerd.Run(h.t, "start", name)
	r.address = dockerd.Run(h.t, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
		name)
	var fault error
	dockerd.Await(h.t, "the probes of "+name, func() bool {
		if state := dockerd.Run(h.t, "inspect", "--format", "{{.State.Status}}", name); state != "running" {
			h.t.Fatalf("%s is %s (%v)", name, state, fault)
		}
		fault = r.probe(h.t)
		return fault == nil
	})
}

// create creates a container, which is removed when the test ends. No platform looks at the image's health check.
func (h *containerHost) create(name string, c container) {
	h.t.Helper()
	arguments := append([]string{"create", "--name", name, "--no-healthcheck"}, c.options...)
	words := c.command
	if len(c.entrypoint) > 0 { // the engine's command takes one word
		arguments = append(arguments, "--entrypoint", c.entrypoint[0])
		words = slices.Concat(c.entrypoint[1:], c.command)
	}
	dockerd.Run(h.t, slices.Concat(arguments, []string{toLocal(c.image)}, words)...)
	h.logAtTheEnd(name)
	h.t.Cleanup(func() { dockerd.Run(h.t, "rm", "--force", name) })
}

func (h *containerHost) logAtTheEnd(name string) {
	h.t.Cleanup(func() {
		if log, _ := dockerd.Try(h.t, "logs", name); h.t.Failed() {
			h.t.Logf("log of %s:\n%s", name, log)
		}
	})
}

// probe asks as the platform does, and returns the first fault.
func (r *replica) probe(t *testing.T) error {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second}
	for _, p := range r.probes {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.address+p, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode < 200 || resp.StatusCode >= 400 {
			return fmt.Errorf("%s answers %s", p, resp.Status)
		}
	}
	if len(r.health) == 0 {
		return nil
	}
	if out, err := dockerd.Try(t, append([]string{"exec", r.name}, r.health...)...); err != nil {
		return fmt.Errorf("the health check %q: %w: %s", r.health, err, out)
	}
	return nil
}

// succeed waits for the end of the apply.
func (h *containerHost) succeed(applied <-chan outcome) {
	h.t.Helper()
	select {
	case end := <-applied:
		if end.code != 0 || !strings.Contains(end.out, "Apply complete!") {
			h.t.Fatalf("the apply ended with %d:\n%s", end.code, end.out)
		}
		if strings.Contains(end.out, h.token.Reveal()) {
			h.t.Error("the apply shows the token")
		}
	case <-time.After(dockerd.Patience):
		h.t.Fatalf("the account does not hear from the bridges, %s after they started", dockerd.Patience)
	}
}

// check checks what an apply has left: bridges that have signed in and work, and no token where it must not be.
func (h *containerHost) check(rollout string, replicas []replica) {
	h.t.Helper()
	var addresses []string
	for _, r := range replicas {
		addresses = append(addresses, r.address)
	}
	slices.Sort(addresses)
	seen := h.w.attributes(h.env, rollout)
	if instances, _ := seen["instances"].([]any); len(instances) != len(replicas) ||
		fmt.Sprint(seen["egress_addresses"]) != fmt.Sprint(addresses) || fmt.Sprint(seen["problems"]) != "[]" {
		h.t.Errorf("the rollout sees %v, the bridges are at %s", seen, addresses)
	}
	if code, out := h.w.run(h.env, "plan", "-detailed-exitcode", "-no-color", "-input=false"); code != 0 {
		h.t.Errorf("the next plan ends with %d:\n%s", code, out)
	}
	states, err := filepath.Glob(filepath.Join(h.w.dir, "terraform.tfstate*"))
	if err != nil || len(states) == 0 {
		h.t.Errorf("there is no state (%v)", err)
	}
	for _, file := range states {
		if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte(h.token.Reveal())) {
			h.t.Errorf("the token is in %s (%v)", filepath.Base(file), err)
		}
	}
	for _, r := range replicas {
		h.checkBridge(r)
	}
	h.simulate("http://" + net.JoinHostPort(replicas[0].address, strconv.Itoa(replicas[0].port)))
}

// simulate plays an identity provider to a bridge.
func (h *containerHost) simulate(url string) {
	h.t.Helper()
	h.w.write("token", h.token.Reveal())
	if code, out := h.w.command([]string{"SSL_CERT_FILE=" + h.authority}, providertest.Binary(h.t), "simulate",
		"--idp", "okta", "--url", url, "--token-file", filepath.Join(h.w.dir, "token"), "--people", "2"); code != 0 {
		h.t.Errorf("traffic through %s ends with %d:\n%s", url, code, out)
	}
}

// checkBridge is for one that nobody has shown the token but the platform.
func (h *containerHost) checkBridge(r replica) {
	h.t.Helper()
	if err := r.probe(h.t); err != nil {
		h.t.Errorf("%s: %v", r.name, err)
	}
	// By the control socket: the data folder can be written, and belongs to the bridge's user.
	var status string
	dockerd.Await(h.t, r.name+" to be healthy", func() bool {
		var err error
		status, err = dockerd.Try(h.t, "exec", r.name, "scim-bridge", "status", "--local")
		return err == nil
	})
	log := dockerd.Run(h.t, "logs", r.name)
	if strings.Contains(dockerd.Run(h.t, "inspect", r.name)+log+status, h.token.Reveal()) {
		h.t.Errorf("docker shows the token of %s", r.name)
	}
	if strings.Contains(log, "[WARN]") || strings.Contains(log, "[ERROR]") {
		h.t.Errorf("%s complains:\n%s", r.name, log)
	}
}

// ended checks the end of a bridge. One that does not end in time is killed, and has another exit code.
func (h *containerHost) ended(name string) {
	h.t.Helper()
	const format = "{{.State.Status}} {{.State.ExitCode}}"
	if end := dockerd.Run(h.t, "inspect", "--format", format, name); end != "exited 0" {
		h.t.Errorf("after SIGTERM %s is %s", name, end)
	}
}

// shell runs a line of a guide in the example's folder.
func (h *containerHost) shell(line string) {
	h.t.Helper()
	if code, out := h.w.command(h.env, "sh", "-c", line); code != 0 {
		h.t.Errorf("%s: ended with %d:\n%s", line, code, out)
	}
}
