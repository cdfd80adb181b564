//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// What others can read is closed to them, and that is said.
func TestFilesWithSecretsAreClosedToOthers(t *testing.T) {
	t.Parallel()
	mode := func(path string) os.FileMode {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	dir := t.TempDir()
	database := filepath.Join(dir, "account.db")
	account := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "scim-bridge",
			append(append([]string{"account"}, args...), "--database",
				"sqlite:"+database)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		return string(out)
	}
	account("init", "--name", "Acme")
	if out := account("token", "list"); strings.Contains(out, "every user") {
		t.Errorf("of a database that is closed: %s", out)
	}
	if err := os.Chmod(database, 0o664); err != nil {
		t.Fatal(err)
	}
	if out := account("token", "list"); !strings.Contains(out, "every user of this machine could access the file") ||
		mode(database) != 0o660 {
		t.Errorf("the mode is %04o, and it said: %s", mode(database), out)
	}

	pair := newAccount(t).activate()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(pair.token.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	b := serve(t, folder(t, pair.sealed), "--unseal-token-file", token)
	b.awaitState(control.Ready)
	if !strings.Contains(b.logText(), "every user of this machine could access the file") || mode(token) != 0o640 {
		t.Errorf("the mode is %04o, and the log has:\n%s", mode(token), b.logText())
	}
}

// Other processes use a pipe, /dev/stdin and /dev/null too: as root, changing the
// mode of /dev/null would break the whole machine.
func TestWhatIsNoFileKeepsItsMode(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(pipe, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := closeToOthers("--token-file", pipe, func(text string) { t.Error(text) }); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(pipe); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("its mode is %s now (%v)", info.Mode(), err)
	}
}

// A wrong file, named by a typing error, stays as it was: without
// /etc/passwd, for instance, no other user can work on the machine.
func TestAFileThatHoldsNoSecretKeepsItsMode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, use := range map[string]func(path string) error{
		"two lines as a token": func(path string) error {
			_, err := readSecret("--token-file", path, func(text string) { t.Error(text) })
			return err
		},
		"a text as a database": func(path string) error { return database{"sqlite:" + path}.exists() },
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, []byte("root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n"),
			0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := use(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: its mode is %s now (%v)", name, info.Mode(), err)
		}
	}
}
