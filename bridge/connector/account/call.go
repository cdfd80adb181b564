package account

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A request is one question to the account. It may be sent more than once:
// after a sign-in, after the account was busy, and, if it is repeatable, after
// an answer was lost on the way.
type request struct {
	send func(context.Context, *api.Client, api.RequestEditorFn) (*http.Response, error)
	// repeatable says that asking again after a lost answer does no harm.
	repeatable bool
	// members is how many of them the request sets, adds or removes.
	members int
}

// requestTimeout bounds one question with all its repetitions, below the
// half minute after which identity providers give up. Who sends a group of
// 100,000 waits longer: giving up on the account, which goes on, would tell of
// a failure that is none. Account and front door allow for it too.
const (
	requestTimeout = 25 * time.Second
	eachMember     = time.Millisecond
	longestRequest = 4 * time.Minute
)

func (r request) timeout() time.Duration {
	return min(requestTimeout+time.Duration(r.members)*eachMember, longestRequest)
}

// pauses are before the second, third and fourth attempt. An account that
// restarts is back within them.
var pauses = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 1500 * time.Millisecond}

// call asks and returns the answer, or an error as the Directory promises it.
// lost says that an earlier attempt may have had its effect.
func call[T any](ctx context.Context, c *Connector, r request) (answer T, lost bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout())
	defer cancel()
	fresh := 0 // logins that the account ended under this request
	for attempt := 0; ; attempt++ {
		l, err := c.session(ctx)
		if err != nil {
			return answer, lost, err
		}
		answer, err = receive[T](r.send(ctx, l.client, l.authorize))
		c.noteAnswer(err)
		if err == nil {
			return answer, lost, nil
		}
		var no *refusal
		switch {
		case errors.As(err, &no) && no.sessionEnded:
			c.forget(l)
			c.trigger()
			if fresh++; fresh < 3 {
				continue
			}
		case errors.As(err, &no) && no.entry:
			c.failed(l.creds, err, 1)
			c.trigger()
		case errors.As(err, &no) && !no.busy():
			return answer, lost, no.directoryError()
		case (no == nil || no.lost()) && ctx.Err() == nil:
			c.NotifyHeartbeat() // the heartbeat finds out whether the account is away
			lost = lost || !notSent(err)
			if lost && !r.repeatable {
				break
			}
			fallthrough
		default:
			if attempt < len(pauses) && sleep(ctx, pauses[attempt]) {
				continue
			}
		}
		return answer, lost, unavailable(err)
	}
}

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

// notSent says that the request never left: repeating it is always safe.
func notSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// nothing is the body of a 204.
type nothing struct{}

// maxAnswer bounds what is read of an answer. A group of 100,000 members with
// their names is some 15 MB.
const maxAnswer = 128 << 20

// receive turns the account's answer into a T, or into a *refusal, and closes it.
func receive[T any](resp *http.Response, err error) (answer T, _ error) {
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	body := io.LimitReader(resp.Body, maxAnswer)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated:
		if mediaType(resp) != "application/json" {
			return answer, unexpected(resp)
		}
		text, err := readAll(body, resp.ContentLength)
		if err == nil {
			err = decode(text, &answer)
		}
		if err != nil {
			return answer, fmt.Errorf("reading the account's answer: %w", err)
		}
		return answer, nil
	case http.StatusNoContent:
	default:
		return answer, refusalOf(resp, body)
	}
	// To its end, so that the connection can be used again.
	_, err = io.Copy(io.Discard, body)
	return answer, err
}

// announcedAnswer bounds what is allocated for an answer because of its
// Content-Length, before any of it has arrived.
const announcedAnswer = 1 << 20

// readAll reads a body whose length is known, mostly, at once.
func readAll(body io.Reader, length int64) ([]byte, error) {
	var b bytes.Buffer
	if length > 0 {
		b.Grow(int(min(length, announcedAnswer)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(body)
	return b.Bytes(), err
}

// A refusal is an answer that says no.
type refusal struct {
	api.Problem
	retryAfter time.Duration
	// sessionEnded: the session is no longer known; sign in again.
	sessionEnded bool
	// answered says what answered in the account's place; empty if it was an account.
	answered string
	// entry: this bridge is not served, whatever it asks.
	entry bool
}

func (r *refusal) Error() string {
	if r.answered != "" {
		return "something else than the account answered: " + r.answered
	}
	detail := r.Title
	if r.Detail != nil {
		detail = *r.Detail
	}
	text := fmt.Sprintf("the account answered %d %s: %s", r.Status, r.Code, detail)
	if r.RequestId != nil {
		text += " (request " + *r.RequestId + ")"
	}
	return text
}

func refusalOf(resp *http.Response, body io.Reader) error {
	r := &refusal{}
	if mediaType(resp) != "application/problem+json" || json.NewDecoder(io.LimitReader(body, 1<<20)).Decode(&r.Problem) != nil ||
		!isCode(string(r.Code)) {
		r = unexpected(resp)
	}
	cleanProblem(&r.Problem)
	r.Status = resp.StatusCode
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		r.retryAfter = time.Duration(s) * time.Second
	}
	switch r.Code {
	case api.ErrorCodeFirewallBlocked, api.ErrorCodeTwoFactorEnforced, api.ErrorCodeProvisioningInactive, api.ErrorCodeStorageFull, api.ErrorCodeStorageLost:
		r.entry = true
	default:
		r.sessionEnded = r.Status == http.StatusUnauthorized && r.answered == ""
	}
	return r
}

// isCode reports whether a text has the shape of an error's code. Others write
// problem documents too, without one, or with whatever they like there.
func isCode(text string) bool {
	return text != "" && len(text) <= 64 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// The bounds of what is kept of a problem document, in bytes, and of ids.
const (
	maxDetail    = 1000
	maxFact      = 300
	maxIDsListed = 100
)

// cleanProblem bounds the texts of a problem document, which log, status page
// and identity provider get to see: it may come from whatever stands in front
// of the account.
func cleanProblem(p *api.Problem) {
	p.Title = inputtext.ShortLine(p.Title, maxFact)
	cleanText(p.Detail, maxDetail)
	cleanText(p.RequestId, maxFact)
	if d := p.Details; d != nil && d.Ids != nil {
		ids := (*d.Ids)[:min(len(*d.Ids), maxIDsListed)]
		for i := range ids {
			cleanText(&ids[i], maxFact)
		}
		d.Ids = &ids
	}
}

func cleanText(text *string, limit int) {
	if text != nil {
		*text = inputtext.ShortLine(*text, limit)
	}
}

func mediaType(resp *http.Response) string {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind
}

// unexpected is an answer of a proxy on the way, or of something else than an
// account, and says what it knows of that.
func unexpected(resp *http.Response) *refusal {
	what := strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
	for _, header := range []struct{ name, label string }{{"Content-Type", "of the type"}, {"Server", "from"}, {"Location", "to"}} {
		if v := resp.Header.Get(header.name); v != "" {
			what += fmt.Sprintf(" %s %.100q", header.label, v)
		}
	}
	return &refusal{
		Problem:  api.Problem{Title: http.StatusText(resp.StatusCode), Status: resp.StatusCode},
		answered: what,
	}
}

// busy says that the same question may be answered a little later.
func (r *refusal) busy() bool { return r.Status >= 500 || r.Status < 400 }

// lost says that the account's own answer did not arrive: a proxy in front of
// it gave up waiting, or lost the connection, and does not know what the
// account has done meanwhile.
func (r *refusal) lost() bool {
	return r.answered != "" && (r.Status == http.StatusBadGateway || r.Status == http.StatusGatewayTimeout || r.Status < 300)
}

// directoryError turns a refusal of a request into the Directory's words,
// which are the account's own.
func (r *refusal) directoryError() error {
	e := &bridge.Error{Code: bridge.Code(r.Code), Detail: r.Title, RetryAfter: r.retryAfter}
	if r.Detail != nil {
		e.Detail = *r.Detail
	}
	if r.Details != nil {
		e.IDs = value(r.Details.Ids)
	}
	switch e.Code {
	case bridge.MembersUnknown, bridge.NotFound, bridge.UserNameTaken, bridge.GroupNameTaken, bridge.Protected, bridge.VersionMismatch,
		bridge.InvalidValue, bridge.InvalidFilter, bridge.InvalidCursor, bridge.TooLarge, bridge.TooMany:
		return e
	}
	if r.answered != "" && (r.Status == http.StatusBadRequest || r.Status == http.StatusUnprocessableEntity) {
		return unavailable(r) // it was not the account that judged what was sent
	}
	switch r.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		e.Code = bridge.InvalidValue
	case http.StatusRequestEntityTooLarge:
		e.Code = bridge.TooLarge
	case http.StatusTooManyRequests:
		e.Code = bridge.TooMany
	default:
		// A 404 or 409 without a known code does not come from a directory, and
		// passing it on would make clients forget the resource.
		return unavailable(r)
	}
	return e
}

// noteAnswer remembers that requests of the directory are answered by
// something else than the account, while the heartbeat may well reach it, and
// forgets it with the first answer of the account's own.
func (c *Connector) noteAnswer(err error) {
	no, refused := errors.AsType[*refusal](err)
	switch {
	case refused && no.answered != "":
		code, facts := diagnose(err)
		facts[problem.FactURL] = c.URL()
		p := problem.New(code, c.cfg.Now(), facts)
		if !c.strange.Swap(true) {
			c.cfg.Log.Error(logMessage(code), logFields(code, facts, 1)...)
		}
		c.update(func(s *State) {
			if s.Strange != nil {
				p.Since = s.Strange.Since
			}
			s.Strange = &p
			c.strange.Store(true) // with the state: another answer may have come meanwhile
		})
	case (err == nil || refused) && c.strange.Load():
		c.update(func(s *State) {
			s.Strange = nil
			c.strange.Store(false)
		})
	}
}

// unavailable makes the error of a request that the account did not answer as
// a directory does. A bridge that is refused is not one whose account is away:
// the client is told which.
func unavailable(err error) error {
	e := &bridge.UnavailableError{Err: err}
	code, facts := diagnose(err)
	e.Detail = titleOf(problem.New(code, time.Time{}, facts))
	if r, ok := errors.AsType[*refusal](err); ok && code == problem.AccountUnreachable && r.answered == "" {
		e.Detail = fmt.Sprintf("the account answers with an error (%d %s)", r.Status, r.Code)
	}
	return e
}

// titleOf is a problem's title as a clause.
func titleOf(p problem.Problem) string {
	return strings.ToLower(p.Title[:1]) + p.Title[1:]
}

// diagnose names the problem behind a failure to come in.
func diagnose(err error) (problem.Code, problem.Facts) {
	facts := problem.Facts{}
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		facts[problem.FactReason] = plain(err)
		return problem.AccountUnreachable, facts
	}
	facts = toFacts(r.Details)
	switch r.Code {
	case api.ErrorCodeSignInFailed, api.ErrorCodeCredentialsExpired, api.ErrorCodeCredentialsChanged:
		facts[problem.FactReason] = string(r.Code)
		return problem.CredentialsChanged, facts
	case api.ErrorCodeFirewallBlocked:
		if d := r.Details; d != nil && d.AnonymousIps != nil && slices.Contains(*d.AnonymousIps, api.CloudProvider) {
			return problem.FirewallBlockedCloudProvider, facts
		}
		return problem.FirewallBlocked, facts
	case api.ErrorCodeTwoFactorEnforced:
		facts[problem.FactReason] = string(r.Code)
		return problem.TwoFactorEnforced, facts
	case api.ErrorCodeProvisioningInactive:
		facts[problem.FactReason] = string(r.Code)
		return problem.ProvisioningInactive, facts
	case api.ErrorCodeStorageFull:
		return problem.StorageFull, facts
	case api.ErrorCodeStorageLost:
		return problem.StorageLost, facts
	default:
		if r.answered != "" {
			facts[problem.FactAnswered] = r.answered
			return problem.AccountUnreachable, facts
		}
		facts[problem.FactReason] = r.Error()
		return problem.AccountUnreachable, facts
	}
}

// plain leaves out the method and address that net/http puts before the
// cause: they stand beside it already.
func plain(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}
