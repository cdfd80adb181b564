//go:build engines

package engines

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/test/dockerd"
)

// top is the repository.
const top = "../.."

// The engine, and what the tests of the other engines share with it.
const (
	patience = dockerd.Patience
	group    = dockerd.Group
	gateway  = dockerd.Gateway
)

var (
	startDocker  = dockerd.Start
	docker       = dockerd.Run
	try          = dockerd.Try
	await        = dockerd.Await
	inNamespaces = dockerd.InNamespaces
)

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
