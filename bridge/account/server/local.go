package server

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// A Local lets a bridge in the account's process ask the directory without HTTP between. A request that is admitted and
// succeeds is admitted, audited and counted as it is by HTTP. Any other one leaves no trace, so that it can be sent by
// HTTP, where refusals are recorded and explained.
type Local struct {
	Directory *directory.Directory

	server *server
	from   netip.Addr
}

// NewLocal is New, with the way for a bridge in the same process. The account sees its requests from the address from.
func NewLocal(c Config, from netip.Addr) (http.Handler, *Local) {
	s := build(c)
	return s, &Local{Directory: directory.New(c.Account), server: s, from: from}
}

// An Operation is one of the API, with the status of its success.
type Operation struct {
	Method, Path string
	Status       int
}

// The operations on people and groups.
var (
	CreatePerson  = Operation{http.MethodPost, "/v1/directory/people", http.StatusCreated}
	GetPerson     = Operation{http.MethodGet, "/v1/directory/people/{id}", http.StatusOK}
	ReplacePerson = Operation{http.MethodPut, "/v1/directory/people/{id}", http.StatusOK}
	DeletePerson  = Operation{http.MethodDelete, "/v1/directory/people/{id}", http.StatusNoContent}
	SearchPeople  = Operation{http.MethodPost, "/v1/directory/people/search", http.StatusOK}
	CreateGroup   = Operation{http.MethodPost, "/v1/directory/groups", http.StatusCreated}
	GetGroup      = Operation{http.MethodGet, "/v1/directory/groups/{id}", http.StatusOK}
	UpdateGroup   = Operation{http.MethodPatch, "/v1/directory/groups/{id}", http.StatusOK}
	DeleteGroup   = Operation{http.MethodDelete, "/v1/directory/groups/{id}", http.StatusNoContent}
	SearchGroups  = Operation{http.MethodPost, "/v1/directory/groups/search", http.StatusOK}
)

// Ask calls fn, which asks the Directory, in the name of the bridge that has a session. It reports whether the session
// was admitted and fn has succeeded. If fn has failed it must have changed nothing, as a write that is rolled back.
//
// No Idempotency-Key is needed: an answer cannot be lost on the way, and nobody else knows the key.
func (l *Local) Ask(ctx context.Context, session string, op Operation, fn func(context.Context) error) bool {
	began := time.Now()
	caller, admitted := l.server.Account.AdmitsSession(ctx, session, l.from)
	if !admitted {
		return false
	}
	caller.RequestID = httpkit.ID(ctx) // the bridge's log has what the identity provider asked under it
	if err := fn(account.WithCaller(ctx, caller)); err != nil {
		return false
	}
	took := time.Since(began)
	l.server.metrics.Observe(op.Path, op.Method, op.Status, took)
	if l.server.Logger.IsDebug() {
		l.log(op, caller, took)
	}
	return true
}

// log writes the line of the access log that a bridge's request has by HTTP.
func (l *Local) log(op Operation, caller account.Caller, took time.Duration) {
	l.server.Logger.Debug(httpkit.RequestAnswered, "method", op.Method, "route", op.Method+" "+op.Path,
		"status", op.Status, "duration", took.Round(time.Microsecond), "address", l.from,
		"request_id", caller.RequestID, "caller", caller.String())
}
