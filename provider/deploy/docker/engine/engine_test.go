package engine_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
)

// serveAPI answers as an engine with an old version of the API and returns its address.
func serveAPI(t *testing.T, network string) string {
	t.Helper()
	address, prefix := "127.0.0.1:0", "tcp://"
	if network == "unix" {
		address, prefix = filepath.Join(t.TempDir(), "docker.sock"), "unix://"
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.WriteHeader(http.StatusOK)
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return prefix + listener.Addr().String()
}

func TestOpenAgreesOnTheVersionOfTheAPI(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			c, err := engine.Open(t.Context(), engine.Config{Host: serveAPI(t, network)})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.ClientVersion(); got != "1.41" {
				t.Errorf("the version is %s, want 1.41", got)
			}
		})
	}
}

func TestTheConfiguredHostComesBeforeTheEnvironment(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	c, err := engine.Open(t.Context(), engine.Config{Host: serveAPI(t, "tcp")})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	_, err = engine.Open(t.Context(), engine.Config{})
	if err == nil || !strings.Contains(err.Error(), "unix:///nowhere/docker.sock (DOCKER_HOST)") {
		t.Errorf("without a configured host: %v", err)
	}
}

func TestArgumentsThatAreNotKnownYetAreNamed(t *testing.T) {
	t.Parallel()
	config := engine.Config{Unknown: []string{"docker.host"}}
	if _, err := engine.Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "docker.host") {
		t.Errorf("Open gives %v", err)
	}
	if config = config.WithHost("unix:///run/docker.sock"); !config.Known() {
		t.Errorf("a deployment's own host leaves %q unknown", config.Unknown)
	}
}
