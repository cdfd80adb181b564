package httpkit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// A Listener limits the number of open connections. At the limit, a new one
// replaces one that has shown no secret: the oldest of the network that has most
// of them. So a client that holds connections open cannot keep others out. If
// every connection has shown a secret, accepting waits until one ends.
type Listener struct {
	net.Listener
	// Name is of a listener beside the server's own, such as for health checks. That its connections are all in use is
	// logged under it, and is no problem of the server.
	Name   string
	most   int
	events *EventLog

	mu     sync.Mutex
	ended  sync.Cond // a connection has, or the listener
	closed bool
	conns  []*conn // the oldest first

	overload overload
}

// overload is what is known of the latest one.
type overload struct {
	since, last, waited time.Time
	reason              string
	count               NetworkCount
	good                int // connections accepted since without trouble
}

// Limit returns a Listener that has at most most connections open. What keeps
// it from accepting is told to events, as an error.
func Limit(l net.Listener, most int, events *EventLog) *Listener {
	limited := &Listener{Listener: l, most: most, events: events}
	limited.ended.L = &limited.mu
	return limited
}

// Overload is how a Listener was overloaded lately.
type Overload struct {
	Since  time.Time
	Count  int    // connections closed or not accepted
	Reason string // the latest
	// Networks are those whose connections were closed or had to wait.
	Networks string
	// Waited is set if lately there was no stranger's connection to close, and a
	// client was kept out.
	Waited bool
}

// An overload is over when endsOverload connections in a row were accepted with
// neither an error nor another one closed: a single one may have got the file
// that was just given back. Without new connections it is over after
// overloadLasts.
const (
	endsOverload  = 20
	overloadLasts = 5 * time.Minute
)

// Overload reports whether the listener was overloaded lately, and how.
func (l *Listener) Overload() (load Overload, lately bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	load = Overload{
		Since: l.overload.since, Count: l.overload.count.Total, Reason: l.overload.reason,
		Networks: l.overload.count.String(),
		Waited:   !l.overload.waited.IsZero() && time.Since(l.overload.waited) < overloadLasts,
	}
	return load, load.Count > 0 && l.overload.good < endsOverload && time.Since(l.overload.last) < overloadLasts
}

// overloaded notes one connection that could not be had or kept; full, since all
// are in use, and not since the system had no resource. It is called with the lock.
func (l *Listener) overloaded(reason string, full, waited bool, client netip.Addr) {
	now := time.Now()
	load := &l.overload
	if now.Sub(load.last) >= overloadLasts || load.good >= endsOverload {
		*load = overload{since: now}
	}
	load.last, load.reason, load.good = now, reason, 0
	load.count.Add(client)
	if waited {
		load.waited = now
	}
	if l.Name != "" && full {
		l.events.Add(Event{
			Kind: l.Name + "_overloaded", Level: hclog.Warn, Client: client,
			Message: "more connections than the listener for " + l.Name + " holds; the oldest are closed first",
			Fields:  []any{"reason", reason},
		})
		return
	}
	l.events.Add(Event{
		Kind: "overloaded", Level: hclog.Error, Client: client,
		Message: "more connections than this process can hold; those without a valid secret are closed first",
		Fields:  []any{"problem", "overloaded", "reason", reason},
	})
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, l.failed(err)
	}
	c := &conn{Conn: accepted, listener: l}
	if peer, ok := accepted.RemoteAddr().(*net.TCPAddr); ok {
		c.network, c.client = NetworkOf(peer.AddrPort().Addr()), unmapped(peer.AddrPort().Addr())
	}
	victim, err := l.admit(c)
	if err != nil {
		return nil, errors.Join(err, accepted.Close())
	}
	if victim != nil {
		_ = victim.Conn.Close()
	}
	return c, nil
}

// What the system answers to accept for want of a resource. Without ENOBUFS and
// ENOMEM among them, net/http would take those for the end of the listener.
var shortages = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}

// What the system answers to accept about the one connection that it would
// have given; accept(2) wants them treated like EAGAIN.
var lostConnections = []syscall.Errno{
	syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EPROTO, syscall.ENOPROTOOPT, syscall.EOPNOTSUPP, syscall.EPERM,
	syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ETIMEDOUT,
}

func isAny(err error, numbers []syscall.Errno) bool {
	return slices.ContainsFunc(numbers, func(n syscall.Errno) bool { return errors.Is(err, n) })
}

// failed notes why the system gave no connection, and returns the error for the
// server: one after which it tries again, unless the listener itself is broken.
func (l *Listener) failed(err error) error {
	switch {
	case isAny(err, shortages):
		l.noteShortage(err)
	case isAny(err, lostConnections):
		l.events.Add(Event{
			Kind: "lost", Level: hclog.Warn, Message: "connections broke before they were accepted",
			Fields: []any{"latest", err.Error()},
		})
	default:
		return err
	}
	return temporaryError{err}
}

// temporaryError is an error after which net/http accepts again, in 5 ms to 1 s.
type temporaryError struct{ error }

// Timeout implements net.Error.
func (p temporaryError) Timeout() bool { return false }

// Temporary implements net.Error.
func (p temporaryError) Temporary() bool { return true }

func (p temporaryError) Unwrap() error { return p.error }

// noteShortage notes that the system had no resource for a connection. Where it has
// no more files, a stranger's connection is closed: the next attempt must not
// fail, too.
func (l *Listener) noteShortage(err error) {
	l.mu.Lock()
	l.overloaded(err.Error(), false, true, netip.Addr{})
	var victim *conn
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		victim = l.takeStranger(Network{})
	}
	l.mu.Unlock()
	if victim != nil {
		_ = victim.Conn.Close()
	}
}

// admit takes a connection among the open ones, and returns one to close for it.
func (l *Listener) admit(c *conn) (victim *conn, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	reason := fmt.Sprintf("all %d connections are in use", l.most)
	if len(l.conns) < l.most {
		l.overload.good++
	}
	for victim == nil && len(l.conns) >= l.most {
		if victim = l.takeStranger(c.network); victim != nil {
			l.overloaded(reason, true, false, victim.client)
			continue
		}
		l.overloaded(reason, true, true, c.client)
		if l.ended.Wait(); l.closed {
			return nil, net.ErrClosed
		}
	}
	l.conns = append(l.conns, c)
	return victim, nil
}

// takeStranger removes the oldest connection of the network that has most on
// which no secret was shown, and returns it; nil if there is none. The one
// that is about to be added counts.
func (l *Listener) takeStranger(added Network) *conn {
	count := map[Network]int{added: 1}
	most := 1
	for _, c := range l.conns {
		if !c.admitted.Load() {
			count[c.network]++
			most = max(most, count[c.network])
		}
	}
	for _, c := range l.conns {
		if !c.admitted.Load() && count[c.network] == most {
			l.remove(c)
			return c
		}
	}
	return nil
}

func (l *Listener) remove(c *conn) {
	if i := slices.Index(l.conns, c); i >= 0 {
		l.conns = slices.Delete(l.conns, i, i+1)
	}
}

// Close ends accepting; open connections stay.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	l.ended.Broadcast()
	l.mu.Unlock()
	return l.Listener.Close()
}

// A conn is a connection that a Listener accepted.
type conn struct {
	net.Conn
	listener *Listener
	network  Network
	client   netip.Addr
	admitted atomic.Bool
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	c.listener.remove(c)
	c.listener.ended.Signal()
	return err
}

// CloseWrite lets net/http end an answer before it closes the connection.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// withConn lets [Admit] find the connection of a request.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}
