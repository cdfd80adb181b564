//go:build engines

package engines

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// proxyTo makes the test binary a proxy, in a container, to the address in it.
const proxyTo = "SCIMBRIDGE_TEST_PROXY_TO"

func TestMain(m *testing.M) {
	target := os.Getenv(proxyTo)
	if target == "" {
		os.Exit(m.Run())
	}
	to, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	server := &http.Server{Addr: ":8080", Handler: httputil.NewSingleHostReverseProxy(to),
		ReadHeaderTimeout: time.Minute}
	panic(server.ListenAndServe())
}

// traffic is what an identity provider sends: people are created and read again.
type traffic struct {
	stop    chan struct{}
	workers sync.WaitGroup

	mu     sync.Mutex
	sent   int
	failed []string
}

func startTraffic(t *testing.T, address, token string) *traffic {
	t.Helper()
	tr := &traffic{stop: make(chan struct{})}
	client := &http.Client{Timeout: time.Minute}
	send := func(method, path, body string) {
		req, err := http.NewRequestWithContext(t.Context(), method, address+path, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/scim+json")
		resp, err := client.Do(req)
		text := ""
		if err == nil {
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode > 299 {
				text = fmt.Sprintf("%s %s: %s %s", method, path, resp.Status, b)
			}
		} else {
			text = err.Error()
		}
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.sent++
		if text != "" {
			tr.failed = append(tr.failed, time.Now().Format("15:04:05.000 ")+text)
		}
	}
	for worker := range 3 {
		tr.workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-tr.stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				send(http.MethodPost, "/scim/v2/Users",
					fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`+
						`"userName":"p%d.%d.%d@example.com","active":true}`, worker, n, time.Now().UnixNano()))
				send(http.MethodGet, "/scim/v2/Users?count=1", "")
			}
		})
	}
	t.Cleanup(func() { tr.end() })
	return tr
}

// goesOn waits until some more requests were answered.
func (tr *traffic) goesOn(t *testing.T) {
	t.Helper()
	sent := func() int { tr.mu.Lock(); defer tr.mu.Unlock(); return tr.sent }
	until := sent() + 20
	await(t, "traffic", func() bool { return sent() > until })
}

// end stops the traffic and returns how many requests were sent, and those that failed.
func (tr *traffic) end() (sent int, failed []string) {
	select {
	case <-tr.stop:
	default:
		close(tr.stop)
	}
	tr.workers.Wait()
	return tr.sent, tr.failed
}

// inProxyNetwork puts the deployment into a network with a proxy, and returns the proxy's
// address. The bridge reaches its account over TLS.
func (d *deployment) inProxyNetwork() (address string) {
	d.Helper()
	account, ca := serveTLS(d.T, d.account.URL)
	network, image := "proxied", "trusting:1"
	address = newProxyNetwork(d.T, network, d.config.Name, ca)
	d.Cleanup(func() {
		if err := d.target().Destroy(context.Background()); err != nil { // it is in the network
			d.Errorf("destroying: %v", err)
		}
	})
	d.config.Network, d.config.Image = &network, &image
	d.spec.Settings = deploy.Settings{AccountURL: atGateway(d.T, account), PublicURL: "https://scim.example.com"}
	return address
}

// atGateway is the address for containers of what serveTLS serves.
func atGateway(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(address, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + net.JoinHostPort(gateway, port)
}

// newProxyNetwork makes a network with a proxy before the container of a bridge, and returns the proxy's address. The
// images trusting:1 and trusting:2 are of bridges that trust ca.
func newProxyNetwork(t *testing.T, network, bridge, ca string) (address string) {
	t.Helper()
	makeImage(t, "trusting:1", "COPY ca.pem /ca.pem\nENV SSL_CERT_FILE=/ca.pem\n", ca)
	makeImage(t, "trusting:2", "COPY ca.pem /ca.pem\nENV SSL_CERT_FILE=/ca.pem\nLABEL second=yes\n", ca)
	docker(t, "network", "create", network)
	t.Cleanup(func() { docker(t, "network", "rm", network) })
	self, err := filepath.Abs(filepath.Join(top, "bin/engines.test"))
	if err != nil {
		t.Fatal(err)
	}
	makeImage(t, "proxy:1", "COPY engines.test /proxy\nENTRYPOINT [\"/proxy\"]\n", self)
	docker(t, "run", "--detach", "--name", "proxy", "--network", network, "--publish", "127.0.0.1:18080:8080",
		"--env", proxyTo+"=http://"+bridge+":3002", "proxy:1")
	t.Cleanup(func() {
		if log := docker(t, "logs", "proxy"); t.Failed() {
			t.Logf("log of the proxy:\n%s", log)
		}
		docker(t, "rm", "--force", "proxy")
	})
	return "http://127.0.0.1:18080"
}

func testWithoutGap(t *testing.T) {
	d := newDeployment(t, "nogap")
	address := d.inProxyNetwork()
	d.create()
	for _, row := range []struct {
		name   string
		change func()
	}{
		{"a changed setting", func() { d.spec.Settings.LogLevel = "debug" }},
		{"another image", func() { d.config.Image = new("trusting:2") }},
		{"a redeploy", nil},
		{"a second redeploy", nil},
		{"a third redeploy", nil},
		{"a fourth redeploy", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			old := d.target()
			before := d.id()
			tr := startTraffic(t, address, d.token.Reveal())
			tr.goesOn(t)
			began := time.Now()
			if row.change == nil {
				if err := d.target().Redeploy(t.Context(), d.token); err != nil {
					t.Fatal(err)
				}
			} else {
				row.change()
				if gap := d.target().Gap(old); gap != "" {
					t.Errorf("a gap is announced: %s", gap)
				}
				d.update()
			}
			took := time.Since(began)
			tr.goesOn(t)
			sent, failed := tr.end()
			t.Logf("%d of %d requests failed in an update of %s from %s", len(failed), sent,
				took.Round(100*time.Millisecond),
				began.Format("15:04:05.000"))
			if len(failed) > 0 || d.id() == before {
				t.Errorf("%d of %d requests failed:\n%s", len(failed), sent, strings.Join(failed[:min(10,
					len(failed))], "\n"))
			}
			if names := docker(t, "ps", "--all", "--format", "{{.Names}}", "--filter",
				"label=scimbridge.deployment=nogap"); names != "nogap" {
				t.Errorf("there are the containers %q", names)
			}
		})
	}
	if n := startsRecorded(t, "nogap"); n != 7 { // the first one, and six that replaced it
		t.Errorf("of seven starts, the journal has %d", n)
	}
	t.Run("a new bridge that cannot run does not touch the old one", func(t *testing.T) {
		good, before := *d, d.id()
		d.config.Image = new("crashes-too:1")
		makeImage(t, "crashes-too:1", "ENTRYPOINT [\"/usr/bin/scim-bridge\", \"nonsense\"]\n")
		tr := startTraffic(t, address, d.token.Reveal())
		err := d.apply(true)
		if err == nil || !strings.Contains(err.Error(), "the old bridge is still running: the bridge ends each time") {
			t.Errorf("updating: %v", err)
		}
		if sent, failed := tr.end(); len(failed) > 0 || d.id() != before {
			t.Errorf("%d of %d requests failed: %q", len(failed), sent, failed)
		}
		d.config = good.config
	})
	t.Run("a disconnected network is seen and connected again", func(t *testing.T) {
		before := d.id()
		docker(t, "network", "disconnect", "proxied", "nogap")
		if state := d.observe(); len(state.Drift) == 0 && fmt.Sprint(state.Config) == "" {
			t.Errorf("it is seen as %+v", state)
		}
		if state := d.update(); d.id() != before || len(state.Drift) != 0 || state.Status() != deploy.Ready {
			t.Errorf("after the update it is %+v", state)
		}
	})
	t.Run("published ports have a short gap", func(t *testing.T) {
		d.config.Ports = []string{"127.0.0.1:18081:3002"}
		d.update()
		old := d.target()
		d.spec.Settings.LogLevel = "info"
		if gap := d.target().Gap(old); !strings.Contains(gap, "127.0.0.1:18081") {
			t.Errorf("the gap is announced as %q", gap)
		}
		tr := startTraffic(t, "http://127.0.0.1:18081", d.token.Reveal())
		tr.goesOn(t)
		d.update()
		sent, failed := tr.end()
		t.Logf("%d of %d requests failed, from %.12s to %.12s", len(failed), sent, append(failed, "-")[0],
			append([]string{"-"}, failed...)[len(failed)])
		if len(failed) == sent {
			t.Errorf("no request was answered: %s", failed[0])
		}
	})
}
