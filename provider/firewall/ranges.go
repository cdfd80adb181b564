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

// warnRanges says of ranges that are planned anew what people overlook in
// them: that one is everybody, or lies within another.
func warnRanges(ctx context.Context, at path.Path, before, after attr.CIDRs, action string, diags *diag.Diagnostics) {
	if after.IsNull() || after.IsUnknown() || before.Equal(after) {
		return
	}
	var texts []string
	if d := after.ElementsAs(ctx, &texts, false); d.HasError() { // one is not known yet
		return
	}
	for _, text := range describeRanges(texts, action) {
		diags.AddAttributeWarning(at, text.title, text.detail)
	}
}

type remark struct{ title, detail string }

// describeRanges is what there is to say of a rule's ranges.
func describeRanges(texts []string, action string) (remarks []remark) {
	var ranges []netip.Prefix
	for _, text := range texts {
		if r, err := firewall.ParseRange(text); err == nil { // else a validator says so
			ranges = append(ranges, r)
		}
	}
	// A range comes before those within it.
	slices.SortFunc(ranges, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var nested []string
	outer := netip.Prefix{}
	for _, r := range ranges {
		if r.Bits() == 0 {
			remarks = append(remarks, everybody(r, action))
		}
		if outer.IsValid() && outer.Overlaps(r) {
			nested = append(nested, fmt.Sprintf("  %s lies within %s", firewall.FormatRange(r), firewall.FormatRange(outer)))
			continue
		}
		outer = r
	}
	if len(nested) > maxListed {
		nested = append(nested[:maxListed], fmt.Sprintf("  and %d more", len(nested)-maxListed))
	}
	if len(nested) > 0 {
		remarks = append(remarks, remark{
			"IP ranges within others", "These add nothing, and taking one away will change nothing:\n" + strings.Join(nested,
				"\n"),
		})
	}
	return remarks
}

func everybody(r netip.Prefix, action string) remark {
	family, other := "IPv4", "::/0"
	if r.Addr().Is6() {
		family, other = "IPv6", "0.0.0.0/0"
	}
	does := map[string]string{
		string(firewall.Allow):  "lets in everybody whom no rule before it denies",
		string(firewall.Deny):   "shuts out everybody whom no rule before it lets in",
		string(firewall.Report): "lets in and records everybody whom no rule before it denies",
	}[action]
	return remark{"A rule for every address", fmt.Sprintf(
		"%s is every %s address, so the rule %s, by %s. The other family is %s, which this range does not contain. "+
			"If everybody is meant, the default action says it for both.", r, family, cmp.Or(does, "decides about everybody"),
		family, other)}
}
