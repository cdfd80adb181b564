package account

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// acquire begins a sign-in that computes until it is released.
func acquire(ctx context.Context, l *signInLimiter, address netip.Addr) (release func(), err error) {
	leave, err := l.enter(address)
	if err != nil {
		return nil, err
	}
	computing, done, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- l.compute(ctx, func() error {
			close(computing)
			<-done
			return nil
		})
	}()
	select {
	case <-computing:
		return func() {
			close(done)
			if err := <-ended; err != nil {
				panic(err) // of a function that returns nil
			}
			leave()
		}, nil
	case err := <-ended:
		leave()
		return nil, err
	}
}

func mustAcquire(t *testing.T, l *signInLimiter, address string) (release func()) {
	t.Helper()
	release, err := acquire(t.Context(), l, netip.MustParseAddr(address))
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return release
}

func TestAFloodFromOneNetworkLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l signInLimiter
		results := make(chan error, 100)
		stop := make(chan struct{})
		for i := range 100 {
			// All of one /64: to its holder they cost nothing.
			address := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i)})
			go func() {
				release, err := acquire(t.Context(), &l, address)
				results <- err
				if err == nil {
					<-stop
					release()
				}
			}()
		}
		synctest.Wait()
		refused := 0
		for range len(results) {
			if IsCode(<-results, "too_many_requests") {
				refused++
			}
		}
		if want := 100 - startsPerNetwork; refused != want {
			t.Errorf("%d of the flood were turned away at once, want %d", refused, want)
		}
		acquired := make(chan func(), 1)
		go func() { acquired <- mustAcquire(t, &l, "198.51.100.7") }()
		synctest.Wait() // the bridge waits
		close(stop)
		(<-acquired)()
		synctest.Wait()
		if len(l.pending) != 0 || len(l.slots) != 0 {
			t.Errorf("not released: %v, %d", l.pending, len(l.slots))
		}
	})
}

func TestASignInDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l signInLimiter
		for range max(1, runtime.GOMAXPROCS(0)/2) {
			defer mustAcquire(t, &l, "192.0.2.1")()
		}
		_, err := acquire(t.Context(), &l, netip.MustParseAddr("198.51.100.7"))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Status != 429 || e.RetryAfter != startRetryAfter {
			t.Errorf("got %v, want 429 with a time to try again", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := acquire(gone, &l, netip.MustParseAddr("198.51.100.7")); !errors.Is(err, context.Canceled) {
			t.Errorf("a canceled request got %v", err)
		}
		if n := l.pending[httpkit.NetworkOf(netip.MustParseAddr("198.51.100.7"))]; n != 0 {
			t.Errorf("%d are still counted", n)
		}
	})
}
