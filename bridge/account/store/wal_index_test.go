//go:build (linux || darwin) && !(sqlite3_flock || sqlite3_dotlk)

package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
)

func TestAHeaderThatSQLiteWouldNotUseIsNotKnown(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openPath(t, path)
	whole, err := os.ReadFile(path + "-shm")
	if err != nil {
		t.Fatal(err)
	}
	want, known := s.engine.(*sqlite).index.header()
	if !known {
		t.Fatal("SQLite's own is not known")
	}
	for name, row := range map[string]struct {
		harm  func(file []byte) []byte
		known bool
	}{
		"as it is":        {func(file []byte) []byte { return file }, true},
		"written in part": {func(file []byte) []byte { file[48+16]++; return file }, false},
		"changed":         {func(file []byte) []byte { file[16]++; file[48+16]++; return file }, false},
		"new":             {func(file []byte) []byte { clear(file); return file }, false},
		"cut":             {func(file []byte) []byte { return file[:96] }, false},
		"another version": {func(file []byte) []byte { sign(file, 0, walVersion+1); return file }, false},
		"not initialized": {func(file []byte) []byte { sign(file, 3, 0); return file }, false},
		"signed again":    {func(file []byte) []byte { sign(file, 0, walVersion); return file }, true},
	} {
		copied := filepath.Join(t.TempDir(), "index")
		if err := os.WriteFile(copied, row.harm(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		var w walIndex
		w.openFile(copied)
		got, known := w.header()
		if known != row.known || known && got != want {
			t.Errorf("%s: known: %t, want %t; %v, want %v", name, known, row.known, got, want)
		}
		w.close()
		if _, known := w.header(); known {
			t.Errorf("%s: it is known when it is closed", name)
		}
	}
}

// sign sets a word of both copies of the header, and their checksums.
func sign(file []byte, word int, value uint32) {
	for _, header := range [][]byte{file[:48], file[48:96]} {
		binary.NativeEndian.PutUint32(header[4*word:], value)
		var a, b uint32
		for i := 0; i < 40; i += 8 {
			a += binary.NativeEndian.Uint32(header[i:]) + b
			b += binary.NativeEndian.Uint32(header[i+4:]) + a
		}
		binary.NativeEndian.PutUint32(header[40:], a)
		binary.NativeEndian.PutUint32(header[44:], b)
	}
}

func TestATransactionThatIsRolledBackLeavesTheHeader(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openPath(t, path)
	setDomain(t, s, "a")
	before, known := s.engine.(*sqlite).index.header()
	db, err := sqlite3.Open("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Exec(`BEGIN IMMEDIATE; DELETE FROM signup_domains; ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if after, still := s.engine.(*sqlite).index.header(); !known || !still || after != before {
		t.Errorf("%v (%t), and then %v (%t)", before, known, after, still)
	}
	if err := db.Exec(`UPDATE signup_domains SET domain = 'b'`); err != nil {
		t.Fatal(err)
	}
	if after, known := s.engine.(*sqlite).index.header(); !known || after == before {
		t.Errorf("after a commit: %v (%t), which was %v", after, known, before)
	}
}

// A log that begins anew may be as long as the one before.
func TestASnapshotIsNotUsedForAnotherLogOfTheSameLength(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	mine, other := openPath(t, path), openPath(t, path)
	setDomain(t, other, "aa")
	var before walHeader
	for _, domain := range []string{"bb", "cc"} {
		checkpoint(t, path, "TRUNCATE")
		setDomain(t, other, domain)
		checkpoint(t, path, "PASSIVE") // so that the next snapshot does not need the log
		if got := domainOf(t, mine); got != domain {
			t.Errorf("read %q, want %q", got, domain)
		}
		after, _ := mine.engine.(*sqlite).index.header()
		if before != (walHeader{}) && (after == before || after.frames() != before.frames()) {
			t.Errorf("the headers are %v and %v, want two of the same length", before, after)
		}
		before = after
	}
}

// A snapshot that nobody uses must not keep the log.
func TestASnapshotIsLetGo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openPath(t, path)
	setDomain(t, s, "a")
	readAtOnce := func() {
		var readers, reading sync.WaitGroup
		reading.Add(4)
		for range 4 { // on a connection each
			readers.Go(func() {
				err := s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
					_, err := tx.Exec(ctx, `SELECT domain FROM signup_domains`)
					reading.Done()
					reading.Wait()
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		readers.Wait()
	}
	kept := false
	for try := 0; try < 100 && !kept; try++ { // on a busy machine it may have been let go already
		readAtOnce()
		kept = checkpointNow(t, path)
	}
	if kept {
		checkpoint(t, path, "TRUNCATE")
	} else {
		t.Error("no snapshot was kept")
	}
	if log, err := os.Stat(path + "-wal"); err != nil || log.Size() > 0 {
		t.Errorf("the log has %d bytes (%v)", log.Size(), err)
	}
	if got := domainOf(t, s); got != "a" {
		t.Errorf("read %q", got)
	}
}

// What is older than a commit of this process serves no other read.
func TestASnapshotIsNotKeptAfterACommit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openPath(t, path)
	setDomain(t, s, "a")
	domainOf(t, s) // a snapshot that is kept
	err := s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, `SELECT domain FROM signup_domains`)
		domainOf(t, s) // on another connection
		setDomain(t, s, "b")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if checkpointNow(t, path) {
		t.Error("a snapshot keeps the log")
	}
}

// Each commit makes the log longer until it can begin anew, which must not depend on a pause in the reads.
func TestTheLogBeginsAnewWhileOthersRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		reader func(writer, other *Store) *Store
	}{
		{"in the process that writes", func(writer, _ *Store) *Store { return writer }},
		{"in another", func(_, other *Store) *Store { return other }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "account.db")
			writer := openPath(t, path)
			reader := row.reader(writer, openPath(t, path))
			setDomain(t, writer, "a")
			reading, stop := context.WithCancel(t.Context())
			var readers sync.WaitGroup
			for range 3 {
				readers.Go(func() {
					for reading.Err() == nil {
						if _, err := readDomain(t.Context(), reader); err != nil {
							t.Error(err)
						}
						time.Sleep(50 * time.Microsecond)
					}
				})
			}
			longest := int64(0)
			for i := range 100 {
				err := writer.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
					_, err := tx.Exec(ctx, `INSERT INTO signup_domains (domain, created_at)
						WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
						SELECT ? || '-' || i || hex(zeroblob(500)), 0 FROM n`, i)
					return err
				})
				log, errLog := os.Stat(path + "-wal")
				if err := errors.Join(err, errLog); err != nil {
					t.Fatal(err)
				}
				longest = max(longest, log.Size()/(4096+24))
			}
			stop()
			readers.Wait()
			if longest < logPages || longest > 2*logPages {
				t.Errorf("the log had %d pages", longest)
			}
		})
	}
}

// Where the index cannot be read, all is as it would be without it.
func TestAStoreWithoutTheIndexReadsTheNewest(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	mine, other := openPath(t, path), openPath(t, path)
	mine.engine.(*sqlite).index.close()
	for i := range 20 {
		want := fmt.Sprint(i)
		setDomain(t, other, want)
		if got := domainOf(t, mine); got != want {
			t.Fatalf("read %q, want %q", got, want)
		}
		checkpoint(t, path, "TRUNCATE")
	}
}

// A connection that is opened after the index was deleted has another one.
func TestAnIndexThatIsNoLongerAtItsPathIsNotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openPath(t, path)
	setDomain(t, s, "a")
	s.engine.(*sqlite).index.check()
	if _, known := s.engine.(*sqlite).index.header(); !known {
		t.Fatal("the header is not known after a check")
	}
	if err := os.Rename(path+"-shm", path+".away"); err != nil {
		t.Fatal(err)
	}
	domainOf(t, s) // opens a connection
	if _, known := s.engine.(*sqlite).index.header(); known {
		t.Error("the header is still known")
	}
}

func openPath(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), "sqlite:"+path)
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

func setDomain(t *testing.T, s *Store, domain string) {
	t.Helper()
	err := s.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM signup_domains`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO signup_domains (domain, created_at) VALUES (?, 0)`, domain)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func domainOf(t *testing.T, s *Store) string {
	t.Helper()
	domain, err := readDomain(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return domain
}

func readDomain(ctx context.Context, s *Store) (domain string, err error) {
	return domain, s.Read(ctx, func(ctx context.Context, tx *Tx) error {
		return tx.QueryRow(ctx, `SELECT domain FROM signup_domains LIMIT 1`).Scan(&domain)
	})
}

// checkpoint copies the log into the database as another process would, and waits for those who keep it from that.
func checkpoint(t *testing.T, path, mode string) {
	t.Helper()
	if tryCheckpoint(t, path, mode, 10_000) {
		t.Errorf("somebody keeps the log")
	}
}

func checkpointNow(t *testing.T, path string) (busy bool) {
	t.Helper()
	return tryCheckpoint(t, path, "TRUNCATE", 0)
}

func tryCheckpoint(t *testing.T, path, mode string, wait int) (busy bool) {
	t.Helper()
	db, err := sqlite3.Open("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := &sqliteConn{db: db, prepared: make(map[string]*sqlite3.Stmt)}
	rows, err := c.rows(fmt.Sprintf(`PRAGMA busy_timeout = %d`, wait))
	if err := (onlyRow{rows, err}).Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	rows, err = c.rows(`PRAGMA wal_checkpoint(` + mode + `)`)
	var log, copied int
	if err := (onlyRow{rows, err}).Scan(&busy, &log, &copied); err != nil {
		t.Fatal(err)
	}
	return busy
}
