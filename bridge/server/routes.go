package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Route is one row of the table of what the bridge answers itself; every
// other path is SCIM's. Which paths those are, where a request goes, and what
// the access log and the metrics call it, all follow from the table.
type Route struct {
	// Name is for the access log, and a label of metrics: say nothing in it of
	// what a client sends.
	Name string
	// Method is empty for all methods.
	Method string
	// Path is one path, or all that lie below it if it ends in a slash; "/" is
	// the root alone.
	Path    string
	Handler http.Handler
	// Polled routes are asked every few seconds by machines, and logged as little as may be.
	Polled bool
}

// pattern is the route as [http.ServeMux] writes it.
func (r Route) pattern() string {
	path := r.Path
	if path == "/" {
		path = "/{$}"
	}
	return strings.TrimSpace(r.Method + " " + path)
}

// A table finds the route of a request.
type table struct {
	routes []Route
	mux    *http.ServeMux
	scim   SCIM
}

// SCIM is the handler of every path that is in no row of the table.
type SCIM struct {
	http.Handler
	// RouteOf returns the name of what a URL is about, from a closed set, or ""
	// if it is about nothing.
	RouteOf func(*url.URL) string
}

// routeOther is the name of a request for a path that is nothing.
const routeOther = "other"

func newTable(routes []Route, scim SCIM) *table {
	t := &table{routes: routes, mux: http.NewServeMux(), scim: scim}
	for _, r := range routes {
		t.mux.Handle(r.pattern(), r.Handler)
	}
	return t
}

// own returns the row of a path that the bridge answers itself.
func (t *table) own(path string) (r Route, found bool) {
	if i := slices.IndexFunc(t.routes, func(r Route) bool { return r.Path == path }); i >= 0 {
		return t.routes[i], true
	}
	i := slices.IndexFunc(t.routes, func(r Route) bool {
		return r.Path != "/" && strings.HasSuffix(r.Path, "/") && strings.HasPrefix(path, r.Path)
	})
	if i < 0 {
		return Route{}, false
	}
	return t.routes[i], true
}

// name returns the name of the route that a request takes, and whether
// machines ask for it every few seconds.
func (t *table) name(u *url.URL) (name string, polled bool) {
	if r, found := t.own(u.Path); found {
		return r.Name, r.Polled
	}
	if name := t.scim.RouteOf(u); name != "" {
		return name, false
	}
	return routeOther, false
}

// ServeHTTP sends SCIM past the mux, which would answer a doubled slash with a
// redirect that few identity providers follow, and the unknown with a 404 that
// makes some of them forget a resource.
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, found := t.own(r.URL.Path); found {
		t.mux.ServeHTTP(w, r)
		return
	}
	t.scim.ServeHTTP(w, r)
}
