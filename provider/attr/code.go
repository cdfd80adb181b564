package attr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

type (
	// Code is the code of a country or a continent, which people write in
	// either case.
	Code = Text[code]
	// CodeType is the type of Code.
	CodeType = TextType[code]
	// Codes is a set of Code.
	Codes = Set[code]
)

// CodesType is the type of Codes.
func CodesType() SetType[code] { return setType[code]() }

type code struct{}

func (code) canonical(text string) (string, error) { //nolint:unparam // the interface asks for it
	return FormatCode(text), nil
}

// FormatCode is the canonical form of a code, the account's.
func FormatCode(text string) string { return strings.ToUpper(text) }

// AreCountries refuses a set of Code with an element that is no country.
func AreCountries() validator.Set {
	const must = `an ISO 3166-1 alpha-2 code, for instance "CH"`
	return eachElement[code]{what: "country", must: must, check: func(text string) error {
		if meant, ok := firewall.MeantCountry(FormatCode(text)); ok {
			return fmt.Errorf("%q is no ISO 3166-1 alpha-2 code; write %q", text, meant)
		}
		if !firewall.IsCountry(FormatCode(text)) {
			return fmt.Errorf("%q is no country; write %s", text, must)
		}
		return nil
	}}
}

// AreContinents refuses a set of Code with an element that is no continent.
func AreContinents() validator.Set {
	must := "one of " + strings.Join(firewall.ContinentCodes(), ", ")
	return eachElement[code]{what: "continent", must: must, check: func(text string) error {
		if !firewall.IsContinent(FormatCode(text)) {
			return fmt.Errorf("%q is no continent; write %s", text, must)
		}
		return nil
	}}
}

// SuppressEquivalentCodes plans no change when only the case of codes changed.
func SuppressEquivalentCodes() planmodifier.Set { return suppressEquivalent[code]{} }

// AnonymousIPs is a set of kinds of anonymous addresses, which have one spelling.
type AnonymousIPs = Set[anonymousIP]

// AnonymousIPsType is the type of AnonymousIPs.
func AnonymousIPsType() SetType[anonymousIP] { return setType[anonymousIP]() }

type anonymousIP struct{}

func (anonymousIP) canonical(text string) (string, error) {
	return text, nil
}

// AreAnonymousIPs refuses a set with an element that is no kind of anonymous
// addresses.
func AreAnonymousIPs() validator.Set {
	must := `one of "` + strings.Join(firewall.AnonymousKinds(), `", "`) + `"`
	return eachElement[anonymousIP]{what: "kind of anonymous addresses", must: must, check: func(text string) error {
		if !slices.Contains(firewall.AnonymousKinds(), text) {
			return fmt.Errorf("%q is no kind of anonymous addresses; write %s", text, must)
		}
		return nil
	}}
}
