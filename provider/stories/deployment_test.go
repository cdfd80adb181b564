package stories

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// Two versions of one length, which occur nowhere else in the bridge's binary.
const older, newer = "1.2.0-older", "1.3.0-newer"

// releases are two builds of the bridge from this tree that differ only in their
// version. The second is made by replacing the bytes of the version, since
// linking again takes seconds.
func releases(t *testing.T) map[string][]byte {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "scim-bridge")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "-ldflags",
		"-X github.com/scimbridge/terraform-provider-scimbridge/bridge/build.Version="+older,
		"./bridge/cmd/scim-bridge")
	build.Dir = filepath.Dir(strings.TrimSpace(string(root)))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build version %s: %v\n%s", older, err, out)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{older: program, newer: bytes.ReplaceAll(program, []byte(older), []byte(newer))}
}

// release puts a bridge beside the provider in bin.
func release(t *testing.T, bin string, program []byte) {
	t.Helper()
	unfinished := filepath.Join(t.TempDir(), "scim-bridge")
	if err := os.WriteFile(unfinished, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(unfinished, filepath.Join(bin, "scim-bridge")); err != nil {
		t.Fatal(err)
	}
}

// expectSaid fails unless the output says each text; line breaks do not count.
func expectSaid(t *testing.T, out string, texts ...string) {
	t.Helper()
	plain := regexp.MustCompile(`[\s│]+`).ReplaceAllString(out, " ")
	for _, text := range texts {
		if !strings.Contains(plain, text) {
			t.Errorf("%q is not in:\n%s", text, out)
		}
	}
}

// open are the attributes that a plan leaves open for a deployment.
func (p plan) open(t *testing.T) map[string]bool {
	t.Helper()
	_, block, _ := strings.Cut(p.text, "# scimbridge_deployment.bridge will be")
	block, _, _ = strings.Cut(block, "\n    }\n")
	found := map[string]bool{}
	for _, line := range regexp.MustCompile(`[~+] (\w+) .*known after apply`).FindAllStringSubmatch(block, -1) {
		found[line[1]] = true
	}
	return found
}

// Nothing in the configuration shows that the provider brought another bridge.
func TestAPlanSaysWhichProgramReplacesWhich(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bin := w.ownProvider()
	program := releases(t)
	release(t, bin, program[older])
	w.config(w.base(""))
	v := vars{"token": newToken(t).Reveal()}
	first := w.plan(v)
	if open := first.open(t); open["version"] || !open["revision"] {
		t.Errorf("the plan of a new deployment leaves open: %v", open)
	}
	w.apply(v)
	if version := w.attribute("scimbridge_deployment.bridge", "version"); version != older {
		t.Errorf("version %q runs", version)
	}

	release(t, bin, program[newer])
	p := w.plan(v)
	p.expect(t, map[string]string{"scimbridge_deployment.bridge": "update"})
	expectSaid(t, p.text, "The bridge's program changes",
		"replaces version "+older+" of the bridge with version "+newer,
		quote(older)+" -> "+quote(newer))
	for name := range p.open(t) {
		if name != "observed_revision" && name != "status" && name != "problems" {
			t.Errorf("%s is open in the plan:\n%s", name, p.text)
		}
	}
	w.apply(v)
	w.plan(v).expectNoChanges(t)

	w.config(strings.Replace(w.base(""), `"story"`, `"renamed"`, 1))
	p = w.plan(v)
	p.expect(t, map[string]string{"scimbridge_deployment.bridge": "update"})
	if open := p.open(t); len(open) > 0 || strings.Contains(p.text, "program changes") {
		t.Errorf("a new name leaves open: %v\n%s", open, p.text)
	}
	w.destroy(v)
}

// A company upgrades the provider when it likes, and the bridge when it likes.
func TestAVersionInTheConfigurationOutlivesANewProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bin := w.ownProvider()
	program := releases(t)
	at := func(version string) string {
		return strings.Replace(w.base(""), `"story"`, `"story"`+"\n  version = "+quote(version), 1)
	}
	v := vars{"token": newToken(t).Reveal()}

	release(t, bin, program[older])
	w.config(at(newer))
	code, out := w.run(v, "plan", "-no-color", "-input=false")
	if code == 0 {
		t.Error("a version that the provider does not have was planned")
	}
	expectSaid(t, out, "deploys version "+older+" of the bridge, not "+newer, "set version to "+older)
	w.config(at(older))
	w.apply(v)
	pid := w.bridge().PID
	w.plan(v).expectNoChanges(t)

	release(t, bin, program[newer])
	w.plan(v).expectNoChanges(t)
	// Another data folder has no copy of the older bridge.
	w.config(strings.Replace(at(older), quote(w.dataDir), quote(w.dataDir+"-2"), 1))
	if code, out = w.run(v, "plan", "-no-color", "-input=false"); code == 0 {
		t.Error("a version that nothing has any more was planned")
	}
	expectSaid(t, out, "deploys version "+newer+" of the bridge, not "+older)
	w.config(strings.Replace(at(older), `"story"`, `"renamed"`, 1))
	w.apply(v)
	if now := w.bridge().PID; now != pid {
		t.Error("a new name replaced the bridge")
	}
	w.config(strings.Replace(at(older), `"trace"`, `"debug"`, 1)) // the newer provider deploys the older bridge
	w.apply(v)
	if version := w.attribute("scimbridge_deployment.bridge", "version"); version != older || w.bridge().PID == pid {
		t.Errorf("version %q runs in process %d, before in %d", version, w.bridge().PID, pid)
	}
	w.plan(v).expectNoChanges(t)

	w.config(strings.Replace(at(newer), `"trace"`, `"debug"`, 1))
	p := w.plan(v)
	p.expect(t, map[string]string{"scimbridge_deployment.bridge": "update"})
	expectSaid(t, p.text, "replaces version "+older+" of the bridge with version "+newer,
		quote(older)+" -> "+quote(newer))
	w.apply(v)
	w.plan(v).expectNoChanges(t)
	w.config(strings.Replace(w.base(""), `"trace"`, `"debug"`, 1))
	w.plan(v).expectNoChanges(t)
	w.destroy(v)
}

// ownProvider makes Terraform find the provider in a folder of the test's own, to which
// the test adds the bridge, and returns the folder.
func (w *world) ownProvider() string {
	w.t.Helper()
	bin := w.t.TempDir()
	const name = "terraform-provider-scimbridge"
	if err := os.Link(filepath.Join(providertest.Installation(w.t), name), filepath.Join(bin, name)); err != nil {
		w.t.Fatal(err)
	}
	w.useProvider(bin)
	return bin
}

// useProvider makes Terraform find the provider in another folder.
func (w *workspace) useProvider(bin string) {
	w.t.Helper()
	path := filepath.Join(w.dir, "terraform.rc")
	write(w.t, path, "provider_installation {\n  dev_overrides { \"scimbridge/scimbridge\" = "+quote(bin)+
		" }\n  direct {}\n}")
}

// A bridge that Terraform cannot find is not taken for destroyed.
func TestAPlanSaysWhyABridgeIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config(w.base(""))
	v := vars{"token": newToken(t).Reveal()}
	w.apply(v)
	before := w.bridge()
	w.endsWith(before.PID)

	moved := w.dataDir + "-moved"
	if err := os.Rename(w.dataDir, moved); err != nil {
		t.Fatal(err)
	}
	p := w.plan(v)
	p.expect(t, map[string]string{"scimbridge_deployment.bridge": "update"})
	expectSaid(t, p.text, "The record of the deployment is lost", "The bridge is still running",
		"its folder is now "+moved)

	// A configuration with the folder's new path would replace the deployment, and the old bridge would be in the way.
	w.config(strings.Replace(w.base(""), quote(w.dataDir), quote(moved), 1))
	code, out := w.run(v, "plan", "-no-color", "-input=false")
	if code != 1 {
		t.Errorf("the plan ended with %d", code)
	}
	expectSaid(t, out, "The deployment was moved", "terraform state rm", "process:"+moved)
	if err := os.Rename(moved, w.dataDir); err != nil {
		t.Fatal(err)
	}
	w.config(w.base(""))
	w.plan(v).expectNoChanges(t)

	// No record and no process is left: only the account knows the bridge.
	w.forgetPrivate()
	if err := os.RemoveAll(w.dataDir); err != nil {
		t.Fatal(err)
	}
	p = w.plan(v)
	expectSaid(t, p.text, "The bridge cannot be found", "instance "+before.Instance, "pgrep -af")
	if p.changes["scimbridge_deployment.bridge"] == "create" {
		t.Errorf("the plan makes a second bridge:\n%s", p.text)
	}
	code, out = w.run(v, "destroy", "-auto-approve", "-no-color", "-input=false",
		"-target=scimbridge_deployment.bridge")
	if code == 0 {
		t.Error("destroying was complete, and the bridge lives")
	}
	expectSaid(t, out, "Cannot destroy the deployment", "instance "+before.Instance)
}

// endsWith ends a process at the end of the test, even if its folder is gone.
func (w *world) endsWith(pid int) {
	w.t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
}

// forgetPrivate removes what providers keep of deployments in the state beside what it shows.
func (w *workspace) forgetPrivate() {
	w.t.Helper()
	path := filepath.Join(w.dir, "terraform.tfstate")
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(text, &state); err != nil {
		w.t.Fatal(err)
	}
	forgot := false
	for _, r := range state["resources"].([]any) {
		if r := r.(map[string]any); r["type"] == "scimbridge_deployment" {
			for _, i := range r["instances"].([]any) {
				i := i.(map[string]any)
				private, err := base64.StdEncoding.DecodeString(i["private"].(string))
				if err != nil || !strings.Contains(string(private), "memory") {
					w.t.Fatalf("private state is %s (%v)", private, err)
				}
				delete(i, "private")
				forgot = true
			}
		}
	}
	if !forgot {
		w.t.Fatal("the state has no deployment")
	}
	if text, err = json.Marshal(state); err != nil {
		w.t.Fatal(err)
	}
	write(w.t, path, string(text))
}

// Without a refresh nothing else would notice that another account answers.
func TestADeploymentIsNotDestroyedForAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config(w.base(""))
	v := vars{"token": newToken(t).Reveal()}
	w.apply(v)
	other := providertest.NewAccount(t)
	right := w.env
	w.env = append(append([]string{}, right...), "SCIMBRIDGE_ACCOUNT_URL="+other.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+other.Token)
	code, out := w.run(v, "destroy", "-refresh=false", "-auto-approve", "-no-color", "-input=false",
		"-target=scimbridge_deployment.bridge")
	if code == 0 {
		t.Error("the deployment was destroyed")
	}
	expectSaid(t, out, "Another account answers")
	w.bridge() // lives
	w.env = right
	w.destroy(v)
	if _, err := w.control().Status(t.Context()); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("after destroying: %v", err)
	}
}

// A sensitive variable marks the values that it gives, in the plan of an import too.
func TestAnImportWithASensitiveTokenChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := onlyHere.ReplaceAllString(strings.Replace(w.base(""), "ephemeral = true", "sensitive = true", 1), "")
	w.config(config)
	v := vars{"token": newToken(t).Reveal()}
	w.apply(v)
	w.plan(v).expectNoChanges(t)
	id := w.attribute("scimbridge_deployment.bridge", "id")
	if code, out := w.run(nil, "state", "rm", "scimbridge_deployment.bridge"); code != 0 {
		t.Fatal(out)
	}
	w.config(config + fmt.Sprintf("import {\n  to = scimbridge_deployment.bridge\n  id = %q\n}\n", id))
	if out := w.apply(v); !strings.Contains(out, "1 imported, 0 added, 0 changed, 0 destroyed") {
		t.Errorf("not a clean import:\n%s", out)
	}
	w.plan(v).expectNoChanges(t)
	w.destroy(v)
}

// unreachable keeps a bridge from signing in, and so on standby.
const unreachable = `    account_url = "http://127.0.0.1:1"`

// standbys are the sockets of the bridges on standby.
func (w *world) standbys() []string {
	sockets, _ := filepath.Glob(filepath.Join(w.dataDir, "control.[0-9]*.sock"))
	return sockets
}

func TestAnInterruptedUpdateLeavesTheOldBridge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config(w.base(""))
	v := vars{"token": newToken(t).Reveal()}
	w.apply(v)
	before := w.bridge()

	w.config(w.base(unreachable))
	out := w.stoppedApply(v, os.Interrupt, func() bool { return len(w.standbys()) > 0 })
	// In between is the step that was interrupted, if any.
	expectSaid(t, out, "The old bridge is still running: ", "the run was interrupted")
	if strings.Contains(out, "timed out") || strings.Contains(out, "in time") {
		t.Errorf("an interruption is called a time-out:\n%s", out)
	}
	if now := w.bridge(); now.PID != before.PID || now.State != control.Ready {
		t.Errorf("the bridge is %+v, before %+v", now, before)
	}
	if left := w.standbys(); len(left) > 0 {
		t.Errorf("still on standby: %v", left)
	}
	w.plan(v).expect(t, map[string]string{"scimbridge_deployment.bridge": "update"})
	w.config(w.base(""))
	w.plan(v).expectNoChanges(t)
	w.destroy(v)
}

func TestAKilledUpdateLeavesTheOldBridgeAndTheNextApplyCleansUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config(w.base(""))
	v := vars{"token": newToken(t).Reveal()}
	w.apply(v)
	before := w.bridge()

	w.config(w.base(unreachable))
	w.stoppedApply(v, os.Kill, func() bool { return len(w.standbys()) > 0 })
	if now := w.bridge(); now.PID != before.PID {
		t.Errorf("the bridge is %+v, before %+v", now, before)
	}
	if err := os.Remove(filepath.Join(w.dir, ".terraform.tfstate.lock.info")); err != nil &&
		!errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	w.config(strings.Replace(w.base(""), `"trace"`, `"debug"`, 1))
	w.apply(v)
	if left := w.standbys(); len(left) > 0 {
		t.Errorf("still on standby: %v", left)
	}
	w.plan(v).expectNoChanges(t)
	w.destroy(v)
}

func isUnreachable(p problem.Problem) bool { return p.Code == problem.AccountUnreachable }

func TestAnInterruptedCreateKeepsTheBridgeThatItMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config(w.base(unreachable))
	v := vars{"token": newToken(t).Reveal()}
	out := w.stoppedApply(v, os.Interrupt, func() bool {
		s, err := w.control().Status(context.Background())
		return err == nil && s.State == control.SigningIn && slices.ContainsFunc(s.Problems, isUnreachable)
	})
	expectSaid(t, out, "run was interrupted", "account_unreachable")
	before := w.bridge()
	w.config(w.base(""))
	w.plan(v).expect(t, map[string]string{"scimbridge_deployment.bridge": "update"})
	w.apply(v)
	if now := w.bridge(); now.Instance != before.Instance || now.State != control.Ready {
		t.Errorf("the bridge is %+v, before %+v", now, before)
	}
	w.destroy(v)
}

func TestATimeoutNamesItsArgument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := strings.Replace(w.base(unreachable), "  depends_on = [\n",
		"  timeouts   = { create = \"30s\" }\n  depends_on = [\n", 1)
	w.config(config)
	v := vars{"token": newToken(t).Reveal()}
	expectSaid(t, w.apply(v), "imed out after 30s (timeouts.create)")
	w.destroy(v)
}

// stoppedApply applies until reached, and then sends a signal to Terraform and
// its provider, as a terminal does.
func (w *world) stoppedApply(v vars, s os.Signal, reached func() bool) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, providertest.Terraform(w.t), "apply", "-auto-approve", "-no-color", "-input=false")
	cmd.Dir, cmd.Env = w.dir, append([]string{}, w.env...)
	for name, value := range v {
		cmd.Env = append(cmd.Env, fmt.Sprintf("TF_VAR_%s=%s", name, value))
	}
	var out lockedText
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	w.eventually("the apply has come far enough", func() (bool, string) {
		select {
		case err := <-ended:
			w.t.Fatalf("the apply has ended (%v):\n%s", err, out.String())
		default:
		}
		return reached(), out.String()
	})
	to := -cmd.Process.Pid
	if s == os.Interrupt { // Terraform alone hears it, and tells the provider
		to = cmd.Process.Pid
	}
	if err := syscall.Kill(to, s.(syscall.Signal)); err != nil {
		w.t.Fatal(err)
	}
	if err := <-ended; err == nil {
		w.t.Fatalf("a stopped apply ended well:\n%s", out.String())
	}
	return out.String()
}

// lockedText is an output that is read while it is written.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *lockedText) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *lockedText) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
