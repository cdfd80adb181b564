// Package ports chooses addresses for programs of tests that need theirs beforehand, or come back to it.
package ports

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
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
		// Not by listening: see Listen.
		if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address); err == nil {
			conn.Close()
			mark.Close()
			continue
		}
		t.Cleanup(func() { mark.Close() })
		return address
	}
	t.Fatal("no port is free")
	return ""
}

// Listen listens at an address that something may have listened at a moment ago. A process that is being started has
// copies of all descriptors until it runs its program, so an address can be in use for a while after its listener was
// closed.
func Listen(t testing.TB, address string) net.Listener {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		l, err := new(net.ListenConfig).Listen(context.WithoutCancel(t.Context()), "tcp", address)
		if err == nil {
			return l
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(until) {
			t.Fatal(err)
		}
	}
}

// patience is how long an address may stay in use.
const patience = 30 * time.Second
