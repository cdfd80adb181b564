package directory

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
)

// suspensionLimit returns the limit of the integration. An account from before
// the text was checked may have any; the default then holds, since no limit
// would be the worse guess.
func suspensionLimit(text string) suspension.Limit {
	limit, err := suspension.ParseLimit(text)
	if err != nil {
		limit, _ = suspension.ParseLimit(suspension.DefaultLimit)
	}
	return limit
}

// withdraw returns how many of n suspensions or removals may take effect now, and
// counts those. The others are held: an identity provider that loses sight of its
// people suspends them all, and would stop altogether if it were refused.
//
// Suspensions are counted apart from removals. Their percentage is of the managed
// members that have access, that of removals of the memberships in all groups;
// both with those that the window counts already, so that what is allowed does not
// shrink by its use. Every server counts in the transaction that takes the
// access away, so that several bridges together get no more than one.
func (d *Directory) withdraw(ctx context.Context, tx *store.Tx, kind string, n int64) (int64, error) {
	if n == 0 {
		return 0, nil
	}
	limit, withdrawn, err := d.withdrawn(ctx, tx, kind)
	if err != nil {
		return 0, err
	}
	if limit.Off {
		return n, nil
	}
	left := limit.Allowed(withdrawn.Present+withdrawn.Recent) - withdrawn.Recent
	granted := min(n, max(0, left))
	if granted == 0 {
		return 0, nil
	}
	return granted, tx.AddWithdrawals(ctx, kind, d.account.Time(), withdrawn, granted)
}

// withdrawn returns the limit, and what was withdrawn within its window. It asks for both at once, since the limit is
// almost always that of the last time.
func (d *Directory) withdrawn(
	ctx context.Context, tx *store.Tx, kind string,
) (limit suspension.Limit, w store.Withdrawals, err error) {
	for known := d.limit.Load(); ; {
		w, err = tx.Withdrawn(ctx, kind, d.account.Time().Add(-known.Window))
		if err != nil || w.Limit == known.text {
			return known.Limit, w, err
		}
		known = &knownLimit{text: w.Limit, Limit: suspensionLimit(w.Limit)}
		d.limit.Store(known)
	}
}

// A knownLimit is a limit with its text.
type knownLimit struct {
	suspension.Limit
	text string
}

// newHold is a hold by the request under way.
func (d *Directory) newHold(ctx context.Context, tx *store.Tx) (store.Hold, error) {
	idp, err := tx.IdP(ctx)
	if err != nil {
		return store.Hold{}, err
	}
	since, made, err := tx.HoldTime(ctx, d.account.Time())
	caller := account.CallerFrom(ctx)
	return store.Hold{
		ID: d.account.NewID(), Since: since, Made: made, RequestID: caller.RequestID, Client: caller.String(), IdP: idp,
	}, err
}

// settleActive suspends or reactivates a member as provisioning asks for its
// person. A suspension beyond the limit is held, and a reactivation ends the hold.
func (d *Directory) settleActive(
	ctx context.Context, tx *store.Tx, p *Person, m *store.Member, active bool,
) error {
	switch {
	case active && m.SuspensionHeld:
		m.SuspensionHeld = false
		if err := tx.DeleteSuspensionHold(ctx, m.ID); err != nil {
			return err
		}
		if err := d.account.Audit(
			ctx, tx, "hold.cancel", m.ID, "suspension; the person %s is active again", p.ID,
		); err != nil {
			return err
		}
		return d.detachRemovals(ctx, tx, m.ID)
	case active:
		m.Suspended = false
		return nil
	case m.SuspensionHeld:
		return nil
	case m.Suspended: // by an administrator
		_, err := d.carryOutRemovals(ctx, tx, m.ID)
		return err
	}
	return d.suspend(ctx, tx, p, m)
}

// detachRemovals decides about the removals that belonged to a held suspension which
// has ended: those within the limit take effect, and the others are held by themselves.
func (d *Directory) detachRemovals(ctx context.Context, tx *store.Tx, memberID string) error {
	attached, err := tx.AttachedHolds(ctx, memberID)
	if err != nil {
		return err
	}
	granted, err := d.withdraw(ctx, tx, store.Removal, int64(len(attached)))
	if err != nil {
		return err
	}
	for _, h := range attached[:granted] {
		if err := tx.DeleteRemovalHold(ctx, h.ID); err != nil {
			return err
		}
	}
	if err := d.auditCarriedOut(ctx, tx, memberID, int(granted)); err != nil || int(granted) == len(attached) {
		return err
	}
	since, made, err := tx.HoldTime(ctx, d.account.Time())
	if err != nil {
		return err
	}
	return tx.DetachHolds(ctx, memberID, since, made)
}

// carryOutRemovals ends the holds on the removals of a member that is suspended from
// now on, and returns their ids: it loses nothing more by them.
func (d *Directory) carryOutRemovals(ctx context.Context, tx *store.Tx, memberID string) ([]string, error) {
	ids, err := tx.DeleteRemovalHolds(ctx, memberID)
	if err != nil {
		return nil, err
	}
	return ids, d.auditCarriedOut(ctx, tx, memberID, len(ids))
}

// auditCarriedOut records that n held removals of a member took effect without a
// decision on each.
func (d *Directory) auditCarriedOut(ctx context.Context, tx *store.Tx, memberID string, n int) error {
	if n == 0 {
		return nil
	}
	return d.account.Audit(ctx, tx, "hold.approve", memberID, "%d removals from groups", n)
}

// suspend suspends a member, or holds that. The caller writes the member.
func (d *Directory) suspend(ctx context.Context, tx *store.Tx, p *Person, m *store.Member) error {
	if err := checkProtected(*m, "suspended"); err != nil {
		return err
	}
	granted := int64(1)
	if m.HasAccess() {
		var err error
		if granted, err = d.withdraw(ctx, tx, store.Suspension, 1); err != nil {
			return err
		}
	}
	if granted == 1 {
		m.Suspended = true
		_, err := d.carryOutRemovals(ctx, tx, m.ID)
		return err
	}
	h, err := d.newHold(ctx, tx)
	if err != nil {
		return err
	}
	m.SuspensionHeld, h.MemberID, h.PersonID, h.UserName = true, m.ID, p.ID, p.UserName
	if err := tx.HoldSuspension(ctx, h); err != nil {
		return err
	}
	return d.account.Audit(ctx, tx, "hold.create", h.ID, "suspension of member %s beyond the limit", m.ID)
}

// countAccess counts a member that provisioning can suspend from now on, or not any
// more. One that it has deleted counts for as long as that is held.
func countAccess(ctx context.Context, tx *store.Tx, before, after store.Member) error {
	counts := func(m store.Member) bool { return m.HasAccess() && (m.Managed() || m.SuspensionHeld) }
	had, has := counts(before), counts(after)
	switch {
	case has && !had:
		return tx.AddPresent(ctx, 1)
	case had && !has:
		return tx.AddPresent(ctx, -1)
	}
	return nil
}

// leave removes members from a group, and holds what is beyond the limit: then
// provisioning sees them gone, and they keep the membership. A removal of a member
// whose suspension is held belongs to that. It returns how many are gone for
// provisioning, and leaves the group's row to the caller.
func (d *Directory) leave(ctx context.Context, tx *store.Tx, group store.Group, l store.Leaving) (int64, error) {
	some, err := tx.BumpLeaving(ctx, l, d.account.Time())
	if err != nil {
		return 0, err
	}
	if some {
		if err := d.holdLosers(ctx, tx, group, l); err != nil {
			return 0, err
		}
	}
	return tx.RemoveLeaving(ctx, l)
}

func (d *Directory) holdLosers(ctx context.Context, tx *store.Tx, group store.Group, l store.Leaving) error {
	losers, suspended, err := tx.CountLosers(ctx, l)
	if err != nil {
		return err
	}
	granted, err := d.withdraw(ctx, tx, store.Removal, losers)
	if err != nil || granted == losers && suspended == 0 {
		return err
	}
	h, err := d.newHold(ctx, tx)
	if err != nil {
		return err
	}
	held, err := tx.HoldLosers(ctx, l, granted, h)
	if err != nil {
		return err
	}
	return d.account.Audit(ctx, tx, "hold.create", h.ID, "%d removals from group %s", held, group.ID)
}
