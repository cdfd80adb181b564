package store

import (
	"errors"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// Fold maps texts that are one name to one text.
func Fold(s string) string { return inputtext.Fold(s) }

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
