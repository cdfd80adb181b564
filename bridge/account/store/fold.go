package store

import (
	"errors"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
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

// register gives a connection what SQLite lacks: its own LOWER knows ASCII
// only, its times are days, and it has no hashes.
func register(db *sqlite3.Conn) error {
	const pure = sqlite3.DETERMINISTIC | sqlite3.INNOCUOUS
	return errors.Join(
		db.CreateFunction("fold", 1, pure, onText(func(answer sqlite3.Context, s string) {
			answer.ResultText(Fold(s))
		})),
		db.CreateFunction("instant", 1, pure, onText(func(answer sqlite3.Context, s string) {
			if at, err := time.Parse(time.RFC3339, s); err == nil {
				answer.ResultInt64(at.UnixMicro())
			}
		})),
		registerAuditHash(db),
	)
}

// onText makes an SQL function that leaves everything but text as it is.
func onText(f func(answer sqlite3.Context, s string)) sqlite3.ScalarFunction {
	return func(answer sqlite3.Context, args ...sqlite3.Value) {
		if args[0].Type() == sqlite3.TEXT {
			f(answer, args[0].Text())
			return
		}
		answer.ResultValue(args[0])
	}
}
