package attr

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

type (
	// CIDR is an IP range: a bare address is the range of that one address,
	// and IPv6 may be shortened or not.
	CIDR = Text[ipRange]
	// CIDRType is the type of CIDR.
	CIDRType = TextType[ipRange]
	// CIDRs is a set of CIDR.
	CIDRs = Set[ipRange]
)

// CIDRsType is the type of CIDRs.
func CIDRsType() SetType[ipRange] { return setType[ipRange]() }

type ipRange struct{}

func (ipRange) canonical(text string) (string, error) {
	return firewall.IPRanges.Canonical(text)
}

// AreRanges refuses a set of CIDR with an element that is no range, and one
// with two spellings of the same range.
func AreRanges() validator.Set {
	return eachElement[ipRange]{
		what: "IP range", must: "an IP address, or a network in CIDR notation without host bits",
	}
}

// SuppressEquivalentRanges plans no change when only the spelling of ranges changed.
func SuppressEquivalentRanges() planmodifier.Set { return suppressEquivalent[ipRange]{} }
