package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server"
)

// Any client can make up a well-formed token, whose checksum is public. It must
// not hold the bridge in an alarm; an identity provider with a wrong token must.
func TestWhoseWrongTokensDegrade(t *testing.T) {
	t.Parallel()
	const idp, elsewhere, stranger = "198.51.100.7", "198.51.100.8", "203.0.113.9"
	for _, row := range []struct {
		name  string
		play  func(send func(token, address string), pass func(time.Duration))
		state string
		tells string // the problem
	}{
		{"no token was ever accepted", func(send func(string, string), _ func(time.Duration)) {
			send("wrong", stranger)
		}, health.Degraded, "203.0.113.9 (1)"},
		{"the identity provider is let in meanwhile", func(send func(string, string), pass func(time.Duration)) {
			send("right", idp)
			pass(time.Minute)
			send("wrong", stranger)
			send("wrong", stranger)
			pass(time.Minute)
			send("right", idp)
		}, health.Healthy, "203.0.113.9 (2)"},
		{"it has not come again yet", func(send func(string, string), pass func(time.Duration)) {
			send("right", idp)
			pass(time.Minute)
			send("wrong", stranger)
		}, health.Degraded, "203.0.113.9 (1)"},
		{"it is its own address that sends them", func(send func(string, string), pass func(time.Duration)) {
			send("right", idp)
			pass(time.Minute)
			send("wrong", idp)
			pass(time.Minute)
			send("right", elsewhere)
		}, health.Degraded, "198.51.100.7 (1)"},
		{"its own address sent them before the first right one",
			func(send func(string, string), pass func(time.Duration)) {
				send("wrong", idp)
				pass(time.Minute)
				send("right", idp)
			}, health.Degraded, "198.51.100.7 (1)"},
		{"its network sends them, from another address of the /64",
			func(send func(string, string), pass func(time.Duration)) {
				send("right", "2001:db8::1")
				pass(time.Minute)
				send("wrong", "2001:db8::2")
				pass(time.Minute)
				send("right", "2001:db8::1")
			}, health.Degraded, "2001:db8::/64 (1)"},
		{"a stranger goes on, and the identity provider's token is replaced",
			func(send func(string, string), pass func(time.Duration)) {
				send("right", idp)
				pass(time.Second)
				send("wrong", stranger)
				pass(time.Minute)
				send("right", idp)
				pass(time.Minute)
				send("wrong", stranger)
				send("wrong", idp)
			}, health.Degraded, "203.0.113.9 (2), 198.51.100.7 (1)"},
		{"a stranger continues, and no other client for an hour",
			func(send func(string, string), pass func(time.Duration)) {
				send("wrong", stranger)
				pass(time.Second)
				send("right", idp)
				for range 61 {
					pass(time.Minute)
					send("wrong", stranger)
				}
			}, health.Degraded, "203.0.113.9 (62)"},
		{"the previous token cannot be made up", func(send func(string, string), pass func(time.Duration)) {
			send("old", stranger)
			pass(time.Minute)
			send("right", idp)
		}, health.Degraded, "old token"},
		{"made-up tokens do not hide it", func(send func(string, string), pass func(time.Duration)) {
			send("old", idp)
			pass(time.Minute)
			send("wrong", stranger)
			send("right", elsewhere)
		}, health.Degraded, "old token"},
		{"texts that are no tokens are no problem", func(send func(string, string), _ func(time.Duration)) {
			send("nonsense", stranger)
		}, health.Healthy, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFace(t)
			row.play(func(token, address string) {
				f.get(t, "/Users", "Bearer "+token, "X-Forwarded-For", address)
			}, f.pass)
			r := f.authenticator.Report()
			if r.State != row.state {
				t.Errorf("the state is %s, want %s", r.State, row.state)
			}
			told := fmt.Sprintf("%+v", r.Problems)
			if row.tells == "" && len(r.Problems) != 0 || !strings.Contains(told, row.tells) {
				t.Errorf("the problem is %s, want %q", told, row.tells)
			}
		})
	}
}

// The bridge that goes on in the place of a draining one may have a newer session:
// what the old one would refuse, the next connection may open.
func TestADrainingBridgeRefusesNoTokenThatItsSuccessorMayTake(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, path, authorization string
		want                      int
	}{
		{"a token that it does not know", "/Users", "Bearer wrong", 503},
		{"the token of a pair that is over", "/Users", "Bearer old", 503},
		{"the token that it knows", "/Users", "Bearer right", 200},
		{"a token that no bridge takes", "/Users", "Bearer nonsense", 401},
		{"no token", "/Users", "", 401},
		{"another monitoring token, for health", "/health", "Bearer nonsense", 503},
		{"another monitoring token, for metrics", "/metrics", "Bearer nonsense", 503},
		{"a token that it does not know, for health", "/health", "Bearer wrong", 503},
		{"no token, for health", "/health", "", 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFace(t)
			f.authenticator.Draining = func() bool { return true }
			code, body, header := f.get(t, row.path, row.authorization)
			if code != row.want {
				t.Errorf("it answers %d %s, want %d", code, body, row.want)
			}
			if row.want == 503 &&
				(header.Get("Retry-After") != "1" ||
					!strings.Contains(body, "repeat the request on a new connection")) {
				t.Errorf("it does not say what to do: %v %s", header, body)
			}
			if r := f.authenticator.Report(); len(r.Problems) > 0 {
				t.Errorf("it raises %+v", r.Problems)
			}
		})
	}
}

// A client that watches health or opens the page with the right token is not the
// identity provider, whose own may be wrong.
func TestTheOperatorsTokenDoesNotEndTheAlarm(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.get(t, "/Users", "Bearer wrong", "X-Forwarded-For", "203.0.113.9")
	f.pass(time.Minute)
	f.get(t, "/health", "Bearer right", "X-Forwarded-For", "198.51.100.1")
	if r := f.authenticator.Report(); r.State != health.Degraded {
		t.Errorf("the state is %s", r.State)
	}
}

// Each kind of refusal is logged by itself, the last count too, although
// nothing follows.
func TestEachKindOfRefusalIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log lockedLog
		a := &server.Authenticator{
			Verifier: verifier{}, Events: httpkit.NewEventLog(hclog.New(&hclog.LoggerOptions{Output: &log})),
			Now:     time.Now,
			Checked: func(string) {}, OnChange: func() {},
		}
		for range 3 {
			for _, token := range []string{"", "nonsense", "wrong", "old", "early"} {
				_ = a.Verify(t.Context(), token)
			}
		}
		for _, kind := range []string{"missing", "malformed", "wrong", "previous", "closed"} {
			if !strings.Contains(log.String(), "kind="+kind+" count=1 ") {
				t.Errorf("the first %q is not logged at once:\n%s", kind, log.String())
			}
		}
		log.Reset()
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, kind := range []string{"missing", "malformed", "wrong", "previous", "closed"} {
			if !strings.Contains(log.String(), "kind="+kind+" count=2 ") {
				t.Errorf("the last two %q are not logged:\n%s", kind, log.String())
			}
		}
		log.Reset()
		time.Sleep(time.Hour)
		synctest.Wait()
		if log.String() != "" {
			t.Errorf("nothing happened, and the log has\n%s", log.String())
		}
	})
}

// What a stranger is not told, the log has.
func TestTheLogHasTheReasonWhyNoTokenCanBeChecked(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	const reason = "open /secret/place: no such file"
	if _, body, _ := f.get(t, "/Users", "Bearer unreadable"); strings.Contains(body, reason) {
		t.Errorf("a stranger is told %s", body)
	}
	if log := f.logText(); !strings.Contains(log, reason) {
		t.Errorf("the log has no reason:\n%s", log)
	}
}

// The log that the status page offers is for what happened to the identity
// provider's requests.
func TestStrangersWashNothingOutOfTheLog(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, path, authorization string }{
		{"without a token", "/Users", ""},
		{"with nonsense", "/Users", "Bearer nonsense"},
		{"with a made-up token", "/Users", "Bearer wrong"},
		{"at an unknown path", "/nowhere", ""},
		{"at the probes", "/ping", ""},
		{"at the page", "/app", ""},
		{"at the page's log", "/app/logs", ""},
		{"with a query that net/http complains of", "/ready?a;b", ""},
		{"for health", "/health", "Bearer nonsense"},
		{"while tokens cannot be checked", "/Users", "Bearer early"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFace(t)
			f.get(t, "/Users", "Bearer right")
			before := len(f.logText())
			for range 200 {
				f.get(t, row.path, row.authorization)
			}
			if grown := len(f.logText()) - before; grown > 1500 {
				t.Errorf("200 requests made %d bytes of log:\n%.3000s", grown, f.logText())
			}
			f.get(t, "/Users", "Bearer right")
			if n := strings.Count(f.logText(), "request: method=GET route=users status=200"); n != 2 {
				t.Errorf("%d lines for two requests with the token", n)
			}
		})
	}
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

// The token of the last request shows whether the identity provider has been given the new one.
func TestTheLastRequestIsKnownForEachToken(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	began := f.authenticator.Now()
	f.get(t, "/Users", "Bearer right-old")
	f.pass(time.Minute)
	f.get(t, "/Users", "Bearer right")
	f.pass(time.Minute)
	f.get(t, "/health", "Bearer right-old") // which is no request of an identity provider
	f.get(t, "/Users", "Bearer wrong")
	for token, want := range map[string]time.Time{
		server.TokenPrevious: began, server.TokenCurrent: began.Add(time.Minute), server.TokenMonitoring: {},
	} {
		if got := f.authenticator.LastRequest(token); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", token, got, want)
		}
	}
}
