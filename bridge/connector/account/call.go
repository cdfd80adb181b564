package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
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
	// optional says that the account need not have this operation.
	optional bool
}

// requestTimeout bounds one question with all its repetitions, below the
// half minute after which identity providers give up. A group of 100,000 takes
// longer: giving up while the account still works would report a failure that is
// none. The servers of the account and of the bridge allow for it, too.
const (
	requestTimeout = 25 * time.Second
	eachMember     = time.Millisecond
	longestRequest = 4 * time.Minute
)

// Timeout returns what bounds a question that sets, adds or removes so many members, with all its repetitions.
func Timeout(members int) time.Duration {
	return min(requestTimeout+time.Duration(members)*eachMember, longestRequest)
}

// pauses are before the second, third and fourth attempt. An account that
// restarts is back within them.
var pauses = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 1500 * time.Millisecond}

// retry is how a question is asked again. A longer wait than these pauses, if the
// account asks for one, is left to the identity provider, which comes back.
var retry = client.Retry{
	Pause: func(n int) (time.Duration, bool) {
		if n > len(pauses) {
			return 0, false
		}
		return pauses[n-1], true
	},
	MaxAsked: 2 * time.Second,
}

// maxSignIns is how many sessions the account may end under one request.
const maxSignIns = 3

// call asks and returns the answer, or an error as the Directory promises it.
// lost reports whether an earlier attempt may have had its effect.
func call[T any](ctx context.Context, c *Connector, r request) (answer T, lost bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout(r.members))
	defer cancel()
	ended := 0 // sessions, under this request
	retry.Do(ctx, func() (next client.Next, asked time.Duration) {
		var l *login
		if l, err = c.session(ctx); err != nil {
			return client.Done, 0
		}
		answer, err = client.Call[T](r.send(ctx, l.client, l.authorize))
		if !r.optional || !isMissing(err) {
			c.noteAnswer(err)
		}
		switch refused, _ := errors.AsType[*client.Error](err); {
		case err == nil:
		case refused == nil || refused.Lost() || uncertain(refused):
			if ctx.Err() == nil {
				c.NotifyHeartbeat() // the heartbeat finds out whether the account is away
			}
			lost = lost || !client.NotSent(err)
			if !lost || r.repeatable {
				next = client.Later
			}
		case sessionEnded(refused):
			c.forget(l)
			c.trigger()
			if ended++; ended < maxSignIns {
				next = client.AtOnce
			}
		case refusesBridge(refused):
			c.failed(l.creds, err, 1)
			c.trigger()
		case busy(refused):
			next = client.Later
		}
		return next, client.AskedToWait(err)
	})
	return answer, lost, toDirectoryError(err)
}

// sessionEnded reports whether the session is no longer known, so that the
// bridge must sign in again.
func sessionEnded(e *client.Error) bool {
	return e.Status == http.StatusUnauthorized && e.Foreign == "" && !refusesBridge(e)
}

// refusesBridge reports whether the account does not serve this bridge, or any
// client at all, whatever is asked.
func refusesBridge(e *client.Error) bool {
	switch e.Problem.Code {
	case api.ErrorCodeFirewallBlocked, api.ErrorCodeTwoFactorEnforced, api.ErrorCodeProvisioningInactive,
		api.ErrorCodeStorageFull, api.ErrorCodeStorageLost:
		return true
	default:
		return false
	}
}

// uncertain reports whether the account may have done what was asked, and does not know: a database's server can be
// lost while it commits.
func uncertain(e *client.Error) bool { return e.Problem.Code == api.ErrorCodeDatabaseUnavailable }

// isMissing reports whether what answers does not have the operation: an account, or
// what stands before it, that knows no such path or no such method there.
func isMissing(err error) bool {
	refused, ok := errors.AsType[*client.Error](err)
	return ok && (refused.Status == http.StatusNotFound || refused.Status == http.StatusMethodNotAllowed)
}

// busy reports whether the same question may be answered a little later.
func busy(e *client.Error) bool { return e.Status >= 500 || e.Status < 400 }

// toDirectoryError turns a failed question into an error as the Directory
// promises it. A refusal keeps the account's words.
func toDirectoryError(err error) error {
	refused, ok := errors.AsType[*client.Error](err)
	switch {
	case err == nil, errors.Is(err, bridge.ErrUnavailable):
		return err
	case !ok, sessionEnded(refused), refusesBridge(refused), busy(refused):
		return unavailable(err)
	}
	e := &bridge.Error{
		Code: bridge.Code(refused.Problem.Code), Detail: refused.Problem.Title, RetryAfter: refused.RetryAfter,
	}
	if refused.Problem.Detail != nil {
		e.Detail = *refused.Problem.Detail
	}
	e.IDs = value(refused.Details().Ids)
	switch e.Code {
	case bridge.MembersUnknown, bridge.NotFound, bridge.UserNameTaken, bridge.GroupNameTaken, bridge.Protected,
		bridge.VersionMismatch, bridge.InvalidValue, bridge.InvalidFilter, bridge.InvalidCursor, bridge.TooLarge,
		bridge.TooMany:
		return e
	}
	if refused.Foreign != "" &&
		(refused.Status == http.StatusBadRequest || refused.Status == http.StatusUnprocessableEntity) {
		return unavailable(err) // it was not the account that judged what was sent
	}
	switch refused.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		e.Code = bridge.InvalidValue
	case http.StatusRequestEntityTooLarge:
		e.Code = bridge.TooLarge
	case http.StatusTooManyRequests:
		e.Code = bridge.TooMany
	default:
		// A 404 or 409 without a known code does not come from a directory, and
		// passing it on would make clients forget the resource.
		return unavailable(err)
	}
	return e
}

// noteAnswer remembers that requests of the directory are answered by
// something else than the account, while the heartbeat may well reach it, and
// forgets it with the first answer of the account's own.
func (c *Connector) noteAnswer(err error) {
	answer, answered := errors.AsType[*client.Error](err)
	switch {
	case answered && answer.Foreign != "":
		code, facts := diagnose(err)
		facts[problem.FactURL] = c.URL()
		p := problem.New(code, c.cfg.Now(), facts)
		if !c.strange.Swap(true) {
			c.cfg.Log.Error(logMessage(code, facts), logFields(code, facts, 1)...)
		}
		c.update(func(s *State) {
			if s.Strange != nil {
				p.Since = s.Strange.Since
			}
			s.Strange = &p
			c.strange.Store(true) // with the state: another answer may have come meanwhile
		})
	case (err == nil || answered) && c.strange.Load():
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
	if refused, ok := errors.AsType[*client.Error](err); ok && facts[problem.FactRefused] != "" {
		e.Detail += fmt.Sprintf(" (%d %s)", refused.Status, refused.Problem.Code)
	}
	return e
}

// titleOf is a problem's title as a clause.
func titleOf(p problem.Problem) string {
	return strings.ToLower(p.Title[:1]) + p.Title[1:]
}

// diagnose returns the problem behind a failed call, and its facts.
func diagnose(err error) (problem.Code, problem.Facts) {
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok:
		return problem.AccountUnreachable, problem.Facts{problem.FactReason: withoutURL(err)}
	case e.Foreign != "":
		return problem.AccountUnreachable, problem.Facts{problem.FactAnswered: e.Foreign}
	}
	facts := toFacts(e.Problem.Details)
	switch e.Problem.Code {
	case api.ErrorCodeSignInFailed, api.ErrorCodeCredentialsExpired, api.ErrorCodeCredentialsChanged:
		facts[problem.FactReason] = string(e.Problem.Code)
		return problem.CredentialsChanged, facts
	case api.ErrorCodeFirewallBlocked:
		if slices.Contains(value(e.Details().AnonymousIps), api.CloudProvider) {
			return problem.FirewallBlockedCloudProvider, facts
		}
		return problem.FirewallBlocked, facts
	case api.ErrorCodeTwoFactorEnforced:
		facts[problem.FactReason] = string(e.Problem.Code)
		return problem.TwoFactorEnforced, facts
	case api.ErrorCodeProvisioningInactive:
		facts[problem.FactReason] = string(e.Problem.Code)
		return problem.ProvisioningInactive, facts
	case api.ErrorCodeStorageFull:
		return problem.StorageFull, facts
	case api.ErrorCodeStorageLost:
		return problem.StorageLost, facts
	default:
		facts[problem.FactRefused] = strings.TrimPrefix(e.Error(), "the account ")
		return problem.AccountUnreachable, facts
	}
}

// withoutURL is the text of an error less the method and address that net/http
// puts before the cause: they stand beside it already.
func withoutURL(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}
