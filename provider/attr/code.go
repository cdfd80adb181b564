package attr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
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

// FormatCode gives a code's one spelling, the account's.
func FormatCode(text string) string { return strings.ToUpper(text) }

// AreCountries refuses a set of Code with an element that is no country.
func AreCountries() validator.Set {
	const must = `an ISO 3166-1 alpha-2 code, for instance "CH"`
	return each[code]{what: "country", must: must, check: func(text string) error {
		if meant := mistaken[FormatCode(text)]; meant != "" {
			return fmt.Errorf("%q is no ISO 3166-1 alpha-2 code; write %q", text, meant)
		}
		if _, found := slices.BinarySearch(countries, FormatCode(text)); !found {
			return fmt.Errorf("%q is no country; write %s", text, must)
		}
		return nil
	}}
}

// AreContinents refuses a set of Code with an element that is no continent.
func AreContinents() validator.Set {
	must := "one of " + strings.Join(continents, ", ")
	return each[code]{what: "continent", must: must, check: func(text string) error {
		if !slices.Contains(continents, FormatCode(text)) {
			return fmt.Errorf("%q is no continent; write %s", text, must)
		}
		return nil
	}}
}

// KeepCodeSpelling plans no change when a set of codes means what it meant before.
func KeepCodeSpelling() planmodifier.Set { return keep[code]{} }

var continents = []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}

// countries are the officially assigned codes of ISO 3166-1 alpha-2, and XK,
// user-assigned, by which the IP databases call Kosovo.
var countries = strings.Fields(`
	AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
	CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
	GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT
	JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
	MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY
	QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
	TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW`)

// mistaken are codes that people write for a country, and the one it has.
var mistaken = map[string]string{"UK": "GB", "EL": "GR"}
