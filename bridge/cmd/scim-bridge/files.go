package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// checkDataDir refuses a secret in place of the data folder's name: it would
// become the name of a folder and appear in every message about it.
func checkDataDir(path string) error {
	if session.Misplaced(path) {
		return errors.New("DATA_DIR is a secret or other text instead of a folder's name; " +
			"secrets are read from files or from standard input")
	}
	return nil
}

// closeToOthers removes the permissions of other users from a file that holds
// secrets, and reports that; if it cannot, the file is refused. The group's
// permissions stay: secrets are often mounted for a service's group.
func closeToOthers(setting, path string, say func(string)) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil //nolint:nilerr // a missing file is reported when it is read
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o007 == 0 {
		return nil // as root this would change /dev/null for the whole machine
	}
	closed := info.Mode().Perm() &^ 0o007
	if err := os.Chmod(path, closed); err != nil {
		return fmt.Errorf("%s: every user of this machine can access the file %q (mode %04o), "+
			"and the mode could not be changed: %w: run chmod o-rwx on it; if it is a mounted secret, "+
			"set a mode such as 0440 where it is mounted (defaultMode in Kubernetes, mode in Compose)",
			setting, path, info.Mode().Perm(), durable.Reason(err))
	}
	say(fmt.Sprintf("%s: every user of this machine could access the file %q (mode %04o); its mode is now %04o. "+
		"Replace the secret if it may have been read", setting, path, info.Mode().Perm(), closed))
	return nil
}

// toStandardError prints a warning of a command.
func toStandardError(text string) { fmt.Fprintln(os.Stderr, "scim-bridge: "+text) }

// readSecret reads a file that holds one token. Without a path the secret is empty.
func readSecret(setting, path string, say func(string)) (secret.String, error) {
	return readSecretUpTo(4<<10, setting, path, say)
}

// readSecretUpTo is readSecret with a limit in bytes.
func readSecretUpTo(limit int64, setting, path string, say func(string)) (secret.String, error) {
	if path == "" {
		return secret.String{}, nil
	}
	text, err := durable.ReadFile(kong.ExpandPath(path), limit)
	if err != nil {
		return secret.String{}, session.FileError(setting, path, err)
	}
	trimmed := strings.TrimSpace(string(text))
	if trimmed == "" {
		return secret.String{}, fmt.Errorf("%s: the file %q is empty", setting, path)
	}
	if !strings.Contains(trimmed, "\n") { // more than one line is no token: another file was named by mistake
		err = closeToOthers(setting, kong.ExpandPath(path), say)
	}
	return secret.New(trimmed), err
}

// isDatabase reports whether a file is a SQLite database. It must not be called
// for one that this process has open: closing the file would drop SQLite's locks.
func isDatabase(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == magic
}
