package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// maxPingConnections bounds the connections to the listener of --ping-listen.
const maxPingConnections = 32

// listenPing binds --ping-listen. It returns nil without that, and on standby, when the bridge that
// serves has the address.
func (b *runningBridge) listenPing(ctx context.Context, isStandby bool) (net.Listener, error) {
	if b.cfg.pingListen == "" || isStandby {
		return nil, nil
	}
	bound, err := (&net.ListenConfig{}).Listen(ctx, "tcp", b.cfg.pingListen)
	if err != nil {
		return nil, fmt.Errorf("listening for /ping on %q: %w: choose another --ping-listen", b.cfg.pingListen, err)
	}
	return bound, nil
}

// servePing answers /ping by plain HTTP, for load balancers that do not ask by HTTPS, and the challenges of an ACME
// authority, until ctx ends. Without a listener it waits until this bridge serves and the address is free.
func (b *runningBridge) servePing(ctx context.Context, bound net.Listener) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for said := false; bound == nil; {
		if !b.awaitServing(ctx) {
			return
		}
		var err error
		if bound, err = b.listenPing(ctx, false); err == nil {
			break
		}
		if !said {
			b.cfg.logger.Info("waiting for the address of /ping", "reason", err)
			said = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("pong\n"))
	})
	if challenges, ok := b.cfg.certificate.(http.Handler); ok {
		mux.Handle("GET "+certificate.ChallengePath, challenges)
	}
	server := httpkit.NewServer(mux, b.events)
	b.cfg.logger.Info("listening for /ping by plain HTTP", "address", bound.Addr().String())
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	limited := httpkit.Limit(bound, maxPingConnections, b.events)
	limited.Name = "ping"
	_ = server.Serve(limited) // until it is closed
}
