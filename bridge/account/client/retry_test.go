package client

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

func TestHowOftenACallIsMade(t *testing.T) {
	t.Parallel()
	repeat := func(next Next, times int) []Next { return slices.Repeat([]Next{next}, times) }
	for _, row := range []struct {
		name     string
		next     []Next // after each attempt; the last one for ever
		asked    time.Duration
		maxAsked time.Duration
		want     int
	}{
		{"once if that was it", repeat(Done, 1), 0, 0, 1},
		{"until the pauses are used up", repeat(Later, 1), 0, 0, 4},
		{"until it is done", []Next{Later, Later, Done}, 0, 0, 3},
		{"at once, beside the pauses", []Next{AtOnce, AtOnce, Done}, 0, 0, 3},
		{"once if the account asks for a longer wait than is made", repeat(Later, 1),
			3 * time.Second, 2 * time.Second, 1},
		{"once if the account asks for a longer wait than there is time", repeat(Later, 1), time.Hour, 0, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			made, paused := 0, 0
			Retry{
				Pause:    func(n int) (time.Duration, bool) { return time.Microsecond, n < 4 },
				MaxAsked: row.maxAsked,
				OnPause:  func(int, time.Duration) { paused++ },
			}.Do(ctx, func() (Next, time.Duration) {
				made++
				return row.next[min(made, len(row.next))-1], row.asked
			})
			later := len(slices.DeleteFunc(slices.Clone(row.next), func(n Next) bool { return n != Later }))
			if made != row.want || paused > made-1 || later == 0 && paused > 0 {
				t.Errorf("made %d times with %d pauses, want %d", made, paused, row.want)
			}
		})
	}
}

func TestAnEndedCallIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	made := 0
	Retry{Pause: func(int) (time.Duration, bool) { return time.Hour, true }}.Do(ctx, func() (Next, time.Duration) {
		made++
		cancel()
		return Later, 0
	})
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

// The account's log shows which program asked, and a redirect does not
// carry the token elsewhere.
func TestEveryCallSaysWhoMakesIt(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer elsewhere.Close()
	var agent, token string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, token = r.UserAgent(), r.Header.Get("Authorization")
		http.Redirect(w, r, elsewhere.URL, http.StatusFound)
	}))
	defer server.Close()
	account, err := New(Config{URL: server.URL + "/", Transport: http.DefaultTransport, UserAgent: "program/1.2.3",
		Token: "sba_x"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Call[api.Caller](account.WhoAmI(t.Context()))
	if err == nil || agent != "program/1.2.3" || token != "Bearer sba_x" {
		t.Errorf("error %v, User-Agent %q, Authorization %q", err, agent, token)
	}
}
