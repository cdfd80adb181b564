package account

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// An Error is a refusal by the account. Any other error from a method of [Account] is
// internal and only logged.
type Error struct {
	Status int           // of HTTP
	Code   api.ErrorCode // stable, for programs
	Title  string        // the kind of error, for people
	Detail string        // what was wrong and what to do
	Details
	RetryAfter time.Duration // 0 if unknown
	cause      error
}

// Details are facts for programs. Which are set depends on the code.
type Details struct {
	Field      string // where in the request, as a JSON pointer
	Address    string // an IP address
	RuleID     string // the firewall rule that decided
	Who        string // would_lock_out: "caller" or "bridge"
	Instance   string // would_lock_out: the bridge instance
	ExistingID string // the id of the existing object
	Name       string // protected: the member or group
	IDs        []string
	Facts      firewall.Facts // of the address that the deciding rule names
	Missing    []string       // ip_database_required: what no database has
	Rule       *DecidingRule  // the rule of RuleID
	// Database is the account's own database setting, for commands on its machine.
	Database string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Detail) }

// Unwrap returns the cause, for the log.
func (e *Error) Unwrap() error { return e.cause }

// Internal returns an error for clients that hides an internal cause.
func Internal(cause error) *Error {
	return &Error{Status: http.StatusInternalServerError, Code: api.ErrorCodeInternal, Title: "Internal error",
		Detail: "the account service failed; its log has the reason under the request id", cause: cause}
}

// Fault returns the refusal for an internal error. Only errors of the disk are
// named to the client.
func Fault(cause error) *Error {
	switch {
	case errors.Is(cause, store.ErrFull):
		return &Error{
			Status: http.StatusServiceUnavailable, Code: api.ErrorCodeStorageFull,
			Title: "The disk is full", cause: cause,
			Detail: "the disk of the account's database is full, so changes are refused; free space on it",
		}
	case errors.Is(cause, store.ErrReplaced):
		return &Error{
			Status: http.StatusServiceUnavailable, Code: api.ErrorCodeStorageLost,
			Title: "The database is gone", cause: cause,
			Detail: "the account's database was deleted or replaced while the server was running, " +
				"so changes are refused; restore it and restart the account service",
		}
	case errors.Is(cause, store.ErrDisk):
		return &Error{
			Status: http.StatusServiceUnavailable, Code: api.ErrorCodeDatabaseUnavailable,
			Title:  "Database unavailable",
			cause:  cause,
			Detail: "the account's database cannot be read or written; the log has the reason under the request id",
		}
	case errors.Is(cause, store.ErrLocked):
		return &Error{
			Status: http.StatusServiceUnavailable, Code: api.ErrorCodeDatabaseUnavailable,
			Title: "The database is locked", cause: cause,
			Detail: "another process has locked the account's database, so changes are refused until it lets go of " +
				"it: end it if it should not be there",
		}
	case errors.Is(cause, store.ErrAway), errors.Is(cause, store.ErrRefused):
		return &Error{
			Status: http.StatusServiceUnavailable, Code: api.ErrorCodeDatabaseUnavailable,
			Title: "The database server is away", cause: cause, RetryAfter: 2 * time.Second,
			Detail: "the account's database server cannot be reached or refuses the connection; the log has the " +
				"reason under the request id",
		}
	case errors.Is(cause, store.ErrReadOnly):
		return &Error{
			Status: http.StatusServiceUnavailable, Code: api.ErrorCodeDatabaseUnavailable,
			Title: "The database server is read-only", cause: cause, RetryAfter: 5 * time.Second,
			Detail: "the account's database server takes no writes, as a standby does; start the account service " +
				"with the primary's address, or with those of all servers and target_session_attrs=read-write",
		}
	case errors.Is(cause, store.ErrText):
		return &Error{
			Status: http.StatusUnprocessableEntity, Code: api.ErrorCodeInvalidValue, Title: "Invalid value",
			cause:  cause,
			Detail: "a text has the character U+0000, which no database server keeps: leave it out",
		}
	default:
		return Internal(cause)
	}
}

// IsCode reports whether err is a refusal with this code.
func IsCode(err error, code api.ErrorCode) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

// NotFound refuses an unknown id. It repeats nothing that may be a secret: a client may have put one in its place.
func NotFound(kind, id string) *Error {
	e := &Error{Status: http.StatusNotFound, Code: api.ErrorCodeNotFound, Title: "Not found",
		Detail: fmt.Sprintf("there is no %s %q", kind, id)}
	if !inputtext.IsWord(id) {
		e.Detail = fmt.Sprintf("there is no %s with this id", kind)
	}
	return e
}

// InvalidValue refuses a value; field is its JSON pointer in the request.
func InvalidValue(field, format string, args ...any) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Code: api.ErrorCodeInvalidValue, Title: "Invalid value",
		Detail: fmt.Sprintf(format, args...), Details: Details{Field: field}}
}

// VersionMismatch refuses a conditional write to an older version.
func VersionMismatch(have string) *Error {
	return &Error{Status: http.StatusPreconditionFailed, Code: api.ErrorCodeVersionMismatch, Title: "Version mismatch",
		Detail: fmt.Sprintf("the object was changed since it was read and now has version %s; "+
			"read it again and repeat the change", have)}
}

// Conflict refuses a request that contradicts the current state.
func Conflict(code api.ErrorCode, title, format string, args ...any) *Error {
	return &Error{Status: http.StatusConflict, Code: code, Title: title, Detail: fmt.Sprintf(format, args...)}
}

// AlreadyExists refuses a duplicate.
func AlreadyExists(existingID, format string, args ...any) *Error {
	e := Conflict(api.ErrorCodeAlreadyExists, "Already exists", format, args...)
	e.ExistingID = existingID
	return e
}

// InvalidCursor refuses a cursor that is not from this list.
func InvalidCursor() *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Code: api.ErrorCodeInvalidCursor, Title: "Invalid cursor",
		Detail: "the cursor is not from this list; start again without one", Details: Details{Field: "/cursor"}}
}

// Protected refuses to change what provisioning must not change.
func Protected(name, format string, args ...any) *Error {
	e := Conflict(api.ErrorCodeProtected, "Protected", format, args...)
	e.Name = name
	return e
}

// TooMany refuses a request that can be repeated later.
func TooMany(title string, after time.Duration, why string) *Error {
	seconds := math.Ceil(after.Seconds())
	e := Conflict(api.ErrorCodeTooManyRequests, title, "%s; try again in %.0f seconds", why, seconds)
	e.Status, e.RetryAfter = http.StatusTooManyRequests, time.Duration(seconds)*time.Second
	return e
}
