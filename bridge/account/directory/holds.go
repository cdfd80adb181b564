package directory

import (
	"context"
	"encoding/json"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A Hold is a suspension, or a removal from a group, that provisioning sees done
// and that has no effect until it is approved.
type Hold = store.Hold

// A HoldCount is how many holds there are to decide.
type HoldCount = store.HoldCount

// CountHolds counts the holds to decide.
func (d *Directory) CountHolds(ctx context.Context) (n HoldCount, err error) {
	now := d.account.Time()
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		n, err = tx.CountHolds(ctx)
		return err
	})
	n.AsOf = now
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
		holds, err = tx.Holds(ctx, after, d.account.Time(), limit+1)
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
	for len(ids) > 0 {
		batch := ids[:min(len(ids), decisionBatch)]
		ids = ids[len(batch):]
		var n int
		var missing []string
		err := d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			n, missing = 0, nil
			for _, id := range batch {
				h, found, err := tx.Hold(ctx, id)
				if err == nil && !found {
					missing = append(missing, id)
					continue
				}
				if err == nil {
					err = d.decide(ctx, tx, decision, h)
				}
				if err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			return decided, gone, err
		}
		decided, gone = decided+n, append(gone, missing...)
	}
	if decided == 0 {
		e := account.NotFound("hold", gone[0])
		e.Detail += "; it was decided already, or the identity provider has taken it back"
		e.IDs = gone[:min(len(gone), maxIDsListed)]
		return 0, gone, e
	}
	return decided, gone, nil
}

// DecideAllHolds decides all holds since before a time, the oldest first, and
// returns how many.
func (d *Directory) DecideAllHolds(ctx context.Context, decision Decision, until time.Time) (decided int, err error) {
	for {
		n := 0
		err := d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			holds, err := tx.Holds(ctx, store.Place{}, until, decisionBatch)
			if err != nil {
				return err
			}
			for _, h := range holds {
				if err := d.decide(ctx, tx, decision, h); err != nil {
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
// removals only if the limit allows more than the limit before, so that no other
// change of it takes access away. It returns how many it has approved.
func (d *Directory) ReleaseHolds(ctx context.Context, before string) (released int, err error) {
	after := store.Place{}
	for {
		var n int
		var last *store.Place
		err := d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			n, last = 0, nil
			raised, err := d.raisedFor(ctx, tx, before)
			if err != nil || len(raised) == 0 {
				return err
			}
			holds, err := tx.Holds(ctx, after, d.account.Time(), decisionBatch)
			if err != nil {
				return err
			}
			for _, h := range holds {
				place := h.Place()
				last = &place
				if !raised[h.Kind()] {
					continue
				}
				granted, err := d.withdraw(ctx, tx, h.Kind(), 1)
				if err != nil {
					return err
				}
				if granted == 0 {
					delete(raised, h.Kind())
					continue
				}
				if err := d.decide(ctx, tx, Approve, h); err != nil {
					return err
				}
				n++
			}
			if len(raised) == 0 {
				last = nil
			}
			return nil
		})
		if released += n; err != nil || last == nil {
			return released, err
		}
		after = *last
	}
}

// raisedFor returns the kinds of which the limit allows more than the one before.
func (d *Directory) raisedFor(ctx context.Context, tx *store.Tx, before string) (map[string]bool, error) {
	text, _, err := tx.SuspensionLimit(ctx)
	if err != nil {
		return nil, err
	}
	old, now := suspensionLimit(before), suspensionLimit(text)
	raised := make(map[string]bool)
	for _, kind := range []string{store.Suspension, store.Removal} {
		of, err := tx.CountPresent(ctx, kind)
		if err != nil {
			return nil, err
		}
		// As withdraw counts, so that it stays the same while holds are approved.
		_, recent, err := tx.Withdrawn(ctx, kind, d.account.Time().Add(-now.Window))
		if err != nil {
			return nil, err
		}
		if of += recent; !old.Off && (now.Off || now.Allowed(of) > old.Allowed(of)) {
			raised[kind] = true
		}
	}
	return raised, nil
}

// decide carries out a decision on one hold.
func (d *Directory) decide(ctx context.Context, tx *store.Tx, decision Decision, h Hold) error {
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
		err = d.approveSuspension(ctx, tx, &m)
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

// approveSuspension suspends a member whose suspension is held, and removes it from
// the groups that this belongs to. The caller writes the member.
func (d *Directory) approveSuspension(ctx context.Context, tx *store.Tx, m *store.Member) error {
	attached, err := tx.AttachedHolds(ctx, m.ID)
	if err != nil {
		return err
	}
	for _, h := range attached {
		if err := tx.DeleteRemovalHold(ctx, h.ID); err != nil {
			return err
		}
	}
	if err := tx.DeleteSuspensionHold(ctx, m.ID); err != nil {
		return err
	}
	m.Suspended, m.SuspensionHeld = true, false
	if m.Managed() {
		return nil
	}
	return d.endLinks(ctx, tx, m.ID) // the person was deleted
}

// endLinks ends the links in a member's mails.
func (d *Directory) endLinks(ctx context.Context, tx *store.Tx, memberID string) error {
	if err := tx.DeleteAddressChange(ctx, memberID); err != nil {
		return err
	}
	return tx.SetInvitation(ctx, memberID, "", time.Time{})
}

// cancelSuspension ends the hold on a member's suspension, and lets provisioning see
// the memberships that this belongs to. The caller writes the member, and shows that
// it is active.
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
	return tx.DeleteSuspensionHold(ctx, m.ID)
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
	err = d.settleAddress(ctx, tx, &p, &moved)
	if account.IsCode(err, api.ErrorCodeProtected) {
		return nil // made an administrator meanwhile, whose address stays
	}
	if err == nil && moved != m {
		err = tx.UpdateMember(ctx, moved)
	}
	if err == nil && (moved != m || p.WantedBlocked != before.WantedBlocked) {
		err = tx.UpdatePerson(ctx, p)
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
	p.ModifiedAt = d.account.Time()
	return tx.UpdatePerson(ctx, p)
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
	if p.Attributes, err = withActive(p.Attributes, !m.LooksSuspended()); err != nil {
		return err
	}
	p.ModifiedAt = d.account.Time()
	return tx.UpdatePerson(ctx, p)
}
