package store

import (
	"context"
	"time"
)

// Every statement here takes the whole set of ids at once, and writes one row
// for each person that is added or removed, one for the membership, and the
// group's. The members that a group already has cost nothing.

const inList = ` IN (SELECT value FROM json_each(?))`

// UnknownIDs returns those ids that name neither a managed person nor a
// managed group, in the order given.
func (tx *Tx) UnknownIDs(ctx context.Context, scimIDs []string) ([]string, error) {
	return All(ctx, tx, func(row Scanner) (id string, err error) { return id, row.Scan(&id) },
		`SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM people p WHERE p.id = value)
			AND NOT EXISTS (SELECT 1 FROM groups g WHERE g.scim_id = value) ORDER BY key`, List(scimIDs))
}

// AddToGroup puts managed people and groups into a group and returns how
// many were not in before. Unknown ids are passed over.
func (tx *Tx) AddToGroup(ctx context.Context, groupID string, scimIDs []string, now time.Time) (int64, error) {
	ids := List(scimIDs)
	if _, err := tx.Exec(ctx, `UPDATE people SET version = version + 1, modified_at = ?
		WHERE id`+inList+` AND NOT EXISTS (SELECT 1 FROM memberships s WHERE s.group_id = ? AND s.member_id = `+
		`people.member_id)`,
		Micros(now), ids, groupID); err != nil {
		return 0, err
	}
	people, err := tx.Exec(ctx, `INSERT INTO memberships (group_id, member_id, by_scim)
		SELECT ?, p.member_id, TRUE FROM people p WHERE p.id`+inList+`
		ON CONFLICT DO NOTHING`, groupID, ids)
	if err != nil {
		return 0, err
	}
	groups, err := tx.Exec(ctx, `INSERT INTO nestings (group_id, child_id)
		SELECT ?, g.id FROM groups g WHERE g.scim_id`+inList+`
		ON CONFLICT DO NOTHING`, groupID, ids)
	return people + groups, err
}

// RemoveFromGroup takes managed people and groups out of a group and returns
// how many were in. It starts from the ids: the group may be large.
func (tx *Tx) RemoveFromGroup(ctx context.Context, groupID string, scimIDs []string, now time.Time) (int64, error) {
	return tx.removeWhere(ctx, groupID, List(scimIDs), now,
		`EXISTS (SELECT 1 FROM memberships s WHERE s.group_id = ? AND s.member_id = people.member_id) AND id`+inList,
		`group_id = ? AND member_id IN (SELECT p.member_id FROM people p WHERE p.id`+inList+`)`,
		`group_id = ? AND child_id IN (SELECT g.id FROM groups g WHERE g.scim_id`+inList+`)`)
}

// RemoveOthersFromGroup leaves only these managed people and groups in a
// group and returns how many it removed. Its statements start from the group.
func (tx *Tx) RemoveOthersFromGroup(
	ctx context.Context, groupID string, scimIDs []string, now time.Time,
) (int64, error) {
	return tx.removeWhere(ctx, groupID, List(scimIDs), now,
		`member_id IN (SELECT member_id FROM memberships WHERE group_id = ?) AND id NOT`+inList,
		`group_id = ? AND EXISTS (SELECT 1 FROM people p WHERE p.member_id = memberships.member_id AND p.id `+
			`NOT`+inList+`)`,
		`group_id = ? AND EXISTS (SELECT 1 FROM groups g WHERE g.id = nestings.child_id AND g.scim_id NOT`+inList+`)`)
}

// removeWhere ends memberships. The conditions select the rows of people,
// memberships and nestings; each takes the group and the ids.
func (tx *Tx) removeWhere(ctx context.Context, groupID, ids string, now time.Time,
	people, memberships, nestings string,
) (int64, error) {
	if _, err := tx.Exec(ctx, `UPDATE people SET version = version + 1, modified_at = ? WHERE `+people,
		Micros(now), groupID, ids); err != nil {
		return 0, err
	}
	left, err := tx.Exec(ctx, `DELETE FROM memberships WHERE `+memberships, groupID, ids)
	if err != nil {
		return 0, err
	}
	groups, err := tx.Exec(ctx, `DELETE FROM nestings WHERE `+nestings, groupID, ids)
	return left + groups, err
}

// CountInGroup makes the next version of a group that gained or lost people
// or groups under management.
func (tx *Tx) CountInGroup(ctx context.Context, groupID string, delta int64, now time.Time) error {
	_, err := tx.Exec(
		ctx, `UPDATE groups SET managed_count = managed_count + ?, version = version + 1, modified_at = ? WHERE id = ?`,
		delta, Micros(now), groupID,
	)
	return err
}

// CountMember does so for every group that a member is in, when the member
// becomes managed (1) or unmanaged (-1).
func (tx *Tx) CountMember(ctx context.Context, memberID string, delta int64, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE groups SET managed_count = managed_count + ?, version = version + 1, modified_at = ?
		WHERE id IN (SELECT group_id FROM memberships WHERE member_id = ?)`, delta, Micros(now), memberID)
	return err
}

// RemoveProvisioned removes what provisioning made of a member's memberships.
func (tx *Tx) RemoveProvisioned(ctx context.Context, memberID string) error {
	_, err := tx.Exec(ctx, `DELETE FROM memberships WHERE member_id = ? AND by_scim`, memberID)
	return err
}

// MoveMemberships gives a member's memberships to another.
func (tx *Tx) MoveMemberships(ctx context.Context, from, to string) error {
	_, err := tx.Exec(ctx, `INSERT INTO memberships (group_id, member_id, by_scim)
		SELECT group_id, ?, by_scim FROM memberships WHERE member_id = ? ON CONFLICT DO NOTHING`, to, from)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM memberships WHERE member_id = ?`, from)
	return err
}

// AddByHand puts a member into a group and reports whether it was not in before.
func (tx *Tx) AddByHand(ctx context.Context, groupID, memberID string) (bool, error) {
	return affected(tx.Exec(ctx, `INSERT INTO memberships (group_id, member_id, by_scim) VALUES (?, ?, FALSE)
		ON CONFLICT DO NOTHING`, groupID, memberID))
}

// ReleaseGroup empties a group of what provisioning put in, and takes it out
// of the groups that it was nested in.
func (tx *Tx) ReleaseGroup(ctx context.Context, groupID string, now time.Time) error {
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`UPDATE people SET version = version + 1, modified_at = ?
			WHERE member_id IN (SELECT member_id FROM memberships WHERE group_id = ?)`, []any{Micros(now), groupID}},
		{`DELETE FROM memberships WHERE group_id = ? AND by_scim`, []any{groupID}},
		{`UPDATE groups SET managed_count = managed_count - 1, version = version + 1, modified_at = ?
			WHERE id IN (SELECT group_id FROM nestings WHERE child_id = ?)`, []any{Micros(now), groupID}},
		{`DELETE FROM nestings WHERE group_id = ? OR child_id = ?`, []any{groupID, groupID}},
		{`UPDATE groups SET managed_count = (SELECT count(*) FROM memberships s
			JOIN people p ON p.member_id = s.member_id WHERE s.group_id = groups.id) WHERE id = ?`, []any{groupID}},
	} {
		if _, err := tx.Exec(ctx, step.query, step.args...); err != nil {
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
	_, err := All(ctx, tx, func(row Scanner) (none struct{}, err error) {
		var id string
		var n int
		if err = row.Scan(&id, &n); err == nil {
			counts[id] = n
		}
		return none, err
	}, `SELECT s.group_id, count(*) FROM memberships s JOIN members m ON m.id = s.member_id
		WHERE s.group_id`+inList+` AND m.state <> 'not_invited' GROUP BY s.group_id`, List(groupIDs))
	return counts, err
}
