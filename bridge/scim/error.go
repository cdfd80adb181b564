package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

const errorURI = "urn:ietf:params:scim:api:messages:2.0:Error"

// A refusal is an answer of RFC 7644 section 3.12.
type refusal struct {
	Status     int
	Kind       schema.Kind // scimType; empty where the RFC has none
	Detail     string
	RetryAfter time.Duration // for 429 and 503
	Allow      string        // for 405
	Code       string        // see codeOf; for the journal
}

func (e *refusal) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Detail) }

// body is the SCIM error.
func (e *refusal) body() []byte {
	body, err := json.Marshal(struct {
		Schemas []string    `json:"schemas"`
		Kind    schema.Kind `json:"scimType,omitempty"`
		Detail  string      `json:"detail"`
		Status  string      `json:"status"`
	}{Schemas: []string{errorURI}, Kind: e.Kind, Detail: e.Detail, Status: strconv.Itoa(e.Status)})
	if err != nil {
		return nil // strings always marshal
	}
	return body
}

// write answers with e.
func (e *refusal) write(w http.ResponseWriter) {
	if e.RetryAfter > 0 {
		seconds := max(1, int64((e.RetryAfter+time.Second-1)/time.Second))
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if e.Allow != "" {
		w.Header().Set("Allow", e.Allow)
	}
	writeBody(w, e.Status, e.body())
}

// unavailable is the answer while the account cannot be asked.
func unavailable(detail string, retryAfter time.Duration) *refusal {
	return &refusal{Status: http.StatusServiceUnavailable, Detail: detail, RetryAfter: retryAfter}
}

// retryUnavailable is how long a client shall wait for an account that is
// away: the bridge looks for a cure at least every ten seconds.
const retryUnavailable = 10 * time.Second

// toRefusal turns any error into an answer. What it does not know says nothing
// but the id under which log has the cause.
func toRefusal(err error, log func(cause error) (id string)) *refusal {
	if known, ok := errors.AsType[*refusal](err); ok {
		return known
	}
	if fault, ok := errors.AsType[*schema.Error](err); ok {
		if fault.Kind == schema.TooLarge {
			return &refusal{Status: http.StatusRequestEntityTooLarge, Detail: fault.Detail}
		}
		return &refusal{Status: http.StatusBadRequest, Kind: fault.Kind, Detail: fault.Detail}
	}
	if e, ok := errors.AsType[*bridge.Error](err); ok {
		if known := fromDirectory(e); known != nil {
			return known
		}
	}
	if e, ok := errors.AsType[*bridge.UnavailableError](err); ok {
		return unavailable(e.Detail+"; the bridge's status page says what to do. Try again later", retryUnavailable)
	}
	if errors.Is(err, bridge.ErrUnavailable) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded) {
		return unavailable("the account cannot be reached at the moment; try again later", retryUnavailable)
	}
	return &refusal{Status: http.StatusInternalServerError, Detail: "internal error; the bridge's log has it under " +
		"request id " + log(err)}
}

// scimTypes that are no fault of a resource, a filter or a PATCH.
const (
	uniqueness    schema.Kind = "uniqueness"
	invalidCursor schema.Kind = "invalidCursor" // this and the next: RFC 9865 section 2.1
	invalidCount  schema.Kind = "invalidCount"
)

// fromDirectory turns a refusal by the directory into an answer; nil for an unknown code.
func fromDirectory(e *bridge.Error) *refusal {
	switch e.Code {
	case bridge.NotFound:
		return &refusal{Status: http.StatusNotFound, Detail: e.Detail}
	case bridge.UserNameTaken, bridge.GroupNameTaken:
		return &refusal{Status: http.StatusConflict, Kind: uniqueness, Detail: e.Detail}
	case bridge.Protected:
		return &refusal{Status: http.StatusConflict, Detail: e.Detail}
	case bridge.VersionMismatch:
		return &refusal{Status: http.StatusPreconditionFailed, Detail: e.Detail}
	case bridge.InvalidValue, bridge.MembersUnknown:
		return &refusal{Status: http.StatusBadRequest, Kind: schema.InvalidValue, Detail: e.Detail}
	case bridge.InvalidFilter:
		return &refusal{Status: http.StatusBadRequest, Kind: schema.InvalidFilter, Detail: e.Detail}
	case bridge.InvalidCursor:
		return &refusal{Status: http.StatusBadRequest, Kind: invalidCursor, Detail: e.Detail}
	case bridge.TooLarge:
		return &refusal{Status: http.StatusRequestEntityTooLarge, Detail: e.Detail}
	case bridge.TooMany:
		return &refusal{
			Status: http.StatusTooManyRequests, Detail: e.Detail, RetryAfter: max(e.RetryAfter, time.Second),
		}
	}
	return nil
}
