//go:build engines

package engines

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// compiler stands in for the Go compiler of the base image: it hands out the program that was built before, for the
// right command line. The base image cannot be fetched here.
const compiler = `#!/bin/sh
set -eu
case "$*" in
"mod download") exit 0 ;;
"build -trimpath -buildvcs=false -o /image/usr/bin/scim-bridge -ldflags "*" ./bridge/cmd/scim-bridge")
	test "$CGO_ENABLED" = 0
	test -f go.mod && test -f bridge/cmd/scim-bridge/main.go
	mkdir -p /image/usr/bin
	cp /scim-bridge /image/usr/bin/scim-bridge ;;
*) echo "go $*: not expected"; exit 1 ;;
esac
`

// The Containerfile is built by the engine, over a stand-in for its base image that is made of this machine's shell.
func testContainerfile(t *testing.T, released string) {
	base := t.TempDir()
	for _, folder := range []string{"bin", "usr/local/go/bin", "tmp"} {
		if err := os.MkdirAll(filepath.Join(base, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(base, "usr/local/go/bin/go"), []byte(compiler), 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "cp", filepath.Join(top, "bin/linux_"+runtime.GOARCH, "scim-bridge"), base)
	for _, program := range []string{"sh", "cp", "mkdir", "test"} {
		copyWithLibraries(t, base, program)
	}
	archive := filepath.Join(t.TempDir(), "base.tar")
	command(t, "tar", "-C", base, "-cf", archive, ".")
	docker(t, "import", "--change", "ENV PATH=/usr/local/go/bin:/bin", archive, "golang:1.26")

	want := inspect(t, released)
	docker(t, "build", "--file", filepath.Join(top, "Containerfile"), "--tag", "built",
		"--build-arg", "VERSION="+want.Config.Labels["org.opencontainers.image.version"],
		"--build-arg", "COMMIT="+want.Config.Labels["org.opencontainers.image.revision"], top)
	got := inspect(t, "built")
	delete(want.Config.Labels, "org.opencontainers.image.created") // the engine's images have their own time
	if !reflect.DeepEqual(got.Config, want.Config) {
		t.Errorf("the Containerfile makes %+v, and a release has %+v", got.Config, want.Config)
	}
	start(t, "built", "--health-interval", "1s", "--volume", "/var/lib/scim-bridge",
		"built", "serve", "--insecure-http")
	awaitHealth(t, "built", "healthy")
}

// copyWithLibraries copies a program of this machine and what it is linked with.
func copyWithLibraries(t *testing.T, base, program string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	command(t, "cp", "-L", path, filepath.Join(base, "bin", program))
	for _, word := range strings.Fields(command(t, "ldd", path)) {
		if strings.HasPrefix(word, "/") {
			command(t, "mkdir", "-p", filepath.Join(base, filepath.Dir(word)))
			command(t, "cp", "-L", word, filepath.Join(base, word))
		}
	}
}

// command runs a program of this machine.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
