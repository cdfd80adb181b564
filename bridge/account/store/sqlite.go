package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// A sqlite is a SQLite database that is open.
type sqlite struct {
	writer  *sqliteConn
	readers *pool
	index   walIndex
	files   openFiles
}

func openSQLite(ctx context.Context, path string, wait time.Duration) (*sqlite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// FULL, because in WAL mode NORMAL loses the last commits when the power
	// fails.
	pragmas := []string{busyTimeout(wait), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	// The writer touches a dozen indexes for a person; in 16 MB it finds them again, up to 100,000 of them.
	ofWriter := append(slices.Clip(pragmas), "cache_size(-16000)",
		fmt.Sprintf("wal_autocheckpoint(%d)", logPages), fmt.Sprintf("journal_size_limit(%d)", logPages*pageSize))
	writer, err := newSQLiteConn(path, ofWriter)
	// SQLite does not wait where another process begins the log of a new database.
	for until := time.Now().Add(wait); errors.Is(err, sqlite3.BUSY) && ctx.Err() == nil && time.Now().Before(until); {
		time.Sleep(busyPause)
		writer, err = newSQLiteConn(path, ofWriter)
	}
	if err != nil {
		return nil, err
	}
	if err := bringUpToDate(ctx, writer, path, pragmas, wait); err != nil {
		return nil, errors.Join(err, writer.close())
	}
	s := &sqlite{writer: writer, files: openFiles{path: path, known: make(map[string]os.FileInfo)}}
	s.readers = newPool(func() (*sqliteConn, error) {
		c, err := newSQLiteConn(path, append(slices.Clip(pragmas), "query_only(1)"))
		if replaced := s.files.check(); replaced != nil { // it reads another database, or found none
			if err == nil {
				err = c.close()
			}
			return nil, errors.Join(replaced, err)
		}
		s.index.check()
		return c, err
	}, 2*max(4, runtime.GOMAXPROCS(0)))
	if err := s.files.check(); err != nil {
		return nil, errors.Join(err, writer.close())
	}
	s.files.removeUnlinked()
	s.index.open(writer)
	return s, nil
}

// logPages is how long the log becomes before its pages are copied into the database, each once, however often it was
// written. SQLite's default is 1000. The log of a killed process is read anew at the next start: this one in some ten
// milliseconds.
const logPages = 4000

const pageSize = 4096 // SQLite's default, in bytes

func busyTimeout(wait time.Duration) string {
	return fmt.Sprintf("busy_timeout(%d)", wait.Milliseconds())
}

// makePrivate makes the files that SQLite would make readable for everyone:
// the database, and the index of the log beside it. Those that root makes belong
// to the user that the folder, or the database, belongs to: a command that root
// runs must not leave a file that the service cannot open. SQLite does so for the
// log, see fileURL.
func makePrivate(path string) error {
	for _, file := range []struct{ path, like string }{{path, filepath.Dir(path)}, {path + "-shm", path}} {
		if err := makeFile(file.path, file.like); err != nil {
			return err
		}
	}
	return nil
}

func makeFile(path, like string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		err = giveToOwner(f, like)
	case errors.Is(err, fs.ErrExist):
		f, err = os.OpenFile(path, os.O_RDWR, 0) // not os.O_CREATE, which would follow a link to nothing
	}
	if f == nil {
		return err
	}
	return errors.Join(err, f.Close())
}

// beginRead implements engine.
func (s *sqlite) beginRead(ctx context.Context, in *Store) (*Tx, error) {
	c, err := s.readers.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("beginning to read: %w", err)
	}
	if err := c.begin(s.index.header()); err != nil {
		c.broken = true
		s.readers.giveBack(c)
		return nil, fmt.Errorf("beginning to read: %w", err)
	}
	c.within(ctx)
	return &Tx{store: in, conn: c, names: c.names}, nil
}

// endRead implements engine. The snapshot is kept for the next read.
func (s *sqlite) endRead(ctx context.Context, tx *Tx, failed error) error {
	c := tx.conn.(*sqliteConn)
	c.within(context.Background())
	if failed != nil || !c.atKnown || s.index.isLong(c.at) {
		if err := c.end(); err != nil {
			c.broken = true
		}
	} else {
		c.kept = true
	}
	s.readers.giveBack(c)
	if ctx.Err() != nil && errors.Is(failed, sqlite3.INTERRUPT) {
		return ctx.Err()
	}
	return storageError(failed)
}

// begin implements engine.
func (s *sqlite) begin(in *Store) (*Tx, error) {
	if _, err := s.writer.run("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	return &Tx{store: in, conn: s.writer}, nil
}

// commit implements engine.
func (s *sqlite) commit() error {
	_, err := s.writer.run("COMMIT")
	s.readers.letGo() // what they keep is not the newest state any more
	return commitError(err)
}

// rollback implements engine. It fails when SQLite has already rolled back, which is as good.
func (s *sqlite) rollback() { _, _ = s.writer.run("ROLLBACK") }

// newest implements engine.
func (s *sqlite) newest(context.Context) (at state, known bool, err error) {
	at.log, known = s.index.header()
	return at, known, nil
}

// explain implements engine. Not every failure for want of room is reported as one, so after another failure of the
// disk its room is tried.
func (s *sqlite) explain(err error) error {
	if errors.Is(err, ErrDisk) {
		if full := s.files.room(); errors.Is(full, ErrFull) {
			return fmt.Errorf("%w: %w", full, err)
		}
	}
	return err
}

// check implements engine.
func (s *sqlite) check() error { return s.files.check() }

// takesWrites implements engine.
func (s *sqlite) takesWrites() error { return s.files.room() }

var sqliteDialect = dialect{
	path: func(names []string) string { return strings.Join(append([]string{"$"}, names...), ".") },
	get:  "(%s -> ?)", number: "%s", endsWith: "substr(%s, -length(?)) = ?",
}

// dialect implements engine.
func (*sqlite) dialect() *dialect { return &sqliteDialect }

// setting implements engine.
func (s *sqlite) setting() string { return "sqlite:" + s.files.path }

// close implements engine.
func (s *sqlite) close() error {
	s.index.close()
	return errors.Join(s.readers.close(), s.writer.close())
}
