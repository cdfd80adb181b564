package directory

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
)

// A Hold is a suspension, or a removal from a group, that provisioning sees done
// and that has no effect until it is approved.
type Hold = store.Hold

// A HoldCount is how many holds there are to decide.
type HoldCount = store.HoldCount

// endOfTime is after every hold.
var endOfTime = time.UnixMicro(math.MaxInt64)

// CountHolds counts the holds to decide.
func (d *Directory) CountHolds(ctx context.Context) (n HoldCount, err error) {
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		n, err = tx.CountHolds(ctx)
		return err
	})
	return n, err
}

// Holds lists the holds to decide, from the oldest to the newest. A removal of a
// member whose suspension is held is decided with that, and not listed.
func (d *Directory) Holds(ctx context.Context, cursor string, limit int) (account.Page[Hold], error) {
	after, err := account.ReadPlace(cursor, store.Place{})
	if err != nil {
		return account.Page[Hold]{}, err
	}
	var holds []Hold
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		holds, err = tx.Holds(ctx, after, endOfTime, limit+1)
		return err
	})
	return account.PageOf(holds, limit, func(h Hold) []any { return h.Place().Key() }), err
}

// A Decision is what becomes of a hold.
type Decision string

// The decisions. Approving carries out what was held. Cancelling makes provisioning
// see again what is in force; a deleted person or group stays deleted for it.
const (
	Approve Decision = "approve"
	Cancel  Decision = "cancel"
)

// decisionBatch is how many holds are decided in one transaction, so that other
// writers do not wait for thousands.
const decisionBatch = 100

// MaxDecided is how many holds DecideHolds takes.
const MaxDecided = 1000

// DecideHolds decides the holds with these ids, and returns how many, and the ids
// of those that are not held any more. If that is all, nothing was decided and it
// is an error.
func (d *Directory) DecideHolds(
	ctx context.Context, decision Decision, ids []string,
) (decided int, gone []string, err error) {
	ids = without(ids, nil)
	if len(ids) == 0 || len(ids) > MaxDecided {
		return 0, nil, account.InvalidValue("/ids", "there are %d ids of holds; give 1 to %d", len(ids), MaxDecided)
	}
	done := make(decidedHolds)
	for len(ids) > 0 {
		batch := ids[:min(len(ids), decisionBatch)]
		ids = ids[len(batch):]
		var missing []string
		err := d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			missing = nil
			for _, id := range batch {
				if done[id] {
					continue
				}
				h, found, err := tx.Hold(ctx, id)
				if err == nil && !found {
					missing = append(missing, id)
					continue
				}
				if err == nil {
					err = d.decide(ctx, tx, decision, h, done)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return decided, gone, err
		}
		decided, gone = decided+len(batch)-len(missing), append(gone, missing...)
	}
	if decided == 0 {
		e := account.NotFound("hold", gone[0])
		e.Detail += "; it was decided already, or the identity provider has taken it back"
		e.IDs = gone[:min(len(gone), maxIDsListed)]
		return 0, gone, e
	}
	return decided, gone, nil
}

// DecideAllHolds decides all holds that were made until a time, the oldest first, and
// returns how many.
func (d *Directory) DecideAllHolds(ctx context.Context, decision Decision, until time.Time) (decided int, err error) {
	for {
		n := 0
		err := d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			holds, err := tx.Holds(ctx, store.Place{}, until, decisionBatch)
			if err != nil {
				return err
			}
			done := make(decidedHolds)
			for _, h := range holds {
				if err := d.decide(ctx, tx, decision, h, done); err != nil {
					return err
				}
			}
			n = len(holds)
			return nil
		})
		if err != nil || n == 0 {
			return decided, err
		}
		if decided += n; ctx.Err() != nil {
			return decided, ctx.Err()
		}
	}
}

// ReleaseHolds approves as many holds, the oldest first, as the limit of the
// integration allows now, and counts them. It does so for suspensions and for
// removals only if the limit allows more than the one for which it did so last, so
// that no other change of it takes access away. If it is stopped, the next call goes
// on. It returns how many it has approved.
func (d *Directory) ReleaseHolds(ctx context.Context) (released int, err error) {
	if idle, err := d.nothingToRelease(ctx); err != nil || idle {
		return 0, err
	}
	after, done := store.Place{}, false
	for !done {
		var n int
		var next store.Place
		err := d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
			n, next, done, err = d.releaseBatch(ctx, tx, after)
			return err
		})
		if err != nil {
			return released, err
		}
		released, after = released+n, next
	}
	return released, nil
}

// nothingToRelease spares the writer.
func (d *Directory) nothingToRelease(ctx context.Context) (idle bool, err error) {
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, _, differ, err := tx.UnreleasedLimit(ctx)
		idle = !differ
		return err
	})
	return idle, err
}

// releaseBatch releases some holds from after a place. It returns how many, and the
// place after which others are left, or reports that it is done.
func (d *Directory) releaseBatch(
	ctx context.Context, tx *store.Tx, after store.Place,
) (released int, next store.Place, done bool, err error) {
	before, now, differ, err := tx.UnreleasedLimit(ctx)
	if err != nil || !differ {
		return 0, after, true, err
	}
	raised, err := d.raised(ctx, tx, suspensionLimit(before), suspensionLimit(now))
	if err != nil {
		return 0, after, false, err
	}
	holds, err := tx.Holds(ctx, after, endOfTime, decisionBatch)
	if err != nil {
		return 0, after, false, err
	}
	decided := make(decidedHolds)
	for _, h := range holds {
		after = h.Place()
		if !raised[h.Kind()] || decided[h.ID] {
			continue
		}
		granted, err := d.withdraw(ctx, tx, h.Kind(), 1)
		if err != nil {
			return 0, after, false, err
		}
		if granted == 0 {
			delete(raised, h.Kind())
			continue
		}
		if err := d.decide(ctx, tx, Approve, h, decided); err != nil {
			return 0, after, false, err
		}
		released++
	}
	if len(raised) > 0 && len(holds) == decisionBatch {
		return released, after, false, nil
	}
	return released, after, true, tx.SetReleasedLimit(ctx)
}

// raised returns the kinds of which a limit allows more than the one before.
func (d *Directory) raised(
	ctx context.Context, tx *store.Tx, before, now suspension.Limit,
) (map[string]bool, error) {
	raised := make(map[string]bool)
	for _, kind := range []string{store.Suspension, store.Removal} {
		// As withdraw counts, so that it stays the same while holds are approved.
		withdrawn, err := tx.Withdrawn(ctx, kind, d.account.Time().Add(-now.Window))
		if err != nil {
			return nil, err
		}
		of := withdrawn.Present + withdrawn.Recent
		if !before.Off && (now.Off || now.Allowed(of) > before.Allowed(of)) {
			raised[kind] = true
		}
	}
	return raised, nil
}

// decidedHolds are the ids of holds that are decided: besides those that were asked
// for, the removals of a member whose suspension was approved.
type decidedHolds map[string]bool

// decide carries out a decision on one hold, unless it is decided already.
func (d *Directory) decide(ctx context.Context, tx *store.Tx, decision Decision, h Hold, done decidedHolds) error {
	if done[h.ID] {
		return nil
	}
	done[h.ID] = true
	what := "suspension of member " + h.MemberID
	if h.Kind() == store.Removal {
		what = "removal of member " + h.MemberID + " from group " + h.GroupID
	}
	if err := d.account.Audit(ctx, tx, "hold."+string(decision), h.ID, "%s", what); err != nil {
		return err
	}
	switch {
	case h.Kind() == store.Removal && decision == Approve:
		return tx.DeleteRemovalHold(ctx, h.ID)
	case h.Kind() == store.Removal:
		return d.cancelRemoval(ctx, tx, h)
	}
	m, err := member(ctx, tx, h.MemberID)
	if err != nil {
		return err
	}
	before := m
	if decision == Approve {
		var removals []string
		removals, err = d.approveSuspension(ctx, tx, &m)
		for _, id := range removals {
			done[id] = true
		}
	} else {
		err = d.cancelSuspension(ctx, tx, &m)
	}
	if err == nil {
		err = tx.UpdateMember(ctx, m)
	}
	if err == nil {
		err = countAccess(ctx, tx, before, m)
	}
	if err != nil || decision == Approve {
		return err // provisioning sees the same as before
	}
	return d.showReactivation(ctx, tx, m)
}

// approveSuspension suspends a member whose suspension is held, and carries out its
// held removals, whose ids it returns. The caller writes the member.
func (d *Directory) approveSuspension(
	ctx context.Context, tx *store.Tx, m *store.Member,
) (removals []string, err error) {
	if err := tx.DeleteSuspensionHold(ctx, m.ID); err != nil {
		return nil, err
	}
	if removals, err = d.carryOutRemovals(ctx, tx, m.ID); err != nil {
		return nil, err
	}
	m.Suspended, m.SuspensionHeld = true, false
	if m.Managed() {
		return removals, nil
	}
	return removals, d.endLinks(ctx, tx, m.ID) // the person was deleted
}

// endLinks ends the links in a member's mails.
func (d *Directory) endLinks(ctx context.Context, tx *store.Tx, memberID string) error {
	if err := tx.DeleteAddressChange(ctx, memberID); err != nil {
		return err
	}
	return tx.SetInvitation(ctx, memberID, "", time.Time{})
}

// cancelSuspension ends the hold on a member's suspension, and lets provisioning see
// the memberships that this belongs to. It admits a member whose person was deleted.
// The caller writes the member, and shows that it is active.
func (d *Directory) cancelSuspension(ctx context.Context, tx *store.Tx, m *store.Member) error {
	attached, err := tx.AttachedHolds(ctx, m.ID)
	if err != nil {
		return err
	}
	for _, h := range attached {
		if err := d.cancelRemoval(ctx, tx, h); err != nil {
			return err
		}
	}
	m.SuspensionHeld = false
	d.admitUnmanaged(m)
	return tx.DeleteSuspensionHold(ctx, m.ID)
}

// admitUnmanaged makes an unmanaged member active that has accepted its invitation: an
// administrator lets it in, and no bridge can confirm it any more.
func (d *Directory) admitUnmanaged(m *store.Member) {
	if !m.Managed() && m.State == store.Pending {
		m.State, m.StateSince = store.Active, d.account.Time()
	}
}

// showReactivation sets active of the person of a member whose suspension was
// cancelled, and catches up with what the identity provider said of its address.
func (d *Directory) showReactivation(ctx context.Context, tx *store.Tx, m store.Member) error {
	if err := d.showSuspension(ctx, tx, m); err != nil || !m.Managed() {
		return err
	}
	p, err := person(ctx, tx, m.PersonID)
	if err != nil {
		return err
	}
	before := p
	moved := m
	err = d.settleAddress(ctx, tx, &p, &moved, false)
	if account.IsCode(err, api.ErrorCodeProtected) {
		return nil // made an administrator meanwhile, whose address stays
	}
	if err == nil && moved != m {
		err = tx.UpdateMember(ctx, moved)
	}
	if err == nil && (moved != m || p.WantedBlocked != before.WantedBlocked) {
		err = tx.UpdatePerson(ctx, before, p)
	}
	return err
}

func (d *Directory) cancelRemoval(ctx context.Context, tx *store.Tx, h Hold) error {
	if err := tx.DeleteRemovalHold(ctx, h.ID); err != nil {
		return err
	}
	if err := tx.RestoreMembership(ctx, h); err != nil {
		return err
	}
	m, err := member(ctx, tx, h.MemberID)
	if err != nil || !m.Managed() {
		return err
	}
	if err := tx.CountInGroup(ctx, h.GroupID, 1, d.account.Time()); err != nil {
		return err
	}
	return d.touchPerson(ctx, tx, m)
}

// touchPerson makes the next version of a managed member's person, which provisioning
// sees changed.
func (d *Directory) touchPerson(ctx context.Context, tx *store.Tx, m Member) error {
	p, err := person(ctx, tx, m.PersonID)
	if err != nil {
		return err
	}
	before := p
	p.ModifiedAt = d.account.Time()
	return tx.UpdatePerson(ctx, before, p)
}

// showSuspension sets active of a managed member's person to what provisioning is to
// see of the suspension, also if that was done by hand: so a client reads it, finds it
// by a filter, and does not undo it when it writes back what it read.
func (d *Directory) showSuspension(ctx context.Context, tx *store.Tx, m Member) error {
	if !m.Managed() {
		return nil
	}
	p, err := person(ctx, tx, m.PersonID)
	if err != nil {
		return err
	}
	attrs, err := readAttributes(json.RawMessage(p.Attributes))
	if err != nil {
		return err
	}
	if attrs.active != m.LooksSuspended() {
		return tx.BumpPerson(ctx, p.ID) // active is right already
	}
	before := p
	if p.Attributes, err = withActive(p.Attributes, !m.LooksSuspended()); err != nil {
		return err
	}
	p.ModifiedAt = d.account.Time()
	return tx.UpdatePerson(ctx, before, p)
}
