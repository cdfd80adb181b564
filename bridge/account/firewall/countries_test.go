package firewall_test

import (
	"testing"

	"golang.org/x/text/language"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// The table is compared with one that others keep: 249 countries, and Kosovo.
func TestCountries(t *testing.T) {
	t.Parallel()
	count := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			if !firewall.IsCountry(code) {
				continue
			}
			count++
			region, err := language.ParseRegion(code)
			if err != nil || !region.IsCountry() || region.Canonicalize() != region || region.String() != code {
				t.Errorf("%s is taken for a country", code)
			}
		}
	}
	if count != 250 {
		t.Errorf("there are %d countries, want 250", count)
	}
	for name, code := range map[string]string{
		"an unassigned code": "ZZ", "what ISO reserves for the United Kingdom": "UK", "a union": "EU",
		"a former country": "SU",
		"lower case":       "de", "three letters": "DEU", "two codes and their space": "D A",
		"a space and a letter": " A",
		"nothing":              "",
	} {
		if firewall.IsCountry(code) {
			t.Errorf("%s, %q, is taken for a country", name, code)
		}
	}
}
