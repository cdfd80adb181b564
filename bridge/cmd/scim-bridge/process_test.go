package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

// timeout limits every wait. It is long enough for a loaded machine with the race
// detector, so that only a fault reaches it.
const timeout = 4 * time.Minute

// await polls until ok, and fails the test if that takes too long.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for: %s", timeout, what)
		}
		<-tick.C
	}
}

// realAccount is an account service over a database file, on loopback.
type realAccount struct {
	t      *testing.T
	model  *account.Account
	url    string
	admin  *api.Client
	server *http.Server
	ahead  *atomic.Int64 // of the machine's clock, in nanoseconds
}

func newAccount(t *testing.T) *realAccount {
	t.Helper()
	rows, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rows.Close() })
	ahead := new(atomic.Int64)
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	a, err := account.Create(t.Context(), rows, "Test", now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := a.CreateToken(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	r := &realAccount{t: t, model: a, ahead: ahead}
	r.up("127.0.0.1:0")
	r.admin, err = api.NewClient(r.url, api.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+token)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.down)
	return r
}

// accept accepts the invitation that went to an address.
func (r *realAccount) accept(address string) {
	r.t.Helper()
	mails, err := r.model.Mails(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range mails {
		if token, found := strings.CutPrefix(m.Link, r.url+"/join/"); found && m.Recipient == address {
			if _, err := directory.New(r.model).AcceptInvitation(r.t.Context(), token); err != nil {
				r.t.Fatal(err)
			}
			return
		}
	}
	r.t.Fatalf("no invitation went to %s", address)
}

// up serves on address; down ends that, connections included.
func (r *realAccount) up(address string) {
	r.t.Helper()
	l := ports.Listen(r.t, address)
	r.url = "http://" + l.Addr().String()
	r.model.PublicURL = r.url
	r.server = &http.Server{
		Handler:           server.New(server.Config{Account: r.model, Logger: hclog.NewNullLogger()}),
		ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = r.server.Serve(l) }()
}

// pass lets time go by at the account.
func (r *realAccount) pass(d time.Duration) { r.ahead.Add(int64(d)) }

func (r *realAccount) down() { r.server.Close() }

func (r *realAccount) address() string { return strings.TrimPrefix(r.url, "http://") }

// A pair is a bearer token and the session that it opens.
type pair struct {
	token       session.Token
	sealed      string
	credentials session.Integration
}

const manager = "manager@example.com"

// enrol makes a new pair for the next epoch, and what the account must know of
// it. The previous one ends then; the zero time leaves that out, as bundles of
// version 1 do.
func (r *realAccount) enrol(previous *pair, ends time.Time) (pair, api.Enrolment) {
	r.t.Helper()
	state, err := apitest.Read[api.Provisioning](r.admin.GetProvisioning(r.t.Context()))
	if err != nil || state.Value == nil {
		r.t.Fatalf("reading the integration: %v %v", err, state)
	}
	epoch := state.Value.NextEpoch
	secrets, enrolment, err := client.Enrol(r.model.ID, manager, epoch, signin.MinIterations)
	if err != nil {
		r.t.Fatal(err)
	}
	p := pair{
		credentials: session.Integration{AccountURL: r.url, AccountID: r.model.ID, Email: manager, Secrets: secrets},
	}
	if p.token, err = session.NewToken(); err != nil {
		r.t.Fatal(err)
	}
	var old *session.Previous
	if previous != nil {
		f, err := session.Parse(previous.sealed)
		if err != nil {
			r.t.Fatal(err)
		}
		old = &session.Previous{Entry: f.Entries[0], Expires: ends}
	}
	if p.sealed, err = session.Seal(p.token, epoch, p.credentials, old); err != nil {
		r.t.Fatal(err)
	}
	return p, enrolment
}

func (r *realAccount) activate() pair {
	r.t.Helper()
	p, enrolment := r.enrol(nil, time.Time{})
	made, err := apitest.Read[api.Provisioning](r.admin.ActivateProvisioning(r.t.Context(), nil,
		api.Activation{ManagerEmail: manager, Enrolment: enrolment, Session: p.sealed}))
	if err != nil || made.Value == nil {
		r.t.Fatalf("activating: %v %s", err, made.Body)
	}
	return p
}

func (r *realAccount) rotate(old pair, overlap time.Duration) pair {
	r.t.Helper()
	return r.rotateUntil(old, overlap, time.Now().Add(overlap))
}

// rotateUntil rotates with an end in the sealed session that may be none.
func (r *realAccount) rotateUntil(old pair, overlap time.Duration, ends time.Time) pair {
	r.t.Helper()
	p, enrolment := r.enrol(&old, ends)
	made, err := apitest.Read[api.Provisioning](r.admin.RotateProvisioning(r.t.Context(), nil,
		api.Rotation{Enrolment: enrolment, Session: p.sealed, Overlap: int(overlap.Seconds())}))
	if err != nil || made.Value == nil {
		r.t.Fatalf("rotating: %v %s", err, made.Body)
	}
	return p
}

// A process is a scim-bridge serve.
type process struct {
	t     *testing.T
	dir   string
	log   string // file
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of Wait, once ended
}

// folder makes a data folder with a session in it.
func folder(t *testing.T, sealed string) string {
	t.Helper()
	dir := t.TempDir()
	if err := session.WriteFile(filepath.Join(dir, "session"), sealed); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serve starts a bridge in dir. When the test ends it must still end with 0,
// which it does not if the race detector found something.
func serve(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return serveWith(t, dir, nil, args...)
}

// serveFiles is serve by a process that may have so many files open.
func serveFiles(t *testing.T, files int, dir string, args ...string) *process {
	t.Helper()
	args = append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, files), "scim-bridge"},
		serveArgs(dir, args)...)
	return start(t, dir, exec.CommandContext(context.WithoutCancel(t.Context()), "sh", args...))
}

func serveArgs(dir string, args []string) []string {
	return append([]string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--log-level", "trace"}, args...)
}

// serveWith is serve under environment variables.
func serveWith(t *testing.T, dir string, environ []string, args ...string) *process {
	t.Helper()
	return start(t, dir, exec.CommandContext(context.WithoutCancel(t.Context()),
		"scim-bridge", serveArgs(dir, args)...),
		environ...)
}

// start starts a bridge in dir and waits until it can be asked.
func start(t *testing.T, dir string, cmd *exec.Cmd, environ ...string) *process {
	t.Helper()
	p := &process{t: t, dir: dir, cmd: cmd, ended: make(chan struct{})}
	out, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	p.log = out.Name()
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		out.Close()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.terminate()
		if t.Failed() {
			t.Logf("log of the bridge in %s:\n%s", dir, p.logText())
		}
	})
	await(t, "the control socket", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("the bridge ended by itself: %v\n%s", p.err, p.logText())
		default:
		}
		s, err := p.control().Status(t.Context())
		return err == nil && s.PID == p.cmd.Process.Pid
	})
	return p
}

// terminate asks the process to end, and checks that it does so well.
func (p *process) terminate() {
	p.t.Helper()
	select {
	case <-p.ended:
		return
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if p.err != nil {
			p.t.Errorf("the bridge ended with %v", p.err)
		}
	case <-time.After(timeout):
		_ = p.cmd.Process.Kill()
		p.t.Error("the bridge did not end on SIGTERM")
	}
}

// kill is a loss of power.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// control talks to this process, wherever its socket is now.
func (p *process) control() *control.Client {
	path := control.StandbySocket(p.dir, p.cmd.Process.Pid)
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join(p.dir, control.SocketName)
	}
	return control.Dial(path)
}

func (p *process) status() control.Status {
	p.t.Helper()
	s, err := p.control().Status(context.WithoutCancel(p.t.Context()))
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// open unseals the bridge and waits until it has signed in, for which a SCIM request waits only some seconds.
func (p *process) open(token string) {
	p.t.Helper()
	if _, err := p.control().Unseal(p.t.Context(), token); err != nil {
		p.t.Fatal(err)
	}
	p.awaitState(control.Ready)
}

func (p *process) awaitState(state string) {
	p.t.Helper()
	await(p.t, "the state "+state, func() bool { return p.status().State == state })
}

// codes are those of the bridge's problems.
func (p *process) codes() []string {
	var codes []string
	for _, found := range p.status().Problems {
		codes = append(codes, string(found.Code))
	}
	return codes
}

func (p *process) awaitProblem(code string) {
	p.t.Helper()
	await(p.t, "the problem "+code, func() bool { return slices.Contains(p.codes(), code) })
}

func (p *process) logText() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// url waits for the address: the control socket answers before it is bound.
func (p *process) url(path string) string {
	p.t.Helper()
	var listen string
	await(p.t, "the address", func() bool { listen = p.status().Listen; return listen != "" })
	return "http://" + listen + path
}

// A reply is what a request got.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with the token, or without if it is empty; headers are pairs. While the bridge signs in, which on
// a loaded machine takes longer than a request waits for it, the request is sent again, as an identity provider does.
func ask(t *testing.T, method, url, token, body string, headers ...string) reply {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		answer := askOnce(t, method, url, token, body, headers...)
		if answer.status != http.StatusServiceUnavailable || time.Now().After(deadline) ||
			!strings.Contains(answer.body, "the bridge is signing in to the account") {
			return answer
		}
	}
}

func askOnce(t *testing.T, method, url, token, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

func (p *process) health(token string) health.Health {
	p.t.Helper()
	r := ask(p.t, http.MethodGet, p.url("/health"), token, "")
	var h health.Health
	if err := json.Unmarshal([]byte(r.body), &h); err != nil {
		p.t.Fatalf("/health answered %d %s", r.status, r.body)
	}
	return h
}

// person is a minimal SCIM user.
func person(address string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + address +
		`","emails":[{"value":"` + address + `","type":"work","primary":true}]}`
}

// tellsNothing fails if a file holds one of the pair's secrets.
func tellsNothing(t *testing.T, text string, pairs ...pair) {
	t.Helper()
	for _, p := range pairs {
		password, key := p.credentials.Secrets.Reveal()
		for what, secret := range map[string]string{
			"bearer token": p.token.Reveal(), "Master Password": password, "Secret Key": key,
		} {
			if len(secret) < 10 {
				t.Fatalf("the %s is too short to be looked for", what)
			}
			if bytes.Contains([]byte(text), []byte(secret)) {
				t.Errorf("the log tells the %s", what)
			}
		}
	}
}

// traffic sends requests on kept connections until it is stopped, as identity
// providers do, and counts those that were not answered as they should.
type traffic struct {
	stop     context.CancelFunc
	workers  sync.WaitGroup
	mu       sync.Mutex
	answered int
	failures []string
}

func startTraffic(t *testing.T, url string, token session.Token, workers int) *traffic {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	return startTrafficBy(t, client, url, token, workers)
}

// startTrafficBy is startTraffic by a client of one's own. By HTTP/2, a server that leaves says which requests it has
// not begun (RFC 9113, 6.8): those the client repeats.
func startTrafficBy(t *testing.T, client *http.Client, url string, token session.Token, workers int) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tr := &traffic{stop: cancel}
	for range workers {
		tr.workers.Go(func() {
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
				if err != nil {
					panic(err)
				}
				req.Header.Set("Authorization", "Bearer "+token.Reveal())
				// A GET is repeated by the client itself when a kept connection was
				// closed; a body that cannot be rewound is not.
				if !client.Transport.(*http.Transport).ForceAttemptHTTP2 {
					req.Body, req.GetBody = io.NopCloser(strings.NewReader("")), nil
				}
				resp, err := client.Do(req)
				if ctx.Err() != nil {
					return
				}
				tr.mu.Lock()
				switch {
				case err != nil:
					tr.failures = append(tr.failures, err.Error())
				case resp.StatusCode != http.StatusOK:
					tr.failures = append(tr.failures, resp.Status)
				default:
					tr.answered++
				}
				tr.mu.Unlock()
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}
		})
	}
	t.Cleanup(func() { tr.end() })
	return tr
}

func (tr *traffic) count() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.answered
}

func (tr *traffic) end() []string {
	tr.stop()
	tr.workers.Wait()
	return tr.failures
}
