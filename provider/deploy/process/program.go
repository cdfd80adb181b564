package process

import (
	"context"
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// Source returns the configured program; empty for the provider's own.
func (t *Target) Source() string { return t.Binary }

// Program returns the program that Source names now.
func (t *Target) Program(ctx context.Context) (deploy.Program, error) {
	path, err := findBinary(t.Binary)
	if err != nil {
		return deploy.Program{}, &deploy.ArgumentError{Argument: "binary", Title: "Cannot find the program", Err: err}
	}
	sum, err := deploy.Digest(path)
	if err != nil {
		return deploy.Program{}, &deploy.ArgumentError{Argument: "binary", Title: "Cannot find the program", Err: err}
	}
	return deploy.Program{Configured: t.Binary, Digest: sum, Version: deploy.VersionOf(ctx, path)}, nil
}

// Fetch returns Program, which is on this machine.
func (t *Target) Fetch(ctx context.Context) (deploy.Program, error) { return t.Program(ctx) }

// Gap returns why the new bridge needs the old one stopped first: a port that the old one
// has under another address.
func (t *Target) Gap(before deploy.Target) string {
	old, ok := before.(*Target)
	if !ok || !overlaps(old.Listen, t.Listen) {
		return ""
	}
	return fmt.Sprintf("%s and %s have the same port, so the old one is stopped before the new one starts",
		old.Listen, t.Listen)
}

// Build returns the input of the revision: the program and the address to listen on.
func (t *Target) Build(digest string) string { return digest + " " + t.Listen }

// Keep makes Update run the copy of an earlier deployed program instead of Source.
func (t *Target) Keep(digest string) { t.kept = digest }

// programPath returns the path of the program to deploy.
func (t *Target) programPath() (string, error) {
	if t.kept != "" {
		path := t.program(t.kept)
		if sum, err := deploy.Digest(path); err != nil || sum != t.kept {
			return "", fmt.Errorf("the copy of the deployed program, %s, is missing or damaged: deploy another version",
				path)
		}
		return path, nil
	}
	return findBinary(t.Binary)
}

// digest returns the digest of the program to deploy.
func (t *Target) digest() (string, error) {
	path, err := t.programPath()
	if err != nil {
		return "", err
	}
	return deploy.Digest(path)
}
