package store

import (
	"context"
	"time"
)

// The kinds of what provisioning takes away.
const (
	Suspension = "suspension"
	Removal    = "removal" // from a group
)

// A Hold is a suspension, or a removal from a group, that provisioning sees done
// and that has no effect yet.
type Hold struct {
	ID       string
	MemberID string
	GroupID  string // empty for a suspension
	ByScim   bool   // whether provisioning made the membership
	PersonID string // the SCIM id that the request named
	UserName string // at that time
	Since    time.Time
	// Made is later than that of every hold before, whatever the clock said; it is
	// Since, if that was right.
	Made time.Time
	// By which request it came, from which client, as in audit events, and for
	// which identity provider.
	RequestID, Client, IdP string

	// Joined from other tables; not written with the row.
	Address   string // of the member
	Name      string
	GroupName string
	Managed   bool // the person was not deleted since
}

// Kind is Suspension or Removal.
func (h Hold) Kind() string {
	if h.GroupID == "" {
		return Suspension
	}
	return Removal
}

// Place is the hold's position in the list.
func (h Hold) Place() Place { return Place{Time: h.Made, ID: h.ID} }

const holdQuery = `SELECT h.id, h.member_id, h.group_id, h.by_scim, h.person_id, h.user_name, h.since, h.made,
	h.request_id, h.client, h.idp, COALESCE(m.address, ''), m.name, COALESCE(g.name, ''), p.id IS NOT NULL
	FROM holds h JOIN members m ON m.id = h.member_id LEFT JOIN groups g ON g.id = h.group_id
	LEFT JOIN people p ON p.id = h.person_id `

func scanHold(row Scanner) (h Hold, err error) {
	return h, row.Scan(&h.ID, &h.MemberID, &h.GroupID, &h.ByScim, &h.PersonID, &h.UserName, (*Time)(&h.Since),
		(*Time)(&h.Made), &h.RequestID, &h.Client, &h.IdP, &h.Address, &h.Name, &h.GroupName, &h.Managed)
}

// Hold returns the hold with this id, if it is one to decide.
func (tx *Tx) Hold(ctx context.Context, id string) (Hold, bool, error) {
	return One(ctx, tx, scanHold, holdQuery+`WHERE h.id = ? AND NOT h.attached`, id)
}

// Holds lists the holds to decide from the oldest to the newest, from after a
// place, up to one that was made at a time. Removals that belong to a held suspension are left out.
func (tx *Tx) Holds(ctx context.Context, after Place, until time.Time, limit int) ([]Hold, error) {
	return All(ctx, tx, scanHold, holdQuery+`WHERE NOT h.attached AND (h.made, h.id) > (?, ?) AND h.made <= ?
		ORDER BY h.made, h.id LIMIT ?`, Micros(after.Time), after.ID, Micros(until), limit)
}

// HoldCount is how many holds there are to decide.
type HoldCount struct {
	Suspensions, Removals int64
	Oldest                time.Time // zero if there are none
	// AsOf is when the newest of them was made, or if there are none, the last that there
	// was; zero if there never was one. Every hold that is made later is newer.
	AsOf time.Time
}

// CountHolds counts the holds to decide.
func (tx *Tx) CountHolds(ctx context.Context) (n HoldCount, err error) {
	return n, tx.QueryRow(ctx, `SELECT COALESCE(sum(CASE WHEN group_id = '' THEN 1 ELSE 0 END), 0),
		COALESCE(sum(CASE WHEN group_id = '' THEN 0 ELSE 1 END), 0), COALESCE(min(since), 0),
		COALESCE(max(made), (SELECT last_hold FROM access_counts))
		FROM holds WHERE NOT attached`).Scan(&n.Suspensions, &n.Removals, (*Time)(&n.Oldest), (*Time)(&n.AsOf))
}

// maxAhead is how far since may be ahead of the clock: after it was set back a little, or
// many holds were made in a microsecond.
const maxAhead = time.Minute

// HoldTime returns since when a hold is held that is made now, and when it is made: later
// than all before, also if the clock was set back, so that a list as of a time has all up
// to then.
func (tx *Tx) HoldTime(ctx context.Context, now time.Time) (since, made time.Time, err error) {
	err = tx.QueryRow(ctx, `UPDATE access_counts SET last_hold = CASE WHEN last_hold < ? THEN ? ELSE last_hold + 1 END
		RETURNING last_hold`, Micros(now), Micros(now)).Scan((*Time)(&made))
	if since = made; made.Sub(now) > maxAhead {
		since = now // the clock was wrong at the last hold
	}
	return since, made, err
}

// HoldSuspension adds h.
func (tx *Tx) HoldSuspension(ctx context.Context, h Hold) error {
	return tx.Send(ctx, `INSERT INTO holds (id, member_id, group_id, by_scim, attached, person_id, user_name, since,
			made, request_id, client, idp) VALUES (?, ?, '', FALSE, FALSE, ?, ?, ?, ?, ?, ?, ?)`,
		h.ID, h.MemberID, h.PersonID, h.UserName, Micros(h.Since), Micros(h.Made), h.RequestID, h.Client, h.IdP)
}

// HoldProvisioned holds the removal of the memberships that provisioning made of a
// member whose suspension is held, as h; they belong to it.
func (tx *Tx) HoldProvisioned(ctx context.Context, h Hold) error {
	n, err := tx.Exec(ctx, `INSERT INTO holds (id, member_id, group_id, by_scim, attached, person_id, user_name,
			since, made, request_id, client, idp)
		SELECT `+numberedID+`OVER (ORDER BY group_id) AS TEXT), 2), member_id, group_id, by_scim, TRUE,
				?, ?, ?, ?, ?, ?, ?
			FROM memberships WHERE member_id = ? AND by_scim`,
		h.ID, h.PersonID, h.UserName, Micros(h.Since), Micros(h.Made), h.RequestID, h.Client, h.IdP, h.MemberID)
	if _, err = tx.addHeld(ctx, +1, n, err); err != nil {
		return err
	}
	return tx.RemoveProvisioned(ctx, h.MemberID)
}

// DeleteSuspensionHold deletes the hold on a member's suspension.
func (tx *Tx) DeleteSuspensionHold(ctx context.Context, memberID string) error {
	return tx.Send(ctx, `DELETE FROM holds WHERE member_id = ? AND group_id = ''`, memberID)
}

// DetachHolds makes the removals that belong to a member's held suspension holds of
// their own, made at a time.
func (tx *Tx) DetachHolds(ctx context.Context, memberID string, since, made time.Time) error {
	return tx.Send(ctx, `UPDATE holds SET attached = FALSE, since = ?, made = ? WHERE member_id = ? AND attached`,
		Micros(since), Micros(made), memberID)
}

// AttachedHolds lists the removals that belong to a member's held suspension.
func (tx *Tx) AttachedHolds(ctx context.Context, memberID string) ([]Hold, error) {
	return All(ctx, tx, scanHold, holdQuery+`WHERE h.member_id = ? AND h.attached ORDER BY h.group_id`, memberID)
}

// DeleteRemovalHold deletes the hold on one removal.
func (tx *Tx) DeleteRemovalHold(ctx context.Context, id string) error {
	n, err := tx.Exec(ctx, `DELETE FROM holds WHERE id = ? AND group_id <> ''`, id)
	_, err = tx.addHeld(ctx, -1, n, err)
	return err
}

// DeleteRemovalHolds deletes the holds on a member's removals, and returns their ids.
func (tx *Tx) DeleteRemovalHolds(ctx context.Context, memberID string) ([]string, error) {
	ids, err := All(ctx, tx, scanText, `DELETE FROM holds WHERE member_id = ? AND group_id <> '' RETURNING id`,
		memberID)
	_, err = tx.addHeld(ctx, -1, int64(len(ids)), err)
	return ids, err
}

// RestoreMembership makes the membership of a held removal visible again.
func (tx *Tx) RestoreMembership(ctx context.Context, h Hold) error {
	return tx.Send(ctx, `INSERT INTO memberships (group_id, member_id, by_scim) VALUES (?, ?, ?)`,
		h.GroupID, h.MemberID, h.ByScim)
}

// Withdrawals is how much of a kind was withdrawn, and how much there is to withdraw.
type Withdrawals struct {
	Total  int64     // in all
	Recent int64     // after the time that was asked for
	Last   time.Time // zero if there were none
	// Present is how many there are to suspend or to remove: managed members that are invited or in, and not suspended,
	// or managed members of all groups; both with those that are held.
	Present int64
	Limit   string // the text of the limit on suspensions, which may be empty
}

// Withdrawn returns how many withdrawals of a kind there were in all, and after a time.
func (tx *Tx) Withdrawn(ctx context.Context, kind string, after time.Time) (w Withdrawals, err error) {
	present, all := `people`, ` FROM withdrawals WHERE kind = 'suspension'`
	if kind == Removal {
		present, all = `held_removals + memberships`, ` FROM withdrawals WHERE kind = 'removal'`
	}
	last := all + ` ORDER BY time DESC, total_after DESC LIMIT 1`
	var before int64
	err = tx.QueryRow(ctx, `SELECT `+present+`, suspension_limit,
			COALESCE((SELECT total_after`+last+`), 0), COALESCE((SELECT time`+last+`), 0),
			COALESCE((SELECT total_before`+all+` AND time > ? ORDER BY time, total_after LIMIT 1), -1)
		FROM access_counts, integration`, Micros(after)).
		Scan(&w.Present, &w.Limit, &w.Total, (*Time)(&w.Last), &before)
	if before >= 0 {
		w.Recent = w.Total - before
	}
	return w, err
}

// AddWithdrawals adds n withdrawals of a kind at a time to those that there were. If
// the clock was set back, those of later times happened now.
func (tx *Tx) AddWithdrawals(ctx context.Context, kind string, at time.Time, before Withdrawals, n int64) error {
	if before.Last.After(at) {
		if err := tx.Send(ctx, `UPDATE withdrawals SET time = ? WHERE kind = ? AND time > ?`,
			Micros(at), kind, Micros(at)); err != nil {
			return err
		}
	}
	return tx.Send(ctx, `INSERT INTO withdrawals (kind, time, total_before, total_after) VALUES (?, ?, ?, ?)`,
		kind, Micros(at), before.Total, before.Total+n)
}

// addHeld counts removals that are held from now on or, if negative, not any more.
// It takes what a statement returns that adds or deletes them.
func (tx *Tx) addHeld(ctx context.Context, sign, n int64, err error) (int64, error) {
	if err != nil || n == 0 {
		return n, err
	}
	return n, tx.Send(ctx, `UPDATE access_counts SET held_removals = held_removals + ?`, sign*n)
}

// AddPresent counts managed members that got access or, if negative, lost it.
func (tx *Tx) AddPresent(ctx context.Context, n int64) error {
	return tx.Send(ctx, `UPDATE access_counts SET people = people + ?`, n)
}

// addMemberships counts managed members that groups got or, if negative, lost.
func (tx *Tx) addMemberships(ctx context.Context, n int64) error {
	if n == 0 {
		return nil
	}
	return tx.Send(ctx, `UPDATE access_counts SET memberships = memberships + ?`, n)
}
