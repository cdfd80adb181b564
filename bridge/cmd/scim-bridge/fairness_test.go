package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A crowd is one client's requests over many connections.
type crowd struct {
	t       *testing.T
	client  *http.Client
	url     string
	token   string
	agent   string
	path    string                   // where it creates something
	body    func(name string) string // what it creates
	done    atomic.Int64
	refused sync.Map // status and Retry-After
}

// newCrowd returns an identity provider that creates people.
func newCrowd(t *testing.T, url string, token session.Token, agent string, connections int) *crowd {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: connections}
	t.Cleanup(transport.CloseIdleConnections)
	return &crowd{t: t, client: &http.Client{Transport: transport}, url: url, token: token.Reveal(), agent: agent,
		path: "/Users", body: func(name string) string { return person(name + "@example.com") }}
}

// create sends one request and reports whether it was carried out.
func (c *crowd) create(ctx context.Context, name string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+c.path, strings.NewReader(c.body(name)))
	if err != nil {
		c.t.Error(err)
		return false
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.agent)
	resp, err := c.client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			c.t.Errorf("%s: %v", c.agent, err)
		}
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated:
		c.done.Add(1)
		return true
	default:
		c.refused.Store(fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Retry-After")), true)
		return false
	}
}

// flood creates by so many connections until ctx ends.
func (c *crowd) flood(ctx context.Context, connections int) (wait func()) {
	var workers sync.WaitGroup
	for i := range connections {
		workers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				c.create(ctx, fmt.Sprintf("%s-%d-%d", c.agent, i, n))
			}
		})
	}
	return workers.Wait
}

// fairServers are the two ways in which a bridge and its account are run.
func fairServers(t *testing.T, args ...string) map[string]func(t *testing.T) (*process, session.Token) {
	t.Helper()
	return map[string]func(t *testing.T) (*process, session.Token){
		"in one process": func(t *testing.T) (*process, session.Token) {
			o := newOneProcess(t, args...)
			pair := o.activate()
			await(t, "the session", func() bool { return o.status().State == "sealed" })
			o.open(pair.token.Reveal())
			o.awaitState("ready")
			return o.process, pair.token
		},
		"in two": func(t *testing.T) (*process, session.Token) {
			a := newAccount(t)
			pair := a.activate()
			p := serve(t, folder(t, pair.sealed), append([]string{"--account-url", a.url}, args...)...)
			p.open(pair.token.Reveal())
			p.awaitState("ready")
			return p, pair.token
		},
	}
}

// While one identity provider creates people by 64 connections, each request of another one, which has one connection,
// is the next to be carried out. Meanwhile the first one gets no more than what is carried out at the same time. What
// is counted are requests, so that a slow machine changes nothing.
func TestAFullSynchronisationLeavesOthersTheirTurn(t *testing.T) {
	t.Parallel()
	for name, start := range fairServers(t, "--concurrent-requests", strconv.Itoa(floodedPlaces)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, token := start(t)
			flood := newCrowd(t, p.url(""), token, "flood", floodConnections)
			quiet := newCrowd(t, p.url(""), token, "quiet", 1)
			flood.leavesATurnTo(quiet, func() {
				for _, path := range []string{"/ping", "/ready", "/health", "/metrics", "/app"} {
					if got := ask(t, http.MethodGet, p.url(path), token.Reveal(), ""); got.status != http.StatusOK {
						t.Errorf("%s: %d", path, got.status)
					}
				}
				if s := p.status(); s.State != "ready" {
					t.Errorf("the control socket says %q", s.State)
				}
			})
		})
	}
}

// The same of two programs of administrators, such as two runs of Terraform, at an account server.
func TestAnAdministratorsProgramLeavesOthersTheirTurn(t *testing.T) {
	t.Parallel()
	o := newOneProcess(t, "--concurrent-requests", strconv.Itoa(floodedPlaces))
	token := strings.TrimSpace(output(t, "account", "token", "create", "--database", o.setting, "--name", "second",
		"--scope", "admin"))
	group := func(name string) string { return `{"name":"` + name + `"}` }
	programs := map[string]*crowd{}
	for name, secret := range map[string]string{"flood": o.token, "quiet": token} {
		c := newCrowd(t, o.realAccount.url, session.Token{}, name, floodConnections)
		c.token, c.path, c.body = secret, "/v1/groups", group
		programs[name] = c
	}
	programs["flood"].leavesATurnTo(programs["quiet"], func() {
		if got := ask(t, http.MethodGet, o.realAccount.url+"/ready", "", ""); got.status != http.StatusNoContent {
			t.Errorf("/ready: %d", got.status)
		}
	})
}

const (
	floodedPlaces    = 2
	floodConnections = 64
	// fairFlood is how many of the flood's requests there may be for each of another client's. It would be almost all
	// connections if the other one waited behind them, and is the number of places otherwise, with what passes before
	// a busy machine sends the next request.
	fairFlood = 24
)

// leavesATurnTo floods while another one sends one request after the other, and fails if the flood gets many of its own
// for each of those. Then it calls meanwhile, before the flood ends.
func (c *crowd) leavesATurnTo(quiet *crowd, meanwhile func()) {
	c.t.Helper()
	const asked = 60
	ctx, stop := context.WithCancel(c.t.Context())
	defer stop()
	ended := c.flood(ctx, floodConnections)
	await(c.t, "the flood", func() bool { return c.done.Load() > 200 })
	before := c.done.Load()
	var took []time.Duration
	for n := range asked {
		began := time.Now()
		if !quiet.create(ctx, fmt.Sprint("quiet-", n)) {
			c.t.Fatal("a request of the quiet one was refused")
		}
		took = append(took, time.Since(began))
	}
	each := float64(c.done.Load()-before) / asked
	slices.Sort(took)
	c.t.Logf("%.1f of the flood's requests for each of the quiet one's; p50 %s", each, took[asked/2])
	if each > fairFlood {
		c.t.Errorf("the flood gets %.1f requests for each of another client's; more than %d means that it waits "+
			"behind the flood", each, fairFlood)
	}
	meanwhile()
	stop()
	ended()
	c.refused.Range(func(what, _ any) bool {
		c.t.Errorf("the flood was refused: %v", what)
		return true
	})
}

// Two that send all they can have half each, by however many connections. There are few places, so that even the one
// with few connections always has a request that waits, whatever else the machine does.
func TestTwoSynchronisationsHaveHalfEach(t *testing.T) {
	t.Parallel()
	for name, start := range fairServers(t, "--concurrent-requests", "2") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, token := start(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			wide := newCrowd(t, p.url(""), token, "wide", 64)
			narrow := newCrowd(t, p.url(""), token, "narrow", 8)
			endWide, endNarrow := wide.flood(ctx, 64), narrow.flood(ctx, 8)
			await(t, "both", func() bool { return wide.done.Load() > 50 && narrow.done.Load() > 50 })
			beforeWide, beforeNarrow := wide.done.Load(), narrow.done.Load()
			await(t, "a thousand requests", func() bool {
				return wide.done.Load()+narrow.done.Load()-beforeWide-beforeNarrow > 1000
			})
			w, n := wide.done.Load()-beforeWide, narrow.done.Load()-beforeNarrow
			stop()
			endWide()
			endNarrow()
			t.Logf("%d for 64 connections, %d for 8", w, n)
			if share := float64(n) / float64(w+n); share < 0.35 {
				t.Errorf("the one with 8 connections has %.0f %%", 100*share)
			}
		})
	}
}

// A request that has its turn at the bridge needs none at the account in the same process, by whichever way it goes
// there: the one place of the account is another's all the time.
func TestARequestWaitsOnceInOneProcess(t *testing.T) {
	t.Parallel()
	o := newOneProcess(t, "--concurrent-requests", "1")
	pair := o.activate()
	await(t, "the session", func() bool { return o.status().State == "sealed" })
	o.open(pair.token.Reveal())
	o.awaitState("ready")
	if got := o.users(pair.token, http.MethodPost, person("ann@example.com")); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.body)
	}
	body, end := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.realAccount.url+"/v1/groups", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	held := make(chan struct{})
	go func() {
		defer close(held)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	defer func() {
		end.Close()
		<-held
	}()
	await(t, "the account's place to be taken", func() bool {
		got := ask(t, http.MethodGet, o.realAccount.url+"/metrics", o.token, "")
		return strings.Contains(got.body, "scimbridge_account_requests_running 1\n")
	})
	for body, want := range map[string]int{
		person("bob@example.com"): http.StatusCreated,  // by the account's Go methods
		person("ann@example.com"): http.StatusConflict, // which is sent to the account's handler, too
	} {
		if got := o.users(pair.token, http.MethodPost, body); got.status != want {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	got := ask(t, http.MethodGet, o.realAccount.url+"/metrics", o.token, "")
	if !strings.Contains(got.body, "scimbridge_account_requests_running 1\n") {
		t.Error("the account's place was given back meanwhile: the test proves nothing")
	}
}
