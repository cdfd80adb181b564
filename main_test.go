package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// One setting of the linker makes the version of both programs.
func TestTheVersionHasOneSource(t *testing.T) {
	t.Parallel()
	const version = "9.8.7-test"
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin,
		"-ldflags", "-X github.com/scimbridge/terraform-provider-scimbridge/bridge/build.Version="+version, ".",
		"./bridge/cmd/scim-bridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, program := range []string{"terraform-provider-scimbridge", "scim-bridge"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(bin, program), "--version").Output()
		if first, _, _ := strings.Cut(string(out), "\n"); err != nil || first != program+" "+version {
			t.Errorf("%s --version: %q, %v", program, out, err)
		}
	}
}
