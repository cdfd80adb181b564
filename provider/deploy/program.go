package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// BinaryVariable names the program to deploy, for development, before those that come with
// the provider.
const BinaryVariable = "SCIMBRIDGE_BRIDGE_BINARY"

// BundledPrograms returns where the bridge's program for a platform may be that comes with
// the provider, best first. It may be at none of them.
func BundledPrograms(goos, goarch string) (paths []string) {
	if path := os.Getenv(BinaryVariable); path != "" {
		paths = append(paths, path)
	}
	if self, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(self); err == nil {
			self = target
		}
		paths = append(paths, ProgramsBeside(self, goos, goarch)...)
	}
	return paths
}

// ProgramsBeside returns where the program for a platform may be in the provider's folder: a
// release's archive has it under a name with the platform, since it has those of other
// platforms too; a build from source has it under its own.
func ProgramsBeside(provider, goos, goarch string) []string {
	path := filepath.Join(filepath.Dir(provider), "scim-bridge")
	return []string{path + "_" + goos + "_" + goarch, path}
}

// Digest returns the SHA-256 of a file in hex.
func Digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

var versionLine = regexp.MustCompile(`^scim-bridge (\S+)\n`)

// VersionOf returns the version that a program reports; empty if it fails. A program that
// cannot run is an error when it is deployed.
func VersionOf(ctx context.Context, program string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "version")
	cmd.Env = []string{} // ours contains tokens
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	match := versionLine.FindSubmatch(out)
	if err != nil || match == nil {
		return ""
	}
	return string(match[1])
}
