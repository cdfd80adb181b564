package store

import (
	"context"
	"fmt"
)

// remembered is what a connection has read of the database at one version.
type remembered struct {
	version int64
	values  map[string]any
}

// maxRemembered bounds the values of a connection: some sessions' worth.
const maxRemembered = 64

// Remember returns what load reads under key, and reads it again only after
// somebody has committed, in this process or in another. It is for what every
// request asks, while hardly any changes it. What is not found is asked for
// each time; nobody fills the memory with guesses.
func Remember[T any](ctx context.Context, s *Store, key string, load func(context.Context, *Tx) (T, bool, error)) (value T, found bool, err error) {
	if tx, ok := ctx.Value(txKey{s}).(*Tx); ok {
		return load(ctx, tx)
	}
	c, err := s.readers.take(ctx)
	if err != nil {
		return value, false, fmt.Errorf("beginning to read: %w", err)
	}
	defer s.readers.giveBack(c)
	version, err := c.version()
	if err != nil {
		c.broken = true
		return value, false, err
	}
	if value, found = c.memory.values[key].(T); found && version == c.memory.version {
		return value, true, nil
	}
	err = s.readOn(ctx, c, func(ctx context.Context, tx *Tx) error {
		// Somebody may have committed since; this is the version of the snapshot.
		if version, err = c.version(); err != nil {
			return err
		}
		if value, found, err = load(ctx, tx); err != nil || !found {
			return err
		}
		if version != c.memory.version || len(c.memory.values) >= maxRemembered {
			c.memory = remembered{version, make(map[string]any)}
		}
		c.memory.values[key] = value
		return nil
	})
	return value, found && err == nil, err
}

// version is a number that moves when another connection, of any process, has
// committed.
func (c *conn) version() (n int64, err error) {
	rows, err := c.query(`PRAGMA data_version`)
	return n, onlyRow{rows, err}.Scan(&n)
}
