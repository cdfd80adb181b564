package attr

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// ParseDomain returns the canonical form, which is that on the wire, of a domain
// that people may have addresses under: lower case, IDNA A-labels. Its errors name what a
// person probably meant.
func ParseDomain(text string) (string, error) {
	name, err := hostName(text)
	if err != nil {
		return "", err
	}
	// Only suffixes that registries sell names under, and bare labels, are
	// refused. The private part of the list has organisations in it whose own
	// mail comes from the suffix.
	suffix, registry := publicsuffix.PublicSuffix(name)
	if suffix == name && (registry || !strings.Contains(name, ".")) {
		return "", fmt.Errorf("%q is a public suffix, under which anybody registers names; write the whole domain, "+
			"for instance %q", text, "example."+name)
	}
	return name, nil
}

// hostName is the canonical form of a host name.
func hostName(text string) (string, error) {
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
		return "", fmt.Errorf("%q is an e-mail address; write what follows the @, %q", text,
			text[strings.LastIndex(text, "@")+1:])
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
var profile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true),
	idna.VerifyDNSLength(true), idna.BidiRule())

type (
	// Domain is a host name: spellings that differ in case or IDNA form are equal.
	Domain = Text[domain]
	// DomainType is the type of Domain.
	DomainType = TextType[domain]
	// Domains is a set of Domain.
	Domains = Set[domain]
)

// DomainsType is the type of Domains.
func DomainsType() SetType[domain] { return setType[domain]() }

type domain struct{}

// A public suffix has a canonical form too: it may be in the state, from an
// account that took it.
func (domain) canonical(text string) (string, error) { return hostName(text) }

// NewDomain makes a known value.
func NewDomain(text string) Domain { return Domain{basetypes.NewStringValue(text)} }

// DomainsByName are the elements of Domains, as they are spelled, by their
// canonical forms. What is null, unknown or no domain is left out, and whole is
// false then.
func DomainsByName(set Domains) (domains map[string]string, whole bool) {
	return byCanonical[domain](set.SetValue)
}

// AreDomains refuses a set of Domain with an element that ParseDomain refuses,
// and one with two spellings of the same domain.
func AreDomains() validator.Set {
	return eachElement[domain]{
		what: "domain", must: "a host name, without scheme, port or path",
		check: func(text string) error { _, err := ParseDomain(text); return err },
	}
}

// SuppressEquivalentDomains plans no change when only the spelling of domains changed.
func SuppressEquivalentDomains() planmodifier.Set { return suppressEquivalent[domain]{} }

// SuppressEquivalentDomain plans no change when only the spelling of a domain
// changed. Place it before RequiresReplace.
func SuppressEquivalentDomain() planmodifier.String { return suppressEquivalent[domain]{} }

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
