package store

import (
	"context"
	"slices"
	"time"
)

// Every statement here takes the whole set of ids at once, and writes one row
// for each person that is added or removed, one for the membership, and the
// group's. The members that a group already has cost nothing.

const inList = ` IN (SELECT value FROM json_each(?))`

// among is inList for some ids, with its argument. One id, which most changes have, needs no table of its own.
func among(ids []string) (condition string, arg any) {
	if len(ids) == 1 {
		return ` = ?`, ids[0]
	}
	return inList, List(ids)
}

// UnknownIDs returns those ids that name neither a managed person nor a
// managed group, in the order given.
func (tx *Tx) UnknownIDs(ctx context.Context, scimIDs []string) ([]string, error) {
	return All(ctx, tx, func(row Scanner) (id string, err error) { return id, row.Scan(&id) },
		`SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM people p WHERE p.id = value)
			AND NOT EXISTS (SELECT 1 FROM groups g WHERE g.scim_id = value) ORDER BY key`, List(scimIDs))
}

// AddToGroup puts managed people and groups into a group and returns how
// many were not in before, and of those how many are in again because their
// removal was held. Unknown ids are passed over.
func (tx *Tx) AddToGroup(
	ctx context.Context, group Group, scimIDs []string, now time.Time,
) (added, restored int64, err error) {
	in, ids := among(scimIDs)
	groupID := group.ID
	if err := tx.Send(ctx, `UPDATE people SET version = version + 1, modified_at = ?
		WHERE id`+in+` AND NOT EXISTS (SELECT 1 FROM memberships s WHERE s.group_id = ? AND s.member_id = `+
		`people.member_id)`,
		Micros(now), ids, groupID); err != nil {
		return 0, 0, err
	}
	if group.HasHolds {
		if restored, err = tx.restoreToGroup(ctx, groupID, in, ids); err != nil {
			return 0, 0, err
		}
	}
	people, err := tx.Exec(ctx, `INSERT INTO memberships (group_id, member_id, by_scim)
		SELECT ?, p.member_id, TRUE FROM people p WHERE p.id`+in+`
		ON CONFLICT DO NOTHING`, groupID, ids)
	if added = people + restored; err != nil || added == int64(len(scimIDs)) {
		return added, restored, err // there are no groups among the ids
	}
	groups, err := tx.Exec(ctx, `INSERT INTO nestings (group_id, child_id)
		SELECT ?, g.id FROM groups g WHERE g.scim_id`+in+`
		ON CONFLICT DO NOTHING`, groupID, ids)
	return added + groups, restored, err
}

// restoreToGroup ends the held removals of some people, as among has them, from a group.
func (tx *Tx) restoreToGroup(ctx context.Context, groupID, in string, ids any) (int64, error) {
	chosen := `group_id = ? AND member_id IN (SELECT p.member_id FROM people p WHERE p.id` + in + `)`
	restored, err := tx.Exec(ctx, `INSERT INTO memberships (group_id, member_id, by_scim)
		SELECT group_id, member_id, by_scim FROM holds WHERE `+chosen, groupID, ids)
	if err != nil || restored == 0 {
		return 0, err
	}
	ended, err := tx.Exec(ctx, `DELETE FROM holds WHERE `+chosen, groupID, ids)
	return tx.addHeld(ctx, -1, ended, err)
}

// A Leaving selects those that leave a group.
type Leaving struct {
	people, memberships, nestings string // conditions on the rows of these tables
	args                          []any  // of each condition
	most                          int64  // how many there can be; 0 if that is not known
	unmanaged                     bool   // members may leave that have no person
}

// LeavingMembers are some managed people and groups. It starts from the ids: the
// group may be large.
func LeavingMembers(groupID string, scimIDs []string) Leaving {
	in, ids := among(scimIDs)
	isOne := ` IN (SELECT `
	if len(scimIDs) == 1 { // it needs no table of its own, as for among
		isOne = ` = (SELECT `
	}
	return Leaving{
		people: `EXISTS (SELECT 1 FROM memberships s WHERE s.group_id = ? AND s.member_id = people.member_id) AND id` +
			in,
		memberships: `memberships.group_id = ? AND memberships.member_id` + isOne + `p.member_id FROM people p
			WHERE p.id` + in + `)`,
		nestings: `group_id = ? AND child_id` + isOne + `g.id FROM groups g WHERE g.scim_id` + in + `)`,
		args:     []any{groupID, ids},
		most:     int64(len(scimIDs)),
	}
}

// LeavingOthers are all managed people and groups but some. Its statements start
// from the group.
func LeavingOthers(groupID string, scimIDs []string) Leaving {
	return Leaving{
		people: `member_id IN (SELECT member_id FROM memberships WHERE group_id = ?) AND id NOT` + inList,
		memberships: `memberships.group_id = ? AND EXISTS (SELECT 1 FROM people p
			WHERE p.member_id = memberships.member_id AND p.id NOT` + inList + `)`,
		nestings: `group_id = ? AND EXISTS (SELECT 1 FROM groups g WHERE g.id = nestings.child_id AND g.scim_id NOT` +
			inList + `)`,
		args: []any{groupID, List(scimIDs)},
	}
}

// LeavingProvisioned are the members that provisioning put in, and all groups. The
// people of all members see it: the group is about to become unmanaged.
func LeavingProvisioned(groupID string) Leaving {
	return Leaving{
		people:      `member_id IN (SELECT member_id FROM memberships WHERE group_id = ?)`,
		memberships: `memberships.group_id = ? AND memberships.by_scim`,
		nestings:    `group_id = ?`,
		args:        []any{groupID},
		unmanaged:   true,
	}
}

// BumpLeaving makes the next version of the people that leave, and reports whether there may be members that leave.
func (tx *Tx) BumpLeaving(ctx context.Context, l Leaving, now time.Time) (some bool, err error) {
	query := `UPDATE people SET version = version + 1, modified_at = ? WHERE ` + l.people
	args := append([]any{Micros(now)}, l.args...)
	if l.most > 0 || l.unmanaged {
		return true, tx.Send(ctx, query, args...)
	}
	return affected(tx.Exec(ctx, query, args...))
}

// losers are the memberships of those that leave and have access to lose, with what is joined.
func (l Leaving) losers(joined string) string {
	return ` FROM memberships JOIN members m ON m.id = memberships.member_id` + joined + `
		WHERE ` + l.memberships + ` AND NOT m.suspended AND m.state <> 'not_invited'`
}

// CountLosers counts those that leave and lose something by it: all whose
// suspension is not held, and those whose suspension is.
func (tx *Tx) CountLosers(ctx context.Context, l Leaving) (losers, held int64, err error) {
	return losers, held, tx.QueryRow(ctx, `SELECT COALESCE(sum(CASE WHEN m.suspension_held THEN 0 ELSE 1 END), 0),
		COALESCE(sum(CASE WHEN m.suspension_held THEN 1 ELSE 0 END), 0)`+l.losers(""), l.args...).Scan(&losers, &held)
}

// numberedID begins the id of a hold of many at once, which are listed by their ids.
const numberedID = `? || '-' || substr(CAST(10000000 + row_number() `

// HoldLosers holds, as h, the removal of those that lose something, but for the
// first few in the order of creation whose suspension is not held. It returns how
// many it holds. RemoveLeaving comes next.
func (tx *Tx) HoldLosers(ctx context.Context, l Leaving, but int64, h Hold) (int64, error) {
	held, err := tx.Exec(ctx, `INSERT INTO holds (id, member_id, group_id, by_scim, attached, person_id, user_name,
			since, made, request_id, client, idp)
		SELECT `+numberedID+`OVER (ORDER BY attached, place) AS TEXT), 2), member_id, group_id, by_scim, attached,
			person_id, user_name, ?, ?, ?, ?, ? FROM (
			SELECT memberships.member_id, memberships.group_id, memberships.by_scim, m.suspension_held AS attached,
				COALESCE(person.id, '') AS person_id, COALESCE(person.user_name, m.last_user_name, '') AS user_name,
				row_number() OVER (PARTITION BY m.suspension_held
					ORDER BY COALESCE(person.position, 0), m.id) AS place`+
		l.losers(` LEFT JOIN people person ON person.member_id = memberships.member_id`)+`) AS leaving
		WHERE attached OR place > ?`,
		slices.Concat(
			[]any{h.ID, Micros(h.Since), Micros(h.Made), h.RequestID, h.Client, h.IdP}, l.args, []any{but},
		)...)
	return tx.addHeld(ctx, +1, held, err)
}

// RemoveLeaving ends memberships and nestings, and returns how many.
func (tx *Tx) RemoveLeaving(ctx context.Context, l Leaving) (int64, error) {
	memberships, err := tx.Exec(ctx, `DELETE FROM memberships WHERE `+l.memberships, l.args...)
	if err != nil || memberships > 0 && memberships == l.most {
		return memberships, err
	}
	nestings, err := tx.Exec(ctx, `DELETE FROM nestings WHERE `+l.nestings, l.args...)
	return memberships + nestings, err
}

// CountInGroup makes the next version of a group that gained or lost people
// or groups under management.
func (tx *Tx) CountInGroup(ctx context.Context, groupID string, delta int64, now time.Time) error {
	err := tx.Send(
		ctx, `UPDATE groups SET managed_count = managed_count + ?, version = version + 1, modified_at = ? WHERE id = ?`,
		delta, Micros(now), groupID,
	)
	if err != nil {
		return err
	}
	return tx.addMemberships(ctx, delta)
}

// CountMember does so for every group that a member is in, when the member
// becomes managed (1) or unmanaged (-1).
func (tx *Tx) CountMember(ctx context.Context, memberID string, delta int64, now time.Time) error {
	groups, err := tx.Exec(ctx, `UPDATE groups SET managed_count = managed_count + ?, version = version + 1,
			modified_at = ?
		WHERE id IN (SELECT group_id FROM memberships WHERE member_id = ?)`, delta, Micros(now), memberID)
	if err != nil {
		return err
	}
	return tx.addMemberships(ctx, delta*groups)
}

// RemoveProvisioned removes what provisioning made of a member's memberships.
func (tx *Tx) RemoveProvisioned(ctx context.Context, memberID string) error {
	return tx.Send(ctx, `DELETE FROM memberships WHERE member_id = ? AND by_scim`, memberID)
}

// MoveMemberships gives a member's memberships to another. One that the other keeps
// by a held removal is in again.
func (tx *Tx) MoveMemberships(ctx context.Context, from, to string) error {
	ended, err := tx.Exec(ctx, `DELETE FROM holds WHERE member_id = ?
		AND group_id IN (SELECT group_id FROM memberships WHERE member_id = ?)`, to, from)
	if _, err = tx.addHeld(ctx, -1, ended, err); err != nil {
		return err
	}
	if err := tx.Send(ctx, `INSERT INTO memberships (group_id, member_id, by_scim)
			SELECT group_id, ?, by_scim FROM memberships WHERE member_id = ? ON CONFLICT DO NOTHING`,
		to, from); err != nil {
		return err
	}
	return tx.Send(ctx, `DELETE FROM memberships WHERE member_id = ?`, from)
}

// AddByHand puts a member into a group and reports whether it was not in before, or
// is in again because its removal was held.
func (tx *Tx) AddByHand(ctx context.Context, groupID, memberID string) (bool, error) {
	ended, err := tx.Exec(ctx, `DELETE FROM holds WHERE member_id = ? AND group_id = ?`, memberID, groupID)
	if _, err = tx.addHeld(ctx, -1, ended, err); err != nil {
		return false, err
	}
	return affected(tx.Exec(ctx, `INSERT INTO memberships (group_id, member_id, by_scim) VALUES (?, ?, FALSE)
		ON CONFLICT DO NOTHING`, groupID, memberID))
}

// ReleaseGroup takes a group, of which provisioning has put nothing in any more,
// out of the groups that it was nested in.
func (tx *Tx) ReleaseGroup(ctx context.Context, groupID string, now time.Time) error {
	const count = `UPDATE access_counts SET memberships = memberships`
	for _, step := range []struct {
		query string
		args  []any
	}{
		{count + ` - (SELECT count(*) FROM nestings WHERE child_id = ?)
			- (SELECT managed_count FROM groups WHERE id = ?)`, []any{groupID, groupID}},
		{`UPDATE groups SET managed_count = managed_count - 1, version = version + 1, modified_at = ?
			WHERE id IN (SELECT group_id FROM nestings WHERE child_id = ?)`, []any{Micros(now), groupID}},
		{`DELETE FROM nestings WHERE child_id = ?`, []any{groupID}},
		{`UPDATE groups SET managed_count = (SELECT count(*) FROM memberships s
			JOIN people p ON p.member_id = s.member_id WHERE s.group_id = groups.id) WHERE id = ?`, []any{groupID}},
		{count + ` + (SELECT managed_count FROM groups WHERE id = ?)`, []any{groupID}},
	} {
		if err := tx.Send(ctx, step.query, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// GroupMembers returns the managed people and groups in each of the groups
// with these ids, in stable order.
func (tx *Tx) GroupMembers(ctx context.Context, groupIDs []string) (map[string][]Reference, error) {
	members := make(map[string][]Reference, len(groupIDs))
	ids := List(groupIDs)
	_, err := All(ctx, tx, func(row Scanner) (none struct{}, err error) {
		var groupID string
		var r Reference
		if err = row.Scan(&groupID, &r.ID, &r.Display, &r.IsGroup); err == nil {
			members[groupID] = append(members[groupID], r)
		}
		return none, err
	}, `SELECT s.group_id, p.id, COALESCE(p.display_name, p.user_name), FALSE
			FROM memberships s JOIN people p ON p.member_id = s.member_id WHERE s.group_id`+inList+`
		UNION ALL
		SELECT n.group_id, g.scim_id, g.name, TRUE
			FROM nestings n JOIN groups g ON g.id = n.child_id WHERE n.group_id`+inList+`
		ORDER BY 1, 4, 2`, ids, ids)
	return members, err
}

// A GroupFilter chooses groups; its zero value chooses all.
type GroupFilter struct {
	Name    string
	Managed *bool
}

// Groups lists groups from the oldest to the newest, from after a place.
func (tx *Tx) Groups(ctx context.Context, f GroupFilter, after Place, limit int) ([]Group, error) {
	where, args := ` WHERE (g.created_at, g.id) > (?, ?)`, []any{Micros(after.Time), after.ID}
	if f.Name != "" {
		where, args = where+` AND g.name_folded = ?`, append(args, Fold(f.Name))
	}
	if f.Managed != nil {
		where, args = where+` AND (g.scim_id IS NOT NULL) = ?`, append(args, *f.Managed)
	}
	return All(ctx, tx, scanGroup, `SELECT `+groupColumns+` FROM groups g`+where+` ORDER BY g.created_at, g.id LIMIT ?`,
		append(args, limit)...)
}

// MemberCounts tells how many members the groups with these ids have, managed
// or not, nested groups aside.
func (tx *Tx) MemberCounts(ctx context.Context, groupIDs []string) (map[string]int, error) {
	counts := make(map[string]int, len(groupIDs))
	ids := List(groupIDs)
	_, err := All(ctx, tx, func(row Scanner) (none struct{}, err error) {
		var id string
		var n int
		if err = row.Scan(&id, &n); err == nil {
			counts[id] = n
		}
		return none, err
	}, `SELECT s.group_id, count(*) FROM (SELECT group_id, member_id FROM memberships WHERE group_id`+inList+`
			UNION ALL SELECT group_id, member_id FROM holds WHERE group_id`+inList+`) AS s
		JOIN members m ON m.id = s.member_id WHERE m.state <> 'not_invited' GROUP BY s.group_id`, ids, ids)
	return counts, err
}
