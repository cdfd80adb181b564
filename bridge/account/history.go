package account

import (
	"context"
	"errors"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
)

// An Attempt is a sign-in or a session's request, with the decision about it.
type Attempt = store.Attempt

// attemptsKept is how long sign-in attempts are kept.
const attemptsKept = 60 * 24 * time.Hour

// bridgesKept is how long a bridge is listed that is heard of no more: one that is made anew, as in a container without
// a volume, has another instance id each time.
const bridgesKept = 7 * 24 * time.Hour

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

// Sweep deletes expired rows. Nothing depends on when it runs: each expiry is checked
// against the clock as well.
// A part that fails does not keep the others from running.
func (a *Account) Sweep(ctx context.Context) error {
	now := a.Time()
	faults := errors.Join(a.writeRefusedTokens(ctx), a.removeOldAuditEvents(ctx))
	return errors.Join(faults, a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.Sweep(ctx, store.Ends{
			Now: now, Answers: now.Add(-answersKept), Attempts: now.Add(-attemptsKept),
			Mails: now.Add(-mailsKept), SignUps: now.Add(-SignUpLife),
			Withdrawals: now.Add(-suspension.MaxWindow), Bridges: now.Add(-bridgesKept),
		})
	}))
}
