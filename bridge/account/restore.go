package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// Restored is what is in force after Restore.
type Restored struct {
	Account *Account // its Store is closed
	Sizes   store.Sizes
	Newest  time.Time // of the backup's audit events; zero if it has none
	Aside   []string  // where the database that was there is kept, and what belongs to it
	Tokens  []Token   // the admin tokens that work
	// Of the backup, what did not work any more in the database that was there, and so does not now:
	Revoked []Token
	Ended   int64 // generations of the manager's credentials
	// Unread is why the database that was there could not be asked for them; nil if it was, or if there was none.
	Unread error
}

// An OtherAccountError says that a backup is of another account than the database in whose place it would be put.
type OtherAccountError struct{ There, Backup store.Account }

func (e *OtherAccountError) Error() string {
	return fmt.Sprintf("the database has the account %q (%s), and the backup %q (%s)", e.There.Name, e.There.ID,
		e.Backup.Name, e.Backup.ID)
}

// Restore puts a backup in the place of the database at path. Secrets that were revoked after the backup stay revoked,
// if the database that was there can still be read. All sessions end; bridges sign in again by themselves.
func Restore(ctx context.Context, backup, path string, progress store.Progress) (r Restored, err error) {
	there, found, unread := store.ReadSecrets(ctx, path)
	r.Unread = unread
	r.Aside, err = store.Restore(ctx, backup, path, progress, func(ctx context.Context, s *store.Store) error {
		if r.Account, err = Load(ctx, s); err != nil {
			return err
		}
		if there.Account.ID != "" && there.Account.ID != r.Account.ID {
			return &OtherAccountError{there.Account, store.Account{ID: r.Account.ID, Name: r.Account.Name}}
		}
		return s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			if r.Newest, err = tx.NewestAuditEvent(ctx); err != nil {
				return err
			}
			if found && unread == nil {
				if err := r.revoke(ctx, tx, there); err != nil {
					return err
				}
			}
			return r.finish(ctx, tx)
		})
	})
	return r, err
}

// revoke revokes what the database that was there had revoked.
func (r *Restored) revoke(ctx context.Context, tx *store.Tx, there store.Secrets) error {
	all, err := tx.Tokens(ctx, "", -1)
	if err != nil {
		return err
	}
	for _, t := range all {
		if slices.Contains(there.Tokens, t.ID) {
			continue
		}
		if _, err := tx.DeleteToken(ctx, t.ID); err != nil {
			return err
		}
		err := r.Account.Audit(ctx, tx, "token.revoke", t.ID, "revoked after the backup that is restored")
		if err != nil {
			return err
		}
		r.Revoked = append(r.Revoked, t)
	}
	r.Ended, err = tx.EndGenerations(ctx, there)
	return err
}

func (r *Restored) finish(ctx context.Context, tx *store.Tx) error {
	if err := tx.EndSessions(ctx); err != nil {
		return err
	}
	age := "has no audit event"
	if !r.Newest.IsZero() {
		age = "has audit events up to " + r.Newest.Format(time.RFC3339)
	}
	if err := r.Account.Audit(ctx, tx, "account.restore", r.Account.ID, "from a backup that %s", age); err != nil {
		return err
	}
	all, err := tx.Tokens(ctx, "", -1)
	now := r.Account.Time()
	r.Tokens = slices.DeleteFunc(all, func(t Token) bool { return !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now) })
	if err != nil {
		return err
	}
	r.Sizes, err = tx.Sizes(ctx)
	return err
}
