package httpkit

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A Network is what one party holds: an IPv4 address, or the /64 within which
// an IPv6 host takes any address it likes. The zero value stands for a request
// that came over no network.
type Network struct{ prefix netip.Prefix }

// NetworkOf returns the network of an address.
func NetworkOf(address netip.Addr) Network {
	address = unmapped(address)
	bits := 32
	if address.Is6() {
		bits = 64
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return Network{}
	}
	return Network{prefix}
}

// String is an IPv4 address by itself, and an IPv6 network with its length.
func (n Network) String() string {
	switch {
	case !n.prefix.IsValid():
		return "local"
	case n.prefix.Addr().Is4():
		return n.prefix.Addr().String()
	default:
		return n.prefix.String()
	}
}

const (
	// countedNetworks are counted singly, namedNetworks of them are named.
	countedNetworks = 256
	namedNetworks   = 5
)

// NetworkCount counts events by the network that caused them. Its memory is
// bounded. The zero value is ready to use.
type NetworkCount struct {
	Total    int
	networks map[Network]int
}

// Add counts one event; the zero Addr stands for none in particular.
func (c *NetworkCount) Add(client netip.Addr) {
	c.Total++
	network := NetworkOf(client)
	if !client.IsValid() || len(c.networks) >= countedNetworks && c.networks[network] == 0 {
		return
	}
	if c.networks == nil {
		c.networks = make(map[Network]int)
	}
	c.networks[network]++
}

// Has reports whether a network caused some of it, as far as is known.
func (c *NetworkCount) Has(network Network) bool { return c.networks[network] > 0 }

// String names the networks that caused most of it, and how often each did;
// it is empty if none is known.
func (c *NetworkCount) String() string {
	if len(c.networks) == 0 {
		return ""
	}
	busiest := slices.SortedFunc(maps.Keys(c.networks), func(a, b Network) int {
		return cmp.Or(cmp.Compare(c.networks[b], c.networks[a]), a.prefix.Addr().Compare(b.prefix.Addr()))
	})
	others := c.Total
	named := make([]string, 0, namedNetworks+1)
	for _, network := range busiest[:min(namedNetworks, len(busiest))] {
		named = append(named, fmt.Sprintf("%s (%d)", network, c.networks[network]))
		others -= c.networks[network]
	}
	if others > 0 {
		named = append(named, fmt.Sprintf("others (%d)", others))
	}
	return strings.Join(named, ", ")
}
