package scim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// An endpoint is what the first segment of a path leads to. Each field has the
// handlers by method; nil means that there is nothing.
type endpoint struct {
	resource *schema.Resource   // that requests are about; nil for none in particular
	all      map[string]handler // at the endpoint itself
	one      map[string]handler // at the segment below it
	search   map[string]handler // at .search below it
}

// newEndpoints returns the endpoints by their first segment in lower case; ""
// is the base itself.
func newEndpoints() map[string]endpoint {
	only := func(method string, h handler) map[string]handler { return map[string]handler{method: h} }
	me := unimplemented("/Me has no meaning here: an identity provider is not a person of the account")
	return map[string]endpoint{
		"":        {all: only(http.MethodGet, searchAll)},
		".search": {all: only(http.MethodPost, searchAll)},
		"users": {
			resource: schema.User,
			all:      map[string]handler{http.MethodGet: searchUsers, http.MethodPost: postUser},
			one: map[string]handler{
				http.MethodGet: getUser, http.MethodPut: putUser, http.MethodPatch: patchUser,
				http.MethodDelete: deleteUser,
			},
			search: only(http.MethodPost, searchUsers),
		},
		"groups": {
			resource: schema.Group,
			all:      map[string]handler{http.MethodGet: searchGroups, http.MethodPost: postGroup},
			one: map[string]handler{
				http.MethodGet: getGroup, http.MethodPut: putGroup, http.MethodPatch: patchGroup,
				http.MethodDelete: deleteGroup,
			},
			search: only(http.MethodPost, searchGroups),
		},
		"bulk":    {all: only(http.MethodPost, postBulk)},
		"me":      {all: me, one: me},
		"schemas": {all: only(http.MethodGet, getSchemas), one: only(http.MethodGet, getSchemas)},
		"resourcetypes": {
			all: only(http.MethodGet, getResourceTypes),
			one: only(http.MethodGet, getResourceTypes),
		},
		"serviceproviderconfig": {all: only(http.MethodGet, getServiceProviderConfig)},
	}
}

// routeNames are the names of the endpoints in logs and metrics.
var routeNames = map[string]string{
	"": "search", ".search": "search", "users": "users", "groups": "groups", "bulk": "bulk", "me": "me",
	"schemas": "discovery", "resourcetypes": "discovery", "serviceproviderconfig": "discovery",
}

// RouteOf returns the name of the endpoint that a URL is about, from a closed
// set, and "" if it is about none. A name says nothing else of the path, into
// which a client may write anything.
func RouteOf(u *url.URL) string {
	_, segments, err := split(u)
	if err != nil {
		return ""
	}
	if len(segments) == 0 {
		return routeNames[""]
	}
	return routeNames[strings.ToLower(segments[0])]
}

// RouteNames returns every name that RouteOf may return but "".
func RouteNames() []string {
	var names []string
	for _, name := range routeNames {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// route finds what can be done at a path; nil means no such endpoint.
func (x *exchange) route(segments []string) map[string]handler {
	var first, second string
	switch len(segments) {
	case 0:
	case 1:
		first = segments[0]
	case 2:
		first, second = segments[0], segments[1]
	default:
		return nil
	}
	x.id = second
	name := strings.ToLower(first)
	at := x.endpoints[name]
	x.record.endpoint = name
	if at.search != nil && strings.EqualFold(second, ".search") {
		return at.search
	}
	if x.record.resource = at.resource; second == "" {
		return at.all
	}
	return at.one
}

func unimplemented(detail string) map[string]handler {
	refuse := func(*exchange) error { return &refusal{Status: http.StatusNotImplemented, Detail: detail} }
	all := make(map[string]handler)
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete} {
		all[method] = refuse
	}
	return all
}
