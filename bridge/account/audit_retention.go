package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

const (
	// auditRemoval is how often old events are removed, since each removal adds an event itself.
	auditRemoval = 24 * time.Hour
	// mostRemoved bounds how many are removed in one transaction.
	mostRemoved = 10_000
	// judgedInterval is how often the time by which ages are judged is stored. In a process's first hour it is stored
	// at each look, or a server that is restarted more often would keep its events for ever.
	judgedInterval = time.Hour
)

// auditClock is what this process adds to the stored time by which ages are judged.
type auditClock struct {
	mu     sync.Mutex
	known  bool
	stored time.Time     // as this process has seen it last
	since  time.Duration // the uptime when it stored that, or first saw it
}

// judgedTime returns the time by which the age of audit events is judged. It follows the machine's clock, but goes
// forward at most twice as fast as the server runs: under a clock that is years ahead, even if events were written
// under it, no more is removed than one day's events too many for each day that nobody notices. Twice, so that it
// catches up with the time in which no server ran. The first time, it is not later than the newest event.
func judgedTime(judged, now, newest time.Time, ran time.Duration) time.Time {
	limit := judged.Add(2 * ran)
	if judged.IsZero() {
		limit = newest
	}
	if limit.Before(now) {
		return limit
	}
	return now
}

// judge returns the time by which the age of audit events is judged now, and stores it from time to time.
func (a *Account) judge(ctx context.Context, newest time.Time) (judged time.Time, err error) {
	c := &a.auditClock
	c.mu.Lock()
	defer c.mu.Unlock()
	up := a.Uptime()
	var before time.Time
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		before, err = tx.AuditJudged(ctx)
		return err
	})
	if err != nil {
		return judged, err
	}
	// What another server has stored meanwhile counts the time that both ran.
	if !c.known || !before.Equal(c.stored) {
		c.known, c.stored, c.since = true, before, up
	}
	judged = judgedTime(before, a.Time(), newest, up-c.since).Truncate(time.Microsecond)
	// A clock that is far behind is not followed: after it is right again, it would take as long to catch up.
	interval := judgedInterval
	if up < judgedInterval {
		interval = time.Second
	}
	if judged.Sub(before) < interval {
		return judged, nil
	}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.SetAuditJudged(ctx, judged) })
	if err == nil {
		c.stored, c.since = judged, up
	}
	return judged, err
}

// KeepAuditTime stores how far this process has moved the time by which the age of audit events is judged. A server
// calls it when it ends.
func (a *Account) KeepAuditTime(ctx context.Context) error {
	if a.AuditKept == 0 {
		return nil
	}
	var newest time.Time
	err := a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		newest, err = tx.NewestAuditEvent(ctx)
		return err
	})
	if err != nil || newest.IsZero() {
		return err
	}
	_, err = a.judge(ctx, newest)
	return err
}

// removeOldAuditEvents removes the events that are older than AuditKept.
func (a *Account) removeOldAuditEvents(ctx context.Context) error {
	if a.AuditKept == 0 {
		return nil
	}
	var oldest, newest time.Time
	err := a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if oldest, err = tx.OldestAuditEvent(ctx); err != nil {
			return err
		}
		newest, err = tx.NewestAuditEvent(ctx)
		return err
	})
	if err != nil || oldest.IsZero() {
		return err
	}
	judged, err := a.judge(ctx, newest)
	if err != nil {
		return fmt.Errorf("judging the age of audit events: %w", err)
	}
	if newest.Before(judged) { // of a log in which nothing happened, a clock alone does not say how old it is
		judged = newest
	}
	before := judged.Add(-a.AuditKept)
	if oldest.After(before.Add(-auditRemoval)) {
		return nil
	}
	for removed := int64(mostRemoved); removed == mostRemoved; {
		err := a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
			if removed, err = tx.RemoveAuditEvents(ctx, before, a.Time(), mostRemoved); err != nil || removed == 0 {
				return err
			}
			return a.Audit(ctx, tx, "audit.remove", "audit", "%d events from before %s, since they are kept for %s",
				removed, before.Format(time.RFC3339), a.AuditKept)
		})
		if err != nil {
			return fmt.Errorf("removing old audit events: %w", err)
		}
	}
	return nil
}
