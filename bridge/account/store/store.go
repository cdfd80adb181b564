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
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// A Store is an open database. It is safe for concurrent use, and a second
// process (the command line beside a running server) may have it open too.
type Store struct {
	writer  *conn
	readers *pool
	index   walIndex
	cache   cache

	requests chan *request
	closing  chan struct{}
	closed   chan struct{} // the writer has ended
	once     sync.Once
	err      error // of closing

	commits, written atomic.Int64

	files   openFiles
	failing failing
}

// ErrClosed is what Write returns after Close.
var ErrClosed = errors.New("the database is closed")

// Open opens the database at dsn, `sqlite:PATH`, makes it if it is not there,
// and brings its schema up to date. It refuses a schema that is newer than
// this program.
func Open(ctx context.Context, dsn string) (*Store, error) { return OpenWaiting(ctx, dsn, lockWait) }

// lockWait is how long a write waits for another process's to end.
const lockWait = 10 * time.Second

// OpenWaiting is Open with another time than ten seconds for which a write waits for another process's to end.
func OpenWaiting(ctx context.Context, dsn string, wait time.Duration) (*Store, error) {
	path, err := fileOf(dsn)
	if err != nil {
		return nil, err
	}
	s, err := openSQLite(ctx, path, wait)
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	return s, nil
}

// fileOf returns the path of the database at dsn.
func fileOf(dsn string) (string, error) {
	scheme, path, found := strings.Cut(dsn, ":")
	switch {
	case !found || path == "":
		// Not repeated: it may be a connection string with a password.
		return "", errors.New("opening database: its address has no kind; write sqlite:PATH")
	case scheme == "postgres" || scheme == "postgresql":
		// The address is left out of the message: it carries a password.
		return "", errors.New("opening database: this build has no PostgreSQL; use sqlite:PATH")
	case scheme != "sqlite":
		return "", errors.New("opening database: its address is of an unknown kind; write sqlite:PATH")
	}
	return path, nil
}

func openSQLite(ctx context.Context, path string, wait time.Duration) (*Store, error) {
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
	// The writer touches a dozen indexes for a person; in 8 MB it finds them again. What would undo a savepoint is
	// larger than what SQLite keeps in memory by itself: it would go through a temporary file each time.
	ofWriter := append(slices.Clip(pragmas), "cache_size(-8000)", "temp_store(memory)",
		fmt.Sprintf("wal_autocheckpoint(%d)", logPages), fmt.Sprintf("journal_size_limit(%d)", logPages*pageSize))
	writer, err := newConn(path, ofWriter)
	// SQLite does not wait where another process begins the log of a new database.
	for until := time.Now().Add(wait); errors.Is(err, sqlite3.BUSY) && ctx.Err() == nil && time.Now().Before(until); {
		time.Sleep(busyPause)
		writer, err = newConn(path, ofWriter)
	}
	if err != nil {
		return nil, err
	}
	if err := bringUpToDate(ctx, writer, path, pragmas, wait); err != nil {
		return nil, errors.Join(err, writer.close())
	}
	s := &Store{
		writer:   writer,
		files:    openFiles{path: path, known: make(map[string]os.FileInfo)},
		requests: make(chan *request),
		closing:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
	s.readers = newPool(func() (*conn, error) {
		c, err := newConn(path, append(slices.Clip(pragmas), "query_only(1)"))
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
	s.files.removeProbes()
	s.index.open(writer)
	go s.writeLoop()
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

// Close waits for the writes under way and closes the database.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		<-s.closed
		s.index.close()
		s.err = errors.Join(s.readers.close(), s.writer.close())
	})
	return s.err
}

// Stats counts since Open.
type Stats struct {
	Commits int64 // transactions made durable
	Writes  int64 // calls of Write in them
}

// Stats tells how well writes share commits.
func (s *Store) Stats() Stats {
	return Stats{Commits: s.commits.Load(), Writes: s.written.Load()}
}
