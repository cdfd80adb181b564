package store

import (
	"context"
	"time"
)

// A FoundMember is a member with what its state depends on.
type FoundMember struct {
	Member
	// WantedAddress is what the identity provider says, while the member is managed; it may be empty.
	WantedAddress string
	WantedSince   time.Time
	WantedBlocked bool          // another member has the wanted address now, or moves to it
	Change        AddressChange // without an address if there is none
}

// A MemberChange is an audit event about a member or its person.
type MemberChange struct {
	Time                   time.Time
	Actor, Action, Summary string
}

// byName selects the members whose id, SCIM id, address, new address, userName or last userName is in a list. Names
// are in the list as they are folded.
const byName = `m.id IN (SELECT id FROM members WHERE id` + inList + `
	UNION SELECT member_id FROM people WHERE id` + inList + `
	UNION SELECT id FROM members WHERE address_folded` + inList + `
	UNION SELECT member_id FROM address_changes WHERE address_folded` + inList + `
	UNION SELECT member_id FROM people WHERE user_name_folded` + inList + `
	UNION SELECT id FROM members WHERE last_user_name` + inList + `)`

// FindMembers returns the members under some names, the oldest first.
func (tx *Tx) FindMembers(ctx context.Context, names []string) ([]FoundMember, error) {
	folded := make([]string, len(names))
	for i, name := range names {
		folded[i] = Fold(name)
	}
	list := List(folded)
	return All(ctx, tx, func(row Scanner) (m FoundMember, err error) {
		err = row.Scan(append(memberFields(&m.Member), &m.WantedAddress, (*Time)(&m.WantedSince), &m.WantedBlocked,
			&m.Change.Domain, &m.Change.TokenHash, (*Time)(&m.Change.Since))...)
		m.Change.MemberID, m.Change.Address = m.ID, m.PendingAddress
		return m, err
	}, `SELECT `+memberColumns+`, COALESCE(p.wanted_address, ''), COALESCE(p.wanted_since, 0),
		COALESCE(p.wanted_address, '') <> '' AND (
			EXISTS (SELECT 1 FROM members o WHERE o.address_folded = fold(p.wanted_address) AND o.id <> m.id) OR
			EXISTS (SELECT 1 FROM address_changes o WHERE o.address_folded = fold(p.wanted_address)
				AND o.member_id <> m.id)),
		COALESCE(c.domain, ''), COALESCE(c.token_hash, ''), COALESCE(c.since, 0)`+
		memberTables+`WHERE `+byName+` ORDER BY m.created_at, m.id`, list, list, list, list, list, list)
}

// HoldsOf lists the holds on a member: the one on its suspension, then those on removals, the oldest first, and those
// that belong to the held suspension among them.
func (tx *Tx) HoldsOf(ctx context.Context, memberID string, limit int) ([]Hold, error) {
	return All(ctx, tx, scanHold, holdQuery+`WHERE h.member_id = ? ORDER BY h.group_id <> '', h.made, h.id LIMIT ?`,
		memberID, limit)
}

// auditSearched is how many of the latest audit events are looked through: those of one object have no index, which
// every change would have to write.
const auditSearched = 100_000

// ChangesOf returns the latest audit events, newest first, whose objects are one of some ids: at most limit of each.
// The events are read once for all of them. What happened to a person that is deleted is found by the id of its
// member, which is in the summary.
func (tx *Tx) ChangesOf(ctx context.Context, ids []string, limit int) (map[string][]MemberChange, error) {
	type change struct {
		of string
		MemberChange
	}
	list := List(ids)
	found, err := All(ctx, tx, func(row Scanner) (c change, err error) {
		return c, row.Scan(&c.of, (*Time)(&c.Time), &c.Actor, &c.Action, &c.Summary)
	}, `WITH latest AS (
			SELECT sequence, time, actor, action, summary, object, CASE WHEN object`+inList+` THEN object
				WHEN action IN ('person.create', 'person.delete', 'person.confirm',
					'hold.create', 'hold.approve', 'hold.cancel') AND instr(summary, 'member ') > 0
				THEN replace(substr(summary, instr(summary, 'member ') + 7), ',', ' ') || ' ' END AS about
			FROM audit WHERE sequence > (SELECT max(sequence) FROM audit) - ?
		), named AS (
			SELECT *, CASE WHEN about = object THEN object ELSE substr(about, 1, instr(about, ' ') - 1) END AS id
			FROM latest WHERE about IS NOT NULL
		), numbered AS (
			SELECT *, row_number() OVER (PARTITION BY id ORDER BY sequence DESC) AS n FROM named WHERE id`+inList+`
		)
		SELECT id, time, actor, action, summary FROM numbered WHERE n <= ? ORDER BY sequence DESC`,
		list, auditSearched, list, limit)
	changes := make(map[string][]MemberChange)
	for _, c := range found {
		changes[c.of] = append(changes[c.of], c.MemberChange)
	}
	return changes, err
}
