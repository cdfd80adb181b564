package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// An AuditEvent is one change, or a refused attempt to make one, and its author.
type AuditEvent = audit.Event

// Audit records an action of the caller in ctx, in the action's transaction. A summary
// must not contain secrets or attribute values.
func (a *Account) Audit(ctx context.Context, tx *store.Tx, action, object, format string, args ...any) error {
	caller := CallerFrom(ctx)
	e := AuditEvent{
		ID: a.NewID(), Time: a.Time(), Actor: caller.String(),
		Action: action, Object: object, Summary: fmt.Sprintf(format, args...),
	}
	// What goes in here can never be taken out again. Callers give no secrets; this is for one that slips through,
	// such as a bridge's name that it chose itself.
	for _, text := range []*string{&e.Actor, &e.Object, &e.Summary} {
		// What is not UTF-8 would be another text in an export, which then has another hash.
		*text = inputtext.Scrub(storableText.Replace(strings.ToValidUTF8(*text, "\uFFFD")))
	}
	if caller.Address.IsValid() {
		e.Address = caller.Address.String()
	}
	return tx.AppendAuditEvent(ctx, e)
}

// storableText replaces what no text in PostgreSQL has.
var storableText = strings.NewReplacer("\x00", "\uFFFD")

// AuditEvents lists changes, refused ones, and their authors, newest first, and the days' counts of
// requests with wrong admin tokens.
func (a *Account) AuditEvents(ctx context.Context, cursor string, limit int) (Page[AuditEvent], error) {
	place, err := ReadPlace(cursor, beforeNewest)
	if err != nil {
		return Page[AuditEvent]{}, err
	}
	if err := a.writeRefusedTokens(ctx); err != nil && !cannotNote(err) { // the counts are kept
		return Page[AuditEvent]{}, err
	}
	var events []AuditEvent
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		events, err = tx.AuditEvents(ctx, place, limit+1)
		return err
	})
	return PageOf(events, limit, func(e AuditEvent) []any { return store.Place{Time: e.Time, ID: e.ID}.Key() }), err
}

// cannotNote reports whether what a request for reading leaves behind could not be written for a reason that an
// administrator must be able to read: the disk is full, another process has the lock, or a server takes no writes.
func cannotNote(err error) bool {
	return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrLocked) || errors.Is(err, store.ErrReadOnly)
}

// An AuditQuery chooses events of the chain.
type AuditQuery struct {
	Since, Until time.Time // inclusive; the zero time is no bound
	audit.Filter
}

// exportPage is how many events of an export are read in one transaction. None is open while they are written: the
// reader of the export may be slow, and while a transaction is open, the database's log only grows.
const exportPage = 1000

// ErrRemovedMeanwhile says that events became too old while they were exported.
var ErrRemovedMeanwhile = errors.New("events were removed because of their age while the log was exported; " +
	"export it once more")

// ExportAudit writes events of the chain, the oldest first, and returns what the export says of itself.
func (a *Account) ExportAudit(ctx context.Context, q AuditQuery, out io.Writer) (s audit.Summary, err error) {
	var removed, first, last int64
	s = audit.Summary{Account: a.ID, Exported: a.Time()}
	if q.Filter != (audit.Filter{}) {
		s.Filter = &q.Filter
	}
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		chain, _, err := tx.AuditChain(ctx)
		if err != nil {
			return err
		}
		removed = chain.Sequence
		if first, last, err = tx.AuditRange(ctx, q.Since, q.Until); err != nil {
			return err
		}
		if s.After, err = tx.AuditLink(ctx, first-1); err != nil {
			return err
		}
		s.Last, err = tx.AuditLink(ctx, max(last, first-1))
		return err
	})
	if err != nil {
		return s, err
	}
	w := audit.NewWriter(out, s)
	for first <= last {
		page, err := a.auditPage(ctx, removed, first, last)
		if err != nil {
			return s, err
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if !q.Matches(e.Event) {
				continue
			}
			if err := w.Write(e.Event, e.previous); err != nil {
				return s, err
			}
		}
		first = page[len(page)-1].Sequence + 1
	}
	return w.End()
}

// A linkedEvent is an event with the hash of the one before it.
type linkedEvent struct {
	audit.Event
	previous string
}

// auditPage returns the next events of a range, unless some were removed since those up to a number were.
func (a *Account) auditPage(ctx context.Context, before, first, last int64) (page []linkedEvent, err error) {
	errFull := errors.New("the page is full")
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		removed, _, err := tx.AuditChain(ctx)
		if err != nil {
			return err
		}
		if removed.Sequence > before && removed.Sequence >= first {
			return ErrRemovedMeanwhile
		}
		return tx.EachAuditEvent(ctx, first, last, func(e audit.Event, previous string) error {
			if page = append(page, linkedEvent{e, previous}); len(page) == exportPage {
				return errFull
			}
			return nil
		})
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return page, err
}

// VerifyAudit gives all events of the chain to v.
func (a *Account) VerifyAudit(ctx context.Context, v *audit.Verifier) error {
	return a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		removed, last, err := tx.AuditChain(ctx)
		if err != nil {
			return err
		}
		v.Begin(removed)
		// From before the first one, since an event may have been inserted there.
		if err := tx.EachAuditEvent(ctx, math.MinInt64/2, math.MaxInt64, func(e audit.Event, previous string) error {
			v.Add(e, previous)
			return nil
		}); err != nil {
			return err
		}
		v.End(last)
		return nil
	})
}
