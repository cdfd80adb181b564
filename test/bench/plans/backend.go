package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A backend keeps states in memory. Terraform writes a local state file anew
// after each object that it made, which for thousands of them is most of what
// an apply costs; a state that is kept by a server it sends now and then.
type backend struct {
	url    string
	server *http.Server

	mu     sync.Mutex
	states map[string][]byte // by path
}

func startBackend(ctx context.Context) (*backend, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &backend{url: "http://" + l.Addr().String(), states: make(map[string][]byte)}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = b.server.Serve(l) }() // until stop
	return b, nil
}

func (b *backend) stop() { _ = b.server.Close() }

// ServeHTTP is Terraform's http backend, without locks.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch r.Method {
	case http.MethodPost:
		b.states[r.URL.Path] = body
	case http.MethodDelete:
		delete(b.states, r.URL.Path)
	default:
		if b.states[r.URL.Path] == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = w.Write(b.states[r.URL.Path])
	}
}
