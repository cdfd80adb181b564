package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Route is one row of the table of the bridge's own paths; all other paths are SCIM's.
// The routing and the names in the access log and the metrics follow from the table.
type Route struct {
	// Name is for the access log and a label of metrics. It must not depend on the
	// request.
	Name string
	// Method is empty for all methods.
	Method string
	// Path is one path, or all paths below it if it ends in a slash; "/" is only the root.
	Path    string
	Handler http.Handler
	// Polled routes are requested every few seconds by machines, and logged at a low level.
	Polled bool
}

// pattern returns the route's pattern for [http.ServeMux].
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

// SCIM is the handler of all paths that are not in the table.
type SCIM struct {
	http.Handler
	// RouteOf returns the name of a URL's route, from a closed set, or "" if the URL has
	// none.
	RouteOf func(*url.URL) string
}

// routeOther is the name of requests for unknown paths.
const routeOther = "other"

func newTable(routes []Route, scim SCIM) *table {
	t := &table{routes: routes, mux: http.NewServeMux(), scim: scim}
	for _, r := range routes {
		t.mux.Handle(r.pattern(), r.Handler)
	}
	return t
}

// own returns the row of one of the bridge's own paths.
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

// name returns the name of a request's route, and whether it is polled.
func (t *table) name(u *url.URL) (name string, polled bool) {
	if r, found := t.own(u.Path); found {
		return r.Name, r.Polled
	}
	if name := t.scim.RouteOf(u); name != "" {
		return name, false
	}
	return routeOther, false
}

// ServeHTTP does not route SCIM through the mux, which would answer a doubled slash with a
// redirect that few identity providers follow, and an unknown path with a 404 that makes
// some of them drop a resource.
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, found := t.own(r.URL.Path); found {
		t.mux.ServeHTTP(w, r)
		return
	}
	t.scim.ServeHTTP(w, r)
}
