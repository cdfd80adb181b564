package server

import (
	"context"
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
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/ingress"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Front is the bridge's public server. Its listening socket may come from
// the bridge that served before, and may go to the one that serves next; no
// request is lost in between.
type Front struct {
	Address string // to listen on
	Handler http.Handler
	Log     hclog.Logger
	// Events logs what strangers can cause.
	Events *ingress.EventLog
	// Connections is how many there may be at a time.
	Connections int

	mu       sync.Mutex
	listener net.Listener      // the system's, which can be handed over
	limited  *ingress.Listener // around it
	server   *http.Server
	failed   chan error // when serving ends by itself

	draining atomic.Bool
	open     atomic.Int64 // connections
}

// Listen binds the address and serves.
func (f *Front) Listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.Address)
	if err != nil {
		return fmt.Errorf("listening on %q: %w: end the program that holds the port (`ss -ltnp` names it) or choose another --listen", f.Address, err)
	}
	f.serve(l)
	return nil
}

// Inherit serves on a listener that another bridge held, if it is the address
// that this one wants; else it listens anew.
func (f *Front) Inherit(ctx context.Context, l net.Listener) error {
	if f.wants(ctx, l.Addr()) {
		f.serve(l)
		return nil
	}
	l.Close()
	return f.Listen(ctx)
}

func (f *Front) wants(ctx context.Context, held net.Addr) bool {
	have, ok := held.(*net.TCPAddr)
	if !ok {
		return false
	}
	host, port, err := net.SplitHostPort(f.Address)
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
	return err == nil && names(addrs, have.IP)
}

// names says whether a name that stands for addrs names the address held.
// localhost often stands for two, of which Listen binds the IPv4 one, wherever
// the resolver puts it.
func names(addrs []net.IPAddr, held net.IP) bool {
	return slices.ContainsFunc(addrs, func(a net.IPAddr) bool { return a.IP.Equal(held) })
}

func (f *Front) serve(l net.Listener) {
	limited := ingress.Limit(l, f.Connections, f.Events)
	server := ingress.NewServer(f.closing(f.Handler), f.Events)
	server.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			f.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			f.open.Add(-1)
		}
	}
	f.mu.Lock()
	f.listener, f.limited, f.server = l, limited, server
	failed := f.failures()
	f.mu.Unlock()
	f.Log.Info("listening", "address", l.Addr().String())
	go func() {
		if err := server.Serve(limited); !f.draining.Load() && !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serving %s: %w", l.Addr(), err)
		}
	}()
}

// closing tells the clients of a draining bridge to connect anew.
func (f *Front) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Addr is the bound address, or "" as long as there is none.
func (f *Front) Addr() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listener == nil {
		return ""
	}
	return f.listener.Addr().String()
}

// Report reports whether there are more connections than can be held. That those
// of strangers are closed for others degrades nothing.
func (f *Front) Report() health.Report {
	now := time.Now()
	r := health.Report{Source: "connections", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	f.mu.Lock()
	limited := f.limited
	f.mu.Unlock()
	if limited == nil {
		return r
	}
	load, lately := limited.Overload()
	if !lately {
		return r
	}
	facts := problem.Facts{problem.FactCount: strconv.Itoa(load.Count), problem.FactReason: load.Reason, problem.FactNetworks: load.Networks}
	if load.Waited {
		r.State = health.Degraded
	}
	r.Problems = []problem.Problem{problem.New(problem.Overloaded, load.Since, facts)}
	return r
}

// Draining says whether the bridge is about to end.
func (f *Front) Draining() bool { return f.draining.Load() }

// Failed yields the error if serving ends by itself.
func (f *Front) Failed() <-chan error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failures()
}

// failures is called under the lock: it may be asked for before there is a server.
func (f *Front) failures() chan error {
	if f.failed == nil {
		f.failed = make(chan error, 1)
	}
	return f.failed
}

// HandOver answers a hand-over request with the listening socket. When it
// returns nil another process serves, and this one accepts no more.
func (f *Front) HandOver(w http.ResponseWriter) error {
	f.mu.Lock()
	l, limited := f.listener, f.limited
	f.mu.Unlock()
	if l == nil {
		return errors.New("this bridge is not serving: there is nothing to hand over")
	}
	if err := control.HandOver(w, l); err != nil {
		return err
	}
	f.draining.Store(true)
	return limited.Close()
}

// Drain ends serving: requests under way are finished. linger is how long
// connections may stay on which nothing is under way: a client that sends its
// next request just while an idle connection is closed sees a failure, so
// when another process goes on in our place there is no reason to hurry, and
// every answer asks the client to connect anew.
func (f *Front) Drain(ctx context.Context, linger time.Duration) error {
	f.draining.Store(true)
	f.mu.Lock()
	server := f.server
	f.mu.Unlock()
	if server == nil {
		return nil
	}
	deadline := time.NewTimer(linger)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for lingering := linger > 0; lingering && f.open.Load() > 0; {
		select {
		case <-tick.C:
		case <-deadline.C:
			lingering = false
		case <-ctx.Done():
			lingering = false
		}
	}
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("finishing the requests under way: %w", err), server.Close())
	}
	return nil
}
