package firewall

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

// warnRanges warns of new ranges that contain every address or lie within another range.
func warnRanges(ctx context.Context, at path.Path, before, after attr.CIDRs, action string, diags *diag.Diagnostics) {
	if after.IsNull() || after.IsUnknown() || before.Equal(after) {
		return
	}
	var texts []string
	if d := after.ElementsAs(ctx, &texts, false); d.HasError() { // a range is not known yet
		return
	}
	for _, text := range describeRanges(texts, action) {
		diags.AddAttributeWarning(at, text.title, text.detail)
	}
}

type remark struct{ title, detail string }

// describeRanges returns the warnings about a rule's ranges.
func describeRanges(texts []string, action string) (remarks []remark) {
	var ranges []netip.Prefix
	for _, text := range texts {
		if r, err := firewall.ParseRange(text); err == nil { // a validator reports others
			ranges = append(ranges, r)
		}
	}
	// A range precedes those within it.
	slices.SortFunc(ranges, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var nested []string
	outer := netip.Prefix{}
	for _, r := range ranges {
		if r.Bits() == 0 {
			remarks = append(remarks, everyAddress(r, action))
		}
		if outer.IsValid() && outer.Overlaps(r) {
			nested = append(nested, fmt.Sprintf("  %s lies within %s", firewall.FormatRange(r),
				firewall.FormatRange(outer)))
			continue
		}
		outer = r
	}
	if len(nested) > maxListed {
		nested = append(nested[:maxListed], fmt.Sprintf("  and %d more", len(nested)-maxListed))
	}
	if len(nested) > 0 {
		remarks = append(remarks, remark{
			"Redundant IP ranges",
			"These have no effect, and removing one will change nothing:\n" + strings.Join(nested,
				"\n"),
		})
	}
	return remarks
}

func everyAddress(r netip.Prefix, action string) remark {
	family, other := "IPv4", "IPv6"
	if r.Addr().Is6() {
		family, other = other, family
	}
	does := map[string]string{
		string(firewall.Allow):  "allows all that no earlier rule denies",
		string(firewall.Deny):   "denies all that no earlier rule allows",
		string(firewall.Report): "allows and records all that no earlier rule denies",
	}[action]
	return remark{"Rule for every address of a family", fmt.Sprintf(
		"%s contains all %s addresses, so the rule %s. It contains no %s addresses. "+
			"To decide about both, use the default action.", r, family, cmp.Or(does, "decides about all"), other)}
}
