package process

import (
	"context"
	"os/exec"
	"regexp"
	"time"
)

// A Program is a bridge that can be deployed.
type Program struct {
	// Configured is Target.Binary; empty for the one that comes with the provider.
	Configured string `json:"configured,omitempty"`
	Digest     string `json:"digest"` // SHA-256, in hex
	// Version is what the program says of itself; empty if it does not.
	Version string `json:"version"`
}

// Program is what would be deployed, as it is now.
func (t *Target) Program(ctx context.Context) (Program, error) {
	path, err := t.source()
	if err != nil {
		return Program{}, err
	}
	sum, err := digest(path)
	return Program{Configured: t.Binary, Digest: sum, Version: versionOf(ctx, path)}, err
}

var versionLine = regexp.MustCompile(`^scim-bridge (\S+)\n`)

// versionOf asks a program for its version. No answer is no fault: that it
// cannot run is told when it is deployed.
func versionOf(ctx context.Context, program string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "version")
	cmd.Env = []string{} // tokens stand in ours
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	said := versionLine.FindSubmatch(out)
	if err != nil || said == nil {
		return ""
	}
	return string(said[1])
}

// BuildOf is what Build returns for a program with that digest.
func (t *Target) BuildOf(digest string) string { return digest + " " + t.Listen }
