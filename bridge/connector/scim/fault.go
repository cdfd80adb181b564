package scim

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// Cause is why the far side does not do what it is asked, from a closed set.
type Cause string

// The causes.
const (
	// Unreachable: nothing answers, or something else than a SCIM server does,
	// or the server fails.
	Unreachable Cause = "unreachable"
	// TokenRefused: the far side does not take the token, or not for this.
	TokenRefused Cause = "token_refused"
	// RateLimited: the far side asks to be left alone for a while.
	RateLimited Cause = "rate_limited"
	// CapabilityMissing: the far side cannot do it, and there is no other way.
	CapabilityMissing Cause = "capability_missing"
)

// A FaultError is a question that the far side did not answer as a SCIM server does.
// It is in the chain of each error that is bridge.ErrUnavailable.
type FaultError struct {
	Cause      Cause
	Status     int           // of the answer; 0 without one
	Detail     string        // what happened, as a clause for the client; has no secret
	Reason     string        // what the network said of it; may be empty
	RetryAfter time.Duration // as the far side asked; 0 if it did not

	lost    bool // the far side may have done what it was asked
	working bool // and it may still be doing it
	err     error
}

func (f *FaultError) Error() string {
	if f.Reason == "" {
		return f.Detail
	}
	return f.Detail + ": " + f.Reason
}

// Unwrap returns the error of the network, if there was one.
func (f *FaultError) Unwrap() error { return f.err }

// CauseOf returns the cause of an error of a Directory, or "" if it is none of the far side's.
func CauseOf(err error) Cause {
	if f, ok := errors.AsType[*FaultError](err); ok {
		return f.Cause
	}
	if bridge.CodeOf(err) == bridge.TooMany {
		return RateLimited
	}
	return ""
}

func missing(format string, args ...any) *FaultError {
	return &FaultError{Cause: CapabilityMissing, Detail: fmt.Sprintf(format, args...)}
}

// A refusal is an answer by which the far side says no.
type refusal struct {
	status int
	kind   string // scimType
	detail string
	isSCIM bool // the body is an error of RFC 7644 section 3.12
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the far side answered %d: %s", r.status, r.detail)
}

// isRefused reports whether err is a refusal with one of some statuses.
func isRefused(err error, statuses ...int) bool {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return false
	}
	for _, status := range statuses {
		if r.status == status {
			return true
		}
	}
	return false
}

// isMissing reports whether the far side has no such resource.
func isMissing(err error) bool {
	return isRefused(err, http.StatusNotFound, http.StatusGone) || bridge.CodeOf(err) == bridge.NotFound
}

// cannot reports whether the far side does not know how to do it: the method, or the operation.
func cannot(err error) bool {
	return isRefused(err, http.StatusMethodNotAllowed, http.StatusNotImplemented)
}

// isLost reports whether a question that failed may have had its effect.
func isLost(err error) bool {
	f, ok := errors.AsType[*FaultError](err)
	return ok && f.lost
}

// directoryError turns an error into one that a bridge.Directory promises.
func (c *collection) directoryError(err error) error {
	if err == nil || errors.Is(err, bridge.ErrUnavailable) {
		return err
	}
	if _, ok := errors.AsType[*bridge.Error](err); ok {
		return err
	}
	if f, ok := errors.AsType[*FaultError](err); ok {
		if f.Cause == RateLimited {
			return &bridge.Error{Code: bridge.TooMany, Detail: f.Detail, RetryAfter: max(f.RetryAfter, time.Second)}
		}
		if f.Cause == CapabilityMissing {
			c.noteLack(f)
		}
		return &bridge.UnavailableError{Detail: f.Detail, Err: f}
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return c.refusalError(r)
	}
	f := &FaultError{Cause: Unreachable, Detail: "the directory behind the bridge cannot be asked", Reason: err.Error(),
		err: err}
	return &bridge.UnavailableError{Detail: f.Detail, Err: f}
}

func (c *collection) refusalError(r *refusal) error {
	e := &bridge.Error{Detail: r.detail}
	switch {
	case r.status == http.StatusNotFound, r.status == http.StatusGone:
		e.Code = bridge.NotFound
	case r.status == http.StatusConflict, r.kind == "uniqueness":
		e.Code = c.taken
	case r.status == http.StatusForbidden:
		e.Code = bridge.Protected
	case r.status == http.StatusPreconditionFailed:
		e.Code = bridge.VersionMismatch
	case r.status == http.StatusRequestEntityTooLarge, r.kind == "tooMany":
		e.Code = bridge.TooLarge
	case r.kind == "invalidFilter":
		e.Code = bridge.InvalidFilter
	case r.status == http.StatusBadRequest, r.status == http.StatusUnprocessableEntity:
		e.Code = bridge.InvalidValue
	case cannot(r):
		f := missing("the directory behind the bridge cannot do this: it answered %d", r.status)
		f.Status = r.status
		c.noteLack(f)
		return &bridge.UnavailableError{Detail: f.Detail, Err: f}
	default:
		f := &FaultError{Cause: Unreachable, Status: r.status,
			Detail: fmt.Sprintf("the directory behind the bridge answered %d", r.status)}
		return &bridge.UnavailableError{Detail: f.Detail, Err: f}
	}
	return e
}

func faultOf(err error) (*FaultError, bool) { return errors.AsType[*FaultError](err) }
