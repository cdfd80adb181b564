package store

import (
	"database/sql/driver"
	"strings"
	"time"

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

// SQLite's own LOWER knows ASCII only, and its times are days; statements
// that must fold a text or read a time inside the database call these.
func init() {
	sqlite.MustRegisterDeterministicScalarFunction("fold", 1, onText(func(s string) driver.Value { return Fold(s) }))
	sqlite.MustRegisterDeterministicScalarFunction("instant", 1, onText(func(s string) driver.Value {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil
		}
		return at.UnixMicro()
	}))
}

// onText makes an SQL function that leaves everything but text as it is.
func onText(f func(string) driver.Value) func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
	return func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if text, ok := args[0].(string); ok {
			return f(text), nil
		}
		return args[0], nil
	}
}
