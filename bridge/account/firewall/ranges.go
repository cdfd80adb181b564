package firewall

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseRange reads an address, which is a network of one, or a network in CIDR
// form. Host bits are refused with the network to write, rather than dropped:
// 10.0.0.5/8 is more often a slip than a wish for sixteen million addresses.
func ParseRange(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is neither an IP address nor a range such as 192.0.2.0/24", s)
		}
		if a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q has a zone, which means nothing to another machine; write %s", s,
				a.WithZone(""))
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	if strings.Contains(s, "%") {
		return netip.Prefix{}, fmt.Errorf("%q has a zone, which means nothing to another machine; write it without", s)
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an IP address nor a range such as 192.0.2.0/24", s)
	}
	if p, err = unmap(p); err != nil {
		return netip.Prefix{}, fmt.Errorf("%q %w", s, err)
	}
	if masked := p.Masked(); masked != p {
		return netip.Prefix{},
			fmt.Errorf("%q has host bits set; write %s for the network, or %s for the one address", s,
				masked, p.Addr())
	}
	return p, nil
}

// unmap turns an IPv4-mapped network into the IPv4 network, since subjects are
// unmapped too and would never be found in it.
func unmap(p netip.Prefix) (netip.Prefix, error) {
	const mapped = 96 // bits of ::ffff:0:0
	if !p.Addr().Is4In6() {
		return p, nil
	}
	if p.Bits() < mapped {
		return netip.Prefix{}, fmt.Errorf("is wider than all of IPv4; write 0.0.0.0/0")
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped), nil
}

// FormatRange writes a range as ParseRange reads it; a network of one address
// is written as the address.
func FormatRange(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
