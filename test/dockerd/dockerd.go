//go:build engines

package dockerd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Gateway is this machine's address in the containers' network.
const Gateway = "10.199.0.1"

// Patience bounds every wait; only what is broken reaches it.
const Patience = 4 * time.Minute

// Group is above the containers' control groups; the script .ci/engines removes it.
const Group = "/scimbridge-engines"

// Await polls until ok, and fails the test if that takes too long.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out after %s waiting for: %s", Patience, what)
		}
		<-tick.C
	}
}

// InNamespaces fails unless the engines' folders are private to these tests.
func InNamespaces(t testing.TB) {
	t.Helper()
	if _, err := os.Stat("/run/tmp"); err != nil || os.Getpid() != 1 {
		t.Fatal("these tests are run by `make test-engines`, in namespaces of their own")
	}
}

// Start starts a Docker Engine with its own defaults, which are private here: the script .ci/engines says how. It ends
// with the test.
func Start(t testing.TB) {
	t.Helper()
	InNamespaces(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "dockerd.log"))
	if err != nil {
		t.Fatal(err)
	}
	engine := exec.CommandContext(context.WithoutCancel(t.Context()), "dockerd", "--log-level", "warn",
		"--bip", Gateway+"/24", "--cgroup-parent", Group)
	engine.Stdout, engine.Stderr = file, file
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = engine.Process.Signal(syscall.SIGTERM)
		_ = engine.Wait()
		if log, err := os.ReadFile(file.Name()); t.Failed() && err == nil {
			t.Logf("log of dockerd:\n%s", log)
		}
	})
	Await(t, "the Docker Engine", func() bool {
		return exec.CommandContext(t.Context(), "docker", "version").Run() == nil
	})
}

// Try runs docker and returns what it said on both outputs.
func Try(t testing.TB, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Run runs docker, which must succeed.
func Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := Try(t, args...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}
