package store

import "testing"

func TestFoldMakesOneTextOfManySpellings(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, a, b string
		same       bool
	}{
		{"ASCII in another case", "Ann@Example.com", "aNN@eXAMPLE.COM", true},
		{"an umlaut in another case", "ÄRMEL", "ärmel", true},
		{"a sharp s and its capitals", "straße", "STRASSE", true},
		{"the three Greek sigmas", "ΣΟΦΟΣ", "σοφος", true},
		{"an accent as one character or two", "caf\u00e9", "CAFE\u0301", true},
		{"the Kelvin sign and the letter", "\u212a", "k", true},
		{"a dotless i is another letter", "ı", "I", false},
		{"an accent more", "cafe", "café", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Fold(row.a) == Fold(row.b); got != row.same {
				t.Errorf("Fold(%q) = %q, Fold(%q) = %q; want same: %t", row.a, Fold(row.a),
					row.b, Fold(row.b), row.same)
			}
		})
	}
}
