package store

import (
	"context"
	"time"
)

// An Account is the only row of its table: the account that the database belongs to.
type Account struct {
	ID        string
	Name      string
	CreatedAt time.Time
}

// Account returns the account, if it was made.
func (tx *Tx) Account(ctx context.Context) (Account, bool, error) {
	return One(ctx, tx, func(row Scanner) (a Account, err error) {
		return a, row.Scan(&a.ID, &a.Name, (*Time)(&a.CreatedAt))
	}, `SELECT id, name, created_at FROM account`)
}

// InsertAccount makes the account.
func (tx *Tx) InsertAccount(ctx context.Context, a Account) error {
	return tx.Send(ctx, `INSERT INTO account (id, name, created_at) VALUES (?, ?, ?)`,
		a.ID, a.Name, Micros(a.CreatedAt))
}
