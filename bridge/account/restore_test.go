package account_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A restore must not let a lost secret work again: what the database that was there had revoked stays revoked.
func TestRestoreKeepsRevokedWhatWasRevoked(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		there   bool // whether the newer database is where the backup is restored
		revoked int
		ended   int64
		want    string // the state of the first generation, its expiry, the next epoch, tokens and sessions
	}{
		{"over the newer database", true, 1, 1, "changed 7 5 1 0"},
		{"in a new place, where nobody knows", false, 0, 0, " 0 2 2 0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			lost, _, err := a.CreateToken(t.Context(), "lost")
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := a.CreateToken(t.Context(), "kept"); err != nil {
				t.Fatal(err)
			}
			exec(t, a, `INSERT INTO generations (epoch, email, kdf, verifier, created_at) VALUES (1, 'm', '{}', '', 1)`,
				`UPDATE integration SET next_epoch = 2`,
				`INSERT INTO sessions (digest, id, epoch, instance, created_at, expires_at)
					VALUES ('d', 's', 1, 'b', 1, 9)`)
			saved := filepath.Join(t.TempDir(), "backup.db")
			if _, err := a.Store.Backup(t.Context(), saved, false, func(int64, int64) {}); err != nil {
				t.Fatal(err)
			}
			if err := a.RevokeToken(t.Context(), lost.ID); err != nil {
				t.Fatal(err)
			}
			exec(t, a, `UPDATE generations SET ended = 'changed', expires_at = 7`,
				`UPDATE integration SET next_epoch = 5`)
			if err := a.Store.Close(); err != nil {
				t.Fatal(err)
			}
			path := strings.TrimPrefix(a.Store.Setting(), "sqlite:")
			if !row.there {
				path = filepath.Join(t.TempDir(), "account.db")
			}
			r, err := account.Restore(t.Context(), saved, path, func(int64, int64) {})
			if err != nil || r.Unread != nil || len(r.Revoked) != row.revoked || r.Ended != row.ended {
				t.Errorf("restored %+v, %v", r, err)
			}
			s, err := store.Open(t.Context(), "sqlite:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var got string
			err = s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return tx.QueryRow(ctx, `SELECT ended || ' ' || expires_at || ' ' || (SELECT next_epoch FROM integration)
					|| ' ' || (SELECT count(*) FROM tokens) || ' ' || (SELECT count(*) FROM sessions)
					FROM generations WHERE epoch = 1`).Scan(&got)
			})
			if err != nil || got != row.want {
				t.Errorf("the restored database has %q (%v), want %q", got, err, row.want)
			}
		})
	}
}

func exec(t *testing.T, a *account.Account, statements ...string) {
	t.Helper()
	err := a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
