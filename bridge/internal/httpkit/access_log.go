package httpkit

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// An AccessLog gives each request its record and its id, and writes a line for
// each request that shows a secret. All others are counted in Events: any client
// can send them as often as it likes, and a line for each would fill the disk
// and wash everything else out of the log.
type AccessLog struct {
	Logger hclog.Logger
	Events *EventLog
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	Metrics        *Metrics
	// WithoutQuiet is set if quiet requests have no line, for a log that would keep it whatever the level is.
	WithoutQuiet bool
	// Line returns the keys and values of a line, by turns. It names no path
	// and no query: they may hold e-mail addresses and the secrets of links.
	Line func(*http.Request, *Request, Answer) []any
	// Internal answers a request whose handler panicked before it answered.
	Internal func(http.ResponseWriter, *http.Request, error)
}

// An Answer is how a request was answered.
type Answer struct {
	Header http.Header
	Status int
	Bytes  int64 // of the body
	Took   time.Duration
}

// Handler returns a handler that logs the requests to next, and turns a panic
// into an answer instead of a connection that ends without one. A handler that
// panics with [http.ErrAbortHandler] wants just that: its request is not logged.
func (a *AccessLog) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, x := Begin(w, r, a.TrustedProxies)
		w.Header().Set("X-Request-Id", x.ID)
		out := &observer{ResponseWriter: w, request: x}
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				x.Cause = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				if out.status == 0 {
					a.Internal(out, r, x.Cause)
				}
			}
			answer := Answer{w.Header(), cmp.Or(out.status, http.StatusOK), out.bytes, time.Since(x.began)}
			a.Metrics.Observe(x.routeLabel(), r.Method, x.statusOf(answer), answer.Took)
			a.log(r, x, answer)
		}()
		next.ServeHTTP(out, r)
	})
}

func (a *AccessLog) log(r *http.Request, x *Request, answer Answer) {
	switch {
	case !x.admitted:
		a.count(x, answer.Status)
	case x.Cause != nil:
		a.Logger.Error(requestFailed, append(a.Line(r, x, answer), "error", x.Cause)...)
	case x.Quiet && answer.Status < http.StatusBadRequest:
		if !a.WithoutQuiet {
			a.Logger.Debug(RequestAnswered, a.line(r, x, answer)...)
		}
	default:
		a.Logger.Info(RequestAnswered, a.line(r, x, answer)...)
	}
}

// line is the line of a request that has not failed.
func (a *AccessLog) line(r *http.Request, x *Request, answer Answer) []any {
	line := a.Line(r, x, answer)
	if x.Unsent != nil {
		line = append(line, "unsent", x.Unsent)
	}
	return line
}

// The messages of a request's line.
const (
	RequestAnswered = "request"
	requestFailed   = "request failed"
)

// count counts a stranger's request, unless that is done already.
func (a *AccessLog) count(x *Request, status int) {
	e := Event{
		Kind:  cmp.Or(x.Code, "page"), // a page explains itself to people, and has no code
		Level: hclog.Info, Message: "requests without a valid secret were refused",
		Client: x.Client, Fields: []any{"route", x.Route, "status", status, "request_id", x.ID},
	}
	switch {
	case x.Cause != nil:
		e.Kind, e.Level, e.Message = cmp.Or(x.Code, "failed"), hclog.Error, requestFailed
		e.Fields = append(e.Fields, "error", x.Cause)
	case x.Counted:
		return
	case status < http.StatusBadRequest:
		e.Kind, e.Level, e.Message = "served", hclog.Debug, "requests that need no secret were answered"
	}
	a.Events.Add(e)
}

// statusOf is the status by which the metrics know an answer. An error that nobody waited for alarms nobody.
func (x *Request) statusOf(answer Answer) int {
	if answer.Status >= http.StatusInternalServerError && x.Unsent != nil {
		return Canceled
	}
	return answer.Status
}

// routeLabel is the route without the method that a pattern may begin with:
// metrics have a label for that.
func (x *Request) routeLabel() string {
	return x.Route[strings.IndexByte(x.Route, ' ')+1:]
}

// observer notes what a handler answers.
type observer struct {
	http.ResponseWriter
	request *Request
	status  int
	bytes   int64
}

func (o *observer) WriteHeader(status int) {
	if o.status == 0 && status >= http.StatusOK {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observer) Write(p []byte) (int, error) {
	o.status = cmp.Or(o.status, http.StatusOK)
	n, err := o.ResponseWriter.Write(p)
	o.bytes += int64(n)
	if err != nil && !isMistake(err) {
		o.request.Unsent = cmp.Or(o.request.Unsent, err)
	}
	return n, err
}

// isMistake reports whether nothing was written because of the handler, and not of the client.
func isMistake(err error) bool {
	return errors.Is(err, http.ErrBodyNotAllowed) || errors.Is(err, http.ErrContentLength) ||
		errors.Is(err, http.ErrHijacked)
}

// Unwrap lets http.ResponseController and http.MaxBytesReader reach the connection.
func (o *observer) Unwrap() http.ResponseWriter { return o.ResponseWriter }
