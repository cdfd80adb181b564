package scim

import (
	"context"
	"sync"
)

// A keyedLock lets one at a time do something with a key.
type keyedLock struct {
	mu   sync.Mutex
	held map[string]*heldKey
}

type heldKey struct {
	slot    chan struct{}
	waiting int // and the one that holds it
}

func newKeyedLock() *keyedLock { return &keyedLock{held: make(map[string]*heldKey)} }

// lock waits for the key; the caller must call unlock. Its error is that of ctx.
func (l *keyedLock) lock(ctx context.Context, key string) (unlock func(), err error) {
	l.mu.Lock()
	h := l.held[key]
	if h == nil {
		h = &heldKey{slot: make(chan struct{}, 1)}
		l.held[key] = h
	}
	h.waiting++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if h.waiting--; h.waiting == 0 {
			delete(l.held, key)
		}
	}
	select {
	case h.slot <- struct{}{}:
		return func() { <-h.slot; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
