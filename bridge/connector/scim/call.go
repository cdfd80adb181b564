package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// Deadlines are below the half minute after which identity providers give up.
// A change of many members takes longer, and they know that.
const (
	requestTimeout = 25 * time.Second
	attemptTimeout = 18 * time.Second
	eachMember     = 20 * time.Millisecond
	longestRequest = 4 * time.Minute
	// shortestAttempt is what a request that has waited must have left for its answer: the outcome of a write whose
	// answer comes too late is unknown.
	shortestAttempt = 5 * time.Second
)

// bounded returns a context for one method of the Directory, which changes so many members.
func bounded(ctx context.Context, members int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(requestTimeout+time.Duration(members)*eachMember, longestRequest))
}

// pauses are before the second, third and fourth attempt.
var pauses = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 1500 * time.Millisecond}

// maxAnswer bounds what is read of an answer: a group of 100,000 members with their names is some 15 MB.
const maxAnswer = 64 << 20

const mediaType = "application/scim+json"

// A request is one question to the far side.
type request struct {
	method string
	path   string // escaped, from the base on
	query  url.Values
	body   any
	// ifMatch is an entity tag as the far side writes it; may be empty.
	ifMatch string
	// repeatable says that asking again after a lost answer does no harm.
	repeatable bool
}

func (r request) isWrite() bool { return r.method != http.MethodGet }

// An answer is one that says yes.
type answer struct {
	status int
	header http.Header
	object map[string]any // nil if there was no body
}

// call asks, again if that may help and does no harm. lost reports whether an
// earlier attempt may have had its effect.
func (d *Directory) call(ctx context.Context, r request) (a answer, lost bool, err error) {
	for n := 0; ; n++ {
		a, err = d.attempt(ctx, r)
		f, failed := errors.AsType[*FaultError](err)
		if !failed || n >= len(pauses) {
			return a, lost, err
		}
		lost = lost || f.lost
		switch {
		case f.Cause == RateLimited && f.Status == 0: // there is no time to wait
			return a, lost, err
		case f.Cause == RateLimited: // the next attempt waits
		case f.Cause != Unreachable, f.lost && !r.repeatable:
			return a, lost, err
		}
		if !sleep(ctx, pauses[n]) {
			return a, lost, err
		}
	}
}

// attempt asks once. Its error is a *FaultError or a *refusal.
func (d *Directory) attempt(ctx context.Context, r request) (answer, error) {
	token := d.cfg.Token()
	if token.IsZero() {
		return answer{}, &bridge.UnavailableError{Detail: "the bridge is sealed", Err: errors.New("there is no token")}
	}
	release, err := d.limits.acquire(ctx)
	if err != nil {
		return answer{}, err
	}
	defer release()
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := d.newRequest(ctx, r)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	// The transport by itself follows no redirect, which would carry the token elsewhere.
	resp, err := d.cfg.Transport.RoundTrip(req)
	if err != nil {
		err = unanswered(ctx, r, err)
		if !errors.Is(caller.Err(), context.Canceled) { // the far side is not to blame for a caller that gave up
			d.note(r, err)
		}
		return answer{}, err
	}
	defer resp.Body.Close()
	a, err := d.read(r, resp)
	if refused, ok := errors.AsType[*refusal](err); ok {
		refused.detail = clean(refused.detail, token.Reveal())
	}
	d.note(r, err)
	return a, err
}

func (d *Directory) newRequest(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("encoding a request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	address := d.base + r.path
	if len(r.query) > 0 {
		// "+" for a blank is for forms: not every server takes it so in a URL.
		address += "?" + strings.ReplaceAll(r.query.Encode(), "+", "%20")
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Accept", mediaType+", application/json")
	req.Header.Set("User-Agent", d.cfg.UserAgent)
	if r.body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	if r.ifMatch != "" {
		req.Header.Set("If-Match", r.ifMatch)
	}
	return req, nil
}

// unanswered makes the fault of a request without an answer.
func unanswered(ctx context.Context, r request, err error) error {
	f := &FaultError{Cause: Unreachable, err: err, Detail: "the directory behind the bridge cannot be reached",
		Reason: reason(err)}
	op, isNet := errors.AsType[*net.OpError](err)
	if !isNet || op.Op != "dial" {
		f.lost = r.isWrite()
		f.working = f.lost
	}
	if ctx.Err() != nil {
		f.Detail = "the directory behind the bridge did not answer in time"
	}
	return f
}

// reason is the text of an error of the network, less the address, which may be long and is known.
func reason(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return inputtext.ShortLine(err.Error(), 200)
}

// read turns an answer into its object, or into an error.
func (d *Directory) read(r request, resp *http.Response) (answer, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, &FaultError{Cause: Unreachable, Status: resp.StatusCode, lost: r.isWrite(), err: err,
			Detail: "an answer of the directory behind the bridge broke off", Reason: reason(err)}
	}
	if len(text) > maxAnswer {
		return answer{}, missing("an answer of the directory behind the bridge is larger than %d MiB", maxAnswer>>20)
	}
	object, isJSON := decodeObject(text)
	a := answer{status: resp.StatusCode, header: resp.Header, object: object}
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		if !isJSON && len(bytes.TrimSpace(text)) > 0 {
			return a, foreign(resp, r.isWrite())
		}
		return a, nil
	case resp.StatusCode < 400:
		return a, foreign(resp, false)
	}
	return a, d.refused(r, resp, object)
}

// decodeObject reads a JSON object. Numbers stay as they were written.
func decodeObject(text []byte) (map[string]any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, false
	}
	return object, object != nil
}

// foreign makes the fault of an answer that no SCIM server gives. An answer
// that was cut off is one, too.
func foreign(resp *http.Response, lost bool) *FaultError {
	what := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	if v := resp.Header.Get("Content-Type"); v != "" {
		what += fmt.Sprintf(" of the type %.60q", v)
	}
	if to, err := url.Parse(resp.Header.Get("Location")); err == nil && to.Host != "" {
		what += fmt.Sprintf(" to %.60q", to.Host) // what follows may be anybody's
	}
	return &FaultError{Cause: Unreachable, Status: resp.StatusCode, lost: lost, RetryAfter: retryAfter(resp),
		Detail: "something else than a SCIM server answers for the directory behind the bridge: " + what}
}

const errorURI = "urn:ietf:params:scim:api:messages:2.0:Error"

// refused makes the error of an answer that says no.
func (d *Directory) refused(r request, resp *http.Response, object map[string]any) error {
	detail := text(object, "detail")
	no := &refusal{status: resp.StatusCode, kind: text(object, "scimType"), detail: detail, isSCIM: isSCIMError(object)}
	if no.detail == "" {
		no.detail = "the directory behind the bridge answered " + strconv.Itoa(resp.StatusCode)
	}
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests:
		wait := d.limits.pause(max(retryAfter(resp), time.Second))
		return &FaultError{Cause: RateLimited, Status: status, RetryAfter: wait,
			Detail: "the directory behind the bridge takes no more requests for now"}
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired:
		return tokenRefused(status)
	case status == http.StatusForbidden:
		// A resource that must not be changed is not a token that may do nothing.
		if no.isSCIM && r.isWrite() && r.method != http.MethodPost {
			return no
		}
		return tokenRefused(status)
	case status == http.StatusNotImplemented:
		return no
	case status >= 500:
		f := &FaultError{Cause: Unreachable, Status: status, RetryAfter: retryAfter(resp), lost: r.isWrite(),
			working: r.isWrite() && status == http.StatusGatewayTimeout,
			Detail:  fmt.Sprintf("the directory behind the bridge fails: it answered %d", status)}
		if status == http.StatusServiceUnavailable && f.RetryAfter > 0 {
			d.limits.pause(f.RetryAfter)
		}
		return f
	case object == nil && (status == http.StatusBadRequest || status == http.StatusConflict ||
		status == http.StatusUnprocessableEntity):
		return foreign(resp, false) // it was not the server that judged what was sent
	}
	return no
}

func tokenRefused(status int) *FaultError {
	return &FaultError{Cause: TokenRefused, Status: status,
		Detail: fmt.Sprintf("the directory behind the bridge refuses the token: it answered %d", status)}
}

func isSCIMError(object map[string]any) bool {
	schemas, _ := member(object, "schemas").([]any)
	if slices.Contains(schemas, any(errorURI)) {
		return true
	}
	return member(object, "detail") != nil && member(object, "status") != nil || member(object, "scimType") != nil
}

// clean makes a text of the far side fit for an answer and for the log. It
// might repeat the token.
func clean(detail, token string) string {
	const most = 400
	if token != "" {
		detail = strings.ReplaceAll(detail, token, "[redacted]")
	}
	return inputtext.Scrub(inputtext.ShortLine(detail, most))
}

// maxPause bounds what the far side may ask for: longer ones are mistakes.
const maxPause = 10 * time.Minute

// retryAfter reads the header in either form of RFC 9110 section 10.2.3.
func retryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxPause/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(at), 0), maxPause)
	}
	return 0
}

// limits are what the far side is asked at most.
type limits struct {
	slots chan struct{}
	rate  *rate.Limiter

	mu    sync.Mutex
	until time.Time // nothing is sent before
}

// pause makes all requests wait, and returns how long.
func (l *limits) pause(wait time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := time.Now().Add(wait); until.After(l.until) {
		l.until = until
	}
	return time.Until(l.until)
}

// remaining returns how long nothing is sent.
func (l *limits) remaining() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.until)
}

// acquire waits for its turn; the caller must call release. It does not wait
// for what the deadline does not leave time for.
func (l *limits) acquire(ctx context.Context) (release func(), err error) {
	if ctx.Err() != nil { // it has waited for answers until now, and not for its turn
		return nil, &FaultError{Cause: Unreachable, err: ctx.Err(),
			Detail: "the directory behind the bridge did not answer in time"}
	}
	select {
	case l.slots <- struct{}{}:
		release = func() { <-l.slots }
	case <-ctx.Done():
		return nil, &FaultError{Cause: RateLimited, RetryAfter: time.Second,
			Detail: "too many requests wait for the directory behind the bridge"}
	}
	if err := l.rate.Wait(ctx); err != nil {
		release()
		return nil, &FaultError{Cause: RateLimited, RetryAfter: time.Second, err: err,
			Detail: "too many requests wait for the directory behind the bridge"}
	}
	if err := l.awaitPause(ctx); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// awaitPause returns when nothing keeps requests from being sent. What is sent
// meanwhile by others may make the pause longer.
func (l *limits) awaitPause(ctx context.Context) error {
	for {
		wait := l.remaining()
		if wait <= 0 {
			return nil
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait+shortestAttempt {
			return &FaultError{Cause: RateLimited, RetryAfter: wait,
				Detail: "the directory behind the bridge takes no more requests for now"}
		}
		if !sleep(ctx, wait) {
			return &FaultError{Cause: Unreachable, Detail: "the request ended", err: ctx.Err()}
		}
	}
}

// sleep waits for d, and reports whether ctx did not end before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
