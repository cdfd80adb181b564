package certificate

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// What the authority counts is repeated seldom; an authority that is away is asked again soon.
func TestHowLongAFailureHoldsTheNextAttemptBack(t *testing.T) {
	t.Parallel()
	limited := func(after string) error {
		return &acme.Error{StatusCode: 429, ProblemType: "urn:ietf:params:acme:error:rateLimited",
			Header: http.Header{"Retry-After": {after}}}
	}
	validation := &acme.AuthorizationError{Errors: []error{errors.New("connection")}}
	for _, row := range []struct {
		name     string
		failures int // before
		err      error
		least    time.Duration
		held     time.Duration
	}{
		{"the authority is away", 0, errors.New("connection refused"), 10 * time.Second, 0},
		{"it is away for long", 50, errors.New("connection refused"), 15 * time.Minute, 0},
		{"it is ill", 0, &acme.Error{StatusCode: 503}, 10 * time.Second, 0},
		{"it could not reach the bridge", 0, validation, 2 * time.Minute, 0},
		{"it could not reach the bridge for the fifth time", 4, validation, time.Hour, 0},
		{"it could not reach the bridge for days", 50, validation, 6 * time.Hour, 0},
		{"it refuses the name", 0, &acme.Error{StatusCode: 400}, 2 * time.Minute, 0},
		{"the order failed", 0, &acme.OrderError{Status: acme.StatusInvalid}, 2 * time.Minute, 0},
		{"the end of the attempt is not known", 0, nil, 2 * time.Minute, 0},
		{"it limits the rate for a day", 0, limited("86400"), 24 * time.Hour, 24 * time.Hour},
		{"it limits the rate for a second", 0, limited("1"), 2 * time.Minute, time.Second},
		{"it limits the rate and does not say for how long", 3, limited(""), 30 * time.Minute, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			a := attempts{Failures: row.failures, Held: now.Add(time.Minute)}
			a.count(row.err, now)
			if got := a.Next.Sub(now); got < row.least || got > row.least+row.least/10 {
				t.Errorf("the next attempt is after %s, want %s", got, row.least)
			}
			if held := max(0, a.Held.Sub(now)); held != row.held {
				t.Errorf("it is held for %s, want %s", held, row.held)
			}
			if a.Failures != row.failures+1 {
				t.Errorf("%d failures", a.Failures)
			}
		})
	}
}

func TestAttemptsOutliveAProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got, err := readAttempts(dir); err != nil || got != (attempts{}) {
		t.Errorf("before the first: %+v, %v", got, err)
	}
	now := time.Now().UTC()
	var want attempts
	want.count(errors.New("connection refused"), now)
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readAttempts(dir)
	if err != nil || got.Failures != 1 || got.Reason != "connection refused" || !got.Next.Equal(want.Next) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}
