package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/ingress"
)

// A record is what becomes one line in the access log; it is filled on the way.
type record struct {
	ID      string // the request id, shown with every problem
	Address netip.Addr
	Route   string
	Caller  string // "token:ID" or "bridge:INSTANCE"
	Code    string // of the problem, if it was one
	Cause   error  // of an internal error; for the log alone
}

type recordKey struct{}

// recordOf returns the record of the request that ctx belongs to.
func recordOf(ctx context.Context) *record {
	if rec, ok := ctx.Value(recordKey{}).(*record); ok {
		return rec
	}
	return new(record)
}

// observe gives each request its id, turns panics into problems and writes
// the access log. The line names the route, not the path: the paths of the
// public pages hold tokens.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		rec := &record{ID: rand.Text(), Address: ingress.Client(r, s.TrustedProxies)}
		limit := patience(r.ContentLength)
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), recordKey{}, rec), limit)
		defer cancel()
		// Within the same process there is no connection, and no deadline of it.
		_ = http.NewResponseController(w).SetWriteDeadline(started.Add(limit + answering))
		out := &writer{ResponseWriter: w}
		out.Header().Set("X-Request-Id", rec.ID)
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				s.Logger.Error("panic", "request_id", rec.ID, "panic", p, "stack", string(debug.Stack()))
				s.problem(out, r.WithContext(ctx), account.Internal(nil))
			}
			took := time.Since(started)
			s.metrics.observe(rec.Route, r.Method, out.status(), took)
			s.log(r, rec, out, took)
		}()
		next.ServeHTTP(out, r.WithContext(ctx))
	})
}

func (s *server) log(r *http.Request, rec *record, out *writer, took time.Duration) {
	line := []any{
		"method", r.Method, "route", rec.Route, "status", out.status(), "bytes", out.bytes,
		"duration", took.Round(time.Microsecond), "address", rec.Address, "request_id", rec.ID,
	}
	for _, extra := range [...]struct{ name, value string }{{"caller", rec.Caller}, {"code", rec.Code}} {
		if extra.value != "" {
			line = append(line, extra.name, extra.value)
		}
	}
	if rec.Cause != nil {
		s.Logger.Error("request failed", append(line, "error", rec.Cause)...)
		return
	}
	s.Logger.Info("request", line...)
}

// writer remembers what was sent.
type writer struct {
	http.ResponseWriter
	code  int
	bytes int64
}

func (w *writer) WriteHeader(code int) {
	if w.code == 0 {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController and MaxBytesReader reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}
