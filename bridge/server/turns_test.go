package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
)

// A slowReply is what a request got at last.
type slowReply struct {
	status     int
	retryAfter string
	body       string
}

// send sends a request that is carried out until the test ends, or waits, and returns its answer when it has one.
func (f *face) send(ctx context.Context, t *testing.T, body io.Reader, header ...string) <-chan slowReply {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.URL+"/Users/slow", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer right")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	answer := make(chan slowReply, 1)
	go func() {
		resp, err := f.Client().Do(req)
		if err != nil {
			answer <- slowReply{}
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		answer <- slowReply{resp.StatusCode, resp.Header.Get("Retry-After"), string(text)}
	}()
	return answer
}

// fill takes all places that one client gets, and has so many more requests wait.
func (f *face) fill(t *testing.T, waiting int, header ...string) {
	t.Helper()
	for range 3 + waiting {
		f.send(t.Context(), t, http.NoBody, header...)
	}
	t.Cleanup(func() { close(f.block) })
	f.awaitQueue(t, 3, waiting)
}

func (f *face) awaitQueue(t *testing.T, running, waiting int) {
	t.Helper()
	var s fair.Stats
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s = f.queue.Stats(); s.Running == running && s.Waiting == waiting {
			return
		}
	}
	t.Fatalf("%d requests are carried out and %d wait, instead of %d and %d", s.Running, s.Waiting, running, waiting)
}

func TestNothingButSCIMWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.fill(t, 5, "User-Agent", "flood")
	f.send(t.Context(), t, http.NoBody, "User-Agent", "second")
	f.awaitQueue(t, 4, 5) // all places are taken
	f.send(t.Context(), t, http.NoBody, "User-Agent", "third")
	f.awaitQueue(t, 4, 6)
	for _, path := range []string{"/ping", "/ready", "/health", "/metrics", "/app"} {
		if status, body := f.getNow(t, path, "Bearer right"); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := f.getNow(t, "/Users", "Bearer wrong"); status != http.StatusUnauthorized {
		t.Errorf("a stranger got %d instead of a refusal at once", status)
	}
	f.awaitQueue(t, 4, 6) // and the stranger has no place
	_, metrics := f.getNow(t, "/metrics", "Bearer right")
	for _, line := range []string{
		"scimbridge_requests_running 4", "scimbridge_requests_waiting 6",
		`scimbridge_requests_without_place_total{reason="expected"} 0`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
}

// getNow is get without waiting for the handlers that run.
func (f *face) getNow(t *testing.T, path, authorization string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	resp, err := f.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// A rotation does not double a client's share, and what an operator reads has a share of its own.
func TestBothTokensOfARotationAreOneClient(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.fill(t, 0, "User-Agent", "Okta")
	f.send(t.Context(), t, http.NoBody, "User-Agent", "Okta", "Authorization", "Bearer right-old")
	f.awaitQueue(t, 3, 1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+"/Users", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer right", "User-Agent": "Okta", control.HeaderLook: "1",
	} {
		req.Header.Set(name, value)
	}
	resp, err := f.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a look: %d", resp.StatusCode)
	}
}

// What is not read is not in memory. The client sends on when its turn has come.
func TestABodyIsNotReadBeforeItsTurn(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	f.fill(t, 0, "User-Agent", "a")
	read := make(chan struct{})
	body := readerFunc(func(p []byte) (int, error) {
		close(read)
		return 0, io.EOF
	})
	answer := f.send(t.Context(), t, body, "User-Agent", "a", "Expect", "100-continue")
	f.awaitQueue(t, 3, 1)
	select {
	case <-read:
		t.Fatal("the body was asked for while its request waits")
	case <-time.After(50 * time.Millisecond):
	}
	f.block <- struct{}{}
	<-read
	f.block <- struct{}{}
	f.block <- struct{}{}
	f.block <- struct{}{}
	if got := <-answer; got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestRequestsThatWaitAreToldToComeBackWhenTheBridgeIsSealed(t *testing.T) {
	t.Parallel()
	for _, agent := range []string{"Okta SCIM Client 1.0.0", ""} {
		f := newFace(t)
		f.fill(t, 0, "User-Agent", agent)
		answer := f.send(t.Context(), t, strings.NewReader("{}"), "User-Agent", agent)
		f.awaitQueue(t, 3, 1)
		f.queue.Interrupt()
		got := <-answer
		if got.status != http.StatusServiceUnavailable || got.retryAfter != "1" ||
			!strings.Contains(got.body, `"status":"503"`) {
			t.Errorf("%q: %+v", agent, got)
		}
	}
}

// Okta comes back after 429 as it is told; to Entra ID, which sends no User-Agent, and others it is a failure.
func TestOnlyOktaIsToldToSlowDown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		agent  string
		status int
	}{
		{"Okta SCIM Client 1.0.0", http.StatusTooManyRequests},
		{"", http.StatusServiceUnavailable},
		{"Google-Auto-Provisioning", http.StatusServiceUnavailable},
		{"not Okta", http.StatusServiceUnavailable},
	} {
		f := newFaceThatWaits(t, 20*time.Millisecond)
		f.fill(t, 0, "User-Agent", row.agent)
		got := <-f.send(t.Context(), t, http.NoBody, "User-Agent", row.agent)
		if got.status != row.status || got.retryAfter == "" || got.retryAfter == "0" {
			t.Errorf("%q: %+v", row.agent, got)
		}
	}
}

func TestAPlaceComesBackAfterAPanicAndFromAClientThatHasGone(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	for range 10 {
		if status, _, _ := f.get(t, "/Users/panic", "Bearer right"); status != http.StatusInternalServerError {
			t.Fatalf("status %d", status)
		}
	}
	f.awaitQueue(t, 0, 0)
	f.fill(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	f.send(ctx, t, http.NoBody)
	f.awaitQueue(t, 3, 1)
	cancel()
	f.awaitQueue(t, 3, 0)
	// Of one whose body nobody has read yet, the server learns that it has gone when its turn comes.
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	const begun = "POST /Users/slow HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer right\r\n" +
		"User-Agent: Go-http-client/1.1\r\nContent-Length: 100\r\n\r\n{"
	if _, err := io.WriteString(conn, begun); err != nil {
		t.Fatal(err)
	}
	f.awaitQueue(t, 3, 1)
	conn.Close()
	for range 4 {
		f.block <- struct{}{}
	}
	f.awaitQueue(t, 0, 0)
}
