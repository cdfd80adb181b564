//go:build unix

package control_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// old is a bridge that hands over l, reduced to its control socket. The
// channel tells how its hand-over ended.
func old(t *testing.T, path string, l net.Listener) <-chan error {
	t.Helper()
	socket, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		ended <- control.HandOver(w, l)
	})}
	go func() { _ = server.Serve(socket) }()
	t.Cleanup(func() { server.Close() })
	return ended
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestHandOverKeepsThePortOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), control.SocketName)
	first := listen(t)
	ended := old(t, path, first)

	err := control.Receive(t.Context(), path, func(l net.Listener) error {
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "the successor")
		})}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { server.Close() })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("the old bridge was not told that the successor serves: %v", err)
	}
	first.Close()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+first.Addr().String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "the successor" {
		t.Errorf("the port answered %q", body)
	}
}

func TestHandOverThatFailsLeavesTheOldBridgeServing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), control.SocketName)
	ended := old(t, path, listen(t))

	broken := errors.New("the successor cannot serve")
	if err := control.Receive(t.Context(), path, func(net.Listener) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Receive: %v, want the successor's own error", err)
	}
	if err := <-ended; err == nil {
		t.Error("the old bridge was told to drain, although no successor serves")
	}
}

func TestSocketHasOneOwner(t *testing.T) {
	t.Parallel()
	// Longer than a socket address may be: data folders are chosen by people.
	path := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(path, control.SocketName)

	if _, err := control.Dial(path).Status(t.Context()); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("asking where no bridge ever ran: %v, want ErrNotRunning", err)
	}
	first, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path); !errors.Is(err, control.ErrAlreadyRunning) {
		t.Errorf("listening beside a bridge that runs: %v, want ErrAlreadyRunning", err)
	}
	first.Close() // as a killed process leaves it: the file stays
	if _, err := control.Dial(path).Status(t.Context()); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("asking where a bridge was killed: %v, want ErrNotRunning", err)
	}
	second, err := control.Listen(path)
	if err != nil {
		t.Fatalf("listening where a bridge was killed: %v", err)
	}
	second.Close()
}

func TestRefusalKeepsItsCode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), control.SocketName)
	socket, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code":"token_rejected","detail":"this token does not open the session"}`)
	})}
	go func() { _ = server.Serve(socket) }()
	t.Cleanup(func() { server.Close() })

	_, err = control.Dial(path).Unseal(context.Background(), "sbt1_x")
	r, ok := errors.AsType[*control.Error](err)
	if !ok || r.Status != http.StatusForbidden || r.Code != "token_rejected" ||
		r.Detail != "this token does not open the session" {
		t.Errorf("got %#v, want the bridge's own words", err)
	}
}
