package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// fullLogs are a log that is about to reach its size, and five that were set
// aside before.
func fullLogs(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "scim.log")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 16<<20-10), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, day := range []string{"01", "02", "03", "04", "05"} {
		if err := os.WriteFile(filepath.Join(dir, "scim-2026-01-"+day+"T00-00-00.000-size.log"),
			nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// wasSetAside waits until the log was, and checks that what is left is bounded
// and its owner's alone.
func wasSetAside(t *testing.T, path, line string) {
	t.Helper()
	await(t, "the log to be set aside", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && len(text) < 1<<20 && bytes.Contains(text, []byte(line))
	})
	var files []string
	await(t, "old logs to be removed", func() bool {
		var err error
		if files, err = filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil {
			t.Fatal(err)
		}
		return len(files) == 4
	})
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", file, info, err)
		}
		if strings.Contains(file, "2026-01-01") {
			t.Errorf("of %q, the oldest stayed", files)
		}
	}
}

// A process that is never restarted must not fill the disk with its log.
func TestTheLogIsSetAsideAtItsSize(t *testing.T) {
	t.Parallel()
	t.Run("by the bridge", func(t *testing.T) {
		t.Parallel()
		path := fullLogs(t)
		b := serve(t, folder(t, newAccount(t).activate().sealed), "--log-file", path)
		b.awaitState(control.Sealed)
		wasSetAside(t, path, "listening: address=")
		if text := b.logText(); text != "" {
			t.Errorf("standard error has\n%s", text)
		}
		// What cannot be logged stays visible there.
		if err := b.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		<-b.ended
		if text := b.logText(); !strings.Contains(text, "SIGQUIT") || !strings.Contains(text, "goroutine 1 ") {
			t.Errorf("of a crash, standard error has\n%s", text)
		}
	})
	t.Run("by the account", func(t *testing.T) {
		t.Parallel()
		path, database := fullLogs(t), filepath.Join(t.TempDir(), "account.db")
		output(t, "account", "init", "--database", "sqlite:"+database, "--name", "Test")
		cmd := exec.CommandContext(t.Context(), "scim-bridge", "account", "serve", "--database", "sqlite:"+database,
			"--listen", "127.0.0.1:0", "--log-file", path)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Wait()
			if stderr.Len() > 0 {
				t.Errorf("standard error has\n%s", stderr.String())
			}
		})
		wasSetAside(t, path, "listening: address=")
	})
}
