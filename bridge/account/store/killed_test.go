package store_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// stoppedEnv makes this test program a process that stops in the middle of a backup or a restore. It has the folder.
const stoppedEnv = "SCIMBRIDGE_STORE_TEST_STOPPED"

// TestStopped is that process, and nothing otherwise.
func TestStopped(t *testing.T) {
	folder, name := os.Getenv(stoppedEnv), os.Getenv(stoppedEnv+"_AT")
	if folder == "" {
		return
	}
	stop := func() {
		_, _ = os.Stdout.WriteString("stopped\n")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends, if it does not kill this process
		os.Exit(1)
	}
	path, saved := filepath.Join(folder, "account.db"), filepath.Join(folder, "backup.db")
	var err error
	switch name {
	case "backup":
		_, err = store.Backup(t.Context(), "sqlite:"+path, saved, true, func(int64, int64) { stop() })
	case "copy":
		_, err = store.Restore(t.Context(), saved, path, func(int64, int64) { stop() }, nothingMore)
	case "finish":
		_, err = store.Restore(t.Context(), saved, path, noProgress, func(
			context.Context, *store.Store, []store.Fault,
		) error {
			stop()
			return nil
		})
	}
	t.Fatalf("it did not stop: %v", err)
}

// A process that is killed in the middle leaves the database and the backup as they were, and the next one goes
// through and removes what the killed one has left.
func TestAKilledBackupOrRestoreHarmsNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, at, work string }{
		{"a backup while it copies", "backup", ".scim-bridge-backup-*"},
		{"a restore while it copies", "copy", ".scim-bridge-restore-*"},
		{"a restore when the copy is complete", "finish", ".scim-bridge-restore-*"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path, saved := filepath.Join(folder, "account.db"), filepath.Join(folder, "backup.db")
			s := newDatabase(t, path)
			backup(t, s, saved)
			write(t, s, `INSERT INTO signup_domains (domain, created_at) VALUES ('later', 0)`)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			before := contents(t, path, saved)
			killStopped(t, folder, row.at)
			if after := contents(t, path, saved); after != before {
				t.Error("the database or the backup was changed")
			}
			left, err := filepath.Glob(filepath.Join(folder, row.work))
			if err != nil || len(left) != 1 {
				t.Fatalf("left are %v (%v)", left, err)
			}
			yesterday := time.Now().Add(-25 * time.Hour)
			if err := os.Chtimes(left[0], yesterday, yesterday); err != nil {
				t.Fatal(err)
			}
			want := "later"
			if row.at == "backup" {
				_, err = store.Backup(t.Context(), "sqlite:"+path, saved, true, noProgress)
			} else {
				want = ""
				_, err = store.Restore(t.Context(), saved, path, noProgress, nothingMore)
			}
			if err != nil {
				t.Fatal(err)
			}
			if left, err := filepath.Glob(filepath.Join(folder, ".*")); err != nil || len(left) > 0 {
				t.Errorf("left after the next one are %v (%v)", left, err)
			}
			s = openAt(t, path)
			if faults, err := s.Check(t.Context()); err != nil || len(faults) > 0 {
				t.Errorf("found %v (%v)", faults, err)
			}
			var domains string
			err = s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return tx.QueryRow(ctx, `SELECT COALESCE(group_concat(domain), '') FROM signup_domains`).Scan(&domains)
			})
			if err != nil || domains != want {
				t.Errorf("the database has %q (%v), want %q", domains, err, want)
			}
		})
	}
}

// killStopped runs TestStopped and kills it where it stops.
func killStopped(t *testing.T, folder, at string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStopped$")
	cmd.Env = append(os.Environ(), stoppedEnv+"="+folder, stoppedEnv+"_AT="+at)
	killWhenStopped(t, cmd)
}

// killWhenStopped starts a process, and kills it when it says that it has stopped.
func killWhenStopped(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stderr = os.Stderr
	_, errIn := cmd.StdinPipe()
	out, err := cmd.StdoutPipe()
	if err := errors.Join(errIn, err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	killed := cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	if err != nil || killed != nil || line != "stopped\n" {
		t.Fatalf("it said %q (%v, %v)", line, err, killed)
	}
}

func contents(t *testing.T, paths ...string) (all string) {
	t.Helper()
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	return all
}
