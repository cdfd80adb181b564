package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// The attacks of a client without a secret, at real processes, each for a few
// seconds. The figures that the tests print are what is left afterwards.
const (
	attackTime = 3 * time.Second
	// mostLog is what an attack may add to a log, with what the attacked say of
	// themselves meanwhile. Before there was a bound, it was megabytes.
	mostLog = 64 << 10
	// mostMemory is of the whole process, most of it the race detector's.
	mostMemory = 300 << 20
)

// An attacker sends from an address of this machine.
type attacker struct {
	t      *testing.T
	target string // host and port
}

func (a attacker) dialer(from string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
}

// client is an HTTP client at an address, with a connection of its own.
func (a attacker) client(from string) *http.Client {
	transport := &http.Transport{DialContext: a.dialer(from).DialContext}
	a.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// post sends a form or JSON, and returns the status; 0 if it was not answered.
func (a attacker) post(c *http.Client, path, kind, body string) int {
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost,
		"http://"+a.target+path, strings.NewReader(body))
	if err != nil {
		a.t.Error(err)
		return 0
	}
	r.Header.Set("Content-Type", kind)
	resp, err := c.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// hold opens connections that send half of a request and wait. It reports how
// many could be opened.
func (a attacker) hold(from string, connections int, half string) (opened int) {
	for range connections {
		ctx, cancel := context.WithTimeout(a.t.Context(), 5*time.Second)
		c, err := a.dialer(from).DialContext(ctx, "tcp", a.target)
		cancel()
		if err != nil {
			break
		}
		a.t.Cleanup(func() { c.Close() })
		_ = c.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(c, half) // which the other side may cut off
		opened++
	}
	return opened
}

// pipeline sends requests on one connection for as long as the attack lasts,
// and reports how many were answered.
func (a attacker) pipeline(from, request string) int {
	a.t.Helper()
	c, err := a.dialer(from).DialContext(a.t.Context(), "tcp", a.target)
	if err != nil {
		a.t.Fatal(err)
	}
	defer c.Close()
	var answers atomic.Int64
	reader := make(chan struct{})
	go func() {
		defer close(reader)
		for lines := bufio.NewReader(c); ; {
			line, err := lines.ReadSlice('\n') // an answer may begin where the last one's body ends
			answers.Add(int64(bytes.Count(line, []byte("HTTP/1.1 "))))
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
		}
	}()
	many := []byte(strings.Repeat(request, 100))
	for end := time.Now().Add(attackTime); time.Now().Before(end); {
		_ = c.SetWriteDeadline(end.Add(time.Second))
		if _, err := c.Write(many); err != nil {
			break
		}
	}
	c.Close()
	<-reader
	return int(answers.Load())
}

// attackedAccount is an account process whose log can be measured.
func attackedAccount(t *testing.T) (*accountProcess, *os.File, attacker) {
	t.Helper()
	a := newAccountProcess(t)
	a.kill()
	log, err := os.Create(filepath.Join(t.TempDir(), "account.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	a.stderr, a.args = log, []string{"--log-level", "info"}
	a.start()
	return a, log, attacker{t, a.listen}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// memory of a process now and at its largest, in MiB; 0 where the system does
// not tell.
func memory(t *testing.T, pid int) (now, peak int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	figure := func(name string) int64 {
		found := regexp.MustCompile(name + `:\s*(\d+) kB`).FindSubmatch(status)
		if found == nil {
			t.Fatalf("no %s of the process", name)
		}
		kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return kilobytes >> 10
	}
	return figure("VmRSS"), figure("VmHWM")
}

// Eight hundred connections that announce a megabyte and send all of it but a byte.
func TestAttackHalfSentBodies(t *testing.T) {
	t.Parallel()
	a, _, attack := attackedAccount(t)
	pair := a.activate()
	before, _ := memory(t, a.cmd.Process.Pid)
	half := "POST /v1/auth/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
		"Content-Length: 1048576\r\n\r\n" +
		strings.Repeat(" ", 1<<20-1)
	opened := attack.hold("127.0.0.2", 800, half)
	now, peak := memory(t, a.cmd.Process.Pid)
	t.Logf("%d connections: %d MiB became %d MiB, at most %d", opened, before, now, peak)
	if peak > mostMemory>>20 {
		t.Errorf("the account took %d MiB, want at most %d", peak, mostMemory>>20)
	}
	// A bridge comes in meanwhile.
	b := serve(t, folder(t, pair.sealed))
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
}

// One connection that sends requests without a token, as fast as it can.
func TestAttackPipelinedRequests(t *testing.T) {
	t.Parallel()
	t.Run("at the account", func(t *testing.T) {
		t.Parallel()
		_, log, attack := attackedAccount(t)
		before := size(t, log.Name())
		answered := attack.pipeline("127.0.0.2", "GET /v1/members HTTP/1.1\r\nHost: x\r\n\r\n")
		grown := size(t, log.Name()) - before
		t.Logf("%d requests answered: the log grew by %d bytes", answered, grown)
		if answered < 100 || grown > mostLog {
			t.Errorf("%d requests answered, the log grew by %d bytes, want at most %d", answered, grown, mostLog)
		}
	})
	for name, request := range map[string]string{
		"at the bridge":                   "GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\n\r\n",
		"at the bridge, with a bad query": "GET /ready?a;b HTTP/1.1\r\nHost: x\r\n\r\n",
		"at the bridge, with forged token": "GET /Users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + forged(t) +
			"\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pair := newAccount(t).activate()
			b := serve(t, folder(t, pair.sealed))
			known := ask(t, http.MethodGet, b.url("/Users"), pair.token.Reveal(), "")
			if known.status != http.StatusOK {
				t.Fatalf("%d %s", known.status, known.body)
			}
			attack := attacker{t, strings.TrimPrefix(b.url(""), "http://")}
			before := size(t, b.log)
			answered := attack.pipeline("127.0.0.2", request)
			grown := size(t, b.log) - before
			ring := downloadLog(t, b, pair.token)
			kept := strings.Contains(ring, known.header.Get("X-Request-Id"))
			t.Logf("%d requests answered: the log grew by %d bytes; the page's log still has what came before: %t",
				answered,
				grown, kept)
			if answered < 100 || grown > mostLog || !kept {
				t.Errorf("%d requests answered, the log grew by %d bytes, want at most %d; "+
					"the page's log is %.2000s", answered,
					grown, mostLog, ring)
			}
		})
	}
}

// downloadLog is what an operator gets from the status page.
func downloadLog(t *testing.T, b *process, token session.Token) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: time.Minute}
	for _, step := range []struct{ method, path, body string }{
		{http.MethodPost, "/app/sign-in", url.Values{"token": {token.Reveal()}}.Encode()},
		{http.MethodGet, "/app/logs", ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), step.method, b.url(step.path), strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", step.path, resp.StatusCode, err)
		}
		if step.method == http.MethodGet {
			return string(text)
		}
	}
	return ""
}

// Three thousand people who do not exist sign up, from one address and from many.
func TestAttackSignUps(t *testing.T) {
	t.Parallel()
	a, log, attack := attackedAccount(t)
	if made, err := apitest.Read[api.SignupDomain](a.admin.CreateSignupDomain(t.Context(), nil,
		api.SignupDomainInput{Domain: "example.com"})); err != nil || made.Value == nil {
		t.Fatalf("allowing the domain: %v", err)
	}
	before := size(t, log.Name())
	var answered [6]atomic.Int64 // by the status's first digit
	started := time.Now()
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			from := "127.0.0.2"
			if worker%2 == 1 {
				from = fmt.Sprintf("127.0.0.%d", 3+worker)
			}
			c := attack.client(from)
			for i := range 3000 / 8 {
				form := url.Values{
					"address": {fmt.Sprintf("guest-%d-%d@example.com", worker, i)}, "name": {"Guest"},
				}.Encode()
				answered[attack.post(c, "/signup", "application/x-www-form-urlencoded", form)/100].Add(1)
			}
		})
	}
	all.Wait()
	took := time.Since(started)
	members := 0
	for cursor := (*string)(nil); ; {
		page, err := apitest.Read[api.MemberPage](a.admin.ListMembers(t.Context(),
			&api.ListMembersParams{Cursor: cursor}))
		if err != nil || page.Value == nil {
			t.Fatalf("listing members: %v", err)
		}
		members += len(page.Value.Items)
		if cursor = page.Value.NextCursor; cursor == nil {
			break
		}
	}
	mails := strings.Count(output(t, "account", "mail", "--database", "sqlite:"+a.database), "  invitation  ")
	audited := 0
	if page, err := apitest.Read[api.AuditEventPage](a.admin.ListAuditEvents(t.Context(), nil)); err == nil &&
		page.Value != nil {
		audited = len(page.Value.Items)
	}
	grown := size(t, log.Name()) - before
	t.Logf("3000 sign-ups in %s, %d of them let through: %d members, %d mails, %d audit events, %d bytes of log",
		took.Round(time.Millisecond), answered[2].Load(), members, mails, audited, grown)
	// Twenty for each of five networks, and what time gives back to each and to all.
	if most := 100 + int(took/(10*time.Second)) + 1; members > most || mails != members || members < 20 {
		t.Errorf("%d members and %d mails, want at most %d", members, mails, most)
	}
	if answered[4].Load() < 2000 || audited > 5 || grown > mostLog {
		t.Errorf("%d were refused, %d events audited, and the log grew by %d bytes", answered[4].Load(), audited, grown)
	}
}

// The second half of a sign-in that was never begun, from three hundred addresses.
func TestAttackMadeUpFinishes(t *testing.T) {
	t.Parallel()
	a, log, attack := attackedAccount(t)
	before := size(t, log.Name())
	refused := 0
	for i := range 300 {
		c := attack.client(fmt.Sprintf("127.0.%d.%d", 1+i/200, 1+i%200))
		if attack.post(c, "/v1/auth/finish", "application/json",
			`{"handshake_id":"made-up","a":"2","proof":"d3Jvbmc","bridge":{"instance":"stranger","version":"",`+
				`"revision":""}}`) == http.StatusUnauthorized {
			refused++
		}
		c.CloseIdleConnections()
	}
	page, err := apitest.Read[api.SignInAttemptPage](a.admin.ListSignInAttempts(t.Context(),
		&api.ListSignInAttemptsParams{Limit: new(1000)}))
	if err != nil || page.Value == nil {
		t.Fatalf("listing attempts: %v", err)
	}
	rows, grown := len(page.Value.Items), size(t, log.Name())-before
	t.Logf("300 finishes refused: %d rows, %d bytes of log", rows, grown)
	if refused != 300 || rows != 0 || grown > mostLog {
		t.Errorf("%d were refused, and left %d rows and %d bytes of log", refused, rows, grown)
	}
}

func forged(t *testing.T) string {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

// Made-up, well-formed tokens, beside an identity provider
// that has the right one.
func TestAttackForgedTokens(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed), "--log-level", "info")
	right := func() {
		t.Helper()
		if got := ask(t, http.MethodGet, b.url("/Users"), pair.token.Reveal(), ""); got.status != http.StatusOK {
			t.Fatalf("the right token: %d %s", got.status, got.body)
		}
	}
	right()
	before := size(t, b.log)
	attack := attacker{t, strings.TrimPrefix(b.url(""), "http://")}
	c, sent := attack.client("127.0.0.2"), 0
	for end := time.Now().Add(attackTime); time.Now().Before(end); sent++ {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url("/Users"), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+forged(t))
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("a forged token got %d", resp.StatusCode)
		}
	}
	right()
	grown := size(t, b.log) - before
	h := b.health(pair.token.Reveal())
	told, _ := json.Marshal(h.Problems)
	t.Logf("%d forged tokens: the bridge is %s, the log grew by %d bytes; %s", sent, h.State, grown, told)
	if h.State != health.Healthy || grown > mostLog {
		t.Errorf("the bridge is %s, and its log grew by %d bytes", h.State, grown)
	}
	if want := fmt.Sprintf("127.0.0.2 (%d)", sent); !strings.Contains(string(told), want) {
		t.Errorf("the problem does not name %s: %s", want, told)
	}
}

// More connections than a process may have files.
func TestAttackHeldConnections(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serveFiles(t, 64, folder(t, pair.sealed))
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	before := size(t, b.log)
	attack := attacker{t, strings.TrimPrefix(b.url(""), "http://")}
	opened := attack.hold("127.0.0.2", 200, "POST /Users HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf")
	c := attack.client("127.0.0.3")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url("/health"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+pair.token.Reveal())
	resp, err := c.Do(r)
	if err != nil {
		t.Fatalf("beside %d connections held open, the right token: %v", opened, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	grown := size(t, b.log) - before
	t.Logf("%d connections: %s, %d bytes of log; %s", opened, resp.Status, grown, text)
	if err != nil || !strings.Contains(string(text), `"overloaded"`) || grown > mostLog {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if log := b.logText(); !strings.Contains(log, "[ERROR]") || !strings.Contains(log, "problem=overloaded") {
		t.Errorf("the log does not tell:\n%s", log)
	}
	if b.status().State != control.Ready {
		t.Errorf("the state is %s", b.status().State)
	}
}
