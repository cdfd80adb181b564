package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Listener is the bridge's public server. It can inherit its listening socket from the
// previous bridge and hand it over to the next one without losing a request.
type Listener struct {
	Address string // to listen on
	Handler http.Handler
	Log     hclog.Logger
	// Events logs events that unauthenticated clients can cause.
	Events *httpkit.EventLog
	// Connections is the maximum number of open connections.
	Connections int
	// TLS is nil for plain HTTP.
	TLS *tls.Config
	// Queue is closed shortly after the listener has begun to finish the requests in flight; nil for none.
	Queue *fair.Queue
	// OnListening is called when the address is bound, before the first request. It may be nil.
	OnListening func()

	mu      sync.Mutex
	bound   net.Listener      // the system's listener, which can be handed over
	limited *httpkit.Listener // around it
	server  *http.Server
	failed  chan error // receives an error of serving

	draining atomic.Bool
	open     atomic.Int64 // connections
}

// Listen binds the address and serves.
func (l *Listener) Listen(ctx context.Context) error {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // such a socket takes no filter: see Refuse
	bound, err := config.Listen(ctx, "tcp", l.Address)
	if err != nil {
		return fmt.Errorf("listening on %q: %w: stop the program that uses the port (`ss -ltnp` shows it) "+
			"or choose another --listen", l.Address, err)
	}
	l.serve(bound)
	return nil
}

// ServeInherited serves on the listener of the previous bridge if that is bound to this
// bridge's address, and otherwise on a new one.
func (l *Listener) ServeInherited(ctx context.Context, inherited net.Listener) error {
	if l.wouldBind(ctx, inherited.Addr()) {
		l.serve(inherited)
		return nil
	}
	inherited.Close()
	return l.Listen(ctx)
}

// wouldBind reports whether Listen would bind the address held.
func (l *Listener) wouldBind(ctx context.Context, held net.Addr) bool {
	have, ok := held.(*net.TCPAddr)
	if !ok {
		return false
	}
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return false
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil || number != 0 && number != have.Port {
		return false
	}
	if host == "" {
		return have.IP.IsUnspecified()
	}
	addrs, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	return err == nil && includes(addrs, have.IP)
}

// includes reports whether held is one of the addresses of a name. localhost often has two,
// of which Listen binds the IPv4 one, regardless of the resolver's order.
func includes(addrs []net.IPAddr, held net.IP) bool {
	return slices.ContainsFunc(addrs, func(a net.IPAddr) bool { return a.IP.Equal(held) })
}

func (l *Listener) serve(bound net.Listener) {
	limited := httpkit.Limit(bound, l.Connections, l.Events)
	server := httpkit.NewServer(l.closeWhileDraining(l.Handler), l.Events)
	server.TLSConfig = l.TLS
	server.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			l.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			l.open.Add(-1)
		}
	}
	l.mu.Lock()
	l.bound, l.limited, l.server = bound, limited, server
	failed := l.failures()
	l.mu.Unlock()
	l.Log.Info("listening", "address", bound.Addr().String())
	if l.OnListening != nil {
		l.OnListening()
	}
	serve := func() error { return server.Serve(limited) }
	if l.TLS != nil {
		serve = func() error { return server.ServeTLS(limited, "", "") }
	}
	go func() {
		if err := serve(); !l.draining.Load() && !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serving %s: %w", bound.Addr(), err)
		}
	}()
}

// closeWhileDraining tells the clients of a draining bridge to reconnect.
func (l *Listener) closeWhileDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Addr returns the bound address, or "" before Listen.
func (l *Listener) Addr() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bound == nil {
		return ""
	}
	return l.bound.Addr().String()
}

// Report reports whether there are too many connections. Closing unauthenticated ones in
// favour of others does not degrade the bridge.
func (l *Listener) Report() health.Report {
	now := time.Now()
	r := health.Report{Source: "connections", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	l.mu.Lock()
	limited := l.limited
	l.mu.Unlock()
	if limited == nil {
		return r
	}
	load, lately := limited.Overload()
	if !lately {
		return r
	}
	facts := problem.Facts{
		problem.FactCount: strconv.Itoa(load.Count), problem.FactReason: load.Reason,
		problem.FactNetworks: load.Networks,
	}
	if load.Waited {
		r.State = health.Degraded
	}
	r.Problems = []problem.Problem{problem.New(problem.Overloaded, load.Since, facts)}
	return r
}

// Draining reports whether the bridge is draining.
func (l *Listener) Draining() bool { return l.draining.Load() }

// Failed returns a channel that receives the error if serving fails.
func (l *Listener) Failed() <-chan error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures()
}

// failures returns the channel of Failed, which may be called before there is a server. It
// is called with the lock held.
func (l *Listener) failures() chan error {
	if l.failed == nil {
		l.failed = make(chan error, 1)
	}
	return l.failed
}

// HandOver answers a hand-over request with the listening socket. When it returns nil,
// another process serves, and this one accepts no more connections.
func (l *Listener) HandOver(w http.ResponseWriter) error {
	l.mu.Lock()
	bound, limited := l.bound, l.limited
	l.mu.Unlock()
	if bound == nil {
		return errors.New("this bridge is not serving: there is nothing to hand over")
	}
	if err := control.HandOver(w, bound); err != nil {
		return err
	}
	l.draining.Store(true)
	return limited.Close()
}

// Leave tells the clients to reconnect, with every answer, while new connections are still
// accepted. Drain ends that.
func (l *Listener) Leave() { l.draining.Store(true) }

// Refuse ends what Leave has begun: no connection is made any more, and those that are being
// made are still accepted when it returns.
func (l *Listener) Refuse() error {
	l.mu.Lock()
	bound := l.bound
	l.mu.Unlock()
	if bound == nil {
		return nil
	}
	if err := ignoreConnects(bound); err != nil {
		return fmt.Errorf("letting the kernel ignore new connections: %w", err)
	}
	time.Sleep(refuseTime)
	return nil
}

// refuseTime is enough for the packets of a connection that is being made, and for the
// listener to accept it.
const refuseTime = 300 * time.Millisecond

// turnsWhileDraining is how long requests still get their turn. After it, those that wait are sent to another bridge:
// what has begun needs the rest of the time.
const turnsWhileDraining = 2 * time.Second

// Drain ends serving and finishes requests in flight. Linger is how long idle connections
// stay open: a client that sends a request while its idle connection is closed gets an
// error. If another process has taken over, they can stay for a while, and every answer
// tells the client to reconnect.
func (l *Listener) Drain(ctx context.Context, linger time.Duration) error {
	l.draining.Store(true)
	l.mu.Lock()
	server := l.server
	l.mu.Unlock()
	if server == nil {
		return nil
	}
	deadline := time.NewTimer(linger)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for lingering := linger > 0; lingering && l.open.Load() > 0; {
		select {
		case <-tick.C:
		case <-deadline.C:
			lingering = false
		case <-ctx.Done():
			lingering = false
		}
	}
	if l.Queue != nil {
		defer time.AfterFunc(turnsWhileDraining, l.Queue.Close).Stop()
	}
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("finishing the requests in flight: %w", err), server.Close())
	}
	return nil
}
