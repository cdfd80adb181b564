//go:build engines

package engines

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// top is the repository.
const top = "../.."

// patience bounds every wait; only what is broken reaches it.
const patience = 4 * time.Minute

// group is above the containers' control groups; the script .ci/engines removes it.
const group = "/scimbridge-engines"

// await polls until ok, and fails the test if that takes too long.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out after %s waiting for: %s", patience, what)
		}
		<-tick.C
	}
}

// inNamespaces fails unless the engines' folders are private to these tests.
func inNamespaces(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/run/tmp"); err != nil || os.Getpid() != 1 {
		t.Fatal("these tests are run by `make test-engines`, in namespaces of their own")
	}
}

// startDocker starts a Docker Engine with its own defaults, which are private here: the script .ci/engines says how.
func startDocker(t *testing.T) {
	t.Helper()
	inNamespaces(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "dockerd.log"))
	if err != nil {
		t.Fatal(err)
	}
	engine := exec.CommandContext(context.WithoutCancel(t.Context()), "dockerd", "--log-level", "warn",
		"--bip", gateway+"/24", "--cgroup-parent", group)
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
	await(t, "the Docker Engine", func() bool {
		return exec.CommandContext(t.Context(), "docker", "version").Run() == nil
	})
}

// try runs docker and returns what it said on both outputs.
func try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// docker runs docker, which must succeed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := try(t, args...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// start starts a container that is removed when the test ends.
func start(t *testing.T, name string, args ...string) {
	t.Helper()
	t.Cleanup(func() {
		if log, _ := try(t, "logs", name); t.Failed() {
			t.Logf("log of %s:\n%s", name, log)
		}
		docker(t, "rm", "--force", "--volumes", name)
	})
	docker(t, append([]string{"run", "--detach", "--name", name, "--read-only", "--cap-drop", "ALL",
		"--security-opt", "no-new-privileges"}, args...)...)
}

// awaitHealth waits until the engine's health check says so.
func awaitHealth(t *testing.T, container, want string) {
	t.Helper()
	await(t, container+" to be "+want, func() bool {
		state := docker(t, "inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", container)
		if strings.HasPrefix(state, "exited") {
			t.Fatalf("%s has ended:\n%s", container, docker(t, "logs", container))
		}
		return state == "running "+want
	})
}

// version is that of the image that was built, as its files have it in their names.
func version(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, "bin/image/scim-bridge_*_image_oci.tar"))
	if err != nil || len(files) != 1 {
		t.Fatalf("found %q, %v: run `make image`", files, err)
	}
	name := strings.TrimPrefix(filepath.Base(files[0]), "scim-bridge_")
	return strings.TrimSuffix(name, "_image_oci.tar")
}

// archive is the file of the image for this machine's platform.
func archive(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("scim-bridge_%s_image_linux_%s.tar", version(t), runtime.GOARCH)
	path, err := filepath.Abs(filepath.Join(top, "bin/image", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// image is the name of the image once it is loaded.
func image(t *testing.T) string {
	t.Helper()
	return "scim-bridge:" + strings.ReplaceAll(version(t), "+", "_")
}
