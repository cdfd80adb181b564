package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	account "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
)

const maxAttempts = 6

// retryTransport makes a call, and repeats it if that is safe and may help. It returns
// answers with their bodies in memory, so that one time limit covers the whole call.
type retryTransport struct {
	next    api.HttpRequestDoer
	unknown []string
	limit   time.Duration
	pause   func(attempt int) time.Duration
	wrote   func(path string)   // called after each call that may have changed something
	freeing func() (end func()) // called for each call that may delete an object that another call creates
	writing chan struct{}       // a semaphore for concurrent writes
	outages outages
}

// Do implements api.HttpRequestDoer.
func (r *retryTransport) Do(req *http.Request) (*http.Response, error) {
	if len(r.unknown) > 0 {
		return nil, &unknownError{r.unknown}
	}
	if req.Method != http.MethodGet {
		select {
		case r.writing <- struct{}{}:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		defer func() { r.wrote(req.URL.Path); <-r.writing }()
		if frees(req.Method) {
			defer r.freeing()()
		}
		if err := req.Context().Err(); err != nil { // select is random if both are ready
			return nil, err
		}
	}
	if err := r.outages.known(req); err != nil {
		return nil, err
	}
	began := time.Now()
	resp, err := r.retry(req)
	err = timedOut(req.Context(), err, began, r.limit)
	r.outages.note(req, resp, err)
	return resp, err
}

// retry makes the call until it is answered or must not be repeated.
func (r *retryTransport) retry(req *http.Request) (resp *http.Response, err error) {
	ctx, cancel := context.WithTimeout(req.Context(), r.limit)
	defer cancel()
	account.Retry{
		Pause: func(n int) (time.Duration, bool) { return r.pause(n), n < maxAttempts },
		OnPause: func(n int, pause time.Duration) {
			tflog.Debug(req.Context(), "repeating a call to the account", map[string]any{
				"method": req.Method, "path": req.URL.Path, "attempt": n, "pause": pause.String(),
				"because": reason(resp, err),
			})
		},
	}.Do(ctx, func() (account.Next, time.Duration) {
		resp, err = r.attempt(ctx, req) //nolint:bodyclose // attempt has read and closed it
		switch {
		case req.Context().Err() != nil || !shouldRetry(req, resp, err):
			return account.Done, 0
		case err != nil:
			return account.Later, 0
		}
		return account.Later, account.RetryAfter(resp)
	})
	return resp, err
}

// attempt makes the call once, in at most half of its time, so that there is time for
// another attempt if the answer is lost.
func (r *retryTransport) attempt(ctx context.Context, req *http.Request) (*http.Response, error) {
	ctx, done := context.WithTimeout(ctx, r.limit/2)
	defer done()
	if req.Method != http.MethodGet {
		var cancel context.CancelFunc
		ctx, cancel = answered(ctx)
		defer cancel()
	}
	req = req.Clone(ctx)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("rewinding the request: %w", err)
		}
		req.Body = body
	}
	resp, err := r.next.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := account.ReadBody(resp)
	if err != nil {
		return nil, fmt.Errorf("reading the account's answer: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// interruptGrace is how long an interrupted Terraform waits for the answer to a write.
// Without the answer the created object is not known: the next plan would create it again,
// and the account would refuse that.
const interruptGrace = 5 * time.Second

// answered returns a context that ends interruptGrace after ctx, or with the call's own
// deadline.
func answered(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline() // every call has one
	extended, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(interruptGrace, cancel) })
	return extended, func() { stop(); cancel() }
}

// shouldRetry reports whether a call may be repeated: if it did not reach the account or
// the account asked for it, or if it may have had its effect and a second call has no
// other effect.
func shouldRetry(req *http.Request, resp *http.Response, err error) bool {
	repeatable := req.Method != http.MethodPost || req.Header.Get("Idempotency-Key") != ""
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) {
			return true
		}
		return repeatable && req.Context().Err() == nil && (transient(err) || errors.Is(err, context.DeadlineExceeded))
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return repeatable
	}
	return false
}

// transient reports whether a connection was broken. Errors that do not change, of a
// certificate or a name, are not transient.
func transient(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		strings.Contains(err.Error(), "server closed idle connection")
}

// backoff doubles from a quarter of a second, with up to half of it subtracted at random,
// so that runs that failed together do not retry together.
func backoff(attempt int) time.Duration {
	whole := 250 * time.Millisecond << (attempt - 1)
	return whole - rand.N(whole/2)
}

func reason(resp *http.Response, err error) string {
	if err != nil {
		return withoutURL(err)
	}
	return resp.Status
}
