package server

import (
	"context"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// admit records that the request has presented a valid secret. From then on it may
// take the time that its body needs.
func admit(r *http.Request, caller string) {
	httpkit.Admit(r.Context())
	x := httpkit.RequestFrom(r.Context())
	x.Caller = caller
	x.AnswerWithin(timeout(r.ContentLength) + answering)
}

// observe bounds the time that a request may take, and writes the access log.
func (s *server) observe(next http.Handler) http.Handler {
	log := httpkit.AccessLog{
		Logger: s.Logger, Events: s.Events, TrustedProxies: s.TrustedProxies, Metrics: s.metrics.Metrics,
		WithoutQuiet: !s.Logger.IsDebug(), Line: logLine,
		Internal: func(w http.ResponseWriter, r *http.Request, err error) {
			s.writeProblem(w, r, account.Internal(err))
		},
	}
	return log.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout(r.ContentLength))
		defer cancel()
		httpkit.RequestFrom(ctx).AnswerWithin(timeout(0) + answering)
		next.ServeHTTP(w, r.WithContext(ctx))
	}))
}

// logLine returns the access log's fields for a request. It names the route, not
// the path: paths of the public pages contain tokens.
func logLine(r *http.Request, x *httpkit.Request, answer httpkit.Answer) []any {
	line := []any{
		"method", httpkit.Method(r.Method), "route", x.Route, "status", answer.Status, "bytes", answer.Bytes,
		"duration", answer.Took.Round(time.Microsecond), "address", x.Client, "request_id", x.ID,
	}
	for _, extra := range [...]struct{ key, value string }{{"caller", x.Caller}, {"code", x.Code}} {
		if extra.value != "" {
			line = append(line, extra.key, extra.value)
		}
	}
	return line
}
