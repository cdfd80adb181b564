package certificate

import (
	"errors"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// What the authority counts is repeated seldom, an authority that is away is asked again soon, and what it has issued
// is hardly ever ordered again. Each is counted apart.
func TestHowLongAFailureHoldsTheNextAttemptBack(t *testing.T) {
	t.Parallel()
	limited := func(after string) error {
		return &acme.Error{StatusCode: 429, ProblemType: "urn:ietf:params:acme:error:rateLimited",
			Header: http.Header{"Retry-After": {after}}}
	}
	away := errors.New("connection refused")
	validation := &acme.AuthorizationError{Errors: []error{errors.New("connection")}}
	unused := &unusedError{errors.New("it is for another name")}
	for _, row := range []struct {
		name   string
		before attempts
		err    error
		least  time.Duration
		held   time.Duration
		after  attempts
	}{
		{"the authority is away", attempts{}, away, 10 * time.Second, 0, attempts{Unreached: 1}},
		{"it is away for long", attempts{Unreached: 50}, away, 15 * time.Minute, 0, attempts{Unreached: 51}},
		{"it answers 503", attempts{}, &acme.Error{StatusCode: 503}, 10 * time.Second, 0, attempts{Unreached: 1}},
		{"its directory is refused, as by a proxy", attempts{Refusals: 3},
			&undiscoveredError{&acme.Error{StatusCode: 403}}, 10 * time.Second, 0, attempts{Refusals: 3, Unreached: 1}},
		{"it is away after it has refused for days", attempts{Refusals: 50}, away, 10 * time.Second, 0,
			attempts{Refusals: 50, Unreached: 1}},
		{"it could not reach the bridge", attempts{}, validation, 2 * time.Minute, 0, attempts{Refusals: 1}},
		{"it could not reach the bridge, after it was away for days", attempts{Unreached: 500}, validation,
			2 * time.Minute, 0, attempts{Refusals: 1}},
		{"it could not reach the bridge for the fifth time", attempts{Refusals: 4}, validation, time.Hour, 0,
			attempts{Refusals: 5}},
		{"it could not reach the bridge for days", attempts{Refusals: 50}, validation, 6 * time.Hour, 0,
			attempts{Refusals: 51}},
		{"it refuses the name", attempts{}, &acme.Error{StatusCode: 400}, 2 * time.Minute, 0, attempts{Refusals: 1}},
		{"the order failed", attempts{}, &acme.OrderError{Status: acme.StatusInvalid}, 2 * time.Minute, 0,
			attempts{Refusals: 1}},
		{"it offers no challenge that the bridge answers", attempts{}, &notOfferedError{}, 2 * time.Minute, 0,
			attempts{Refusals: 1}},
		{"it went away while it checked a challenge", attempts{}, &acceptedError{away}, 2 * time.Minute, 0,
			attempts{Refusals: 1}},
		{"the end of the attempt is not known", attempts{}, nil, 2 * time.Minute, 0, attempts{Refusals: 1}},
		{"the end of the attempt is not known, after it was away for days", attempts{Unreached: 500}, nil,
			2 * time.Minute, 0, attempts{Refusals: 1}},
		{"what it issued is of no use", attempts{Unreached: 3, Refusals: 3}, unused, 10 * time.Minute, 0,
			attempts{Unused: 1}},
		{"what it issued is of no use again", attempts{Unused: 1}, unused, 6 * time.Hour, 0, attempts{Unused: 2}},
		{"what it issues is never of use", attempts{Unused: 50}, unused, 72 * time.Hour, 0, attempts{Unused: 51}},
		{"it refuses, after what it issued was of no use", attempts{Unused: 2}, validation, 2 * time.Minute, 0,
			attempts{Unused: 2, Refusals: 1}},
		{"it limits the rate for a day", attempts{}, limited("86400"), 24 * time.Hour, 24 * time.Hour,
			attempts{Refusals: 1}},
		{"it limits the rate for a second", attempts{}, limited("1"), 2 * time.Minute, time.Second,
			attempts{Refusals: 1}},
		{"it limits the rate for ten years", attempts{}, limited("315360000"), 7 * 24 * time.Hour, 7 * 24 * time.Hour,
			attempts{Refusals: 1}},
		{"it limits the rate and does not say for how long", attempts{Refusals: 3}, limited(""), 30 * time.Minute, 0,
			attempts{Refusals: 4}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			a := row.before
			a.Held = now.Add(time.Minute)
			a.count(row.err, now)
			if got := a.Next.Sub(now); got < row.least || got > row.least+row.least/10 {
				t.Errorf("the next attempt is after %s, want %s", got, row.least)
			}
			if held := max(0, a.Held.Sub(now)); held != row.held {
				t.Errorf("it is held for %s, want %s", held, row.held)
			}
			got := attempts{Unreached: a.Unreached, Refusals: a.Refusals, Unused: a.Unused}
			if got != row.after || a.Reason == "" {
				t.Errorf("counted as %+v, want %+v", a, row.after)
			}
		})
	}
}

// Let's Encrypt issues five certificates for a name in seven days, and lets five validations fail in an hour.
func TestTheWaitsKeepToWhatAuthoritiesAllow(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		err  error
		in   time.Duration
	}{
		{"certificates of no use", &unusedError{errors.New("x")}, 7 * 24 * time.Hour},
		{"refusals", &acme.AuthorizationError{}, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			var a attempts
			made := 0
			for now := start; now.Before(start.Add(row.in)); now = a.Next {
				a.count(row.err, now)
				made++
			}
			if made > 5 {
				t.Errorf("%d attempts in %s", made, row.in)
			}
		})
	}
}

// Under a wrong clock, times are noted that are not believed under the right one.
func TestAWrongClockDoesNotStopTheAttempts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, row := range []struct {
		name       string
		counted    time.Time
		next, held time.Duration // after counted
		want       time.Duration // from now until the next
		wantHeld   time.Duration
	}{
		{"the clock is right", now.Add(-time.Minute), time.Hour, 0, 59 * time.Minute, 0},
		{"it was wrong by ten years", now.AddDate(10, 0, 0), time.Hour, 0, time.Hour, 0},
		{"it was wrong by a day", now.AddDate(0, 0, 1), 6 * time.Hour, 0, 6 * time.Hour, 0},
		{"it was wrong while the authority asked to wait", now.AddDate(10, 0, 0), 24 * time.Hour, 24 * time.Hour,
			24 * time.Hour, 24 * time.Hour},
		{"a wait that nothing asks for", now, 9999 * time.Hour, 9999 * time.Hour, mostWait, mostWait},
		{"it was behind by years", now.AddDate(-5, 0, 0), time.Hour, 0, 0, 0},
		{"it was never counted", time.Time{}, 20 * 365 * 24 * time.Hour, 0, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stored := attempts{Counted: row.counted, Next: row.counted.Add(row.next), Refusals: 1, Reason: "x"}
			if row.held > 0 {
				stored.Held = row.counted.Add(row.held)
			}
			path := filepath.Join(t.TempDir(), "attempts.json")
			if err := stored.write(path); err != nil {
				t.Fatal(err)
			}
			got, err := readAttempts(path, now)
			if err != nil {
				t.Fatal(err)
			}
			if next := max(0, got.Next.Sub(now)); next != row.want {
				t.Errorf("the next is after %s, want %s", next, row.want)
			}
			if held := max(0, got.Held.Sub(now)); held != row.wantHeld {
				t.Errorf("held for %s, want %s", held, row.wantHeld)
			}
			// It is noted again, and time goes on.
			if err := got.write(path); err != nil {
				t.Fatal(err)
			}
			again, err := readAttempts(path, now.Add(time.Minute))
			if err != nil || !again.Next.Equal(got.Next) {
				t.Errorf("a minute later it is %s, %v; want %s", again.Next, err, got.Next)
			}
		})
	}
}

func TestAttemptsOutliveAProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "attempts.json")
	now := time.Now().UTC()
	if got, err := readAttempts(path, now); err != nil || got != (attempts{}) {
		t.Errorf("before the first: %+v, %v", got, err)
	}
	want := attempts{Challenge: byHTTP}
	want.count(errors.New("connection refused"), now)
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readAttempts(path, now)
	if err != nil || got.Unreached != 1 || got.Reason != "connection refused" || got.Challenge != byHTTP ||
		!got.Next.Equal(want.Next) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
