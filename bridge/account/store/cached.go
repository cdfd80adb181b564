package store

import (
	"context"
	"sync"
)

// A cache is what was read of one state of the database, as long as that is the newest.
type cache struct {
	mu     sync.RWMutex
	at     state
	values map[string]any
}

// maxCached bounds the values in a cache: some sessions' worth.
const maxCached = 64

func (c *cache) get(key string, at state) any {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.at != at {
		return nil
	}
	return c.values[key]
}

func (c *cache) put(key string, value any, at state) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at != at || len(c.values) >= maxCached {
		c.at, c.values = at, make(map[string]any)
	}
	c.values[key] = value
}

// Cached returns what load reads under key, and calls load again only once
// somebody has committed, in this process or in another. It is for what every
// request reads and few change. A value that is not found is not cached, so
// that wrong keys cannot fill the memory. Where it is not known whether somebody has committed,
// nothing is cached.
func Cached[T any](ctx context.Context, s *Store, key string, load func(context.Context, *Tx) (T, bool, error),
) (value T, found bool, err error) {
	if tx, ok := ctx.Value(txKey{s}).(*Tx); ok {
		return load(ctx, tx)
	}
	newest, known, err := s.engine.newest(ctx)
	if err != nil {
		return value, false, err
	}
	if known {
		if value, found = s.cache.get(key, newest).(T); found {
			return value, true, nil
		}
	}
	err = s.Read(ctx, func(ctx context.Context, tx *Tx) error {
		value, found, err = load(ctx, tx)
		return err
	})
	if err != nil || !found {
		return value, false, err
	}
	if known {
		s.cache.put(key, value, newest)
	}
	return value, true, nil
}
