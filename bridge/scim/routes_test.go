package scim

import (
	"maps"
	"net/url"
	"slices"
	"testing"
)

// An endpoint without a name would be "other" in the access log and in the
// metrics, where it would not be found.
func TestEveryEndpointHasAName(t *testing.T) {
	t.Parallel()
	endpoints := slices.Sorted(maps.Keys(newEndpoints()))
	if named := slices.Sorted(maps.Keys(routeNames)); !slices.Equal(endpoints, named) {
		t.Errorf("the endpoints are %q, those with a name %q", endpoints, named)
	}
	for _, first := range endpoints {
		for _, prefix := range []string{"", "/scim", "/scim/v2", "//scim//v2/"} {
			path := prefix + "/" + first
			if got := RouteOf(&url.URL{Path: path}); got == "" || !slices.Contains(RouteNames(), got) {
				t.Errorf("%s has the name %q, want one of %q", path, got, RouteNames())
			}
		}
	}
}

func TestAPathThatIsNoEndpointHasNoName(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/nowhere", "/scim/v2/ann@example.com", "/v1/Users", "/Users\x00/x"} {
		if got := RouteOf(&url.URL{Path: path}); got != "" {
			t.Errorf("%q has the name %q", path, got)
		}
	}
}
