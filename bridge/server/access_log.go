package server

import (
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// AccessLog writes one log line for each request that shows a secret, and counts
// all others in Events. A line names nobody: no query, which may hold a filter
// with an e-mail address, and no path beyond the kind of resource, which a
// client may have filled with one.
type AccessLog struct {
	Logger hclog.Logger
	Events *httpkit.EventLog
	// TrustedProxies are believed when they say who asks.
	TrustedProxies []netip.Prefix
	Metrics        *Metrics
	Now            func() time.Time
}

// Log gives each request an id, logs it when it is answered, and turns a
// panic into a 500 instead of a connection that ends without a word.
func (a *AccessLog) Log(next *table) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := a.Now()
		route, polled := next.name(r.URL)
		r, begun := httpkit.Begin(w, r, a.TrustedProxies)
		w.Header().Set("X-Request-Id", begun.ID)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		seen := &observer{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause != nil && seen.status == 0 {
				http.Error(seen, `internal error; request id `+begun.ID, http.StatusInternalServerError)
			}
			took := a.Now().Sub(started)
			a.Metrics.Observe(route, r.Method, seen.code(), took)
			switch {
			case cause != nil:
				a.panicked(begun, cause)
			case begun.Admitted():
				level := hclog.Info
				if polled {
					level = hclog.Debug
				}
				a.Logger.Log(level, "request", fields(r, route, seen, begun, took)...)
			case !begun.Told:
				a.stranger(route, seen, begun)
			}
		}()
		next.ServeHTTP(seen, r)
	})
}

func fields(r *http.Request, route string, seen *observer, begun *httpkit.Request, took time.Duration) []any {
	fields := []any{
		"method", httpkit.Method(r.Method), "route", route, "status", seen.code(), "bytes", seen.bytes,
		"ms", took.Milliseconds(), "client", begun.Client, "request_id", begun.ID,
	}
	for _, f := range [...]struct{ key, value string }{
		{"resource_id", resourceID(r, seen)},
		{"token", begun.Token},
		{"user_agent", userAgent(r)},
	} {
		if f.value != "" {
			fields = append(fields, f.key, f.value)
		}
	}
	return fields
}

// resourceID is the id of the person or group that a request is about, or has
// made. A client may write anything into a path, an e-mail address for one: only
// what has the form of an id is shown.
func resourceID(r *http.Request, seen *observer) string {
	path := r.URL.Path
	if seen.code() == http.StatusCreated {
		path = seen.Header().Get("Location")
	}
	for _, segment := range strings.Split(path, "/") {
		if opaqueID.MatchString(segment) {
			return segment
		}
	}
	return ""
}

// opaqueID is how accounts write ids: ours as 128 bits in base32, others as UUIDs.
var opaqueID = regexp.MustCompile(`^[a-z2-7]{26}$|^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// mostUserAgent bounds what a client may add to a line, in characters.
const mostUserAgent = 100

// userAgent tells identity providers apart. Whatever names somebody or may be a
// secret is left out, of what is shown: an invisible character within a token
// must not hide it.
func userAgent(r *http.Request) string {
	text := session.Scrub(inputtext.Line(r.UserAgent()))
	if strings.Contains(text, "@") || strings.Contains(text, "%40") {
		text = addressLike.ReplaceAllString(text, "[address]")
	}
	return inputtext.Truncate(text, mostUserAgent)
}

var addressLike = regexp.MustCompile(`[^\s<>()",;]+(?:@|%40)[^\s<>()",;]+`)

// stranger counts a request that anybody can send as often as it likes: a line
// for each would fill the disk, and wash everything else out of the log that
// the status page offers.
func (a *AccessLog) stranger(route string, seen *observer, begun *httpkit.Request) {
	e := httpkit.Event{
		Kind: "served", Level: hclog.Debug, Message: "requests that need no secret were answered", Client: begun.Client,
		Fields: []any{"route", route, "status", seen.code(), "request_id", begun.ID},
	}
	if seen.code() >= http.StatusBadRequest {
		e.Kind, e.Level, e.Message = "page", hclog.Info, "requests without a valid secret were refused"
	}
	a.Events.Add(e)
}

func (a *AccessLog) panicked(begun *httpkit.Request, cause any) {
	const message = "a request made the bridge panic"
	fields := []any{"request_id", begun.ID, "cause", cause, "stack", string(debug.Stack())}
	if begun.Admitted() {
		a.Logger.Error(message, fields...)
		return
	}
	a.Events.Add(httpkit.Event{Kind: "panic", Level: hclog.Error, Message: message, Client: begun.Client, Fields: fields})
}

// observer sees what a handler answers.
type observer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (o *observer) WriteHeader(code int) {
	if o.status == 0 && code >= 200 {
		o.status = code
	}
	o.ResponseWriter.WriteHeader(code)
}

func (o *observer) Write(p []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	n, err := o.ResponseWriter.Write(p)
	o.bytes += int64(n)
	return n, err
}

// code is the status of the answer.
func (o *observer) code() int {
	if o.status == 0 {
		return http.StatusOK
	}
	return o.status
}

// Unwrap lets http.ResponseController reach what we do not wrap.
func (o *observer) Unwrap() http.ResponseWriter { return o.ResponseWriter }
