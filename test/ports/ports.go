// Package ports chooses addresses for programs of tests that need theirs beforehand, or come back to it.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// Ports outside the range that systems assign for port 0, and to clients.
const first, count = 20000, 12000

var next atomic.Uint32

func init() { next.Store(rand.Uint32N(count)) }

// Free returns a loopback address at which nothing listens. Until the test ends, it is no other test's either, of this
// process or of another one that calls Free: the port of UDP with the same number is taken as a mark.
func Free(t testing.TB) string {
	t.Helper()
	for range count {
		address := fmt.Sprintf("127.0.0.1:%d", first+next.Add(1)%count)
		mark, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", address)
		if err != nil {
			continue
		}
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			mark.Close()
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { mark.Close() })
		return address
	}
	t.Fatal("no port is free")
	return ""
}
