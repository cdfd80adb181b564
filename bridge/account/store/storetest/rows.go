package storetest

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// RowsWritten returns how many rows were written in a transaction so far, and perhaps in others of the connection: the
// difference between two calls is what was written between them.
func RowsWritten(ctx context.Context, tx *store.Tx) (n int64, err error) {
	query := `SELECT total_changes()`
	if OnPostgres() {
		query = `SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables`
	}
	return n, tx.QueryRow(ctx, query).Scan(&n)
}
