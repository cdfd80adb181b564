package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	module       = "github.com/scimbridge/terraform-provider-scimbridge"
	bridgeBinary = "scim-bridge"

	// mirror is the folder of providers within the one of binaries.
	mirror   = "providers"
	provider = "registry.terraform.io/scimbridge/scimbridge/0.0.1/" + runtime.GOOS + "_" + runtime.GOARCH +
		"/terraform-provider-scimbridge_v0.0.1"
)

// build builds both binaries as they ship, or the provider with the profiler
// laid over it, and returns their folder.
func build(ctx context.Context, folder string, profiled bool) (string, error) {
	bin := filepath.Join(folder, "bin")
	if err := goBuild(ctx, filepath.Join(bin, bridgeBinary), module+"/bridge/cmd/scim-bridge"); err != nil {
		return "", err
	}
	var flags []string
	if profiled {
		overlay, err := profileOverlay(ctx, folder)
		if err != nil {
			return "", err
		}
		flags = []string{"-overlay", overlay}
	}
	return bin, goBuild(ctx, filepath.Join(bin, mirror, filepath.FromSlash(provider)), module, flags...)
}

func goBuild(ctx context.Context, binary, source string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-trimpath", "-o", binary}, flags...),
		source)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", source, err, out)
	}
	return nil
}

//go:embed profile.go.txt
var profileSource []byte

// profileOverlay writes what `go build -overlay` wants: one file more, and a
// main that calls it, seen by this build alone.
func profileOverlay(ctx context.Context, folder string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("finding the provider's sources: %w", err)
	}
	root := strings.TrimSpace(string(out))
	original, err := os.ReadFile(filepath.Join(root, "main.go"))
	if err != nil {
		return "", err
	}
	const begin = "func main() {\n"
	profiled := bytes.Replace(original, []byte(begin), []byte(begin+"\tdefer profile()()\n"), 1)
	if bytes.Equal(profiled, original) {
		return "", fmt.Errorf("main.go of the provider has no %q to profile", begin)
	}
	replace := make(map[string]string)
	for name, text := range map[string][]byte{"main.go": profiled, "profile.go": profileSource} {
		replace[filepath.Join(root, name)] = filepath.Join(folder, name)
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(folder, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
