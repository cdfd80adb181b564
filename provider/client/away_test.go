package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// A plan over many objects asks an account that does not answer once.
func TestAnAccountThatIsAwayIsAskedOnceInARun(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		handler http.HandlerFunc
		first   string // in the first error
		times   int32  // that the account was asked
	}{
		{"it is silent", silent, "imed out after", 2},
		{"it hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF", maxAttempts},
		{"a proxy answers for it", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "away", http.StatusBadGateway)
		}, "answered 502", maxAttempts},
		{"it always answers 429", func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusTooManyRequests, api.Problem{Code: "too_many_requests"})
		}, "answered 429", maxAttempts},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			c := faulty(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				row.handler(w, r)
			})
			c.API.Client.(*retryTransport).limit = 5 * time.Second // half of it must suffice to be asked
			_, err := c.Caller(t.Context())
			if first := c.Diagnose("reach the account", err); !strings.Contains(first.Detail(), row.first) {
				t.Errorf("the first error says %q, want %q", first.Detail(), row.first)
			}
			n := asked.Load()
			for range 50 {
				_, err := c.Caller(t.Context())
				d := c.Diagnose("reach the account", err)
				if strings.Contains(d.Detail(), "\n") || !strings.Contains(d.Detail(), row.first) ||
					!strings.HasPrefix(d.Detail(), "Not repeated") {
					t.Fatalf("another error says %q", d.Detail())
				}
			}
			if asked.Load() != n || n != row.times {
				t.Errorf("asked %d times, and %d before the others; want %d", asked.Load(), n, row.times)
			}
		})
	}
}

// silent takes a request and does not answer while a client waits.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestAFailureStandsForNothingElse(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	broken := "/v1/firewall"
	c := faulty(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path == broken && r.Method == http.MethodGet {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		answer(w, http.StatusOK, aCaller)
	})
	if _, err := c.Firewall(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if _, err := c.Caller(t.Context()); err != nil {
		t.Errorf("one path's failure is another's: %v", err)
	}
	before := asked.Load()
	if err := write(t.Context(), c); err != nil {
		t.Errorf("a look-up's failure is a write's: %v", err)
	}
	if asked.Load() == before {
		t.Error("the write was not made")
	}
	// What was interrupted says nothing about the account.
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	c.caller = nil
	if _, err := c.Caller(interrupted); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
	if _, err := c.Caller(t.Context()); err != nil {
		t.Errorf("after an interruption: %v", err)
	}
	late, end := context.WithDeadline(t.Context(), time.Now())
	defer end()
	c.caller = nil
	if _, err := c.Caller(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a deadline's", err)
	}
	if _, err := c.Caller(t.Context()); err != nil {
		t.Errorf("after a deadline of the caller's own: %v", err)
	}
	// And what is long ago may be over.
	r := c.API.Client.(*retryTransport)
	r.outages.mu.Lock()
	r.outages.away = outage{errors.New("away"), time.Now().Add(-freshFor)}
	r.outages.mu.Unlock()
	c.caller = nil
	if _, err := c.Caller(t.Context()); err != nil {
		t.Errorf("after %s: %v", freshFor, err)
	}
}

// A time-out names itself and its argument; an interruption is none.
func TestATimeoutNamesItsArgument(t *testing.T) {
	t.Parallel()
	c := faulty(t, silent)
	c.API.Client.(*retryTransport).limit = 200 * time.Millisecond
	_, err := c.Caller(t.Context())
	text := c.Diagnose("reach the account", err).Detail()
	if !strings.Contains(text, "imed out after") || !strings.Contains(text, "request_timeout is 200ms") ||
		strings.Contains(text, "context deadline") {
		t.Errorf("a time-out reads %q", text)
	}

	c = faulty(t, silent)
	ctx, interrupt := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, interrupt)
	_, err = c.Caller(ctx)
	if text := c.Diagnose("reach the account", err).Detail(); !strings.Contains(text, "Terraform interrupted it") ||
		strings.Contains(text, "timed out") {
		t.Errorf("an interruption reads %q", text)
	}

	c.HTTP.Timeout = 50 * time.Millisecond
	began := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.HTTP.Do(req)
	if err == nil {
		resp.Body.Close()
		t.Fatal("a silent bridge answered")
	}
	if text := c.TimedOut(t.Context(), err, began).Error(); !strings.Contains(text, "request_timeout is 50ms") {
		t.Errorf("a bridge's time-out reads %q", text)
	}
}

// Every request is in the log of TF_LOG=DEBUG, and no secret is.
func TestEveryRequestIsLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	ctx := tflogtest.RootLogger(t.Context(), &out)
	times := 0
	c := faulty(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		if times++; times == 1 {
			http.Error(w, "sba_secret", http.StatusServiceUnavailable)
			return
		}
		answer(w, http.StatusOK, aCaller)
	})
	if _, err := c.Caller(ctx); err != nil {
		t.Fatal(err)
	}
	address := "sba_secret"
	if _, err := Call[api.Caller](c.API.ListMembers(ctx, &api.ListMembersParams{Address: &address})); err != nil {
		t.Fatal(err)
	}
	entries, err := tflogtest.MultilineJSONDecode(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var statuses []any
	for _, e := range entries {
		if e["@message"] != "request" {
			continue
		}
		statuses = append(statuses, e["status"])
		if e["@level"] != "debug" || e["method"] != "GET" || e["path"] == nil || e["duration"] == nil ||
			e["request_id"] != "req_1" {
			t.Errorf("a request is logged as %v", e)
		}
	}
	if len(statuses) != 3 || statuses[0] != 503.0 || statuses[1] != 200.0 {
		t.Errorf("logged %v, want each attempt", statuses)
	}
	if strings.Contains(out.String(), "sba_secret") {
		t.Errorf("a secret is in the log:\n%s", out.String())
	}
}
