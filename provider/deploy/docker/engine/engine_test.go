package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// serveAPI answers as an engine with an old version of the API.
func serveAPI(t *testing.T, listener net.Listener, config *tls.Config) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.WriteHeader(http.StatusOK)
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that are to fail
	if config == nil {
		server.Start()
	} else {
		server.TLS = config
		server.StartTLS()
	}
	t.Cleanup(server.Close)
}

// engineSocket serves the API at a socket and returns its path.
func engineSocket(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "engine") //nolint:usetesting // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "docker.sock")
	serveAPI(t, listen(t, "unix", path), nil)
	return path
}

func engineTCP(t *testing.T, config *tls.Config) (address string) {
	t.Helper()
	listener := listen(t, "tcp", "127.0.0.1:0")
	serveAPI(t, listener, config)
	return "tcp://" + listener.Addr().String()
}

// mustOpen checks that the engine answers.
func mustOpen(t *testing.T, config Config) {
	t.Helper()
	c, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.ClientVersion(); got != "1.41" {
		t.Errorf("the version of the API is %s, want 1.41", got)
	}
}

func TestOpenAgreesOnTheVersionOfTheAPI(t *testing.T) {
	clearEnvironment(t)
	t.Run("at a socket", func(t *testing.T) { mustOpen(t, Config{Host: "unix://" + engineSocket(t)}) })
	t.Run("by TCP", func(t *testing.T) { mustOpen(t, Config{Host: engineTCP(t, nil)}) })
}

func TestArgumentsThatAreNotKnownYetAreNamed(t *testing.T) {
	t.Parallel()
	config := Config{Unknown: []string{"docker.host"}}
	if _, err := Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "docker.host") {
		t.Errorf("Open gives %v", err)
	}
	if config = config.WithHost("unix:///run/docker.sock"); !config.Known() {
		t.Errorf("a deployment's own host leaves %q unknown", config.Unknown)
	}
}

func TestAnEngineThatIsAwayIsAShortErrorWithHostAndRemedy(t *testing.T) {
	clearEnvironment(t)
	closed := listen(t, "tcp", "127.0.0.1:0")
	closed.Close()
	folder := t.TempDir()
	left := filepath.Join(folder, "docker.sock")
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	socket.SetUnlinkOnClose(false)
	socket.Close()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	for _, row := range []struct{ name, host, want string }{
		{"nothing at the port", "tcp://" + closed.Addr().String(), "nothing listens at that port. Start the engine"},
		{"a socket that was left", "unix://" + left, "nothing listens at the socket. Start the engine"},
		{"an unknown name", "tcp://engine.invalid:2375", "engine.invalid cannot be resolved"},
		{"another server", "tcp://" + web.Listener.Addr().String(), "does not answer as a container engine"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Open(t.Context(), Config{Host: row.host})
			away, ok := errors.AsType[*Error](err)
			if !ok || !strings.Contains(err.Error(), row.want) || !strings.Contains(away.Host, row.host) {
				t.Fatalf("the error is %v, want %q", err, row.want)
			}
			if len(err.Error()) > 400 || strings.Contains(err.Error(), "_ping") {
				t.Errorf("the error is long: %v", err)
			}
		})
	}
}

func TestAnEngineThatAcceptsAndIsSilentEndsWithTheContext(t *testing.T) {
	clearEnvironment(t)
	silent := listen(t, "tcp", "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, Config{Host: "tcp://" + silent.Addr().String()})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), silent.Addr().String()) {
		t.Errorf("the error is %v", err)
	}
}

func TestLaterErrorsOfTheClientExplainThemselves(t *testing.T) {
	clearEnvironment(t)
	path := engineSocket(t)
	c, err := Open(t.Context(), Config{Host: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil { // the next request dials again
		t.Fatal(err)
	}
	_, err = c.Info(t.Context(), client.InfoOptions{})
	if away, ok := errors.AsType[*Error](err); !ok || !strings.Contains(away.Host, path) {
		t.Errorf("the error is %v", err)
	}
}

func TestARunWaitsOnceForAnEngineThatIsAway(t *testing.T) {
	clearEnvironment(t)
	closed := listen(t, "tcp", "127.0.0.1:0")
	address := closed.Addr().String()
	closed.Close()
	outages := new(Outages)
	config := Config{Host: "tcp://" + address, Outages: outages}
	var mu sync.Mutex
	var full, short int
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, err := Open(t.Context(), config)
			mu.Lock()
			defer mu.Unlock()
			if _, ok := errors.AsType[*Error](err); ok {
				full++
			} else if err != nil && strings.Contains(err.Error(), "not tried again") {
				short++
			}
		})
	}
	all.Wait()
	if full != 1 || short != 9 {
		t.Errorf("%d errors with the reason and %d that refer to it, want 1 and 9", full, short)
	}
	mustOpen(t, Config{Host: engineTCP(t, nil), Outages: outages}) // another engine
}

func TestAnInterruptedConnectionDecidesNothingForOthers(t *testing.T) {
	clearEnvironment(t)
	outages, host := new(Outages), engineTCP(t, nil)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(cancelled, Config{Host: host, Outages: outages}); !errors.Is(err, context.Canceled) {
		t.Fatalf("the interrupted one gives %v", err)
	}
	mustOpen(t, Config{Host: host, Outages: outages})
}
