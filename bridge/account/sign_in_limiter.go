package account

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// The bounds of starting a sign-in, which strangers may: each takes the account
// some milliseconds of arithmetic and a row.
const (
	// startsPerNetwork is how many may run or wait for one network; the bridges
	// of a company that restart together are fewer.
	startsPerNetwork = 8
	startTimeout     = 3 * time.Second
	startRetryAfter  = 2 * time.Second
	// maxHandshakes are kept at most. The arithmetic makes them so slowly that
	// the client of the oldest, which is deleted, has given up long before.
	maxHandshakes = 4096
)

// A signInLimiter lets a few sign-ins compute at a time; others wait. How many
// may wait is bounded by network, so that a flood from one leaves room for the
// others. The zero value is ready to use.
type signInLimiter struct {
	made  sync.Once
	slots chan struct{}

	mu      sync.Mutex
	pending map[httpkit.Network]int // waiting or computing
}

// acquire waits for a slot. The caller must call release when it is done.
func (l *signInLimiter) acquire(ctx context.Context, address netip.Addr) (release func(), err error) {
	// Half the processors at most: bridges that are signed in need the others.
	l.made.Do(func() { l.slots = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)) })
	network := httpkit.NetworkOf(address)
	if !l.add(network) {
		return nil, tooManySignIns("%d sign-ins from your network are under way", startsPerNetwork)
	}
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots; l.remove(network) }, nil
	case <-timeout.C:
		err = tooManySignIns("more sign-ins are under way than the account can compute")
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.remove(network)
	return nil, err
}

// add counts a sign-in, and reports whether its network may have another.
func (l *signInLimiter) add(network httpkit.Network) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == nil {
		l.pending = make(map[httpkit.Network]int)
	}
	if l.pending[network] >= startsPerNetwork {
		return false
	}
	l.pending[network]++
	return true
}

func (l *signInLimiter) remove(network httpkit.Network) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending[network]--; l.pending[network] == 0 {
		delete(l.pending, network)
	}
}

func tooManySignIns(format string, args ...any) *Error {
	return TooMany("Too many sign-ins", startRetryAfter, fmt.Sprintf(format, args...))
}
