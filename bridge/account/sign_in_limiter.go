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

// The limits on starting a sign-in, which unauthenticated clients can do: each costs
// the account some milliseconds of arithmetic and a row.
const (
	// startsPerNetwork is how many may run or wait for one network: more than the
	// bridges of a company that restart together.
	startsPerNetwork = 8
	startTimeout     = 3 * time.Second
	startRetryAfter  = 2 * time.Second
	// maxHandshakes is the maximum number of stored handshakes; beyond it the oldest
	// is deleted. The arithmetic is so slow that its client has timed out by then.
	maxHandshakes = 4096
)

// A signInLimiter limits how many sign-ins compute at a time; others wait. The number
// of waiting ones is limited by network, so that a flood from one does not block the
// others. The zero value is ready to use.
type signInLimiter struct {
	made  sync.Once
	slots chan struct{}

	mu      sync.Mutex
	pending map[httpkit.Network]int // sign-ins that have not left
}

// enter counts a sign-in until leave is called. It is refused if its network has too many.
func (l *signInLimiter) enter(address netip.Addr) (leave func(), err error) {
	network := httpkit.NetworkOf(address)
	if !l.add(network) {
		return nil, tooManySignIns("%d sign-ins from your network are in progress", startsPerNetwork)
	}
	return func() { l.remove(network) }, nil
}

// compute calls fn once there is a processor for it. Reading and writing the database is not for fn: a slow database
// would hold all other sign-ins up.
func (l *signInLimiter) compute(ctx context.Context, fn func() error) error {
	// At most half of the processors: signed-in bridges need the others.
	l.made.Do(func() { l.slots = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)) })
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
		return fn()
	case <-timeout.C:
		return tooManySignIns("too many sign-ins are in progress")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add counts a sign-in. It reports false if its network has too many.
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
