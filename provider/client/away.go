package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// outages records the failed look-ups of a run, so that a plan over many objects waits
// only once for an account that does not answer, and reports the error only once.
//
// It covers only look-ups. Every operation of a resource begins with one, so that a write
// begins only after the account has answered.
type outages struct {
	mu    sync.Mutex
	away  outage            // no answer
	paths map[string]outage // an answer with an error, by path
}

type outage struct {
	err error
	at  time.Time
}

func (o outage) stands() bool { return o.err != nil && time.Since(o.at) < freshFor }

// An awayError refers to the error of the first look-up that failed.
type awayError struct{ first error }

func (e *awayError) Error() string {
	return fmt.Sprintf("not repeated, since earlier in this run: %v", e.first)
}

// known returns the error of an earlier look-up that applies to req, if any.
func (o *outages) known(req *http.Request) error {
	if req.Method != http.MethodGet {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, out := range []outage{o.away, o.paths[req.URL.Path]} {
		if out.stands() {
			return &awayError{out.err}
		}
	}
	return nil
}

// note records the result of a look-up after all its repetitions.
func (o *outages) note(req *http.Request, resp *http.Response, err error) {
	if req.Method != http.MethodGet || req.Context().Err() != nil { // the caller's own deadline ended it
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.away = outage{err, time.Now()}
		return
	}
	o.away = outage{}
	delete(o.paths, req.URL.Path)
	if failed(resp.StatusCode) {
		if o.paths == nil {
			o.paths = make(map[string]outage)
		}
		o.paths[req.URL.Path] = outage{fmt.Errorf("the account answered %d", resp.StatusCode), time.Now()}
	}
}

// failed reports whether a status is retried. A refusal is immediate, and each one may
// have its own remedy.
func failed(status int) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

// A timeoutError is a call that took too long.
type timeoutError struct {
	took, limit time.Duration
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("timed out after %s (request_timeout is %s)", e.took.Round(100*time.Millisecond), e.limit)
}

func (e *timeoutError) Unwrap() error { return context.DeadlineExceeded }

// TimedOut adds request_timeout to the error of a request with c.HTTP that took too long.
// It does not change other errors, including the caller's own deadlines.
func (c *Client) TimedOut(ctx context.Context, err error, began time.Time) error {
	return timedOut(ctx, err, began, c.HTTP.Timeout)
}

func timedOut(ctx context.Context, err error, began time.Time, limit time.Duration) error {
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &timeoutError{time.Since(began), limit}
	}
	return err
}
