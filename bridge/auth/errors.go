package auth

import (
	"errors"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Kind is the kind of a refusal, from a closed set.
type Kind string

// The kinds.
const (
	Missing     Kind = "missing"     // the request has no token
	Malformed   Kind = "malformed"   // the text is not a token
	Wrong       Kind = "wrong"       // a token that does not belong to the session
	Superseded  Kind = "superseded"  // the previous token, after the overlap
	Unavailable Kind = "unavailable" // the token cannot be checked now, or there is no session yet
	Unreadable  Kind = "unreadable"  // the session cannot be read
)

// ErrInactive is what reading the session fails with while its account has none: provisioning is not active there.
var ErrInactive = errors.New("provisioning is not active at the account")

// An Error is the refusal of a token.
type Error struct {
	Kind   Kind
	Detail string // for the client
	// Reason has more detail, for the log and for clients on the bridge's machine.
	Reason string
	// Expired is the end of a Superseded token's overlap, if it is known.
	Expired time.Time
}

func (e *Error) Error() string {
	if e.Reason != "" {
		return e.Reason
	}
	return e.Detail
}

// Code returns the code of the refusal's problem, or "" if it is not a problem.
func (e *Error) Code() problem.Code {
	switch e.Kind {
	case Wrong, Superseded:
		return problem.TokenRejected
	case Unreadable:
		return problem.SessionUnreadable
	default:
		return ""
	}
}

func inactive() *Error {
	return &Error{Kind: Unavailable, Detail: "provisioning_inactive: " + ErrInactive.Error()}
}

func undecided() *Error {
	return &Error{
		Kind:   Unavailable,
		Detail: "the previous bearer token cannot be checked before the bridge has signed in",
	}
}

func superseded(expired time.Time) *Error {
	return &Error{
		Kind:    Superseded,
		Detail:  "the IdP still uses the old token: it was replaced, and the overlap has ended",
		Expired: expired,
	}
}

// unreadable shows a client only the code: without a session the client cannot be
// authenticated.
func unreadable(err error) *Error {
	return &Error{
		Kind:   Unreadable,
		Detail: "session_unreadable: the bridge cannot read its session; its log has the reason",
		Reason: err.Error(),
	}
}
