package account

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

const (
	// auditInterval is how often the whole chain is verified; in between, what is new is.
	auditInterval = 24 * time.Hour
	// auditBatch is how many events are verified in one transaction.
	auditBatch = 500
	// auditPause is between two batches, in times of what the one before took: verifying takes a tenth of a core.
	auditPause = 9
)

// An AuditFinding is what this process has found out about the chain of audit events.
type AuditFinding struct {
	VerifiedAt time.Time  // when the whole chain was last read; zero before the first time
	Newest     audit.Link // the newest event that was read while nothing was wrong
	// Faults say what was changed; none if the chain is as it was recorded.
	Faults []string
	Since  time.Time // when the first fault was found; zero without one
}

// auditWatch keeps what was found for those who ask.
type auditWatch struct {
	mu      sync.Mutex
	finding AuditFinding
	read    time.Duration // the uptime when the whole chain was last read
}

// AuditFinding returns what WatchAudit has found so far.
func (a *Account) AuditFinding() AuditFinding {
	a.auditWatch.mu.Lock()
	defer a.auditWatch.mu.Unlock()
	return a.auditWatch.finding
}

// WatchAudit verifies the chain of audit events beside the requests, slowly. The first time and once a day it reads the
// whole chain, else the newest event of the time before and those after it: as long as the process runs, a chain whose
// hashes were all computed anew is found, too. whole reports whether it was read as a whole, which it is as well after
// something was found. Calls must not overlap.
func (a *Account) WatchAudit(ctx context.Context) (found AuditFinding, whole bool, err error) {
	found = a.AuditFinding()
	due := found.VerifiedAt.IsZero() || a.Uptime()-a.auditWatch.read >= auditInterval
	switch {
	case !due && len(found.Faults) > 0: // until the next day there is nothing to learn
		return found, false, nil
	case !due:
		v, err := a.verifySlowly(ctx, found.Newest, false)
		if err != nil {
			return found, false, err
		}
		_, last, faults := v.Result()
		if len(faults) == 0 {
			found.Newest = last
			a.setAuditFinding(found)
			return found, false, nil
		}
	}
	v, err := a.verifySlowly(ctx, found.Newest, true)
	if err != nil {
		return found, false, err
	}
	_, last, faults := v.Result()
	found.VerifiedAt, found.Faults = a.Time(), slices.Clip(faults)
	switch {
	case len(faults) == 0:
		found.Newest, found.Since = last, time.Time{}
	case found.Since.IsZero():
		found.Since = found.VerifiedAt
	}
	a.setAuditFinding(found)
	return found, true, nil
}

func (a *Account) setAuditFinding(found AuditFinding) {
	w := &a.auditWatch
	w.mu.Lock()
	defer w.mu.Unlock()
	if !found.VerifiedAt.Equal(w.finding.VerifiedAt) {
		w.read = a.Uptime()
	}
	w.finding = found
}

// verifySlowly reads the chain in many short transactions: the whole chain, or known and the events after it. known
// must be there in both cases, unless it was removed because of its age.
func (a *Account) verifySlowly(ctx context.Context, known audit.Link, whole bool) (*audit.Verifier, error) {
	r := auditReader{next: known.Sequence}
	if known.Sequence > 0 {
		r.v.Known = []audit.Link{known}
	}
	if whole {
		r.next = math.MinInt64 / 2 // from before the first one, since an event may have been inserted there
	}
	for {
		start := time.Now()
		if err := a.Store.Read(ctx, r.batch); err != nil || r.done {
			return &r.v, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(auditPause * time.Since(start)):
		}
	}
}

// An auditReader gives the events of the chain to a Verifier, a batch in each transaction.
type auditReader struct {
	v           audit.Verifier
	next        int64 // the sequence to go on with
	begun, done bool
}

var errBatchFull = errors.New("the batch is full")

func (r *auditReader) batch(ctx context.Context, tx *store.Tx) error {
	last, err := r.begin(ctx, tx)
	if err != nil {
		return err
	}
	n := 0
	err = tx.EachAuditEvent(ctx, r.next, math.MaxInt64, func(e audit.Event, previous string) error {
		r.v.Add(e, previous)
		r.next = e.Sequence + 1
		if n++; n == auditBatch {
			return errBatchFull
		}
		return nil
	})
	if errors.Is(err, errBatchFull) {
		return nil
	}
	if err == nil {
		r.v.End(last)
		r.done = true
	}
	return err
}

// begin tells the Verifier after which event the batch begins, where it cannot know it, and returns the last event of
// the chain. Events may have been removed because of their age since the batch before.
func (r *auditReader) begin(ctx context.Context, tx *store.Tx) (last audit.Link, err error) {
	removed, last, err := tx.AuditChain(ctx)
	if err != nil {
		return last, err
	}
	first := !r.begun
	r.begun = true
	switch whole := r.next < 0; {
	case first && whole:
		r.v.Begin(removed)
	case removed.Sequence >= r.next:
		r.v.Begin(removed)
		r.next = removed.Sequence + 1
	case first:
		before, err := tx.AuditLink(ctx, r.next-1)
		if err != nil {
			return last, err
		}
		r.v.Begin(before)
	}
	return last, nil
}
