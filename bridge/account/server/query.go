package server

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// queries are the operations with query parameters, and the generated types that
// have them.
var queries = map[string]reflect.Type{
	"GET /v1/tokens":                     reflect.TypeFor[api.ListTokensParams](),
	"PATCH /v1/firewall":                 reflect.TypeFor[api.UpdateFirewallParams](),
	"GET /v1/firewall/rules":             reflect.TypeFor[api.ListFirewallRulesParams](),
	"POST /v1/firewall/rules":            reflect.TypeFor[api.CreateFirewallRuleParams](),
	"PUT /v1/firewall/rules/{id}":        reflect.TypeFor[api.ReplaceFirewallRuleParams](),
	"DELETE /v1/firewall/rules/{id}":     reflect.TypeFor[api.DeleteFirewallRuleParams](),
	"GET /v1/signup-domains":             reflect.TypeFor[api.ListSignupDomainsParams](),
	"GET /v1/bridges":                    reflect.TypeFor[api.ListBridgesParams](),
	"GET /v1/members":                    reflect.TypeFor[api.ListMembersParams](),
	"GET /v1/groups":                     reflect.TypeFor[api.ListGroupsParams](),
	"GET /v1/groups/{id}/members":        reflect.TypeFor[api.ListGroupMembersParams](),
	"GET /v1/sign-in-attempts":           reflect.TypeFor[api.ListSignInAttemptsParams](),
	"GET /v1/holds":                      reflect.TypeFor[api.ListHoldsParams](),
	"GET /v1/directory/holds":            reflect.TypeFor[api.ListHoldsForBridgeParams](),
	"GET /v1/directory/waiting":          reflect.TypeFor[api.ListWaitingParams](),
	"GET /v1/directory/bridges":          reflect.TypeFor[api.ListBridgesForBridgeParams](),
	"GET /v1/directory/sign-in-attempts": reflect.TypeFor[api.ListSignInAttemptsForBridgeParams](),
	"GET /v1/audit-events":               reflect.TypeFor[api.ListAuditEventsParams](),
	"GET /v1/directory/groups/{id}":      reflect.TypeFor[api.GetGroupParams](),
	"PATCH /v1/directory/groups/{id}":    reflect.TypeFor[api.UpdateGroupParams](),
}

// queryNames returns the query parameters that an operation takes.
func queryNames(pattern string) []string {
	t, ok := queries[pattern]
	if !ok {
		return nil
	}
	var names []string
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("form"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// checkQuery refuses what the generated code would ignore: unknown parameters and
// repeated ones. Either would hide a mistake: with a misspelt filter, for instance,
// a list would be complete.
func checkQuery(r *http.Request, known []string) error {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return malformed("", "the query cannot be read: %v; percent-encode its values", err)
	}
	for name, values := range given {
		switch {
		case len(known) == 0:
			return malformed(
				"/"+pointerEscape.Replace(name), "unknown query parameter %q; this operation has none", name,
			)
		case !slices.Contains(known, name):
			return malformed("/"+pointerEscape.Replace(name), "unknown query parameter %q; known parameters: %s",
				name, strings.Join(known, ", "))
		case len(values) > 1:
			return malformed("/"+pointerEscape.Replace(name), "the query parameter %q is given twice", name)
		}
	}
	return nil
}
