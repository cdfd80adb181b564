package scim_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	service "github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A bridge of ours before a bridge of ours, with the account's store behind both.
func TestTheFrontBeforeABridgeOfOurOwn(t *testing.T) {
	t.Parallel()
	handler := scim.New(scim.Config{Directory: ownAccount(t), BaseURL: "https://far.example.com"})
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+farToken {
			refuse(w, http.StatusUnauthorized, "", "no")
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(far.Close)
	d, err := connector.New(connector.Config{URL: far.URL + "/scim/v2", Transport: newTransport(t), Rate: 100_000,
		Token: func() secret.String { return secret.New(farToken) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	playAll(t, d)
	s := d.State()
	if c := s.Capabilities; c.Patch != connector.Yes || c.ETag != connector.Yes || c.Filter != connector.Yes ||
		c.Paging != connector.Yes || c.Totals != connector.Yes || c.Sort != connector.Yes || c.Bulk != connector.Yes {
		t.Errorf("it has all capabilities, and is taken for %+v", c)
	}
	if s.Trouble != nil || len(s.NotKept) > 0 || len(s.Lacks) > 0 {
		t.Errorf("it keeps all, and is told of: %+v", s)
	}
}

// ownAccount returns a connector to an account in this process.
func ownAccount(t *testing.T) bridge.Directory {
	t.Helper()
	rows, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rows.Close() })
	model, err := service.Create(t.Context(), rows, "Test", time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := model.CreateToken(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	transport := account.InProcess(server.New(server.Config{Account: model, Logger: hclog.NewNullLogger()}),
		netip.MustParseAddr("127.0.0.1"))
	const manager = "manager@example.com"
	secrets, enrolment, err := client.Enrol(model.ID, manager, 1, signin.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(client.Config{URL: "http://127.0.0.1", Transport: transport, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	limit := "off"
	made, err := apitest.Read[api.Provisioning](admin.ActivateProvisioning(t.Context(), nil, api.Activation{
		ManagerEmail: manager, Enrolment: enrolment, Session: "sealed", SuspensionLimit: &limit,
	}))
	if err != nil || made.Value == nil {
		t.Fatalf("activating: %v %s", err, made.Body)
	}
	c := account.New(account.Config{
		Bridge: api.BridgeIdentity{Instance: "test", Version: "test", Revision: "r"}, Transport: transport,
		Log: hclog.NewNullLogger(), Now: time.Now, Random: rand.Reader,
		WaitTimeout: 5 * time.Minute, AttemptTimeout: 5 * time.Minute,
		Health: func() health.Health { return health.Health{State: health.Healthy} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	c.SetCredentials(session.Integration{AccountURL: "http://127.0.0.1", AccountID: model.ID, Email: manager,
		Secrets: secrets}, 1)
	// Requests wait for the sign-in.
	return c
}

// Proxy, source address, trusted roots and the reuse of connections are the transport's: the one to the account serves.
func TestTheWayToTheFarSide(t *testing.T) {
	t.Parallel()
	far := &standIn{counts: make(map[string]int)}
	var mu sync.Mutex
	peers := make(map[string]bool)
	far.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		peers[r.RemoteAddr] = true
		mu.Unlock()
		far.ServeHTTP(w, r)
	}))
	far.Config.ErrorLog = log.New(io.Discard, "", 0)
	far.StartTLS()
	t.Cleanup(far.Close)
	front := func(transport http.RoundTripper) *connector.Directory {
		return far.front(t, func(c *connector.Config) { c.Transport = transport })
	}
	_, err := front(client.NewTransport(netip.Addr{}, nil)).Person(t.Context(), "1")
	if connector.CauseOf(err) != connector.Unreachable {
		t.Errorf("a certificate of nobody's: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(far.Certificate())
	transport := client.NewTransport(netip.MustParseAddr("127.0.0.9"), roots)
	t.Cleanup(transport.CloseIdleConnections)
	transport.ForceAttemptHTTP2 = false
	d := front(transport)
	for i := range 20 {
		mustCreate(t, d, names(20)[i])
	}
	mu.Lock()
	defer mu.Unlock()
	if len(peers) != 1 {
		t.Errorf("%d connections: %v", len(peers), peers)
	}
	for peer := range peers {
		if !strings.HasPrefix(peer, "127.0.0.9:") {
			t.Errorf("it came from %s", peer)
		}
	}
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	through := client.NewTransport(netip.Addr{}, roots)
	through.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	_, err = front(through).Person(t.Context(), "1")
	if connector.CauseOf(err) != connector.Unreachable || asked != "CONNECT "+strings.TrimPrefix(far.URL, "https://") {
		t.Errorf("through a proxy: %v, and %q", err, asked)
	}
}
