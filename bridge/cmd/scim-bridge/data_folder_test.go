//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A user that can write to the data folder, or to a folder above it, gives the bridge
// another session or control socket.
func TestServeRefusesADataFolderThatOthersMayWrite(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		above, dir os.FileMode
		foreign    bool // the folder above is another user's
		want       string
	}{
		{"all users may write to it", 0o755, 0o777, false, "run chmod go-w"},
		{"a group may write to it", 0o755, 0o770, false, "run chmod go-w"},
		{"all users may write to it, as in /tmp", 0o755, 0o777 | os.ModeSticky, false, "run chmod go-w"},
		{"all users may write above it", 0o777, 0o700, false, "run chmod go-w"},
		{"it lies below another user's folder", 0o755, 0o700, true,
			"choose a --data-dir below folders of this user or of root"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			above := filepath.Join(t.TempDir(), "above")
			dir := filepath.Join(above, "bridge")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for path, mode := range map[string]os.FileMode{dir: row.dir, above: row.above} {
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			if row.foreign {
				if os.Geteuid() != 0 {
					return // datadir's own tests use another user
				}
				if err := os.Chown(above, 65534, -1); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			cmd := exec.CommandContext(ctx, "scim-bridge", "serve", "--listen", "127.0.0.1:0", "--data-dir", dir)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), row.want) ||
				!strings.Contains(string(out), above) {
				t.Errorf("got %v: %s", err, out)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("it made %v all the same", left)
			}
		})
	}
}

func TestAContainersVolumeThatIsOpenIsSaidAndServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	warning, err := checkPrivateFolder(dir, 1)
	if err != nil || !strings.Contains(warning, "users other than its owner can write") {
		t.Errorf("the first process of a container: %q, %v", warning, err)
	}
	if _, err := checkPrivateFolder(dir, 2); err == nil {
		t.Error("another process is not refused")
	}
}
