package bridge

import (
	"errors"
	"fmt"
	"time"
)

// Code is the kind of a refusal, from a closed set.
type Code string

// The refusals.
const (
	NotFound        Code = "not_found"
	UserNameTaken   Code = "user_name_taken"
	GroupNameTaken  Code = "group_name_taken"
	Protected       Code = "protected" // an owner, administrator, Provision Manager or built-in group
	VersionMismatch Code = "version_mismatch"
	InvalidValue    Code = "invalid_value"
	MembersUnknown  Code = "members_unknown" // no id of a whole list of members is known
	InvalidFilter   Code = "invalid_filter"
	InvalidCursor   Code = "invalid_cursor"
	TooLarge        Code = "too_large"
	TooMany         Code = "too_many_requests"
)

// An Error is a refusal by the directory.
type Error struct {
	Code   Code
	Detail string // for the client: what was wrong and what to do
	// IDs are the unknown ones, for MembersUnknown.
	IDs []string
	// RetryAfter is set for TooMany.
	RetryAfter time.Duration
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Detail) }

// Is makes errors.Is(err, &Error{Code: c}) ask for the code alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of the refusal in err, or "" if there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// ErrUnavailable means that the directory could not be asked at all: the
// bridge is sealed or refused, or the account is away. Asking again later may
// succeed.
var ErrUnavailable = errors.New("the account cannot be asked")

// An UnavailableError is an ErrUnavailable that says why.
type UnavailableError struct {
	// Detail is a clause for the client, which has shown the bearer token:
	// "the account's firewall blocks the bridge".
	Detail string
	Err    error // for the log
}

func (e *UnavailableError) Error() string { return fmt.Sprintf("%v: %v", ErrUnavailable, e.Err) }

// Is reports whether target is ErrUnavailable.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }
