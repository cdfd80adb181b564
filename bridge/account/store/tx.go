package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A Tx is a transaction, good until the function that got it returns.
type Tx struct {
	store *Store
	conn  *conn
}

// txKey is the context key of the transaction under way in a store.
type txKey struct{ store *Store }

// Exec runs a statement and returns how many rows it touched.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	return tx.conn.exec(ctx, query, args...)
}

// Query asks for rows. Close them before the transaction's next statement.
//
// A statement runs to its end once it has begun: to watch a context takes two
// goroutines, which cost more than most statements do. Those that may have to
// read whole tables are asked by QueryLong.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return tx.conn.query(ctx, query, args...)
}

// QueryRow asks for one row; its Scan answers sql.ErrNoRows if there is none.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Scanner {
	rows, err := tx.Query(ctx, query, args...) //nolint:rowserrcheck // Scan checks it
	return &onlyRow{rows, err}
}

// onlyRow is the first of some rows, and the end of them.
type onlyRow struct {
	rows *sql.Rows
	err  error
}

func (r *onlyRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		return cmp.Or(r.rows.Err(), sql.ErrNoRows)
	}
	return r.rows.Scan(dest...)
}

// QueryLong is Query for a statement that ends when ctx does.
func (tx *Tx) QueryLong(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := tx.conn.prepare(ctx, query) //nolint:sqlclosecheck // it stays with the connection
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// Read calls fn with a snapshot of the database: all that was committed when
// the first statement ran, and nothing later. Any number of reads run beside
// each other and beside writes.
func (s *Store) Read(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if outer, ok := ctx.Value(txKey{s}).(*Tx); ok {
		return fn(ctx, outer)
	}
	c, err := s.readers.take(ctx)
	if err != nil {
		return fmt.Errorf("beginning to read: %w", err)
	}
	defer s.readers.giveBack(c)
	if _, err := c.exec(ctx, "BEGIN"); err != nil {
		c.broken = true
		return fmt.Errorf("beginning to read: %w", err)
	}
	defer func() {
		if _, err := c.exec(context.WithoutCancel(ctx), "ROLLBACK"); err != nil { // nothing was written
			c.broken = true
		}
	}()
	tx := &Tx{store: s, conn: c}
	return fn(context.WithValue(ctx, txKey{s}, tx), tx)
}

// nest runs fn inside a transaction that is already under way.
func (tx *Tx) nest(ctx context.Context, fn func(context.Context, *Tx) error) error {
	err, fatal := tx.savepoint(ctx, func(ctx context.Context) error { return fn(ctx, tx) })
	if fatal != nil {
		return errors.Join(fatal, err)
	}
	return err
}

// savepoint calls fn with a context that carries tx and knows no
// cancellation, and undoes what fn wrote if it fails. fatal tells that the
// whole transaction is lost.
func (tx *Tx) savepoint(ctx context.Context, fn func(context.Context) error) (err, fatal error) {
	ctx = context.WithValue(context.WithoutCancel(ctx), txKey{tx.store}, tx)
	if _, fatal := tx.Exec(ctx, "SAVEPOINT step"); fatal != nil {
		return nil, fmt.Errorf("setting a savepoint: %w", fatal)
	}
	if err = fn(ctx); err != nil {
		if _, fatal := tx.Exec(ctx, "ROLLBACK TO step"); fatal != nil {
			return err, fmt.Errorf("rolling back to a savepoint: %w", fatal)
		}
	}
	if _, fatal := tx.Exec(ctx, "RELEASE step"); fatal != nil {
		return err, fmt.Errorf("releasing a savepoint: %w", fatal)
	}
	return err, nil
}
