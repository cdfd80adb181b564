package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// insert writes one account row, the smallest write there is.
func insert(id string) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO account (id, name, created_at) VALUES (?, '', 0)`, id)
		return err
	}
}

func count(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM account`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A program that was put back to an older version must not write a database that it does not know.
func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s, err = store.Open(t.Context(), dsn)
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "version 9999") || !strings.Contains(err.Error(), "run the newer") {
		t.Errorf("it was opened with %v", err)
	}
}

func TestWritesThatWaitTogetherShareACommitAndLoseNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	const n = 64
	var ready sync.WaitGroup
	ready.Add(n)
	hold := make(chan struct{})
	// The first write holds the writer until all others wait behind it.
	var group sync.WaitGroup
	started := make(chan struct{})
	group.Go(func() {
		if err := s.Write(t.Context(), func(context.Context, *store.Tx) error {
			close(started)
			<-hold
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-started
	for i := range n {
		group.Go(func() {
			ready.Done()
			if err := s.Write(t.Context(), insert(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	ready.Wait()
	close(hold)
	group.Wait()
	if got := count(t, s); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
	if stats := s.Stats(); stats.Writes != n+1 || stats.Commits >= stats.Writes {
		t.Errorf("%+v: want %d writes in fewer commits", stats, n+1)
	}
}

func TestAnErrorUndoesItsOwnWriteOnly(t *testing.T) {
	t.Parallel()
	s := open(t)
	mine := errors.New("mine")
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := s.Write(ctx, insert("kept")); err != nil {
			return err
		}
		inner := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(insert("undone")(ctx, tx), mine)
		})
		if !errors.Is(inner, mine) {
			t.Errorf("inner write: %v, want %v", inner, mine)
		}
		var n int
		// A read inside the transaction sees what it wrote so far.
		if err := s.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT count(*) FROM account`).Scan(&n)
		}); err != nil || n != 1 {
			t.Errorf("%d rows inside, %v; want 1", n, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(insert("undone too")(ctx, tx), mine)
	}); !errors.Is(err, mine) {
		t.Errorf("got %v, want %v", err, mine)
	}
	if got := count(t, s); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}

// A container may have no folder for temporary files.
func TestAWriteIsUndoneWithoutATemporaryFile(t *testing.T) {
	s := open(t)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	const rename = `UPDATE account SET name = id || printf('%.5000c', ?)` // a page each
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := range 100 {
			if err := insert(fmt.Sprint(i))(ctx, tx); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, rename, "a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	err = s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.Exec(ctx, rename, "b"); err != nil {
			return err
		}
		return mine
	})
	if !errors.Is(err, mine) {
		t.Errorf("got %v, want %v", err, mine)
	}
	err = s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		var kept int
		err := tx.QueryRow(ctx, `SELECT count(*) FROM account WHERE name LIKE '%a'`).Scan(&kept)
		if kept != 100 {
			t.Errorf("%d rows are as before, want 100", kept)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The log is written over again once its pages are in the database, and gives back what one large change took.
func TestTheLogStaysShort(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openAt(t, path)
	// change writes, and returns how long the log is then, in MiB.
	change := func(fn func(context.Context, *store.Tx) error) int64 {
		err := s.Write(t.Context(), fn)
		info, statErr := os.Stat(path + "-wal")
		if err := errors.Join(err, statErr); err != nil {
			t.Fatal(err)
		}
		return info.Size() >> 20
	}
	large := func(megabytes int) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO account (id, name, created_at) VALUES (?, hex(randomblob(?)), 0)`,
				rand.Text(), megabytes*500_000)
			return err
		}
	}
	longest := int64(0)
	for range 12 {
		longest = max(longest, change(large(4)))
	}
	if longest < 15 || longest > 20 {
		t.Errorf("the log has had up to %d MiB, want 16, and a change more", longest)
	}
	one := change(large(40))
	if after := change(insert("small")); one < 38 || after > 16 {
		t.Errorf("after a change of %d MiB the log has %d", one, after)
	}
}

func TestAWriteIsSeenByOthersOnlyAfterItsCommit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	beside, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()

	if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := insert("a")(ctx, tx); err != nil {
			return err
		}
		if got := count(t, beside); got != 0 {
			t.Errorf("an uncommitted write is visible to another process: %d rows", got)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// Write has answered, so all readers see the commit.
	if got := count(t, beside); got != 1 {
		t.Errorf("%d rows after Write answered, want 1", got)
	}
	if err := beside.Write(t.Context(), insert("b")); err != nil {
		t.Fatal(err)
	}
	if got := count(t, s); got != 2 {
		t.Errorf("%d rows after the other process wrote, want 2", got)
	}
}

func TestAPanicReachesItsCallerAndTheWriterLivesOn(t *testing.T) {
	t.Parallel()
	s := open(t)
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v, want boom", got)
			}
		}()
		_ = s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if err := insert("undone")(ctx, tx); err != nil {
				t.Error(err)
			}
			panic("boom")
		})
	}()
	if err := s.Write(t.Context(), insert("kept")); err != nil {
		t.Fatal(err)
	}
	if got := count(t, s); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}

func TestAPanicOfAReadGivesItsConnectionBack(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 100 { // more than there are connections
		func() {
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("recovered %v, want boom", got)
				}
			}()
			_ = s.Read(t.Context(), func(context.Context, *store.Tx) error { panic("boom") })
		}()
	}
	if got := count(t, s); got != 0 {
		t.Errorf("%d rows, want none", got)
	}
}

func TestACancelledCallerDoesNotDisturbTheOthers(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	// Cancelled in the middle: the write goes on to its certain end.
	err := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		cancel()
		return insert("kept")(ctx, tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(ctx, insert("never begun")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if got := count(t, s); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}

func TestReadsCannotWrite(t *testing.T) {
	t.Parallel()
	if err := open(t).Read(t.Context(), insert("x")); err == nil {
		t.Error("a read wrote")
	}
}

func TestOpenRefusesWhatItCannotServe(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{
		"a path without a scheme":              "account.db",
		"an empty path":                        "sqlite:",
		"another database":                     "mysql:account",
		"PostgreSQL, which comes later":        "postgres://u:secret@localhost/db",
		"a folder that is not there":           "sqlite:" + filepath.Join(t.TempDir(), "none", "account.db"),
		"a file that is not a SQLite database": "sqlite:" + garbage(t),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), dsn)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if got := err.Error(); got == "" || strings.Contains(got, "secret") {
				t.Errorf("unfit error text %q", got)
			}
		})
	}
}

func TestOpenRefusesASchemaFromTheFuture(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := driver.Open("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(),
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := store.Open(t.Context(), "sqlite:"+path); err == nil {
		s.Close()
		t.Error("opened a schema that it does not know")
	}
}

func TestTheDatabaseIsReadableByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account ?#%.db")
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Write(t.Context(), insert("x")); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", info.Name(), mode)
		}
	}
}

func TestWriteAfterCloseSaysSo(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), insert("x")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("got %v, want %v", err, store.ErrClosed)
	}
}

func garbage(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notes.txt")
	err := os.WriteFile(path, []byte("this is not a database, but it is long enough to be taken for one"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHandshakesAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t)
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i, id := range []string{"a", "b", "c", "d", "e"} {
			h := store.Handshake{ID: id, ExpiresAt: now.Add(time.Duration(i+1) * time.Second)}
			if err := tx.InsertHandshake(ctx, h, now, 3); err != nil {
				return err
			}
		}
		for id, want := range map[string]bool{"a": false, "b": false, "c": true, "d": true, "e": true} {
			if _, found, err := tx.TakeHandshake(ctx, id); err != nil || found != want {
				t.Errorf("%s is there: %t, %v; want the newest three", id, found, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkOpen(b *testing.B) {
	dsn := "sqlite:" + filepath.Join(b.TempDir(), "account.db")
	for b.Loop() {
		s, err := store.Open(b.Context(), dsn)
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
