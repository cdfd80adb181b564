package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
)

// A busy account has four places, three of which are one bridge's, whose requests take until release.
type busyAccount struct {
	*conversation
	queue   *fair.Queue
	session string
	creds   credentials
	release []func()
}

// newBusyAccount has so many more of the bridge's requests wait.
func newBusyAccount(t *testing.T, waiting int) *busyAccount {
	t.Helper()
	return newBusyAccountThatWaits(t, waiting, 0)
}

// newBusyAccountThatWaits is newBusyAccount with another longest wait for a turn.
func newBusyAccountThatWaits(t *testing.T, waiting int, longest time.Duration) *busyAccount {
	t.Helper()
	b := &busyAccount{queue: fair.New(4)}
	b.conversation = converseInTurn(t, storetest.New(t), b.queue, longest)
	b.creds = b.activate(t)
	in, refused := b.signIn(t, b.creds, "bridge-1")
	if refused != nil {
		t.Fatal(refused.Code)
	}
	b.session = in.SessionToken
	for i := range 3 + waiting {
		b.occupy(t, b.session)
		b.await(t, min(i+1, 3), max(0, i-2)) // so that the first three are carried out
	}
	return b
}

// occupy begins to create a person, whose body ends with release: it is read when the request has its turn.
func (b *busyAccount) occupy(t *testing.T, token string) {
	t.Helper()
	body, end := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/directory/people", body)
	ok(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Forwarded-For", office)
	r.Header.Set("Content-Type", "application/json")
	go func() {
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	release := func() { end.Close() }
	t.Cleanup(release)
	b.release = append(b.release, release)
}

func (b *busyAccount) await(t *testing.T, running, waiting int) {
	t.Helper()
	var s fair.Stats
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s = b.queue.Stats(); s.Running == running && s.Waiting == waiting {
			return
		}
	}
	t.Fatalf("%d requests are carried out and %d wait, instead of %d and %d", s.Running, s.Waiting, running, waiting)
}

func TestABusyBridgeKeepsNobodyElseWaiting(t *testing.T) {
	t.Parallel()
	b := newBusyAccount(t, 5)
	// The fourth place is for others, and never for the busy one.
	r, err := apitest.Read[api.Caller](b.WhoAmI(t.Context()))
	ok(t, err)
	equal(t, "an administrator", r.Status, http.StatusOK)
	equal(t, "another bridge", beat(t, b.mustSignIn(t, b.creds, "bridge-2")), "")
	b.await(t, 3, 5)
}

func TestProbesAndScrapesAndSignInsNeverWait(t *testing.T) {
	t.Parallel()
	b := newBusyAccount(t, 1)
	other, refused := b.signIn(t, b.creds, "bridge-2")
	if refused != nil {
		t.Fatal(refused.Code)
	}
	b.occupy(t, other.SessionToken)
	b.await(t, 4, 1) // there is no place any more
	for _, path := range []string{"/ping", "/ready", "/metrics", "/v1/openapi.yaml"} {
		got := b.raw(t, http.MethodGet, path, "")
		if got.Status >= 300 {
			t.Errorf("%s: %d %s", path, got.Status, got.Text)
		}
		if path == "/metrics" && !strings.Contains(got.Text, "scimbridge_account_requests_waiting 1") {
			t.Error("the metrics do not say that a request waits")
		}
	}
	if _, refused := b.signIn(t, b.creds, "bridge-3"); refused != nil {
		t.Errorf("a sign-in: %s", refused.Code)
	}
	b.await(t, 4, 1)
	got := b.raw(t, http.MethodGet, "/v1/whoami", "", "Authorization", "Bearer wrong")
	equal(t, "a stranger", got.Status, http.StatusUnauthorized)
}

// Without its heartbeat a bridge takes the account to be away, and what its page shows has little time.
func TestABridgesOwnRequestsDoNotWaitBehindItsSynchronisation(t *testing.T) {
	t.Parallel()
	b := newBusyAccount(t, 5)
	got := b.raw(t, http.MethodGet, "/v1/directory/waiting", "", "Authorization", "Bearer "+b.session,
		"X-Forwarded-For", office)
	equal(t, "who waits", got.Status, http.StatusOK)
	b.occupy(t, b.mustSession(t, "bridge-2"))
	b.await(t, 4, 5) // there is no place any more
	equal(t, "the heartbeat", beat(t, b.as(t, b.session, office)), "")
	b.await(t, 4, 5)
}

// mustSession signs in another bridge.
func (b *busyAccount) mustSession(t *testing.T, instance string) string {
	t.Helper()
	in, refused := b.signIn(t, b.creds, instance)
	if refused != nil {
		t.Fatal(refused.Code)
	}
	return in.SessionToken
}

// What was shut out while a request waited is shut out, for whoever has the answer takes it to be so.
func TestWhoHasWaitedIsAdmittedAgain(t *testing.T) {
	t.Parallel()
	b := newBusyAccount(t, 0)
	token, secret, err := b.account.CreateToken(t.Context(), "waits")
	ok(t, err)
	b.occupy(t, b.mustSession(t, "bridge-2"))
	b.await(t, 4, 0)
	answer := make(chan int, 2)
	ask := func(bearer, path string) {
		answer <- b.raw(t, http.MethodGet, path, "", "Authorization", "Bearer "+bearer).Status
	}
	go ask(secret, "/v1/groups")
	b.await(t, 4, 1)
	ok(t, b.account.RevokeToken(t.Context(), token.ID))
	b.release[0]()
	equal(t, "a token that was revoked", <-answer, http.StatusUnauthorized)
	b.occupy(t, b.mustSession(t, "bridge-3"))
	b.await(t, 4, 0)
	go ask(b.mustSession(t, "bridge-4"), "/v1/directory/waiting")
	b.await(t, 4, 1)
	b.release[1]()
	equal(t, "who was not shut out", <-answer, http.StatusOK)
}

// Bridges get 503, which says to their identity providers nothing but to come back. Administrators' programs wait after
// 429 as they are told. Neither is a refusal that an audit log would be about.
func TestWhoGetsNoPlaceIsToldToComeBack(t *testing.T) {
	t.Parallel()
	b := newBusyAccountThatWaits(t, 0, 20*time.Millisecond)
	other, refused := b.signIn(t, b.creds, "bridge-2")
	if refused != nil {
		t.Fatal(refused.Code)
	}
	b.occupy(t, other.SessionToken)
	b.await(t, 4, 0)
	for _, row := range []struct {
		who, bearer, path string
		status            int
	}{
		{"a bridge", b.session, "/v1/directory/people", http.StatusServiceUnavailable},
		{"an administrator", b.admin, "/v1/groups", http.StatusTooManyRequests},
	} {
		got := b.raw(t, http.MethodPost, row.path, "{}", "Authorization", "Bearer "+row.bearer)
		equal(t, row.who, got.Status, row.status)
		equal(t, row.who, got.Problem.Code, api.ErrorCodeTooManyRequests)
		equal(t, row.who, got.Header.Get("Retry-After"), "1")
	}
	if log := b.log.String(); strings.Contains(log, "[ERROR]") || strings.Contains(log, "panic") {
		t.Errorf("the log has a fault: %s", log)
	}
	for _, release := range b.release {
		release()
	}
	b.await(t, 0, 0)
	events := b.raw(t, http.MethodGet, "/v1/audit-events", "")
	equal(t, "the audit log", events.Status, http.StatusOK)
	if strings.Contains(events.Text, "too_many_requests") {
		t.Errorf("the audit log has it: %s", events.Text)
	}
}
