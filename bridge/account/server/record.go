package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// A record is what becomes one line in the access log; it is filled on the way.
type record struct {
	ID      string // the request id, shown with every problem
	Address netip.Addr
	Route   string
	Caller  string // "token:ID" or "bridge:INSTANCE"
	Code    string // of the problem, if it was one
	Cause   error  // of an internal error; for the log alone

	began   time.Time
	control *http.ResponseController
}

// admit notes that the request has shown a secret that is right; it may take
// the time that its body needs from then on.
func (rec *record) admit(r *http.Request, caller string) {
	rec.Caller = caller
	httpkit.Admit(r.Context())
	rec.answerWithin(patience(r.ContentLength))
}

// answerWithin keeps the connection for an answer that is made within limit.
func (rec *record) answerWithin(limit time.Duration) {
	if rec.control != nil {
		// Within the same process there is no connection, and no deadline of it.
		_ = rec.control.SetWriteDeadline(rec.began.Add(limit + answering))
	}
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
		r, begun := httpkit.Begin(w, r, s.TrustedProxies)
		rec := &record{ID: begun.ID, Address: begun.Client, began: time.Now(), control: http.NewResponseController(w)}
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), recordKey{}, rec), patience(r.ContentLength))
		defer cancel()
		rec.answerWithin(patience(0))
		out := &writer{ResponseWriter: w}
		out.Header().Set("X-Request-Id", rec.ID)
		r = r.WithContext(ctx)
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				s.problem(out, r, account.Internal(fmt.Errorf("panic: %v\n%s", p, debug.Stack())))
			}
			took := time.Since(rec.began)
			s.metrics.observe(rec.Route, r.Method, out.status(), took)
			s.log(r, rec, out, took)
		}()
		next.ServeHTTP(out, r)
	})
}

// log writes a line for a request that has shown a secret. What anybody can
// send, as often as it likes, is logged in aggregate.
func (s *server) log(r *http.Request, rec *record, out *writer, took time.Duration) {
	if !httpkit.RequestFrom(r.Context()).Admitted() {
		s.logStranger(rec, out.status())
		return
	}
	line := []any{
		"method", httpkit.Method(r.Method), "route", rec.Route, "status", out.status(), "bytes", out.bytes,
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

func (s *server) logStranger(rec *record, status int) {
	e := httpkit.Event{
		Kind: rec.Code, Level: hclog.Info, Message: "requests without a valid secret were refused",
		Client: rec.Address, Fields: []any{"route", rec.Route, "status", status, "request_id", rec.ID},
	}
	switch {
	case rec.Cause != nil:
		e.Level, e.Message = hclog.Error, "request failed"
		e.Fields = append(e.Fields, "error", rec.Cause)
	case status < http.StatusBadRequest:
		e.Kind, e.Level, e.Message = "served", hclog.Debug, "requests that need no secret were answered"
	case rec.Code == "": // a page, which explains itself to people
		e.Kind = "page"
	}
	s.Events.Add(e)
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
