package httpkit_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// Only what a trusted proxy says counts, and of that only the part that no
// client can write.
func TestClient(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, row := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"without a proxy it is the peer", "192.0.2.1:5", nil, "192.0.2.1"},
		{"an untrusted peer may claim nothing", "192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1"},
		{"a trusted proxy is believed", "10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		{"what the client put before the proxy's entry is not", "10.0.0.1:5", []string{"203.0.113.9, 198.51.100.1"},
			"198.51.100.1"},
		{"two trusted proxies are passed over", "10.0.0.1:5", []string{"203.0.113.9, 198.51.100.1, 10.0.0.2"},
			"198.51.100.1"},
		{"headers in several lines are one list", "10.0.0.1:5", []string{"203.0.113.9", "198.51.100.1", "10.0.0.2"},
			"198.51.100.1"},
		{"all trusted: the leftmost is the client", "10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"nonsense ends the search at the last certain hop", "10.0.0.1:5",
			[]string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"a port is dropped", "10.0.0.1:5", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6 in brackets with a port", "[fd00::1]:5", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"IPv6 bare", "[fd00::1]:5", []string{"2001:db8::1"}, "2001:db8::1"},
		{"an IPv4-mapped peer is unmapped", "[::ffff:192.0.2.1]:5", nil, "192.0.2.1"},
		{"a zone is stripped", "[fe80::1%eth0]:5", nil, "fe80::1"},
		{"a request without a network is local", "", nil, "127.0.0.1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{RemoteAddr: row.peer, Header: http.Header{"X-Forwarded-For": row.forwarded}}
			if got := httpkit.Client(r, trusted).String(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}
