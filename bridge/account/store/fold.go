package store

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"modernc.org/sqlite"
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

// SQLite's own LOWER knows ASCII only, so statements that must fold inside
// the database call this function.
func init() {
	sqlite.MustRegisterDeterministicScalarFunction("fold", 1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			switch v := args[0].(type) {
			case nil:
				return nil, nil
			case string:
				return Fold(v), nil
			default:
				return nil, fmt.Errorf("fold: want text, got %T", v)
			}
		})
}
