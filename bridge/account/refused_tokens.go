package account

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// refusedTokens counts requests with invalid admin tokens. They are written together:
// an unauthenticated client must not be able to add a row with each request.
type refusedTokens struct {
	mu    sync.Mutex
	count int
	last  netip.Addr
	total int // since the start, for metrics
}

// note counts one request.
func (r *refusedTokens) note(address netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	r.total++
	r.last = address
}

func (r *refusedTokens) take() (count int, last netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	count, r.count = r.count, 0
	return count, r.last
}

// give adds a count that could not be written.
func (r *refusedTokens) give(count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count += count
}

// RefusedTokens returns the number of requests with an invalid admin token since the
// process started.
func (a *Account) RefusedTokens() int {
	a.refusedTokens.mu.Lock()
	defer a.refusedTokens.mu.Unlock()
	return a.refusedTokens.total
}

// writeRefusedTokens adds the count to the day's, which is listed among the audit events. There
// is one a day, regardless of the count, and it is kept as long as sign-in attempts.
func (a *Account) writeRefusedTokens(ctx context.Context) error {
	count, last := a.refusedTokens.take()
	if count == 0 {
		return nil
	}
	now := a.Time()
	err := a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.CountRefusedTokens(ctx, store.RefusedTokens{
			Day: now.UTC().Format(time.DateOnly), Time: now, Count: count, Address: last.String(),
			Forget: now.Add(-attemptsKept).UTC().Format(time.DateOnly),
		})
	})
	if err != nil {
		a.refusedTokens.give(count)
		return fmt.Errorf("noting refused admin tokens: %w", err)
	}
	return nil
}
