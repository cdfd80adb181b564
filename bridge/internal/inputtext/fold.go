package inputtext

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold maps texts that differ only by case, or by the way their accents are
// encoded, to one text. It is Unicode's full case folding, the same on every
// database and in every locale.
func Fold(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
		}
	}
	return strings.ToLower(s)
}
