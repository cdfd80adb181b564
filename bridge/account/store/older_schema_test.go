package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
)

// A backup is what one makes before an upgrade: it must not be the upgrade itself, under the old server. The restore
// brings the copy up to date.
func TestABackupOfAnOlderSchemaLeavesItAsItIs(t *testing.T) {
	t.Parallel()
	path, saved := filepath.Join(t.TempDir(), "account.db"), filepath.Join(t.TempDir(), "backup.db")
	makeOld(t, path, func(context.Context, *goose.Provider) error { return nil })
	n, err := Backup(t.Context(), "sqlite:"+path, saved, false, func(int64, int64) {})
	if err != nil || n.Older != beforeHolds || n.Account.Name != "Acme" || n.Bytes == 0 {
		t.Fatalf("it wrote %+v, %v", n, err)
	}
	for _, file := range []string{path, saved} {
		if have := versionOf(t, file); have != beforeHolds {
			t.Errorf("the schema of %s is version %d, want %d", filepath.Base(file), have, beforeHolds)
		}
	}
	there, found, err := ReadSecrets(t.Context(), path)
	if err != nil || !found || there.Account.Name != "Acme" || len(there.Tokens) != 1 || there.NextEpoch != 2 {
		t.Errorf("its secrets are %+v, %v", there, err)
	}
	restored := filepath.Join(t.TempDir(), "account.db")
	sizes := func(ctx context.Context, s *Store, _ []Fault) error {
		n, err := s.Sizes(ctx)
		if n.Members != 9 || n.People != 5 {
			return fmt.Errorf("it has %+v", n)
		}
		return err
	}
	if _, err := Restore(t.Context(), saved, restored, func(int64, int64) {}, sizes); err != nil {
		t.Fatal(err)
	}
	if have := versionOf(t, restored); have <= beforeHolds {
		t.Errorf("the restored schema is version %d", have)
	}
	if have := versionOf(t, saved); have != beforeHolds {
		t.Errorf("the restore changed the backup: version %d", have)
	}
}

func versionOf(t *testing.T, path string) int64 {
	t.Helper()
	c, err := newSQLiteConn(path, []string{"query_only(1)"})
	if err != nil {
		t.Fatal(err)
	}
	have, _, err := (&Tx{conn: c}).schemaVersion(t.Context())
	if err := errors.Join(err, c.close()); err != nil {
		t.Fatal(err)
	}
	return have
}

func TestABackupOfADamagedOlderSchemaIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	makeOld(t, path, func(context.Context, *goose.Provider) error { return nil })
	c, err := newSQLiteConn(path, []string{"foreign_keys(0)"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.run(`INSERT INTO memberships (group_id, member_id, by_scim) VALUES ('none', 'none', FALSE)`)
	if err := errors.Join(err, c.close()); err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "backup.db")
	if _, err := Backup(t.Context(), "sqlite:"+path, saved, false, func(int64, int64) {}); !errors.As(err,
		new(*DamageError)) {
		t.Errorf("it answered %v", err)
	}
}

// A file that a backup is to be made of is not made by that.
func TestABackupOfNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := Backup(t.Context(), "sqlite:"+filepath.Join(folder, "account.db"), filepath.Join(folder, "backup.db"),
		false, func(int64, int64) {})
	entries, failed := os.ReadDir(folder)
	if !errors.Is(err, os.ErrNotExist) || failed != nil || len(entries) > 0 {
		t.Errorf("%v; in the folder are %v (%v)", err, entries, failed)
	}
}

// What is not an account is not copied, and nothing is left beside it.
func TestABackupOfWhatIsNoAccount(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		make func(t *testing.T, path string)
	}{
		{"a text", func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, []byte("no database, but longer than its first bytes"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"a database without an account", func(t *testing.T, path string) {
			t.Helper()
			s, err := Open(t.Context(), "sqlite:"+path)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, "account.db")
		row.make(t, path)
		_, err := Backup(t.Context(), "sqlite:"+path, filepath.Join(folder, "backup.db"), false, func(int64, int64) {})
		if entries, failed := os.ReadDir(folder); !errors.Is(err, ErrNoBackup) || failed != nil || len(entries) != 1 {
			t.Errorf("%s: %v; in the folder are %v (%v)", row.name, err, entries, failed)
		}
	}
}

// An exchange that fails in the middle leaves the database where it was, with what belongs to it; and until the last
// step there is a database at its path.
func TestAnExchangeThatFailsLeavesTheDatabase(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "account.db")
	for _, end := range []string{"", "-wal", "-journal"} {
		if err := os.WriteFile(path+end, []byte("old"+end), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	aside, err := exchange(filepath.Join(folder, "nothing"), path, ".before-restore-", time.Now())
	if !errors.Is(err, os.ErrNotExist) || aside != nil {
		t.Errorf("it answered %v, %v", aside, err)
	}
	for _, end := range []string{"", "-wal", "-journal"} {
		if text, err := os.ReadFile(path + end); err != nil || string(text) != "old"+end {
			t.Errorf("account.db%s has %q (%v)", end, text, err)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 3 {
		t.Errorf("in the folder are %v (%v)", entries, err)
	}
	kept := path + ".kept"
	back, err := linkToNew(path, kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, kept} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("while it is kept: %v", err)
		}
	}
	if err := back(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("after it was taken back: %v", err)
	}
}
