package attr

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// ParseDomain gives the one spelling on the wire of a domain that people may
// have addresses under: lower case, IDNA A-labels. Its errors name what a
// person probably meant.
func ParseDomain(text string) (string, error) {
	name, err := spell(text)
	if err != nil {
		return "", err
	}
	// Only suffixes that registries sell names under, and bare labels, are
	// refused. The private part of the list has organisations in it whose own
	// mail comes from the suffix.
	suffix, registry := publicsuffix.PublicSuffix(name)
	if suffix == name && (registry || !strings.Contains(name, ".")) {
		return "", fmt.Errorf("%q is a public suffix, under which anybody registers names; write the whole domain, for instance %q", text, "example."+name)
	}
	return name, nil
}

func spell(text string) (string, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return "", fmt.Errorf("%q is no domain", text)
	case strings.Contains(text, "://"):
		_, rest, _ := strings.Cut(text, "://")
		host, _, _ := strings.Cut(rest, "/")
		return "", fmt.Errorf("%q is a URL; write its host name, %q, alone", text, host)
	case strings.ContainsAny(text, " \t\r\n"):
		return "", fmt.Errorf("%q contains a space; a domain has none", text)
	case strings.Contains(text, "@"):
		return "", fmt.Errorf("%q is an e-mail address; write what follows the @, %q", text, text[strings.LastIndex(text, "@")+1:])
	case strings.Contains(text, "*"):
		return "", fmt.Errorf("%q is a pattern; a sub-domain is an entry of its own, so list each", text)
	case strings.ContainsAny(text, "/:"):
		return "", fmt.Errorf("%q has a port or a path; write the host name alone", text)
	case strings.HasPrefix(text, "."), strings.HasSuffix(text, "."):
		return "", fmt.Errorf("%q starts or ends with a dot; write %q", text, strings.Trim(text, "."))
	}
	ascii, err := profile.ToASCII(text)
	if err != nil {
		return "", fmt.Errorf("%q is no domain: %w", text, err)
	}
	if _, err := netip.ParseAddr(ascii); err == nil {
		return "", fmt.Errorf("%q is an IP address; write a host name, for instance \"example.com\"", text)
	}
	return ascii, nil
}

// profile maps case and width as browsers do, and allows only what can stand in the DNS.
var profile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.BidiRule())

// DomainType is a string that means a domain: spellings that differ in case or
// IDNA form are equal.
type DomainType struct{ basetypes.StringType }

// Domain is a value of DomainType.
type Domain struct{ basetypes.StringValue }

var _ basetypes.StringValuableWithSemanticEquals = Domain{}

// NewDomain makes a known value.
func NewDomain(text string) Domain { return Domain{basetypes.NewStringValue(text)} }

// Equal implements attr.Type.
func (t DomainType) Equal(o attr.Type) bool { _, ok := o.(DomainType); return ok }

// String implements attr.Type.
func (t DomainType) String() string { return "attr.DomainType" }

// ValueType implements attr.Type.
func (t DomainType) ValueType(context.Context) attr.Value { return Domain{} }

// ValueFromString implements basetypes.StringTypable.
func (t DomainType) ValueFromString(_ context.Context, in basetypes.StringValue) (basetypes.StringValuable, diag.Diagnostics) {
	return Domain{in}, nil
}

// ValueFromTerraform implements attr.Type.
func (t DomainType) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	value, err := t.StringType.ValueFromTerraform(ctx, in)
	if err != nil {
		return nil, err
	}
	return Domain{value.(basetypes.StringValue)}, nil
}

// Type implements attr.Value.
func (v Domain) Type(context.Context) attr.Type { return DomainType{} }

// Equal implements attr.Value.
func (v Domain) Equal(o attr.Value) bool {
	other, ok := o.(Domain)
	return ok && v.StringValue.Equal(other.StringValue)
}

// StringSemanticEquals implements basetypes.StringValuableWithSemanticEquals.
func (v Domain) StringSemanticEquals(_ context.Context, o basetypes.StringValuable) (bool, diag.Diagnostics) {
	other, ok := o.(Domain)
	return ok && sameDomain(v.ValueString(), other.ValueString()), nil
}

func sameDomain(a, b string) bool {
	x, errX := spell(a)
	y, errY := spell(b)
	return errX == nil && errY == nil && x == y
}

// IsDomain refuses at plan time what ParseDomain refuses.
func IsDomain() validator.String { return isDomain{} }

type isDomain struct{}

func (isDomain) Description(context.Context) string {
	return "a host name, without scheme, port or path"
}

func (d isDomain) MarkdownDescription(ctx context.Context) string { return d.Description(ctx) }

func (isDomain) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := ParseDomain(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid domain", err.Error())
	}
}

// KeepDomainSpelling plans no change when only the spelling of a domain
// changed. Place it before RequiresReplace.
func KeepDomainSpelling() planmodifier.String { return keepDomain{} }

type keepDomain struct{}

func (keepDomain) Description(context.Context) string {
	return "another spelling of the same domain is no change"
}

func (k keepDomain) MarkdownDescription(ctx context.Context) string { return k.Description(ctx) }

func (keepDomain) PlanModifyString(_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	if !req.StateValue.IsNull() && !req.PlanValue.IsUnknown() && sameDomain(req.StateValue.ValueString(), req.PlanValue.ValueString()) {
		resp.PlanValue = req.StateValue
	}
}
