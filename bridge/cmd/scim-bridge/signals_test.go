package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// A bridge on standby whose Terraform was killed would stay for ever.
func TestABridgeOnStandbyThatNobodyAsksEnds(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	serving := serve(t, dir)
	ask(t, http.MethodGet, serving.url("/Users"), pair.token.Reveal(), "")
	serving.awaitState(control.Ready)

	standby := serve(t, dir, "--take-over", "--standby-timeout=3s")
	if _, err := standby.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	standby.awaitEnd("stopping: this bridge has been on standby")
	if sockets, _ := filepath.Glob(filepath.Join(dir, "control.*.sock")); len(sockets) != 0 {
		t.Errorf("it left %v", sockets)
	}
	if s := serving.status(); s.State != control.Ready {
		t.Errorf("the bridge that serves is %s", s.State)
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// awaitEnd waits until the process has ended well, and logged a text.
func (p *process) awaitEnd(text string) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(timeout):
		p.t.Fatalf("the bridge still runs; its log:\n%s", p.logText())
	}
	if p.err != nil {
		p.t.Errorf("the bridge ended with %v", p.err)
	}
	p.expectLogged(text)
}

func (p *process) expectLogged(text string) {
	p.t.Helper()
	if !strings.Contains(p.logText(), text) {
		p.t.Errorf("the log does not say %q", text)
	}
}

func (p *process) awaitLogged(text string) {
	p.t.Helper()
	await(p.t, "the log line "+text, func() bool { return strings.Contains(p.logText(), text) })
}

func TestHangupReadsTheTokenFilesAgain(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	file := filepath.Join(t.TempDir(), "monitoring")
	put := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("monitoring-token-number-one")
	b := serve(t, dir, "--monitoring-token-file", file)
	put("monitoring-token-number-two")
	b.signal(syscall.SIGHUP)
	await(t, "the new monitoring token", func() bool {
		return ask(t, http.MethodGet, b.url("/health"), "monitoring-token-number-two",
			"").status != http.StatusUnauthorized
	})
	got := ask(t, http.MethodGet, b.url("/health"), "monitoring-token-number-one", "")
	if got.status != http.StatusUnauthorized {
		t.Errorf("the old monitoring token: %d", got.status)
	}

	// A file that cannot be read changes nothing.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	b.signal(syscall.SIGHUP)
	b.awaitLogged("could not read the monitoring token; the old one stays in use")
	if got := ask(t, http.MethodGet, b.url("/health"), "monitoring-token-number-two",
		""); got.status == http.StatusUnauthorized {
		t.Error("the token is gone with its file")
	}
}

// A deployment must know that the new token is in use, although its file may come with a delay.
func TestReloadChecksTheMonitoringToken(t *testing.T) {
	t.Parallel()
	const old, newer = "monitoring-token-number-one", "monitoring-token-number-two"
	pair := newAccount(t).activate()
	file := filepath.Join(t.TempDir(), "monitoring")
	put := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(old)
	b := serve(t, folder(t, pair.sealed), "--monitoring-token-file", file)
	bare := serve(t, folder(t, pair.sealed))
	reload := func(dir, input string) (out string, err error) {
		cmd := exec.CommandContext(t.Context(), "scim-bridge", "reload", "--check-monitoring-token", dir)
		cmd.Stdin = strings.NewReader(input)
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	refuses := func(dir, input, want string) {
		t.Helper()
		out, err := reload(dir, input)
		if err == nil || !strings.Contains(out, want) || strings.Contains(out, newer) {
			t.Errorf("a reload with %q: %v %s, want %q", input, err, out, want)
		}
	}
	accepts := func(token string) bool {
		return ask(t, http.MethodGet, b.url("/health"), token, "").status != http.StatusUnauthorized
	}
	refuses(b.dir, newer, "has another token")
	refuses(b.dir, " \n", "no token on standard input")
	refuses(bare.dir, newer, "started without --monitoring-token-file")
	if strings.Contains(b.logText(), "reading the token files") {
		t.Error("it was reloaded")
	}
	put(newer)
	if !accepts(old) || accepts(newer) {
		t.Error("the new token is in use before the reload")
	}
	if out, err := reload(b.dir, newer+"\n"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if accepts(old) || !accepts(newer) {
		t.Error("the new token is not in use after the reload")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refuses(b.dir, newer, "--monitoring-token-file")
}

// An open session cannot be opened again without its token, which the log says.
func TestHangupTellsOfASessionThatNeedsARestart(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	pair := a.activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	ask(t, http.MethodGet, b.url("/Users"), pair.token.Reveal(), "")
	b.awaitState(control.Ready)
	newer := a.rotate(pair, time.Hour)
	if err := os.WriteFile(filepath.Join(dir, "session"), []byte(newer.sealed), 0o600); err != nil {
		t.Fatal(err)
	}
	b.signal(syscall.SIGHUP)
	b.awaitLogged("the session file has changed; the open session stays in use until a restart")
	if s := b.status(); s.State != control.Ready {
		t.Errorf("the bridge is %s", s.State)
	}
}

// halfSent begins a request and does not end it.
func halfSent(t *testing.T, address, path, token string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// The server answers 100 when it has begun with the request.
	_, err = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer "+token+
		"\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("the server did not begin with the request: %q, %v", line, err)
	}
}

func TestASecondSignalCutsOffTheBridgesRequests(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	ask(t, http.MethodGet, b.url("/Users"), pair.token.Reveal(), "")
	b.awaitState(control.Ready)
	halfSent(t, strings.TrimPrefix(b.url(""), "http://"), "/Users", pair.token.Reveal())
	b.signal(syscall.SIGTERM)
	b.awaitLogged("stopping after a signal")
	b.signal(syscall.SIGTERM)
	b.awaitEnd("second signal: aborting the requests in flight")
}

// A listened is a server whose log the test reads from a pipe.
type listened struct {
	cmd   *exec.Cmd
	read  *os.File
	ended chan error

	mu  sync.Mutex
	log strings.Builder
}

// listenTo starts scim-bridge with its standard error at a pipe.
func listenTo(t *testing.T, args ...string) *listened {
	t.Helper()
	return listenWith(t, nil, args...)
}

// listenWith is listenTo with variables in the environment.
func listenWith(t *testing.T, environ []string, args ...string) *listened {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := &listened{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), "scim-bridge", args...), read: read,
		ended: make(chan error, 1)}
	l.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	l.cmd.Stderr = write
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	go func() { l.ended <- l.cmd.Wait() }()
	go func() {
		for lines := bufio.NewScanner(read); lines.Scan(); {
			l.mu.Lock()
			l.log.WriteString(lines.Text() + "\n")
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = l.cmd.Process.Kill(); read.Close() })
	return l
}

func (l *listened) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.String()
}

func (l *listened) await(t *testing.T, text string) {
	t.Helper()
	await(t, "the log line "+text, func() bool { return strings.Contains(l.text(), text) })
}

var listensAt = regexp.MustCompile(`listening: address="?([0-9.:]+)`)

// address is where the server listens.
func (l *listened) address(t *testing.T) string {
	t.Helper()
	l.await(t, "listening: address=")
	found := listensAt.FindStringSubmatch(l.text())
	if found == nil {
		t.Fatalf("no address in %s", l.text())
	}
	return found[1]
}

// servers are all that serve, ready to be started.
func servers(t *testing.T) map[string][]string {
	t.Helper()
	pair := newAccount(t).activate()
	database := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	output(t, "account", "init", "--database", database, "--name", "Test")
	return map[string][]string{
		"bridge":  {"serve", "--data-dir", folder(t, pair.sealed), "--listen", "127.0.0.1:0", "--log-level", "trace"},
		"account": {"account", "serve", "--database", database, "--listen", "127.0.0.1:0", "--log-level", "trace"},
		"dev": {
			"dev", "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--account-listen",
			"127.0.0.1:0", "--log-level",
			"trace",
		},
	}
}

// The process that read the log has gone away: that ends a tool, and no server.
func TestAServerOutlivesTheReaderOfItsLog(t *testing.T) {
	t.Parallel()
	for name, args := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listenTo(t, args...)
			url := "http://" + l.address(t) + "/ping"
			l.read.Close()
			for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGPIPE} { // the first makes it log
				if err := l.cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				if got := ask(t, http.MethodGet, url, "", ""); got.status != http.StatusOK &&
					got.status != http.StatusNoContent {
					t.Errorf("/ping answers %d", got.status)
				}
			}
			_ = l.cmd.Process.Signal(syscall.SIGTERM)
			if err := <-l.ended; err != nil {
				t.Errorf("the server ended with %v", err)
			}
		})
	}
}

func TestASecondSignalCutsOffTheAccountsRequests(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	token := strings.TrimSpace(output(t, "account", "init", "--database", database, "--name", "Test"))
	l := listenTo(t, "account", "serve", "--database", database, "--listen", "127.0.0.1:0")
	address := l.address(t)
	if err := l.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	l.await(t, "SIGHUP: loading newer IP databases")
	halfSent(t, address, "/v1/firewall/rules", token)
	for i, line := range []string{"stopping after a signal", "second signal: aborting the requests in flight"} {
		if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatalf("signal %d: %v", i+1, err)
		}
		l.await(t, line)
	}
	if err := <-l.ended; err != nil {
		t.Errorf("the account ended with %v", err)
	}
}

// A supervisor may repeat its signal while a server that has stopped is about
// to exit: for the race detector, that takes a second.
func TestASignalAfterTheEndDoesNotMakeItUnclean(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]os.Signal{
		"SIGTERM": syscall.SIGTERM, "SIGINT": os.Interrupt, "SIGHUP": syscall.SIGHUP,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serve(t, t.TempDir())
			if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			b.awaitLogged("stopped")
			_ = b.cmd.Process.Signal(again) // it may have ended
			<-b.ended
			if b.err != nil {
				t.Errorf("the bridge ended with %v", b.err)
			}
		})
	}
}

// Where two bridges have one name, clients find the new one only when they connect again.
func TestABridgeWithADrainDelayServesOnAndTellsItsClientsToReconnect(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed), "--drain-delay=4m")
	users := b.url("/Users")
	ready := b.url("/ready")
	ask(t, http.MethodGet, users, pair.token.Reveal(), "")
	b.awaitState(control.Ready)

	b.signal(syscall.SIGTERM)
	b.awaitState(control.Draining)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, users, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+pair.token.Reveal())
	resp, err := new(http.Transport).RoundTrip(req)
	if err != nil {
		t.Fatalf("a new connection: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !resp.Close {
		t.Errorf("it answers %s, and keeps the connection: %t", resp.Status, !resp.Close)
	}
	if got := ask(t, http.MethodGet, ready, "", ""); got.status != http.StatusServiceUnavailable {
		t.Errorf("/ready answers %d", got.status)
	}
	out, err := exec.CommandContext(t.Context(), "scim-bridge", "reload", b.dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "shutting down") {
		t.Errorf("a reload: %v %s", err, out)
	}
	b.signal(syscall.SIGTERM)
	b.awaitEnd("second signal")
}

// A connection whose network is gone has no end: a request on it would wait for an answer.
func TestHangupClosesIdleConnectionsToTheAccount(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	pair := a.activate()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var closed atomic.Int64 // connections to the account that the bridge has closed
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := new(net.Dialer).DialContext(t.Context(), "tcp", a.address())
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(from, to); from.Close() }()
			go func() { _, _ = io.Copy(to, from); to.Close(); closed.Add(1) }()
		}
	}()
	b := serve(t, folder(t, pair.sealed), "--account-url", "http://"+l.Addr().String())
	ask(t, http.MethodGet, b.url("/Users"), pair.token.Reveal(), "")
	b.awaitState(control.Ready)
	before := closed.Load()
	for _, reload := range []func(){
		func() { b.signal(syscall.SIGHUP) },
		func() {
			if out, err := exec.CommandContext(t.Context(), "scim-bridge", "reload",
				b.dir).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		},
	} {
		await(t, "a connection to be closed", func() bool {
			reload() // again, since a connection may just have been in use
			return closed.Load() > before
		})
		before = closed.Load()
		if got := ask(t, http.MethodGet, b.url("/Users"), pair.token.Reveal(), ""); got.status != http.StatusOK {
			t.Errorf("after that /Users answers %d", got.status)
		}
	}
}
