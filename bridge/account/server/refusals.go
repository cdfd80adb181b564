package server

import (
	"context"
	"net/http"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

type refusalKey struct{}

// withRefusal returns a context whose requests keep the problem that they were answered with.
func withRefusal(ctx context.Context) (context.Context, **account.Error) {
	refused := new(*account.Error)
	return context.WithValue(ctx, refusalKey{}, refused), refused
}

// noteRefusal keeps the problem that a request is answered with.
func noteRefusal(ctx context.Context, e *account.Error) {
	if refused, ok := ctx.Value(refusalKey{}).(**account.Error); ok {
		*refused = e
	}
}

// auditRefusal records that an administrator's change was refused. It comes after the answer was made and outside
// of its transaction, which a refusal undoes. Faults of the account itself are in its log.
func (s *server) auditRefusal(r *http.Request, pattern string, refused *account.Error) {
	if refused == nil || refused.Status >= http.StatusInternalServerError ||
		refused.Code == api.ErrorCodeTooManyRequests { // which was not judged
		return
	}
	err := s.Account.AuditRefusal(context.WithoutCancel(r.Context()), account.RefusedChange{
		Operation: pattern, Object: objectOf(r), Status: refused.Status, Code: refused.Code,
	})
	if err != nil {
		s.Logger.Warn("could not record a refused change", "route", pattern, "code", refused.Code, "error", err)
	}
}

// objectOf returns the id, or the domain, in the path of a request, unless it has another form: what a client has put
// in its place, such as a token, would stand in the log for ever.
func objectOf(r *http.Request) string {
	if id := r.PathValue("id"); inputtext.IsOwnID(id) {
		return id
	}
	if domain := r.PathValue("domain"); directory.IsDomain(domain) {
		return domain
	}
	return ""
}
