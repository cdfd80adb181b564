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
// become the name of a folder, and stand in every message about it.
func checkDataDir(path string) error {
	if session.Misplaced(path) {
		return errors.New("DATA_DIR holds a secret or some other text instead of a folder's name; " +
			"secrets are read from files or from standard input")
	}
	return nil
}

// closeToOthers takes from others what they may do with a file that holds
// secrets, and says so; a file that cannot be closed is refused. What a group
// may do is left: that is how secrets are mounted for a service.
func closeToOthers(setting, path string, say func(string)) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil //nolint:nilerr // a file that is not there is for its reader to report
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o007 == 0 {
		return nil // root would close /dev/null to the whole machine
	}
	closed := info.Mode().Perm() &^ 0o007
	if err := os.Chmod(path, closed); err != nil {
		return fmt.Errorf("%s: everybody on this machine can use the file %q (mode %04o), "+
			"and it could not be closed to them: %w: run chmod o-rwx on it; if it is a mounted secret, "+
			"give it a mode such as 0440 where it is mounted (defaultMode in Kubernetes, mode in Compose)",
			setting, path, info.Mode().Perm(), durable.Reason(err))
	}
	say(fmt.Sprintf("%s: everybody on this machine could use the file %q (mode %04o); now its mode is %04o. "+
		"If somebody may have read it, replace what is in it", setting, path, info.Mode().Perm(), closed))
	return nil
}

// toStandardError says something in a command of the terminal.
func toStandardError(text string) { fmt.Fprintln(os.Stderr, "scim-bridge: "+text) }

// readSecret reads a file that holds one token; no path is no secret.
func readSecret(setting, path string, say func(string)) (secret.String, error) {
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
	if !strings.Contains(trimmed, "\n") { // else it is no token, and another file was named by mistake
		err = closeToOthers(setting, kong.ExpandPath(path), say)
	}
	return secret.New(trimmed), err
}

// isDatabase reports whether a file begins as SQLite's do. It must not be
// asked of one that this process has open, whose locks would be lost.
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
