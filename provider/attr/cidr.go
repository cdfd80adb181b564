package attr

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// CIDRType is a string that means an IP range: a bare address is the range of
// that one address, and IPv6 may be shortened or not.
type CIDRType struct{ basetypes.StringType }

// CIDR is a value of CIDRType.
type CIDR struct{ basetypes.StringValue }

var _ basetypes.StringValuableWithSemanticEquals = CIDR{}

// NewCIDR makes a known value.
func NewCIDR(text string) CIDR { return CIDR{basetypes.NewStringValue(text)} }

// Equal implements attr.Type.
func (t CIDRType) Equal(o attr.Type) bool { _, ok := o.(CIDRType); return ok }

// String implements attr.Type.
func (t CIDRType) String() string { return "attr.CIDRType" }

// ValueType implements attr.Type.
func (t CIDRType) ValueType(context.Context) attr.Value { return CIDR{} }

// ValueFromString implements basetypes.StringTypable.
func (t CIDRType) ValueFromString(_ context.Context, in basetypes.StringValue) (basetypes.StringValuable, diag.Diagnostics) {
	return CIDR{in}, nil
}

// ValueFromTerraform implements attr.Type.
func (t CIDRType) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	value, err := t.StringType.ValueFromTerraform(ctx, in)
	if err != nil {
		return nil, err
	}
	return CIDR{value.(basetypes.StringValue)}, nil
}

// Type implements attr.Value.
func (v CIDR) Type(context.Context) attr.Type { return CIDRType{} }

// Equal implements attr.Value.
func (v CIDR) Equal(o attr.Value) bool {
	other, ok := o.(CIDR)
	return ok && v.StringValue.Equal(other.StringValue)
}

// StringSemanticEquals implements basetypes.StringValuableWithSemanticEquals.
func (v CIDR) StringSemanticEquals(_ context.Context, o basetypes.StringValuable) (bool, diag.Diagnostics) {
	other, ok := o.(CIDR)
	if !ok {
		return false, nil
	}
	a, errA := firewall.ParseRange(v.ValueString())
	b, errB := firewall.ParseRange(other.ValueString())
	return errA == nil && errB == nil && a == b, nil
}

// AreRanges refuses a set of CIDR with an element that is no range, and one
// with two spellings of the same range, which the account would keep once.
func AreRanges() validator.Set { return areRanges{} }

type areRanges struct{}

func (areRanges) Description(context.Context) string {
	return "IP addresses, or networks in CIDR notation without host bits"
}

func (r areRanges) MarkdownDescription(ctx context.Context) string { return r.Description(ctx) }

func (areRanges) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
	first := make(map[netip.Prefix]string)
	for _, element := range req.ConfigValue.Elements() {
		value, ok := element.(CIDR)
		if !ok || value.IsNull() || value.IsUnknown() {
			continue
		}
		text, at := value.ValueString(), req.Path.AtSetValue(value)
		prefix, err := firewall.ParseRange(text)
		if err != nil {
			resp.Diagnostics.AddAttributeError(at, "Invalid IP range", err.Error())
			continue
		}
		if twin, seen := first[prefix]; seen {
			resp.Diagnostics.AddAttributeError(at, "IP range given twice",
				fmt.Sprintf("%q and %q are the same range; leave one out.", twin, text))
		}
		first[prefix] = text
	}
}

// KeepRangeSpelling plans no change when a set of ranges means what it meant before.
func KeepRangeSpelling() planmodifier.Set { return keepRanges{} }

type keepRanges struct{}

func (keepRanges) Description(context.Context) string {
	return "other spellings of the same ranges are no change"
}

func (k keepRanges) MarkdownDescription(ctx context.Context) string { return k.Description(ctx) }

func (keepRanges) PlanModifySet(_ context.Context, req planmodifier.SetRequest, resp *planmodifier.SetResponse) {
	state, okState := meaning(req.StateValue)
	plan, okPlan := meaning(req.PlanValue)
	if !okState || !okPlan || len(state) != len(plan) {
		return
	}
	for prefix := range plan {
		if !state[prefix] {
			return
		}
	}
	resp.PlanValue = req.StateValue
}

// meaning is the ranges that a set stands for; not ok unless all are known and valid.
func meaning(set basetypes.SetValue) (ranges map[netip.Prefix]bool, ok bool) {
	if set.IsNull() || set.IsUnknown() {
		return nil, false
	}
	ranges = make(map[netip.Prefix]bool)
	for _, element := range set.Elements() {
		value, isCIDR := element.(CIDR)
		if !isCIDR || value.IsNull() || value.IsUnknown() {
			return nil, false
		}
		prefix, err := firewall.ParseRange(value.ValueString())
		if err != nil {
			return nil, false
		}
		ranges[prefix] = true
	}
	return ranges, true
}
