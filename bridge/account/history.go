package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
)

// An AuditEvent is one change and its author.
type AuditEvent = store.AuditEvent

// An Attempt is a sign-in or a session's request, with the decision about it.
type Attempt = store.Attempt

// attemptsKept is how long sign-in attempts are kept.
const attemptsKept = 60 * 24 * time.Hour

// AuditEvents lists changes and their authors, newest first.
func (a *Account) AuditEvents(ctx context.Context, cursor string, limit int) (Page[AuditEvent], error) {
	place, err := ReadPlace(cursor, beforeNewest)
	if err != nil {
		return Page[AuditEvent]{}, err
	}
	if err := a.writeRefusedTokens(ctx); err != nil && !errors.Is(err, store.ErrFull) { // the counts are kept
		return Page[AuditEvent]{}, err
	}
	var events []AuditEvent
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		events, err = tx.AuditEvents(ctx, place, limit+1)
		return err
	})
	return PageOf(events, limit, func(e AuditEvent) []any { return store.Place{Time: e.Time, ID: e.ID}.Key() }), err
}

// Attempts lists the sign-in attempts since a time, at most 60 days back, newest first.
func (a *Account) Attempts(ctx context.Context, since time.Time, cursor string, limit int) (Page[Attempt], error) {
	place, err := ReadPlace(cursor, beforeNewest)
	if err != nil {
		return Page[Attempt]{}, err
	}
	if oldest := a.Time().Add(-attemptsKept); since.Before(oldest) {
		since = oldest
	}
	var attempts []Attempt
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		attempts, err = tx.Attempts(ctx, since, place, limit+1)
		return err
	})
	return PageOf(attempts, limit, func(t Attempt) []any { return store.Place{Time: t.Last, ID: t.ID}.Key() }), err
}

// Audit records an action of the caller in ctx, in the action's transaction. A summary
// must not contain secrets or attribute values.
func (a *Account) Audit(ctx context.Context, tx *store.Tx, action, object, format string, args ...any) error {
	caller := CallerFrom(ctx)
	e := AuditEvent{
		ID: a.NewID(), Time: a.Time(), Actor: caller.String(),
		Action: action, Object: object, Summary: fmt.Sprintf(format, args...),
	}
	if caller.Address.IsValid() {
		e.Address = caller.Address.String()
	}
	return tx.InsertAuditEvent(ctx, e)
}

// Sweep deletes expired rows. Nothing depends on when it runs: each expiry is checked
// against the clock as well.
func (a *Account) Sweep(ctx context.Context) error {
	if err := a.writeRefusedTokens(ctx); err != nil {
		return err
	}
	now := a.Time()
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.Sweep(ctx, store.Ends{
			Now: now, Answers: now.Add(-answersKept), Attempts: now.Add(-attemptsKept),
			Mails: now.Add(-mailsKept), SignUps: now.Add(-SignUpLife),
			Withdrawals: now.Add(-suspension.MaxWindow),
		})
	})
}
