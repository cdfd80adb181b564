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

// The bounds of beginning to sign in. Anybody may, and it takes the account
// some milliseconds of arithmetic and a row.
const (
	// startsPerNetwork is how many may be under way for one network; the
	// bridges of a company that restart together are fewer.
	startsPerNetwork = 8
	startPatience    = 3 * time.Second
	startAgain       = 2 * time.Second // what who is turned away is told
	// maxHandshakes are kept at most. The arithmetic makes them slowly enough
	// that the oldest of them, which yields, was given up long ago.
	maxHandshakes = 4096
)

// A turnstile lets a few through at once and the others wait in a line. No
// network fills the line: a flood from one leaves room for everybody else.
// The zero value works.
type turnstile struct {
	made  sync.Once
	slots chan struct{}

	mu   sync.Mutex
	here map[httpkit.Network]int // in line or through, by network
}

// enter waits for a turn; the caller must leave when he is done.
func (t *turnstile) enter(ctx context.Context, address netip.Addr) (leave func(), err error) {
	// Half the processors at most: who is in already needs the others.
	t.made.Do(func() { t.slots = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)) })
	network := httpkit.NetworkOf(address)
	if !t.arrive(network) {
		return nil, tooManySignIns("%d sign-ins from your network are under way", startsPerNetwork)
	}
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case t.slots <- struct{}{}:
		return func() { <-t.slots; t.depart(network) }, nil
	case <-patience.C:
		err = tooManySignIns("more sign-ins are under way than the account can compute")
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.depart(network)
	return nil, err
}

func (t *turnstile) arrive(network httpkit.Network) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.here == nil {
		t.here = make(map[httpkit.Network]int)
	}
	if t.here[network] >= startsPerNetwork {
		return false
	}
	t.here[network]++
	return true
}

func (t *turnstile) depart(network httpkit.Network) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.here[network]--; t.here[network] == 0 {
		delete(t.here, network)
	}
}

func tooManySignIns(format string, args ...any) *Error {
	return TooMany("Too many sign-ins", startAgain, fmt.Sprintf(format, args...))
}
