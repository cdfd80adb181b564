package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// clientAddress is the address that the firewall judges: the peer's, or, as
// long as the peer is a trusted proxy, the one that the proxy says it spoke
// with. X-Forwarded-For is read from the right, since everything left of the
// first untrusted hop was written by whoever wanted to look like somebody else.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		// No network in between: a bridge in the same process, or a local socket.
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	address := firewall.Normalize(peer.Addr())
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(address) }) {
			break
		}
		next, err := parseHop(strings.TrimSpace(hop))
		if err != nil {
			break // the proxy's own address is all that is certain
		}
		address = firewall.Normalize(next)
	}
	return address
}

// parseHop reads an address with or without a port; proxies write both.
func parseHop(hop string) (netip.Addr, error) {
	if address, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return address, nil
	}
	withPort, err := netip.ParseAddrPort(hop)
	return withPort.Addr(), err
}
