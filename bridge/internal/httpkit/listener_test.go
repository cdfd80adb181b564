package httpkit_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// A site is a server with a limited listener, where "/secret" admits.
type site struct {
	t        *testing.T
	listener *httpkit.Listener
	log      *lockedLog
}

type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newSite(t *testing.T, most int, wrap func(net.Listener) net.Listener) *site {
	t.Helper()
	return newNamedSite(t, "", most, wrap)
}

func newNamedSite(t *testing.T, name string, most int, wrap func(net.Listener) net.Listener) *site {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		l = wrap(l)
	}
	s := &site{t: t, log: new(lockedLog)}
	events := httpkit.NewEventLog(hclog.New(&hclog.LoggerOptions{Output: s.log}))
	s.listener = httpkit.Limit(l, most, events)
	s.listener.Name = name
	server := httpkit.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, _ = httpkit.Begin(w, r, nil)
		if r.URL.Path == "/secret" {
			httpkit.Admit(r.Context())
		}
		if _, err := httpkit.ReadBody(w, r, 100); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}), events)
	go func() { _ = server.Serve(s.listener) }()
	t.Cleanup(func() { server.Close() })
	return s
}

// dial connects from an address of this machine.
func (s *site) dial(from string) net.Conn {
	s.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(s.t.Context(), "tcp", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// ask sends a request on a connection and reports the status; 0 if it was closed.
func ask(c net.Conn, path string) int {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		return 0
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (s *site) await(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); !ok(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A stranger that opens connections without end closes its own.
func TestConnectionsHeldOpenKeepNoClientOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, 8, nil)
	idp := s.dial("127.0.0.3")
	if code := ask(idp, "/secret"); code != 200 {
		t.Fatalf("the identity provider got %d", code)
	}
	other := s.dial("127.0.0.4")
	if code := ask(other, "/"); code != 200 {
		t.Fatalf("another stranger got %d", code)
	}
	for i := range 100 {
		held := s.dial("127.0.0.2")
		fmt.Fprint(held, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf")
		if i%10 == 0 {
			fresh := s.dial("127.0.0.5")
			if code := ask(fresh, "/secret"); code != 200 {
				t.Fatalf("a new client got %d beside %d connections held open", code, i)
			}
			fresh.Close()
		}
	}
	if code := ask(idp, "/secret"); code != 200 {
		t.Errorf("the connection of an admitted client was closed")
	}
	load, lately := s.listener.Overload()
	if !lately || load.Waited || load.Reason != "all 8 connections are in use" ||
		!strings.HasPrefix(load.Networks, "127.0.0.2 (") {
		t.Errorf("the overload is %+v", load)
	}
	if log := s.log.String(); !strings.Contains(log, "[ERROR]") || strings.Count(log, "problem=overloaded") != 1 {
		t.Errorf("the log is\n%s", log)
	}
}

func TestWithoutStrangersToCloseANewConnectionWaits(t *testing.T) {
	t.Parallel()
	s := newSite(t, 3, nil)
	var admitted []net.Conn
	for range 3 {
		c := s.dial("127.0.0.3")
		if code := ask(c, "/secret"); code != 200 {
			t.Fatal(code)
		}
		admitted = append(admitted, c)
	}
	late := make(chan int)
	c := s.dial("127.0.0.4")
	go func() { late <- ask(c, "/secret") }()
	s.await("the overload", func() bool { load, _ := s.listener.Overload(); return load.Waited })
	select {
	case code := <-late:
		t.Fatalf("a fourth connection was answered %d", code)
	default:
	}
	for _, c := range admitted[:2] {
		if code := ask(c, "/secret"); code != 200 {
			t.Errorf("an admitted connection got %d", code)
		}
	}
	admitted[2].Close()
	if code := <-late; code != 200 {
		t.Errorf("the late one got %d", code)
	}
}

func TestClosingEndsTheWait(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1, nil)
	if code := ask(s.dial("127.0.0.3"), "/secret"); code != 200 {
		t.Fatal(code)
	}
	late := s.dial("127.0.0.4")
	s.await("the overload", func() bool { load, _ := s.listener.Overload(); return load.Waited })
	// The server, which the end of the wait wakes, closes it too, and may be first.
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := late.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection that waited: %v", err)
	}
}

// exhausted is a listener to which the system gives errors.
type exhausted struct {
	net.Listener
	failures *atomic.Int64
	err      syscall.Errno
}

func (e exhausted) Accept() (net.Conn, error) {
	if e.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", e.err)}
	}
	return e.Listener.Accept()
}

func TestAnAcceptErrorIsReportedAndDoesNotEndTheServer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		err      syscall.Errno
		overload bool
	}{
		{"the process may open no more files", syscall.EMFILE, true},
		{"nor may the system", syscall.ENFILE, true},
		{"there is no memory for buffers", syscall.ENOBUFS, true},
		{"nor for anything else", syscall.ENOMEM, true},
		{"the client has gone", syscall.ECONNABORTED, false},
		{"it reset the connection", syscall.ECONNRESET, false},
		{"the connection broke the protocol", syscall.EPROTO, false},
		{"the network of it is down", syscall.ENETDOWN, false},
		{"the way back is gone", syscall.EHOSTUNREACH, false},
		{"a packet filter forbids it", syscall.EPERM, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var failures atomic.Int64
			failures.Store(3)
			s := newSite(t, 100, func(l net.Listener) net.Listener { return exhausted{l, &failures, row.err} })
			if code := ask(s.dial("127.0.0.3"), "/secret"); code != 200 {
				t.Fatalf("the next client got %d", code)
			}
			load, lately := s.listener.Overload()
			if lately != row.overload || load.Waited != row.overload {
				t.Errorf("overloaded: %t, %+v; want %t", lately, load, row.overload)
			}
			log := s.log.String()
			if strings.Contains(log, "problem=overloaded") != row.overload || !strings.Contains(log, row.err.Error()) {
				t.Errorf("the log is\n%s", log)
			}
		})
	}
}

func TestAnOverloadEndsWhenConnectionsAreAcceptedAgain(t *testing.T) {
	t.Parallel()
	var failures atomic.Int64
	failures.Store(1)
	s := newSite(t, 100, func(l net.Listener) net.Listener { return exhausted{l, &failures, syscall.ENOBUFS} })
	client := func() {
		t.Helper()
		c := s.dial("127.0.0.3")
		if code := ask(c, "/secret"); code != 200 {
			t.Fatal(code)
		}
		c.Close()
	}
	client()
	if _, lately := s.listener.Overload(); !lately {
		t.Fatal("one connection ended the overload")
	}
	for range 30 {
		client()
	}
	if load, lately := s.listener.Overload(); lately {
		t.Errorf("after 30 connections it still is overloaded: %+v", load)
	}
	failures.Store(1)
	client() // accepting was under way already
	client()
	if load, lately := s.listener.Overload(); !lately || load.Count != 1 {
		t.Errorf("the next overload is %+v, %t", load, lately)
	}
}

// Without descriptors a process is mute, unless it says why.
func TestRunningOutOfFilesIsReportedAndPasses(t *testing.T) {
	t.Parallel()
	var failures atomic.Int64
	s := newSite(t, 100, func(l net.Listener) net.Listener { return exhausted{l, &failures, syscall.EMFILE} })
	stranger := s.dial("127.0.0.2")
	if code := ask(stranger, "/"); code != 200 {
		t.Fatal(code)
	}
	failures.Store(3)
	if code := ask(s.dial("127.0.0.3"), "/"); code != 200 { // the one that was being waited for
		t.Fatal(code)
	}
	if code := ask(s.dial("127.0.0.3"), "/secret"); code != 200 {
		t.Errorf("afterwards a client got %d", code)
	}
	if _, err := stranger.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("no file was given back by the stranger's connection: %v", err)
	}
	load, lately := s.listener.Overload()
	if !lately || !load.Waited || !strings.Contains(load.Reason, "too many open files") {
		t.Errorf("the overload is %+v", load)
	}
	if log := s.log.String(); !strings.Contains(log, "[ERROR]") || !strings.Contains(log, "too many open files") {
		t.Errorf("the log is\n%s", log)
	}
}

// A stranger's body has five seconds; one with a secret may take its time.
func TestHalfABodyEndsSoon(t *testing.T) {
	t.Parallel()
	s := newSite(t, 10, nil)
	half := func(path string) net.Conn {
		c := s.dial("127.0.0.2")
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf", path)
		return c
	}
	admitted := half("/secret")
	started := time.Now()
	stranger := half("/")
	if _, err := stranger.Read(make([]byte, 1)); err != nil || time.Since(started) < 4*time.Second {
		t.Errorf("the stranger was answered after %s: %v", time.Since(started), err)
	}
	// Its five seconds are over, too.
	_ = admitted.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := admitted.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("the admitted client was cut off: %v", err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// A flood of health checks is no problem of the server that they ask about; that the process has no more files is.
func TestAListenerBesideTheServersOwnIsNoProblemOfTheServer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		failures int64
		problem  bool
		want     string
	}{
		{"all its connections are in use", 0, false, "kind=ping_overloaded"},
		{"the process has no more files", 1, true, "too many open files"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var failures atomic.Int64
			failures.Store(row.failures)
			s := newNamedSite(t, "ping", 2, func(l net.Listener) net.Listener {
				return exhausted{l, &failures, syscall.EMFILE}
			})
			for range 4 {
				s.dial("127.0.0.1")
			}
			s.await("the log", func() bool { return strings.Contains(s.log.String(), row.want) })
			if log := s.log.String(); strings.Contains(log, "problem=overloaded") != row.problem {
				t.Errorf("a problem of the server: %v, want %v: %s", !row.problem, row.problem, log)
			}
		})
	}
}
