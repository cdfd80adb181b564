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

func mustEnter(t *testing.T, ts *turnstile, address string) (leave func()) {
	t.Helper()
	leave, err := ts.enter(t.Context(), netip.MustParseAddr(address))
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return leave
}

func TestAFloodFromOneNetworkLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ts turnstile
		results := make(chan error, 100)
		stop := make(chan struct{})
		for i := range 100 {
			// All of one /64: to its holder they cost nothing.
			address := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i)})
			go func() {
				leave, err := ts.enter(t.Context(), address)
				results <- err
				if err == nil {
					<-stop
					leave()
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
		entered := make(chan func(), 1)
		go func() { entered <- mustEnter(t, &ts, "198.51.100.7") }()
		synctest.Wait() // the bridge stands in line
		close(stop)
		(<-entered)()
		synctest.Wait()
		if len(ts.here) != 0 || len(ts.slots) != 0 {
			t.Errorf("still there: %v, %d", ts.here, len(ts.slots))
		}
	})
}

func TestNobodyWaitsInLineForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ts turnstile
		for range max(1, runtime.GOMAXPROCS(0)/2) {
			mustEnter(t, &ts, "192.0.2.1")
		}
		_, err := ts.enter(t.Context(), netip.MustParseAddr("198.51.100.7"))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Status != 429 || e.RetryAfter != startAgain {
			t.Errorf("got %v, want 429 with a time to try again", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := ts.enter(gone, netip.MustParseAddr("198.51.100.7")); !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
		if n := ts.here[httpkit.NetworkOf(netip.MustParseAddr("198.51.100.7"))]; n != 0 {
			t.Errorf("%d are in line", n)
		}
	})
}
