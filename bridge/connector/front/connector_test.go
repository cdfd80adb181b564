package front

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A server is a SCIM server without people that takes one token, and fails as it is told.
type server struct {
	*httptest.Server
	fails atomic.Int64 // status that it answers; 0 for none

	mu    sync.Mutex
	token string
	seen  map[string]bool // tokens
}

func newServer(t *testing.T, token string) *server {
	t.Helper()
	s := &server{token: token, seen: map[string]bool{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		s.mu.Lock()
		s.seen[shown] = true
		right := shown == s.token
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/scim+json")
		switch code := int(s.fails.Load()); {
		case code != 0:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(code)
		case !right:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			fmt.Fprint(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],`+
				`"totalResults":0,"Resources":[]}`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) takes(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

func (s *server) saw(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[token]
}

// run starts a connector that asks again soon, and counts its first answers by generation.
func run(t *testing.T) (c *Connector, signedIn func() []int64) {
	t.Helper()
	var mu sync.Mutex
	var epochs []int64
	c = New(Config{
		Transport: http.DefaultTransport, UserAgent: "test", Log: hclog.NewNullLogger(), Now: time.Now,
		Every: 200 * time.Millisecond, RetryEvery: 200 * time.Millisecond,
		OnSignIn: func(epoch int64) {
			mu.Lock()
			defer mu.Unlock()
			epochs = append(epochs, epoch)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		c.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return c, func() []int64 {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(epochs)
	}
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited too long for " + what)
		}
	}
}

func awaitPhase(t *testing.T, c *Connector, want Phase) {
	t.Helper()
	await(t, "the phase "+string(want), func() bool { return c.State().Phase == want })
}

func TestAServerIsAskedWithTheSessionsToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, "far-side-token")
	c, signedIn := run(t)
	if r := c.Report(); r.State != health.Sealed || r.Source != "directory" || len(r.Problems) != 0 {
		t.Errorf("while sealed: %+v", r)
	}
	_, err := c.SearchPeople(t.Context(), bridge.Query{})
	if !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("while sealed a search gives %v", err)
	}
	c.SetCredentials(session.Directory{URL: s.URL, Token: secret.New("far-side-token")}, 7)
	c.AwaitSignIn(t.Context())
	if state := c.CredentialState(); state.Epoch != 7 || state.Proved != 7 {
		t.Errorf("after waiting for the first answer: %+v", state)
	}
	if _, err := c.SearchPeople(t.Context(), bridge.Query{Limit: 1}); err != nil {
		t.Errorf("a search: %v", err)
	}
	await(t, "the call", func() bool { return slices.Equal(signedIn(), []int64{7}) })
	if r := c.Report(); r.State != health.Healthy {
		t.Errorf("after it has answered: %+v", r)
	}
	select {
	case <-c.Changes():
	case <-time.After(time.Minute):
		t.Error("the change is not told")
	}

	c.ClearCredentials()
	if state := c.State(); state.Phase != Waiting || state.Epoch != 0 || state.Proved != 0 {
		t.Errorf("sealed again: %+v", state)
	}
	if _, err := c.SearchPeople(t.Context(), bridge.Query{}); !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("sealed again a search gives %v", err)
	}
}

func TestWhatAServerAnswersIsAProblemUntilItAnswersRight(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int64
		code   problem.Code
		phase  Phase
		state  string
	}{
		{"it fails", http.StatusBadGateway, problem.DirectoryUnreachable, Unreachable, health.Unhealthy},
		{"it does not take the token", http.StatusUnauthorized, problem.DirectoryTokenRefused, Refused,
			health.Unhealthy},
		{"it is asked too much", http.StatusTooManyRequests, problem.DirectoryRateLimited, SignedIn, health.Degraded},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, "far-side-token")
			c, signedIn := run(t)
			c.SetCredentials(session.Directory{URL: s.URL, Token: secret.New("far-side-token")}, 7)
			awaitPhase(t, c, SignedIn)
			s.fails.Store(row.status)
			await(t, "the problem", func() bool { return len(c.Report().Problems) > 0 })
			r := c.Report()
			if p := r.Problems[0]; p.Code != row.code || !strings.Contains(p.Cause, s.URL) || r.State != row.state {
				t.Errorf("%s with %+v", r.State, p)
			}
			if state := c.State(); state.Phase != row.phase || state.Proved != 7 {
				t.Errorf("the phase is %s and generation %d is proved", state.Phase, state.Proved)
			}
			s.fails.Store(0)
			await(t, "the end of the problem", func() bool { return len(c.Report().Problems) == 0 })
			awaitPhase(t, c, SignedIn)
			await(t, "the call", func() bool { return len(signedIn()) > 0 })
			if got := signedIn(); !slices.Equal(got, []int64{7}) {
				t.Errorf("it was told %v that the token is taken", got)
			}
		})
	}
}

func TestAnotherTokenOfTheServerTakesOverAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t, "revoked")
	c, signedIn := run(t)
	c.SetCredentials(session.Directory{URL: s.URL, Token: secret.New("revoked")}, 7)
	await(t, "the first call", func() bool { return slices.Equal(signedIn(), []int64{7}) })
	s.takes("next")
	awaitPhase(t, c, Refused)
	c.SetCredentials(session.Directory{URL: s.URL, Token: secret.New("next")}, 8)
	awaitPhase(t, c, SignedIn)
	await(t, "both calls", func() bool { return slices.Equal(signedIn(), []int64{7, 8}) })
	if state := c.State(); state.Epoch != 8 || state.Proved != 8 {
		t.Errorf("with the next token: %+v", state)
	}
}

func TestATokenGoesToItsServerAlone(t *testing.T) {
	t.Parallel()
	first, second := newServer(t, "of-the-first"), newServer(t, "of-the-second")
	c, _ := run(t)
	c.SetCredentials(session.Directory{URL: first.URL, Token: secret.New("of-the-first")}, 7)
	awaitPhase(t, c, SignedIn)
	c.ClearCredentials()
	c.SetCredentials(session.Directory{URL: second.URL, Token: secret.New("of-the-second")}, 8)
	awaitPhase(t, c, SignedIn)
	if first.saw("of-the-second") || second.saw("of-the-first") {
		t.Error("a server was shown the token of the other one")
	}
	if url := c.State().URL; url != second.URL {
		t.Errorf("it stands before %s", url)
	}
}

func TestWhatAServerCannotDoIsNamed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := State{Phase: SignedIn, URL: "https://scim.example.com", Server: scim.State{
		Lacks: []scim.Trouble{{Cause: scim.CapabilityMissing, Detail: "it answered 501", Since: now.Add(-time.Hour)}},
		NotKept: []scim.NotKept{
			{Resource: "User", Attribute: "locale", Changed: true, Since: now.Add(-time.Hour)},
			{Resource: "User", Attribute: "nickName", Since: now.Add(-2 * time.Hour)},
			{Resource: "User", Attribute: "title", Since: now.Add(-24 * time.Hour)},
		},
	}}
	got := problems(s, now)
	if len(got) != 2 || got[0].Code != problem.DirectoryCapabilityMissing ||
		got[1].Code != problem.DirectoryAttributeNotKept {
		t.Fatalf("the problems are %+v", got)
	}
	if !strings.Contains(got[0].Cause, "it answered 501") || !got[0].Since.Equal(now.Add(-time.Hour)) {
		t.Errorf("what is missing: %+v", got[0])
	}
	if p := got[1]; !strings.Contains(p.Cause, "locale of a user (comes back changed), nickName of a user.") ||
		strings.Contains(p.Cause, "title") || !p.Since.Equal(now.Add(-2*time.Hour)) {
		t.Errorf("what is not kept: %+v", p)
	}
	if got := problems(s, now.Add(24*time.Hour)); len(got) != 1 {
		t.Errorf("a day later there are %+v", got)
	}
}
