package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// outages is what a run knows of an account that does not answer: a plan over
// many objects waits for it once, and says once what was tried.
//
// It is about look-ups alone. They come first in whatever a resource does, so
// that a write is begun only when the account was there.
type outages struct {
	mu    sync.Mutex
	away  outage            // nothing answers
	paths map[string]outage // something answers, but with an error: by path
}

type outage struct {
	err error
	at  time.Time
}

func (o outage) stands() bool { return o.err != nil && time.Since(o.at) < freshFor }

// An awayError stands for what the first look-up that failed has said.
type awayError struct{ first error }

func (e *awayError) Error() string {
	return fmt.Sprintf("not asked again: earlier in this run, %v", e.first)
}

// known returns why a look-up would fail, if one before it did.
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

// note remembers how a look-up ended, after all its repetitions.
func (o *outages) note(req *http.Request, resp *http.Response, err error) {
	if req.Method != http.MethodGet || req.Context().Err() != nil { // the time of the one that asked was over
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

// failed reports whether a status is one that is waited for. A refusal comes
// at once, and each error of one may have its remedy.
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

// TimedOut names request_timeout in the error of a request with c.HTTP that
// took too long; it leaves other errors, and deadlines of the caller's own.
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
