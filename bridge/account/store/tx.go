package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
)

// A Tx is a transaction, good until the function that got it returns.
type Tx struct {
	store *Store
	conn  conn
	names map[string]*groupName // those that were read in the snapshot; nil in a write, which may change them

	committed []func() // called after the commit
	ahead     ahead
	depth     int         // of savepoints
	steps     map[int]int // how many savepoints there were at a depth
	// isAlone reports whether the write under way is the only one of the transaction, from now on: then what it still
	// has to send may go with the commit, and fail with it.
	isAlone func() bool
}

// ahead is what most writes need and was read before: with the beginning of the transaction, or by an earlier write.
type ahead struct {
	appended audit.Link // the end of the audit log; without a number if it was not read
	position int64      // of the last person; 0 if it was not read
}

// AfterCommit has fn called once what asked for it was committed, and not if that is undone. It must not block.
func (tx *Tx) AfterCommit(fn func()) { tx.committed = append(tx.committed, fn) }

// A conn is a connection to the database in a transaction.
type conn interface {
	exec(ctx context.Context, query string, args []any) (int64, error)
	query(ctx context.Context, query string, args []any) (*Rows, error)
	// later is exec, at the latest before the next statement, which has its error then.
	later(ctx context.Context, query string, args []any) error
	// flush has run what later put off.
	flush(ctx context.Context) error
	// savepoint, rollbackTo and release run these statements for a name, at the latest before the next one.
	savepoint(ctx context.Context, name string) error
	rollbackTo(ctx context.Context, name string) error
	release(ctx context.Context, name string) error
}

// txKey is the context key of the transaction under way in a store.
type txKey struct{ store *Store }

// ErrNoRow is what scanning answers when a query has no row.
var ErrNoRow = errors.New("no row")

// Exec runs a statement and returns how many rows it touched.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	return tx.conn.exec(ctx, query, args)
}

// Send runs a statement of whose answer nothing depends. A database on another machine gets it with the next one that
// asks, or with the commit, and not by itself. If it fails, its error is that of a later statement, or of Write.
func (tx *Tx) Send(ctx context.Context, query string, args ...any) error {
	return tx.conn.later(ctx, query, args)
}

// Query asks for rows. Close them before the transaction's next statement.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	return tx.conn.query(ctx, query, args)
}

// QueryRow asks for one row; its Scan answers ErrNoRow if there is none.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Scanner {
	rows, err := tx.Query(ctx, query, args...)
	return onlyRow{rows, err}
}

// onlyRow is the first of some rows, and the end of them.
type onlyRow struct {
	rows *Rows
	err  error
}

func (r onlyRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if !r.rows.Next() {
		return cmp.Or(r.rows.Close(), ErrNoRow)
	}
	return errors.Join(r.rows.Scan(dest...), r.rows.Close())
}

// Read calls fn with a snapshot of the database: all that was committed when
// the first statement ran, and nothing later. Any number of reads run beside
// each other and beside writes.
func (s *Store) Read(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) (err error) {
	if outer, ok := ctx.Value(txKey{s}).(*Tx); ok {
		return storageError(fn(ctx, outer))
	}
	tx, err := s.engine.beginRead(ctx, s)
	if err != nil {
		return err
	}
	err = errPanic
	defer func() { err = s.engine.endRead(ctx, tx, err) }()
	err = fn(context.WithValue(ctx, txKey{s}, tx), tx)
	return err
}

// errPanic is what a read has failed with if its function has not returned.
var errPanic = errors.New("panic in a transaction")

// nest runs fn inside a transaction that is already under way. What fn has sent, and not asked for, may fail later.
func (tx *Tx) nest(ctx context.Context, fn func(context.Context, *Tx) error) error {
	if tx.isAlone == nil {
		return errors.New("a write in a transaction that reads")
	}
	err, fatal := tx.savepoint(ctx, func(ctx context.Context) error { return fn(ctx, tx) })
	if fatal != nil {
		err = errors.Join(fatal, err)
	}
	return tx.store.writeError(err)
}

// savepoint calls fn with a context that carries tx and knows no
// cancellation, and undoes what fn wrote if it fails. fatal tells that the
// whole transaction is lost.
func (tx *Tx) savepoint(ctx context.Context, fn func(context.Context) error) (err, fatal error) {
	ctx = context.WithValue(context.WithoutCancel(ctx), txKey{tx.store}, tx)
	tx.depth++
	defer func() { tx.depth-- }()
	name := tx.nameStep()
	if fatal := tx.conn.savepoint(ctx, name); fatal != nil {
		return nil, fmt.Errorf("setting a savepoint: %w", fatal)
	}
	before, ahead := len(tx.committed), tx.ahead
	var panicked any
	err = recovering(ctx, fn, &panicked)
	if err == nil && tx.depth == 1 && !tx.isAlone() {
		err = tx.conn.flush(ctx) // what fails here is fn's, and nobody else's
	}
	if err != nil {
		tx.committed, tx.ahead = tx.committed[:before], ahead
		if fatal := tx.conn.rollbackTo(ctx, name); fatal != nil {
			return err, fmt.Errorf("rolling back to a savepoint: %w", fatal)
		}
	}
	if fatal := tx.conn.release(ctx, name); fatal != nil {
		return err, fmt.Errorf("releasing a savepoint: %w", fatal)
	}
	if panicked != nil {
		panic(panicked) // what it interrupted is undone
	}
	return err, nil
}

// nameStep returns the name of the next savepoint: not that of the one before, whose release may not have been sent
// when this one fails, so that rolling back to this one would undo what the one before has done. The names are few,
// since PostgreSQL prepares each statement once.
func (tx *Tx) nameStep() string {
	if tx.steps == nil {
		tx.steps = make(map[int]int)
	}
	tx.steps[tx.depth]++
	return "step" + strconv.Itoa(tx.depth) + "ab"[tx.steps[tx.depth]%2:][:1]
}

// recovering calls fn, and reports a panic of it as an error, too.
func recovering(ctx context.Context, fn func(context.Context) error, panicked *any) (err error) {
	defer func() {
		if *panicked = recover(); *panicked != nil {
			err = fmt.Errorf("panic in a transaction: %v", *panicked)
		}
	}()
	return fn(ctx)
}
