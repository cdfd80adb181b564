package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Store is an open database. It is safe for concurrent use, and a second
// process (the command line beside a running server) may have it open too.
type Store struct {
	engine engine
	cache  cache

	requests chan *request
	closing  chan struct{}
	closed   chan struct{} // the writer has ended
	once     sync.Once
	err      error // of closing

	commits, written atomic.Int64

	failing failing
}

// ErrClosed is what Write returns after Close.
var ErrClosed = errors.New("the database is closed")

// Open opens the database at dsn, `sqlite:PATH` or `postgres://...`, and brings its schema up to date. A SQLite
// database is made if it is not there. It refuses a schema that is newer than this program, unless it is PostgreSQL's
// and its migrations say that this program works with it.
func Open(ctx context.Context, dsn string) (*Store, error) { return OpenWaiting(ctx, dsn, lockWait) }

// lockWait is how long a write waits for another process's to end.
const lockWait = 10 * time.Second

// OpenWaiting is Open with another time than ten seconds for which a write waits for another process's to end.
func OpenWaiting(ctx context.Context, dsn string, wait time.Duration) (*Store, error) {
	return openAny(ctx, dsn, wait, true)
}

// ErrNoSchema says that a database has no tables of this program.
var ErrNoSchema = errors.New("there is no account in the database, nor a table of one")

// OpenExisting is Open, but of PostgreSQL's databases only for those that have our tables, or ErrNoSchema: whatever an
// address with a typing error leads to stays as it is.
func OpenExisting(ctx context.Context, dsn string) (*Store, error) {
	return openAny(ctx, dsn, lockWait, false)
}

func openAny(ctx context.Context, dsn string, wait time.Duration, create bool) (*Store, error) {
	if IsPostgres(dsn) {
		e, err := openPostgres(ctx, dsn, wait, create)
		if errors.Is(err, ErrAddress) {
			return nil, err
		}
		if err != nil {
			return nil, openingError(dsn, err)
		}
		return newStore(e), nil
	}
	path, err := fileOf(dsn)
	if err != nil {
		return nil, err
	}
	s, err := openFile(ctx, path, wait)
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", path, err)
	}
	return s, nil
}

func openFile(ctx context.Context, path string, wait time.Duration) (*Store, error) {
	e, err := openSQLite(ctx, path, wait)
	if err != nil {
		return nil, err
	}
	return newStore(e), nil
}

func newStore(e engine) *Store {
	s := &Store{
		engine:   e,
		requests: make(chan *request),
		closing:  make(chan struct{}),
		closed:   make(chan struct{}),
	}
	go s.writeLoop()
	return s
}

// fileOf returns the path of the SQLite database at dsn.
func fileOf(dsn string) (string, error) {
	scheme, path, found := strings.Cut(dsn, ":")
	switch {
	case !found || path == "":
		// Not repeated: it may be a connection string with a password.
		return "", errors.New("opening database: its address has no kind; " +
			"write sqlite:PATH or postgres://USER@HOST/NAME")
	case scheme == "postgres" || scheme == "postgresql":
		// The address is left out of the message: it carries a password.
		return "", errors.New("opening database: a PostgreSQL database has an address like " +
			"postgres://USER@HOST/NAME")
	case scheme != "sqlite":
		return "", errors.New("opening database: its address is of an unknown kind; " +
			"write sqlite:PATH or postgres://USER@HOST/NAME")
	}
	return path, nil
}

// Close waits for the writes under way and closes the database.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		<-s.closed
		s.err = s.engine.close()
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
