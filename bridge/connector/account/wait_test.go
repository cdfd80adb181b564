package account

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
)

// A cure is found within 15 seconds: the longest pause, and an attempt.
func TestThePauseBetweenAttemptsIsBounded(t *testing.T) {
	t.Parallel()
	c := New(Config{})
	for failures := range 200 {
		pause := c.backoff(failures)
		if most := min(10*time.Second, firstPause<<min(failures, 10)); pause > most || pause < most*4/5 {
			t.Errorf("after %d failures the pause is %s, want %s or up to a fifth less", failures, pause, most)
		}
	}
}

func TestHowLongTheAccountAskedToWait(t *testing.T) {
	t.Parallel()
	answer := func(status int, retryAfter string) error {
		_, err := client.Call[client.Nothing](&http.Response{
			StatusCode: status,
			Header:     http.Header{"Content-Type": {"application/problem+json"}, "Retry-After": {retryAfter}},
			Body:       io.NopCloser(strings.NewReader(`{"code":"too_many_requests","title":"Too many sign-ins"}`)),
		}, nil)
		return err
	}
	for _, row := range []struct {
		name string
		err  error
		want time.Duration
	}{
		{"too many sign-ins", answer(http.StatusTooManyRequests, "2"), 2 * time.Second},
		{"busy, and wrapped", fmt.Errorf("signing in: %w", answer(http.StatusServiceUnavailable, "20")),
			20 * time.Second},
		{"a day, which is a minute", answer(http.StatusServiceUnavailable, "86400"), time.Minute},
		{"nothing said", answer(http.StatusServiceUnavailable, ""), 0},
		{"no answer", errors.New("connection refused"), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := askedToWait(row.err); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}
