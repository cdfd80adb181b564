package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A Tx is a transaction, good until the function that got it returns.
type Tx struct {
	store *Store
	q     querier
}

// querier is what *sql.Conn and *sql.Tx share.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// txKey is the context key of the transaction under way in a store.
type txKey struct{ store *Store }

// Exec runs a statement and returns how many rows it touched.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := tx.q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Query asks for rows. Close them before the transaction's next statement.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return tx.q.QueryContext(ctx, query, args...)
}

// QueryRow asks for one row; its Scan answers sql.ErrNoRows if there is none.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return tx.q.QueryRowContext(ctx, query, args...)
}

// Read calls fn with a snapshot of the database: all that was committed when
// the first statement ran, and nothing later. Any number of reads run beside
// each other and beside writes.
func (s *Store) Read(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if outer, ok := ctx.Value(txKey{s}).(*Tx); ok {
		return fn(ctx, outer)
	}
	t, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("beginning to read: %w", err)
	}
	defer t.Rollback() // nothing was written; a cancelled context has done it already
	tx := &Tx{store: s, q: t}
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
