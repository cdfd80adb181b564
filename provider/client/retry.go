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

// retryTransport makes a call, and makes it again when that is harmless and may
// help. It hands back answers whose body is already in memory, so that one
// limit covers all of a call.
type retryTransport struct {
	next    api.HttpRequestDoer
	unknown []string
	limit   time.Duration
	pause   func(attempt int) time.Duration
	wrote   func(path string)   // told after each call that may have changed something
	freeing func() (end func()) // told of each call that may free what another is to make
	writing chan struct{}       // as many places as writes may be on their way at once
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
		if err := req.Context().Err(); err != nil { // there was a place, too
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

// retry makes the call until it is answered, or no longer worth repeating.
func (r *retryTransport) retry(req *http.Request) (resp *http.Response, err error) {
	ctx, cancel := context.WithTimeout(req.Context(), r.limit)
	defer cancel()
	account.Retry{
		Pause: func(n int) (time.Duration, bool) { return r.pause(n), n < maxAttempts },
		OnPause: func(n int, pause time.Duration) {
			tflog.Debug(req.Context(), "repeating a call to the account", map[string]any{
				"method": req.Method, "path": req.URL.Path, "attempt": n, "pause": pause.String(), "because": reason(resp, err),
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

// attempt makes the call once, in half of its time at most: if the answer is
// lost on the way, there is time for another attempt.
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

// interruptGrace is how long an interrupted Terraform waits for the answer to a
// write that is on its way. Without the answer it is not known what was made: the
// next plan would create it again, and the account would refuse what exists.
const interruptGrace = 5 * time.Second

// answered returns a context that outlives the interruption of ctx by
// interruptGrace, and ends with the call's own deadline.
func answered(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline() // every call has one
	patient, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(interruptGrace, cancel) })
	return patient, func() { stop(); cancel() }
}

// shouldRetry reports whether a call may be repeated: always if it did not reach
// the account, or if the account asked to come back; if it may have had its
// effect, only if a second one has no other effect.
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

// transient reports whether a connection broke. One that can never be made,
// because of a certificate or a name, is not tried again.
func transient(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		strings.Contains(err.Error(), "server closed idle connection")
}

// backoff doubles from a quarter of a second, less up to a half at random, so
// that many runs that failed together do not come back together.
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
