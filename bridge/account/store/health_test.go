package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// openAt opens a database whose files a test does harm to: closing it may fail.
func openAt(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestNothingIsAcknowledgedThatGoesToAFileWhichIsGone(t *testing.T) {
	t.Parallel()
	move := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name string
		harm func(t *testing.T, path string)
		cure func(t *testing.T, path string) // nil: none without a restart
	}{
		{
			name: "the database is deleted",
			harm: func(t *testing.T, path string) { move(t, path, filepath.Join(t.TempDir(), "gone")) },
		},
		{
			name: "its log is deleted",
			harm: func(t *testing.T, path string) { move(t, path+"-wal", filepath.Join(t.TempDir(), "gone")) },
		},
		{
			name: "another file takes its place",
			harm: func(t *testing.T, path string) {
				other := filepath.Join(t.TempDir(), "other.db")
				if err := openAt(t, other).Close(); err != nil {
					t.Fatal(err)
				}
				move(t, other, path)
			},
		},
		{
			name: "it is moved away, and back",
			harm: func(t *testing.T, path string) { move(t, path, path+".away") },
			cure: func(t *testing.T, path string) { move(t, path+".away", path) },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "account.db")
			s := openAt(t, path)
			if err := errors.Join(s.Write(t.Context(), insert("a")), s.Ping(t.Context())); err != nil {
				t.Fatal(err)
			}
			row.harm(t, path)
			if err := s.Ping(t.Context()); !errors.Is(err, store.ErrReplaced) {
				t.Errorf("Ping: %v, want ErrReplaced", err)
			}
			if err := s.Write(t.Context(), insert("b")); !errors.Is(err, store.ErrReplaced) {
				t.Errorf("Write: %v, want ErrReplaced", err)
			}
			if row.cure == nil {
				return
			}
			row.cure(t, path)
			if err := errors.Join(s.Ping(t.Context()), s.Write(t.Context(), insert("c"))); err != nil {
				t.Errorf("after the cure: %v", err)
			}
			if n := count(t, s); n != 2 {
				t.Errorf("%d rows, want the two that were acknowledged", n)
			}
		})
	}
}

// A transaction may meet files that are not the database's.
func TestOnlyTheDatabasesOwnFilesMakeAFaultOfItsDisk(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		err  error
	}{
		{"another file is not there", &fs.PathError{Op: "open", Path: "/other/countries.mmdb", Err: syscall.ENOENT}},
		{"another file may not be read", &fs.PathError{Op: "open", Path: "/other/secret", Err: syscall.EACCES}},
		{"another disk is broken", &fs.PathError{Op: "read", Path: "/other/disk", Err: syscall.EIO}},
		{"another disk is full", &fs.PathError{Op: "write", Path: "/other/mail", Err: syscall.ENOSPC}},
		{"another quota is used up", fmt.Errorf("sending a mail: %w", syscall.EDQUOT)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			fail := func(context.Context, *store.Tx) error { return row.err }
			nested := func(ctx context.Context, _ *store.Tx) error { return s.Write(ctx, fail) }
			for call, err := range map[string]error{
				"Write": s.Write(t.Context(), fail), "Write in a Write": s.Write(t.Context(), nested),
				"Read": s.Read(t.Context(), fail),
			} {
				if !errors.Is(err, row.err) || errors.Is(err, store.ErrDisk) || errors.Is(err, store.ErrFull) {
					t.Errorf("%s: %v, want %v alone", call, err, row.err)
				}
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// The database itself is garbage.
func TestADatabaseThatCannotBeReadIsAFaultOfItsDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openAt(t, path)
	if err := s.Read(t.Context(), func(context.Context, *store.Tx) error { // which opens its connection now
		return os.Truncate(path, 4096)
	}); err != nil {
		t.Fatal(err)
	}
	err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		var n int
		return tx.QueryRow(ctx, `SELECT count(*) FROM people`).Scan(&n)
	})
	if !errors.Is(err, store.ErrDisk) {
		t.Errorf("got %v, want %v", err, store.ErrDisk)
	}
}

// A process may be killed while it looks whether the disk has room.
func TestWhatAKilledProcessLeftInTheFolderIsRemoved(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "a [b] c")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	stale, own := filepath.Join(folder, ".scim-bridge-temporary-123456789"), filepath.Join(folder, "room-of-another")
	for _, file := range []string{stale, own} {
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openAt(t, filepath.Join(folder, "account.db"))
	if _, err := os.Stat(stale); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the probe is still there: %v", err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Error(err)
	}
}

// Two that read at once need a connection more, which cannot be opened.
func TestAReaderThatFindsNoFileSaysThatItIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openAt(t, path)
	err := s.Read(t.Context(), func(context.Context, *store.Tx) error {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		return s.Ping(t.Context())
	})
	if !errors.Is(err, store.ErrReplaced) {
		t.Errorf("got %v, want %v", err, store.ErrReplaced)
	}
}

// A connection that is opened later must not read what another file says.
func TestNoReaderOpensTheFileThatTookThePlace(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, other := filepath.Join(folder, "account.db"), filepath.Join(folder, "other.db")
	s := openAt(t, path)
	o := openAt(t, other)
	if err := errors.Join(o.Write(t.Context(), insert("other")), o.Close(), os.Rename(other, path)); err != nil {
		t.Fatal(err)
	}
	err := s.Read(t.Context(), func(_ context.Context, _ *store.Tx) error { return nil })
	if !errors.Is(err, store.ErrReplaced) {
		t.Errorf("the first reader after the exchange: %v, want ErrReplaced", err)
	}
}

// A process that holds the database's lock for too long makes writes fail, which Ping tells until one worked again.
func TestALockOfAnotherProcessIsToldAndPasses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openAt(t, path)
	if err := s.Write(t.Context(), insert("a")); err != nil {
		t.Fatal(err)
	}
	other, err := sqlite3.Open("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), insert("b")); !errors.Is(err, store.ErrLocked) {
		t.Errorf("Write: %v, want ErrLocked", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrLocked) {
		t.Errorf("Ping: %v, want ErrLocked", err)
	}
	if err := other.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	// Ping tries again by itself: it tried more than a second ago, since it waited for the lock.
	if err := errors.Join(s.Ping(t.Context()), s.Write(t.Context(), insert("b"))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
