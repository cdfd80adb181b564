package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// checkDataDir refuses a secret in place of the data folder's name: it would
// become the name of a folder, and stand in every message about it.
func checkDataDir(path string) error {
	if session.Misplaced(path) {
		return errors.New("DATA_DIR holds a secret or some other text instead of a folder's name; secrets are read from files or from standard input")
	}
	return nil
}

// readSecret reads a file that holds one token; no path is no secret.
func readSecret(setting, path string) (secret.String, error) {
	if path == "" {
		return secret.String{}, nil
	}
	text, err := durable.ReadFile(kong.ExpandPath(path), 4<<10)
	if err != nil {
		return secret.String{}, session.FileError(setting, path, err)
	}
	trimmed := strings.TrimSpace(string(text))
	if trimmed == "" {
		return secret.String{}, fmt.Errorf("%s: the file %q is empty", setting, path)
	}
	return secret.New(trimmed), nil
}
