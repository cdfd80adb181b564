//go:build engines

package engines

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// The same deployment over Podman's socket.
func TestPodmanTarget(t *testing.T) {
	useProgram(t)
	inNamespaces(t)
	const socket = "/run/podman-target.sock"
	service := exec.CommandContext(context.WithoutCancel(t.Context()), "podman", "system", "service", "--time", "0",
		"unix://"+socket)
	service.Env = append(os.Environ(), "CONTAINERS_CONF="+podmanConfig(t))
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = service.Process.Kill()
		_ = service.Wait()
	})
	await(t, "podman's socket", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	d := newDeployment(t, "podman")
	d.host = "unix://" + socket
	d.config.Host = &d.host
	state := d.create()
	if state.Status() != deploy.Ready || len(state.Drift) != 0 || state.Lost != "" ||
		state.Spec.Session != d.spec.Session {
		t.Errorf("it is %+v", state)
	}
	d.spec.Settings.LogLevel = "debug"
	if state = d.update(); state.Spec.Settings.LogLevel != "debug" || len(state.Drift) != 0 {
		t.Errorf("with a changed setting it is %+v", state)
	}
	d.monitor(anotherMonitoringToken)
	if state = d.update(); len(state.Drift) != 0 { // the running bridge says that it uses it
		t.Errorf("with another monitoring token it is %+v", state)
	}
	podman := startPodman(t)
	if out, err := podman("stop", "podman"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if state = d.observe(); state.Status() != deploy.Stopped {
		t.Errorf("stopped it is %+v", state)
	}
	d.update()
	if out, err := podman("inspect", "podman"); err != nil || strings.Contains(out, d.token.Reveal()) ||
		strings.Contains(out, d.spec.Session) || strings.Contains(out, anotherMonitoringToken) {
		t.Errorf("podman inspect shows a secret (%v)", err)
	}
	if err := d.target().Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out, err := podman("ps", "--all", "--quiet"); err != nil || out != "" {
		t.Errorf("what is left: %v %s", err, out)
	}
	if out, err := podman("volume", "ls", "--quiet"); err != nil || out != "" {
		t.Errorf("volumes that are left: %v %s", err, out)
	}
}
