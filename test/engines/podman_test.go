//go:build engines

package engines

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Podman loads the same file, keeps its health check, and runs it as Docker does. The layout for all platforms gives it
// the same image by the same name.
func TestPodman(t *testing.T) {
	inNamespaces(t)
	podman := startPodman(t)
	image := "localhost/" + image(t)
	must := func(args ...string) string {
		t.Helper()
		out, err := podman(args...)
		if err != nil {
			t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	for _, file := range []string{"oci", "linux_" + runtime.GOARCH} {
		path := filepath.Join(filepath.Dir(archive(t)), "scim-bridge_"+version(t)+"_image_"+file+".tar")
		if out := must("load", "--input", path); !strings.Contains(out, image) {
			t.Fatalf("loading %s gives\n%s", path, out)
		}
		if out := must("run", "--rm", "--cgroup-parent", group, image, "version"); !strings.Contains(out, version(t)) {
			t.Errorf("the image of %s says\n%s", path, out)
		}
		if file == "oci" {
			must("rmi", image)
		}
	}
	must("run", "--detach", "--name", "bridge", "--cgroup-parent", group, "--read-only", "--read-only-tmpfs=false",
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "host",
		"--volume", "bridge:/var/lib/scim-bridge", image, "dev", "--data-dir", "dev", "--listen", "127.0.0.1:9000")
	t.Cleanup(func() { _, _ = podman("rm", "--force", "--volumes", "bridge") })
	await(t, "Podman's health check", func() bool { // without systemd it has no timer
		_, err := podman("healthcheck", "run", "bridge")
		return err == nil
	})
	how := must("inspect", "--format",
		"{{.State.Health.Status}} {{.Config.User}} {{.HostConfig.ReadonlyRootfs}}", "bridge")
	if how != "healthy 65532:65532 true" {
		t.Errorf("it runs as %q", how)
	}
}

// podmanConfig makes a configuration for what this machine may lack, systemd and the right to raise limits.
func podmanConfig(t *testing.T) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "containers.conf")
	text := "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=20000:20000\"]\n" +
		"[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// startPodman returns podman.
func startPodman(t *testing.T) func(args ...string) (string, error) {
	t.Helper()
	config := podmanConfig(t)
	return func(args ...string) (string, error) {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "podman", args...)
		cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+config)
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
}
