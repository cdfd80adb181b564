package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
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

// What make builds is what a release has: the settings are written down in GNUmakefile and in .goreleaser.yml.
func TestAReleaseIsBuiltAsMakeBuilds(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(".goreleaser.yml")
	if err != nil {
		t.Fatal(err)
	}
	var release struct {
		Builds []struct {
			ID, Main            string
			Env, Flags, Ldflags []string
		}
	}
	if err := yaml.Unmarshal(text, &release); err != nil {
		t.Fatal(err)
	}
	if len(release.Builds) != 2 {
		t.Fatalf("a release has %d builds, want provider and bridge", len(release.Builds))
	}
	cgo := asked(t, "show-cgo", "--eval=show-cgo: ; @echo CGO_ENABLED=$$CGO_ENABLED")
	command := asked(t, "build", "--dry-run", "VERSION={{ .Version }}", "COMMIT={{ .FullCommit }}")
	_, command, _ = strings.Cut(command, "go build ")
	for _, build := range release.Builds {
		flags := strings.Join(build.Flags, " ") + " -ldflags '" + strings.Join(build.Ldflags, " ") + "' -o bin/ "
		if !strings.HasPrefix(command, flags) {
			t.Errorf("the release builds %s by\n%s\nmake builds by\n%s", build.ID, flags, command)
		}
		if !slices.Contains(strings.Fields(command), build.Main) {
			t.Errorf("make does not build %s, which a release has", build.Main)
		}
		if !slices.Equal(build.Env, []string{cgo}) {
			t.Errorf("the release builds %s with %q, make with %s", build.ID, build.Env, cgo)
		}
	}
}

// asked returns what make prints for a target, with nothing set by a make that runs this test.
func asked(t *testing.T, target string, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", append([]string{"--no-print-directory", target}, arguments...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasPrefix(name, "MAKE") || name == "MFLAGS" || name == "CGO_ENABLED"
	})
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("make %s: %v", target, err)
	}
	return strings.TrimSpace(string(out))
}
