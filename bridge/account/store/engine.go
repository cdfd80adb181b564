package store

import (
	"context"
	"fmt"
)

// An engine is a kind of database.
type engine interface {
	// beginRead begins a transaction that reads one snapshot: all that was committed before the call, and nothing that
	// is committed after its end. It must be ended with what its reading has failed with, or nil, and the same context;
	// endRead returns what that is to the caller. (A method that calls a function would have each caller allocate.)
	beginRead(ctx context.Context, s *Store) (*Tx, error)
	endRead(ctx context.Context, tx *Tx, failed error) error

	// begin begins the transaction of a batch of writes, in which nothing changes but by it. Then comes a commit, which
	// makes it durable, or a rollback. Only one goroutine calls them.
	begin(s *Store) (*Tx, error)
	commit() error
	rollback()

	// newest returns which state of the database is the newest. It reports whether that is known.
	newest(ctx context.Context) (at state, known bool, err error)

	// explain adds to an error of a write what can be found out about its cause.
	explain(err error) error
	// check returns an error if the database is not the one any more that was opened.
	check() error
	// takesWrites returns an error if a write would fail, as far as that can be known without one.
	takesWrites() error

	// checkPages returns what is damaged below the rows, as far as the program checks that.
	checkPages(ctx context.Context, tx *Tx, quick bool) ([]Fault, error)

	// dialect is how the engine's SQL differs.
	dialect() *dialect

	// setting names the database as --database takes it, without its secrets.
	setting() string
	close() error
}

// commitError wraps an error of a commit itself, and not of a statement that was sent with it.
func commitError(err error) error {
	if err != nil {
		err = fmt.Errorf("committing: %w", err)
	}
	return err
}

// A state identifies a state of the database: two that are equal are the same, for all that Cached is for.
type state struct {
	log     walHeader // of SQLite
	version int64     // of PostgreSQL: see admission_version
}

// A dialect is what differs between the SQL of engines, beside the functions that PostgreSQL's schema defines with the
// names that SQLite has for them.
type dialect struct {
	// path returns the JSON path of names in double quotes; without any, that of the whole document.
	path     func(names []string) string
	get      string // a format: the JSON at a path, of the document
	number   string // a format: the number that a JSON number's text is
	bytes    string // after a text from a document: compared byte by byte
	endsWith string // a format: whether a text ends with a parameter, which is given twice
	windows  bool   // whether a statement with window functions costs less than several without
	// groupNames is behind the columns of people p: see Tx.groupNames. It is empty where another statement costs less.
	groupNames string
}
