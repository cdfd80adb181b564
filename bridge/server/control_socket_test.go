//go:build unix

package server_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server"
)

// Two deployments of one data folder may each start a successor.
func TestOfTwoBridgesThatAskForTheListenerOneGetsIt(t *testing.T) {
	t.Parallel()
	var replaced atomic.Int32
	listener := &server.Listener{
		Address: "127.0.0.1:0", Handler: http.NotFoundHandler(), Log: hclog.NewNullLogger(), Connections: 10,
	}
	if err := listener.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Drain(context.Background(), 0) })
	socket := &server.ControlSocket{
		DataDir: t.TempDir(), Listener: listener, Log: hclog.NewNullLogger(),
		Status:     func() control.Status { return control.Status{} },
		OnReplaced: func() { replaced.Add(1) },
	}
	if _, err := socket.Open(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close(context.Background()) })

	path := filepath.Join(socket.DataDir, control.SocketName)
	second, got := make(chan error, 1), make(chan struct{})
	first := control.Receive(t.Context(), path, func(l net.Listener) error {
		go func() {
			second <- control.Receive(t.Context(), path, func(l net.Listener) error {
				close(got)
				return l.Close()
			})
		}()
		select {
		case <-got:
		case <-time.After(100 * time.Millisecond): // for the second to be wrongly served in
		}
		return l.Close()
	})
	if first != nil {
		t.Errorf("the first: %v", first)
	}
	if err := <-second; err == nil {
		t.Error("the second was given the listener, too")
	}
	if n := replaced.Load(); n != 1 {
		t.Errorf("the bridge was told of %d successors", n)
	}
}
