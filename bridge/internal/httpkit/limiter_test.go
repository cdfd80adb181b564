package httpkit_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

func network(address string) httpkit.Network { return httpkit.NetworkOf(netip.MustParseAddr(address)) }

func TestNetworks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, address, want string }{
		{"an IPv4 address is its own network", "192.0.2.1", "192.0.2.1"},
		{"an IPv4-mapped one is the same", "::ffff:192.0.2.1", "192.0.2.1"},
		{"an IPv6 host has a /64", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"a zone is none of its", "fe80::1%eth0", "fe80::/64"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := network(row.address).String(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
	if got := httpkit.NetworkOf(netip.Addr{}).String(); got != "local" {
		t.Errorf("no address is %q", got)
	}
}

func TestALimiterIsFairAndBounded(t *testing.T) {
	t.Parallel()
	l := &httpkit.Limiter{PerNetwork: httpkit.Rate{Burst: 3, Every: time.Minute}, Total: httpkit.Rate{
		Burst: 50, Every: time.Second,
	}}
	now := time.Unix(1e9, 0)
	take := func(address string, times int) (taken int) {
		for range times {
			if l.Take(network(address), now) == 0 {
				taken++
			}
		}
		return taken
	}
	if n := take("192.0.2.1", 1000); n != 3 {
		t.Errorf("a flood took %d, want 3", n)
	}
	if wait := l.Take(network("192.0.2.1"), now); wait != time.Minute {
		t.Errorf("it must wait %s, want a minute: what is refused costs nothing", wait)
	}
	if n := take("192.0.2.2", 1); n != 1 {
		t.Error("a flood from one network kept another out")
	}
	all := 0
	for i := range 10_000 {
		all += take(fmt.Sprintf("10.%d.%d.1", i/250, i%250), 3)
	}
	if all != 46 {
		t.Errorf("ten thousand networks took %d, want the 46 that were left for all", all)
	}
	now = now.Add(time.Minute)
	if n := take("192.0.2.1", 10); n != 1 {
		t.Errorf("after a minute it took %d, want 1", n)
	}
}

// While all together have used up theirs, asking costs a network nothing of its own.
func TestALimiterTakesNothingWhereItRefuses(t *testing.T) {
	t.Parallel()
	l := &httpkit.Limiter{PerNetwork: httpkit.Rate{Burst: 3, Every: time.Hour}, Total: httpkit.Rate{
		Burst: 1, Every: time.Second,
	}}
	now := time.Unix(1e9, 0)
	if l.Take(network("192.0.2.1"), now) != 0 {
		t.Fatal("the first is refused")
	}
	for range 10 {
		if wait := l.Take(network("192.0.2.2"), now); wait != time.Second {
			t.Fatalf("it must wait %s, want the second that all wait", wait)
		}
	}
	for i := range 3 {
		now = now.Add(time.Second)
		if wait := l.Take(network("192.0.2.2"), now); wait != 0 {
			t.Errorf("after %d of its 3 it must wait %s", i, wait)
		}
	}
}

// Networks beyond those that are known apart share one allowance, and do not
// push others out of theirs.
func TestAFloodResetsNoLimit(t *testing.T) {
	t.Parallel()
	l := &httpkit.Limiter{PerNetwork: httpkit.Rate{Burst: 2, Every: time.Hour}, Total: httpkit.Rate{
		Burst: 1e6, Every: time.Second,
	}}
	now := time.Unix(1e9, 0)
	taken := 0
	for i := range 20_000 {
		now = now.Add(time.Millisecond)
		if l.Take(network(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)), now) == 0 {
			taken++
		}
	}
	if taken != 4096+2 {
		t.Errorf("%d were taken, want one for each of 4096 networks and 2 for all others", taken)
	}
	if first := network("10.0.0.0"); l.Take(first, now) != 0 || l.Take(first, now) == 0 {
		t.Error("the first network's allowance is not what was left of it")
	}
}
