package ipdata

import (
	"strconv"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2/mmdbdata"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// A record is what is read of a database's record, in the shapes of MaxMind
// (nested; flags under traits, under anonymizer or on top, by product) and of
// vendors that write flat ones. The same name is a code in one database and a
// name for people in another, so that what is no code counts for nothing.
type record struct {
	CountryCode   code `maxminddb:"country_code"`
	Country       code `maxminddb:"country"`
	ContinentCode code `maxminddb:"continent_code"`
	Continent     code `maxminddb:"continent"`
	Network
	Traits     Network `maxminddb:"traits"`
	Anonymizer Network `maxminddb:"anonymizer"`
}

// A Network is what a record says of the network that an address is in. Its
// name is exported for the decoder, which passes over fields that are not.
type Network struct {
	ASNumber     asn  `maxminddb:"autonomous_system_number"`
	ASN          asn  `maxminddb:"asn"`
	VPN          flag `maxminddb:"is_anonymous_vpn"`
	IsVPN        flag `maxminddb:"is_vpn"`
	PlainVPN     flag `maxminddb:"vpn"`
	Tor          flag `maxminddb:"is_tor_exit_node"`
	IsTor        flag `maxminddb:"is_tor"`
	PlainTor     flag `maxminddb:"tor"`
	Proxy        flag `maxminddb:"is_public_proxy"`
	IsProxy      flag `maxminddb:"is_proxy"`
	PlainProxy   flag `maxminddb:"proxy"`
	Hosting      flag `maxminddb:"is_hosting_provider"`
	IsHosting    flag `maxminddb:"is_hosting"`
	PlainHosting flag `maxminddb:"hosting"`
}

func (r *record) country() string   { return pick(firewall.IsCountry, r.CountryCode, r.Country) }
func (r *record) continent() string { return pick(firewall.IsContinent, r.ContinentCode, r.Continent) }

func pick(valid func(string) bool, candidates ...code) string {
	for _, c := range candidates {
		if upper := strings.ToUpper(string(c)); valid(upper) {
			return upper
		}
	}
	return ""
}

// is returns what a record says about a kind of anonymous addresses: yes, no,
// or nothing.
func (r *record) is(kind string) flag {
	return max(r.Network.is(kind), r.Traits.is(kind), r.Anonymizer.is(kind))
}

func (n *Network) is(kind string) flag {
	switch kind {
	case firewall.CloudProvider:
		return max(n.Hosting, n.IsHosting, n.PlainHosting, n.ASNumber.cloud(), n.ASN.cloud())
	case firewall.VPN:
		return max(n.VPN, n.IsVPN, n.PlainVPN)
	case firewall.Tor:
		return max(n.Tor, n.IsTor, n.PlainTor)
	case firewall.PublicProxy:
		return max(n.Proxy, n.IsProxy, n.PlainProxy)
	default:
		return unsaid
	}
}

// A flag is a yes or a no that may be missing. A yes is greater than a no,
// and that than nothing.
type flag int

const (
	unsaid flag = iota
	no
	yes
)

func flagOf(b bool) flag {
	if b {
		return yes
	}
	return no
}

// UnmarshalMaxMindDBCursor reads a boolean, and the numbers and texts that
// some databases have in its place.
func (f *flag) UnmarshalMaxMindDBCursor(c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	kind, err := c.Kind()
	if err != nil {
		return c, err
	}
	switch kind {
	case mmdbdata.KindBool:
		b, next, err := c.ReadBool()
		*f = flagOf(b)
		return next, err
	case mmdbdata.KindString:
		s, next, err := c.ReadString()
		b, _ := strconv.ParseBool(s) // an empty or unknown word is false
		*f = flagOf(b)
		return next, err
	case mmdbdata.KindUint16, mmdbdata.KindUint32, mmdbdata.KindUint64:
		n, next, err := c.ReadUint()
		*f = flagOf(n != 0)
		return next, err
	default:
		return c.Skip()
	}
}

// An asn is the number of an autonomous system, or 0.
type asn uint32

// UnmarshalMaxMindDBCursor reads a number, or a text like "AS64500".
func (a *asn) UnmarshalMaxMindDBCursor(c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	kind, err := c.Kind()
	if err != nil {
		return c, err
	}
	switch kind {
	case mmdbdata.KindString:
		s, next, err := c.ReadString()
		n, _ := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(s), "AS"), 10, 32)
		*a = asn(n)
		return next, err
	case mmdbdata.KindUint16, mmdbdata.KindUint32, mmdbdata.KindUint64:
		n, next, err := c.ReadUint()
		if n > 1<<32-1 {
			n = 0
		}
		*a = asn(n)
		return next, err
	default:
		return c.Skip()
	}
}

// cloud reports whether the autonomous system is a cloud provider's.
func (a asn) cloud() flag {
	if a == 0 {
		return unsaid
	}
	_, known := clouds[uint32(a)]
	return flagOf(known)
}

// A code is that of a country or a continent.
type code string

// UnmarshalMaxMindDBCursor reads a text, or it out of a map as MaxMind's.
func (t *code) UnmarshalMaxMindDBCursor(c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	kind, err := c.Kind()
	if err != nil {
		return c, err
	}
	switch kind {
	case mmdbdata.KindString:
		s, next, err := c.ReadString()
		*t = code(s)
		return next, err
	case mmdbdata.KindMap:
		return t.fromMap(c)
	default:
		return c.Skip()
	}
}

func (t *code) fromMap(c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	m, err := c.Map()
	if err != nil {
		return c, err
	}
	var next mmdbdata.Cursor
	for key, value, more := m.Next(next); more; key, value, more = m.Next(next) {
		kind, err := value.Kind()
		if err != nil {
			return c, err
		}
		// Nothing else in there is a map that is read: the depth is bounded.
		if name := string(key); kind != mmdbdata.KindString || name != "iso_code" && name != "code" {
			if next, err = value.Skip(); err != nil {
				return c, err
			}
			continue
		}
		var s string
		if s, next, err = value.ReadString(); err != nil {
			return c, err
		}
		*t = code(s)
	}
	return m.End()
}
