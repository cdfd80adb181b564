package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
)

func TestWhichListenerIsTakenOver(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, listen string
		held         net.TCPAddr
		want         bool
	}{
		{"the same address", "127.0.0.1:3002", net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3002}, true},
		{"any port will do", "127.0.0.1:0", net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}, true},
		{"every address, as Go binds it", ":3002", net.TCPAddr{IP: net.IPv6unspecified, Port: 3002}, true},
		{"another port was asked for", "127.0.0.1:3003", net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3002}, false},
		{"loopback only, where every address was open", "127.0.0.1:3002",
			net.TCPAddr{IP: net.IPv6unspecified, Port: 3002},
			false},
		{"every address, where only loopback was", ":3002", net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3002}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := &Listener{Address: row.listen}
			if got := l.wouldBind(t.Context(), &row.held); got != row.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// What localhost stands for is the machine's affair: on many, ::1 comes first.
func TestANameOfManyAddressesNamesEach(t *testing.T) {
	t.Parallel()
	localhost := []net.IPAddr{{IP: net.IPv6loopback}, {IP: net.IPv4(127, 0, 0, 1)}}
	for _, row := range []struct {
		name string
		held net.IP
		want bool
	}{
		{"the first", net.IPv6loopback, true},
		{"the second, which Listen prefers", net.IPv4(127, 0, 0, 1), true},
		{"another one", net.IPv4(127, 0, 0, 9), false},
		{"every address", net.IPv6unspecified, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := includes(localhost, row.held); got != row.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// A connection that is reset after its request was sent is a lost request.
func TestAListenerThatRefusesAnswersTheConnectionsThatItHas(t *testing.T) {
	t.Parallel()
	l := &Listener{Address: "127.0.0.1:0", Handler: http.NotFoundHandler(), Log: hclog.NewNullLogger(),
		Connections: 10}
	if err := l.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Drain(context.Background(), 0) })
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := l.Refuse(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" {
		if late, err := (&net.Dialer{Timeout: 300 * time.Millisecond}).DialContext(t.Context(), "tcp",
			l.Addr()); err == nil {
			late.Close()
			t.Error("a new connection is made")
		}
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 404") {
		t.Errorf("the open connection: %q, %v", answer, err)
	}
}

// An overlap may end while a request with the old token waits.
func TestATokenIsVerifiedAgainAfterTheWait(t *testing.T) {
	t.Parallel()
	q, begun, block := fair.New(1), make(chan struct{}, 3), make(chan struct{})
	var ended atomic.Bool
	verify := func(string) *auth.Error {
		if ended.Load() {
			return &auth.Error{Kind: auth.Superseded, Detail: "the old one"}
		}
		return nil
	}
	srv := httptest.NewServer(inTurn(q, time.Minute, verify, http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) {
			begun <- struct{}{}
			<-block
		})))
	defer srv.Close()
	statuses := make(chan int, 3)
	for waiting := range 3 {
		go func() {
			resp, err := http.Get(srv.URL) //nolint:noctx // it ends with the server
			if err != nil {
				t.Error(err)
				statuses <- 0
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		}()
		for q.Stats().Running != 1 || q.Stats().Waiting != waiting {
			time.Sleep(time.Millisecond)
		}
	}
	block <- struct{}{}
	<-begun
	<-begun // the second one
	ended.Store(true)
	block <- struct{}{}
	got := []int{<-statuses, <-statuses, <-statuses}
	slices.Sort(got)
	if !slices.Equal(got, []int{http.StatusOK, http.StatusOK, http.StatusUnauthorized}) || len(begun) > 0 {
		t.Errorf("%d, and %d more were carried out", got, len(begun))
	}
}

// Who waits when the bridge stops gets its turn, or is told to come back: it does not wait until the connection is cut.
func TestAStopEndsTheWaitingOfRequests(t *testing.T) {
	t.Parallel()
	q, block := fair.New(1), make(chan struct{})
	l := &Listener{Address: "127.0.0.1:0", Log: hclog.NewNullLogger(), Connections: 10, Queue: q,
		Handler: inTurn(q, time.Minute, nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }))}
	if err := l.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 2)
	for range 2 {
		go func() {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+l.Addr(),
				http.NoBody)
			if err != nil {
				answers <- err.Error()
				return
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				answers <- err.Error()
				return
			}
			resp.Body.Close()
			answers <- resp.Status + " " + resp.Header.Get("Retry-After")
		}()
	}
	for q.Stats().Waiting == 0 {
		time.Sleep(time.Millisecond)
	}
	drained := make(chan error, 1)
	go func() { drained <- l.Drain(context.Background(), 0) }()
	if got := <-answers; got != "503 Service Unavailable 1" {
		t.Errorf("who waits is answered %q", got)
	}
	close(block)
	if got := <-answers; got != "200 OK " {
		t.Errorf("what is carried out is answered %q", got)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}
