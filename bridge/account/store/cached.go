package store

import (
	"context"
	"fmt"
)

// A cache is what a connection has read of one version of the database.
type cache struct {
	version int64
	values  map[string]any
}

// maxCached bounds the values in a connection's cache: some sessions' worth.
const maxCached = 64

// Cached returns what load reads under key, and calls load again only once
// the database has another version, by a commit of this process or of another.
// It is for what every request reads and few change. A value that is not found
// is not cached, so that wrong keys cannot fill the memory.
func Cached[T any](ctx context.Context, s *Store, key string, load func(context.Context, *Tx) (T, bool, error),
) (value T, found bool, err error) {
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
	if value, found = c.cache.values[key].(T); found && version == c.cache.version {
		return value, true, nil
	}
	err = s.readOn(ctx, c, func(ctx context.Context, tx *Tx) error {
		// There may have been a commit since: this is the version of the snapshot.
		if version, err = c.version(); err != nil {
			return err
		}
		if value, found, err = load(ctx, tx); err != nil || !found {
			return err
		}
		if version != c.cache.version || len(c.cache.values) >= maxCached {
			c.cache = cache{version, make(map[string]any)}
		}
		c.cache.values[key] = value
		return nil
	})
	return value, found && err == nil, err
}

// version is a number that changes when another connection, of any process,
// commits.
func (c *conn) version() (n int64, err error) {
	rows, err := c.query(`PRAGMA data_version`)
	return n, onlyRow{rows, err}.Scan(&n)
}
