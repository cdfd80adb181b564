package status

import (
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/ingress"
)

// Access writes one log line for each request. It names nobody: no query,
// which may hold a filter with an e-mail address, and no path beyond the kind
// of resource, which a client may have filled with one.
type Access struct {
	Logger hclog.Logger
	// TrustedProxies are believed when they say who asks.
	TrustedProxies []netip.Prefix
	Metrics        *Metrics
	Now            func() time.Time
}

// Log gives each request an id, logs it when it is answered, and turns a
// panic into a 500 instead of a connection that ends without a word.
func (a *Access) Log(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := a.Now()
		ctx, id := ingress.WithID(r.Context())
		r = r.WithContext(ctx)
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		seen := &observer{ResponseWriter: w}
		defer func() {
			if cause := recover(); cause != nil {
				a.Logger.Error("a request made the bridge panic", "request_id", id, "cause", cause, "stack", string(debug.Stack()))
				if seen.status == 0 {
					http.Error(seen, `internal error; request id `+id, http.StatusInternalServerError)
				}
			}
			a.done(r, seen, id, a.Now().Sub(started))
		}()
		next.ServeHTTP(seen, r)
	})
}

func (a *Access) done(r *http.Request, seen *observer, id string, took time.Duration) {
	route := routeOf(r.URL.Path)
	status := seen.status
	if status == 0 {
		status = http.StatusOK
	}
	a.Metrics.Observe(route, r.Method, status, took)
	level := hclog.Info
	switch route {
	case routePing, routeReady, routeMetrics: // asked every few seconds by machines
		level = hclog.Debug
	}
	a.Logger.Log(level, "request",
		"method", ingress.Method(r.Method), "route", route, "status", status, "bytes", seen.bytes,
		"ms", took.Milliseconds(), "client", ingress.Client(r, a.TrustedProxies), "request_id", id)
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

// Unwrap lets http.ResponseController reach what we do not wrap.
func (o *observer) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// The routes, a closed set: they are labels of metrics.
const (
	routePing    = "ping"
	routeReady   = "ready"
	routeMetrics = "metrics"
	routeOther   = "other"
)

var routes = map[string]string{
	"ping": routePing, "ready": routeReady, "health": "health", "metrics": routeMetrics, "app": "app",
	"users": "users", "groups": "groups", "bulk": "bulk", ".search": "search", "me": "me",
	"schemas": "discovery", "resourcetypes": "discovery", "serviceproviderconfig": "discovery",
}

// routeOf names the kind of resource that a path is about.
func routeOf(path string) string {
	path = strings.TrimPrefix(path, "/scim")
	path = strings.TrimPrefix(path, "/v2")
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if route, ok := routes[strings.ToLower(first)]; ok {
		return route
	}
	return routeOther
}
