package firewall

import (
	"slices"
	"strings"
)

// countries are the officially assigned codes of ISO 3166-1 alpha-2, and XK:
// ISO leaves it to its users, and every IP database uses it for Kosovo.
const countries = "" +
	"AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ " +
	"BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ " +
	"DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR " +
	"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY " +
	"HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
	"KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY " +
	"MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ " +
	"NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY " +
	"QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ " +
	"TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ " +
	"VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"

// IsCountry reports whether s is the code of a country, in upper case.
func IsCountry(s string) bool {
	return len(s) == 2 && !strings.Contains(s, " ") && strings.Contains(countries, s)
}

// ContinentCodes are the codes of the continents.
func ContinentCodes() []string { return slices.Clone(continents) }

// IsContinent reports whether s is one of AF, AN, AS, EU, NA, OC and SA.
func IsContinent(s string) bool { return slices.Contains(continents, s) }

// mistaken are codes that people write for a country, and the one that it has.
var mistaken = map[string]string{"UK": "GB", "EL": "GR"}

// MeantCountry returns the code of the country for which people write another.
func MeantCountry(mistake string) (code string, known bool) {
	code, known = mistaken[mistake]
	return code, known
}
