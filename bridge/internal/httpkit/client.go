package httpkit

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Client is the address that a request comes from: the peer's, or, as long as
// the peer is a trusted proxy, the one that the proxy says it spoke with.
// X-Forwarded-For is read from the right, since everything left of the first
// untrusted hop may be made up by the client.
//
// An IPv4-mapped IPv6 address is the IPv4 address, and a zone is dropped. A
// request that came over no network comes from 127.0.0.1.
func Client(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		// A bridge in the same process, or a local socket.
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	address := unmapped(peer.Addr())
	if len(trusted) == 0 {
		return address
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(address) }) {
			break
		}
		next, err := parseHop(strings.TrimSpace(hop))
		if err != nil {
			break // the proxy's own address is all that is certain
		}
		address = unmapped(next)
	}
	return address
}

func unmapped(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// parseHop reads an address with or without a port; proxies write both.
func parseHop(hop string) (netip.Addr, error) {
	if address, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return address, nil
	}
	withPort, err := netip.ParseAddrPort(hop)
	return withPort.Addr(), err
}
