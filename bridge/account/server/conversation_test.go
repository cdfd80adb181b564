package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
)

// A conversation is with a real server over a real database. A client that speaks
// says in X-Forwarded-For from where.
type conversation struct {
	*api.Client          // as an administrator, from home
	account              *account.Account
	url, database, admin string
	clock                *clock
	log                  *lockedBuffer
}

// home is where the administrator sits, office where the bridges run, and
// manager that they sign in as.
const (
	home    = "192.0.2.1"
	office  = "198.51.100.7"
	manager = "scim@example.com"
)

func converse(t *testing.T) *conversation {
	t.Helper()
	return converseIn(t, storetest.New(t))
}

// converseIn makes the account in an empty database.
func converseIn(t *testing.T, database string) *conversation {
	t.Helper()
	return converseInTurn(t, database, nil, 0)
}

// converseInTurn has requests wait for their turn in a queue, for at most longest; the default if they are zero.
func converseInTurn(t *testing.T, database string, queue *fair.Queue, longest time.Duration) *conversation {
	t.Helper()
	c := &conversation{
		database: database,
		clock:    &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
		log:      new(lockedBuffer),
	}
	s, err := store.Open(t.Context(), c.database)
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	c.account, err = account.Create(t.Context(), s, "Acme", c.clock.Now, rand.Reader)
	ok(t, err)
	_, c.admin, err = c.account.CreateToken(t.Context(), "tests")
	ok(t, err)
	srv := httptest.NewServer(server.New(server.Config{
		Account:        c.account,
		Queue:          queue,
		LongestWait:    longest,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Logger:         hclog.New(&hclog.LoggerOptions{Output: c.log, Level: hclog.Trace}),
	}))
	t.Cleanup(srv.Close)
	c.url, c.account.PublicURL = srv.URL, srv.URL
	c.Client = c.as(t, c.admin, home)
	return c
}

// as is a client with a bearer token (or none) at an address.
func (c *conversation) as(t *testing.T, bearer, address string) *api.Client {
	t.Helper()
	client, err := api.NewClient(c.url, api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		r.Header.Set("X-Forwarded-For", address)
		return nil
	}))
	ok(t, err)
	return client
}

// A reply is what came back, whatever it was.
type reply struct {
	Status  int
	Header  http.Header
	Text    string
	Problem api.Problem // zero if it was none
}

// raw sends what no generated client would.
func (c *conversation) raw(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.url+path, strings.NewReader(body))
	ok(t, err)
	r.Header.Set("Authorization", "Bearer "+c.admin)
	r.Header.Set("X-Forwarded-For", home)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	ok(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ok(t, err)
	got := reply{Status: resp.StatusCode, Header: resp.Header, Text: string(text)}
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		ok(t, json.Unmarshal(text, &got.Problem))
	}
	return got
}

// credentials are what a sealed session holds.
type credentials struct {
	email   string
	epoch   int64
	secrets signin.Secrets
}

// enrol makes credentials for the next epoch, as the provider does.
func (c *conversation) enrol(t *testing.T) (credentials, api.Enrolment) {
	t.Helper()
	p, err := apitest.Read[api.Provisioning](c.GetProvisioning(t.Context()))
	ok(t, err)
	secrets, enrolment, err := client.Enrol(c.account.ID, manager, p.Value.NextEpoch, signin.MinIterations)
	ok(t, err)
	return credentials{manager, p.Value.NextEpoch, secrets}, enrolment
}

func (c *conversation) activate(t *testing.T) credentials {
	t.Helper()
	creds, enrolment := c.enrol(t)
	r, err := apitest.Read[api.Provisioning](c.ActivateProvisioning(t.Context(), nil, api.Activation{
		ManagerEmail: manager, Enrolment: enrolment, Session: "sealed",
	}))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("activating: %s", r.Body)
	}
	return creds
}

func (c *conversation) rotate(t *testing.T, overlap time.Duration) credentials {
	t.Helper()
	creds, enrolment := c.enrol(t)
	r, err := apitest.Read[api.Provisioning](c.RotateProvisioning(t.Context(), nil, api.Rotation{
		Enrolment: enrolment, Session: "sealed again", Overlap: int(overlap.Seconds()),
	}))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("rotating: %s", r.Body)
	}
	return creds
}

// signIn is the bridge's side of the sign-in. A refusal comes back as a problem.
func (c *conversation) signIn(t *testing.T, creds credentials, instance string) (*api.SignedIn, *api.Problem) {
	t.Helper()
	client, handshake := c.begin(t, creds)
	a, proof, err := client.Prove(creds.secrets, handshake.HandshakeId, kdfOf(handshake), handshake.B)
	ok(t, err)
	in, refused := c.finish(t, handshake.HandshakeId, a, proof, instance)
	if in != nil {
		ok(t, client.VerifyServer(in.Proof))
	}
	return in, refused
}

func (c *conversation) begin(t *testing.T, creds credentials) (*signin.Client, *api.Handshake) {
	t.Helper()
	start, err := apitest.Read[api.Handshake](c.as(t, "", office).StartSignIn(t.Context(), api.SignInStart{
		AccountId: c.account.ID, Email: creds.email, Epoch: creds.epoch,
	}))
	ok(t, err)
	if start.Value == nil {
		t.Fatalf("starting to sign in: %s", start.Body)
	}
	return signin.NewClient(c.account.ID, creds.email, creds.epoch), start.Value
}

func (c *conversation) finish(t *testing.T, handshakeID, a, proof, instance string) (*api.SignedIn, *api.Problem) {
	t.Helper()
	r, err := apitest.Read[api.SignedIn](c.as(t, "", office).FinishSignIn(t.Context(), api.SignInFinish{
		HandshakeId: handshakeID, A: a, Proof: proof,
		Bridge: api.BridgeIdentity{Instance: instance, Version: "1.0.0", Revision: "r1"},
	}))
	ok(t, err)
	return r.Value, r.Problem
}

// mustSignIn is signIn from the office for who must succeed.
func (c *conversation) mustSignIn(t *testing.T, creds credentials, instance string) *api.Client {
	t.Helper()
	in, refused := c.signIn(t, creds, instance)
	if refused != nil {
		t.Fatalf("%s could not sign in: %s: %s", instance, refused.Code, *refused.Detail)
	}
	return c.as(t, in.SessionToken, office)
}

// beat sends a heartbeat and returns the code of the refusal, if any.
func beat(t *testing.T, bridge *api.Client) string {
	t.Helper()
	r, err := apitest.Read[api.HeartbeatAnswer](bridge.SendHeartbeat(t.Context(), api.Heartbeat{
		Revision: "r1", State: "healthy", Problems: []string{},
	}))
	ok(t, err)
	return codeOf(r.Problem)
}

func kdfOf(h *api.Handshake) signin.KDF {
	return signin.KDF{Algorithm: string(h.Kdf.Algorithm), Iterations: h.Kdf.Iterations, Salt: h.Kdf.Salt}
}

func codeOf(p *api.Problem) string {
	if p == nil {
		return ""
	}
	return string(p.Code)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

type clock struct {
	mu  sync.Mutex
	now time.Time
	// after the clock was read so many times, alarm is called.
	ticks int
	alarm func()
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ticks--; c.ticks == 0 {
		c.alarm()
	}
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
