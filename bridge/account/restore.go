package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// Restored is what is in force after Restore.
type Restored struct {
	Account *Account // its Store is closed
	Sizes   store.Sizes
	Newest  time.Time     // of the backup's audit events; zero if it has none
	Changed []store.Fault // the events at which its audit log is not as it was recorded
	Aside   []string      // where the database that was there is kept, and what belongs to it
	Tokens  []Token       // the admin tokens that work, of any scope
	// Of the backup, what did not work any more in the database that was there, and so does not now:
	Revoked []Token
	Ended   int64 // generations of the manager's credentials
	// Of the mails that waited in the backup, those that were sent after it, and those of which that is not known. Both
	// are not sent.
	MailsSent, MailsUnknown int64
	// Active reports whether provisioning is active. MustRotate is set if it is and bridges cannot sign in any more:
	// the account has no credentials of the manager that work, or the database that was there had newer ones.
	Active, MustRotate bool
	// Unread is why the database that was there could not be asked for them; nil if it was, or if there was none.
	Unread error
}

// An OtherAccountError says that a backup is of another account than the database in whose place it would be put.
type OtherAccountError struct{ There, Backup store.Account }

func (e *OtherAccountError) Error() string {
	return fmt.Sprintf("the database has the account %q (%s), and the backup %q (%s)", e.There.Name, e.There.ID,
		e.Backup.Name, e.Backup.ID)
}

// A ChangedAuditLogError says that the audit log in a backup is not as it was recorded.
type ChangedAuditLogError struct{ Events []store.Fault }

func (e *ChangedAuditLogError) Error() string {
	return "the audit log in it was changed: " + DescribeChanged(e.Events)
}

// DescribeChanged names events at which an audit log was changed.
func DescribeChanged(events []store.Fault) string {
	const most = 3
	var numbers []string
	for _, f := range events[:min(len(events), most)] {
		numbers = append(numbers, f.Row)
	}
	text := "event " + strings.Join(numbers, ", ")
	if len(events) > most {
		text += " and others"
	}
	return text
}

// An UnreadError says that the database in whose place a backup would be put may be sound, but could not be asked what
// was revoked.
type UnreadError struct{ Err error }

func (e *UnreadError) Error() string { return "reading the database that is there: " + e.Err.Error() }

func (e *UnreadError) Unwrap() error { return e.Err }

// HasAdmin reports whether a token works that can make changes.
func (r *Restored) HasAdmin() bool {
	return slices.ContainsFunc(r.Tokens, func(t Token) bool { return t.Scope == ScopeAdmin })
}

// Restore puts a backup in the place of the database at path. Secrets that were revoked after the backup stay revoked,
// unless the database that was there is damaged. All sessions end. What waits in the backup's outbox and may have been
// sent after it is not sent. It refuses a backup whose audit log was changed, unless allowChanged is set.
func Restore(
	ctx context.Context, backup, path string, allowChanged bool, progress store.Progress,
) (r Restored, err error) {
	there, found, unread := store.ReadSecrets(ctx, path)
	if unread != nil && !errors.Is(unread, store.ErrNoBackup) && !errors.As(unread, new(*store.DamageError)) {
		return r, &UnreadError{unread}
	}
	r.Unread = unread
	r.Aside, err = store.Restore(ctx, backup, path, progress, func(
		ctx context.Context, s *store.Store, changed []store.Fault,
	) error {
		if r.Changed = changed; len(changed) > 0 && !allowChanged {
			return &ChangedAuditLogError{changed}
		}
		if r.Account, err = Load(ctx, s); err != nil {
			return err
		}
		if unread == nil { // once more, since what was revoked before store.Restore watched it would be missed
			if there, found, err = store.ReadSecrets(ctx, path); err != nil {
				return fmt.Errorf("%w, or had: reading it once more: %w", store.ErrInUse, err)
			}
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
			if unread != nil {
				there = store.Secrets{}
			}
			if r.MailsSent, r.MailsUnknown, err = tx.SettleMails(ctx, there); err != nil {
				return err
			}
			return r.finish(ctx, tx, there)
		})
	})
	return r, err
}

// revoke revokes what the database that was there had revoked.
func (r *Restored) revoke(ctx context.Context, tx *store.Tx, there store.Secrets) error {
	here, err := tx.Integration(ctx)
	if err != nil {
		return err
	}
	r.MustRotate = there.NextEpoch > here.NextEpoch
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

func (r *Restored) finish(ctx context.Context, tx *store.Tx, there store.Secrets) error {
	if err := tx.EndSessions(ctx); err != nil {
		return err
	}
	summary, err := r.describe(ctx, tx, there)
	if err != nil {
		return err
	}
	if err := r.Account.Audit(ctx, tx, "account.restore", r.Account.ID, "%s", summary); err != nil {
		return err
	}
	now := r.Account.Time()
	integration, err := tx.Integration(ctx)
	if err != nil {
		return err
	}
	live, err := tx.LiveGenerations(ctx, now)
	if err != nil {
		return err
	}
	r.Active = integration.Active
	r.MustRotate = r.Active && (r.MustRotate || len(live) == 0)
	all, err := tx.Tokens(ctx, "", -1)
	r.Tokens = slices.DeleteFunc(all, func(t Token) bool { return !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now) })
	if err != nil {
		return err
	}
	r.Sizes, err = tx.Sizes(ctx)
	return err
}

// describe tells how far the backup's audit log goes, and how far that of the database that was there went: an event
// that was noted elsewhere may be neither in the backup nor forged.
func (r *Restored) describe(ctx context.Context, tx *store.Tx, there store.Secrets) (string, error) {
	_, newest, err := tx.AuditChain(ctx)
	if err != nil {
		return "", err
	}
	summary := "from a backup that has no audit event"
	if !r.Newest.IsZero() {
		summary = fmt.Sprintf("from a backup that has audit events up to %s, the newest %s",
			r.Newest.Format(time.RFC3339), newest)
	}
	if len(r.Changed) > 0 {
		summary += "; its audit log was changed: " + DescribeChanged(r.Changed)
	}
	if there.Newest.Sequence > 0 {
		summary += fmt.Sprintf("; the newest of the database that was replaced is %s", there.Newest)
	}
	return summary, nil
}
