package auth

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Kind is why a token is not taken, from a closed set.
type Kind string

// The kinds.
const (
	Missing     Kind = "missing"     // no token was shown
	Malformed   Kind = "malformed"   // the text is no token
	Wrong       Kind = "wrong"       // a token, and not one of the session
	Superseded  Kind = "superseded"  // the previous pair's, whose overlap is over
	Unavailable Kind = "unavailable" // whether it is right cannot be said at present
	Unreadable  Kind = "unreadable"  // there is no session that a token could open
)

// An Error is why a token is not taken.
type Error struct {
	Kind   Kind
	Detail string // for the client
	// Reason is more, for clients on the bridge's own machine and for the log.
	Reason string
	// Expired is the end of the overlap of a Superseded token, where it is
	// still known.
	Expired time.Time
}

func (e *Error) Error() string {
	if e.Reason != "" {
		return e.Reason
	}
	return e.Detail
}

// Code returns the code of the problem that the refusal is, or "" if it is none.
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

func undecided() *Error {
	return &Error{
		Kind:   Unavailable,
		Detail: "whether the previous bearer token still counts is not known before the bridge has signed in",
	}
}

func superseded(expired time.Time) *Error {
	return &Error{
		Kind:    Superseded,
		Detail:  "the IdP still uses the old token: it was replaced, and the overlap is over",
		Expired: expired,
	}
}

// unreadable tells a client the code alone: it has proved nothing, since there
// is no session to prove it by.
func unreadable(err error) *Error {
	return &Error{
		Kind:   Unreadable,
		Detail: "session_unreadable: the bridge has no session that a token could open; its log has the reason",
		Reason: err.Error(),
	}
}
