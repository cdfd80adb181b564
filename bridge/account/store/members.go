package store

import (
	"context"
	"time"
)

// The states of a member, in the order in which it passes through them.
const (
	NotInvited = "not_invited" // a seat for memberships; no member to anyone
	Invited    = "invited"
	Pending    = "pending"
	Active     = "active"
)

// The roles. All but the first are protected from provisioning.
const (
	RoleMember           = "member"
	RoleAdministrator    = "administrator"
	RoleOwner            = "owner"
	RoleProvisionManager = "provision_manager"
)

// A Member is a person in the account, with what other tables hold of it.
type Member struct {
	ID         string
	Address    string // empty while not invited
	Name       string
	Role       string
	State      string
	StateSince time.Time
	Suspended  bool
	// SuspensionHeld: provisioning sees it suspended, and it is not.
	SuspensionHeld bool
	SignedUp       bool // it asked for its invitation itself; written once
	// InvitedAt is when the link was made by which the member can join; zero
	// without one. InsertMember and SetInvitation write it.
	InvitedAt time.Time
	// InvitationHash is the hash of that link for InsertMember. It is not read.
	InvitationHash string
	// LastUserName is the folded userName that an unmanaged member had last.
	LastUserName string
	Version      int64 // 0 before it is added
	CreatedAt    time.Time

	// Joined from other tables; not written with the row.
	PendingAddress string
	PersonID       string // empty while unmanaged
	UserName       string
}

// Managed reports whether provisioning manages the member.
func (m Member) Managed() bool { return m.PersonID != "" }

// LooksSuspended reports whether provisioning sees the member suspended.
func (m Member) LooksSuspended() bool { return m.Suspended || m.SuspensionHeld }

// HasAccess reports whether the member is in, or invited, and not suspended.
func (m Member) HasAccess() bool { return !m.Suspended && m.State != NotInvited }

// Protected reports whether provisioning must leave the member alone.
func (m Member) Protected() bool { return m.Role != RoleMember }

const memberColumns = `m.id, COALESCE(m.address, ''), m.name, m.role, m.state, m.state_since, m.suspended,
	m.suspension_held, m.signed_up, m.invited_at,
	COALESCE(m.last_user_name, ''), m.version, m.created_at,
	COALESCE(c.address, ''), COALESCE(p.id, ''), COALESCE(p.user_name, '')`

const memberTables = ` FROM members m
	LEFT JOIN address_changes c ON c.member_id = m.id
	LEFT JOIN people p ON p.member_id = m.id `

func scanMember(row Scanner) (m Member, err error) { return m, row.Scan(memberFields(&m)...) }

// memberFields are where memberColumns go.
func memberFields(m *Member) []any {
	return []any{
		&m.ID, &m.Address, &m.Name, &m.Role, &m.State, (*Time)(&m.StateSince), &m.Suspended,
		&m.SuspensionHeld, &m.SignedUp, (*Time)(&m.InvitedAt), &m.LastUserName, &m.Version, (*Time)(&m.CreatedAt),
		&m.PendingAddress, &m.PersonID,
		&m.UserName,
	}
}

// A MemberCount is how many members are in a state, and suspended or not.
type MemberCount struct {
	State     string
	Suspended bool
	Count     int64
}

// CountMembers counts the members. There is none where there are none.
func (tx *Tx) CountMembers(ctx context.Context) ([]MemberCount, error) {
	return All(ctx, tx, func(row Scanner) (c MemberCount, err error) {
		return c, row.Scan(&c.State, &c.Suspended, &c.Count)
	}, `SELECT state, suspended, count(*) FROM members WHERE state <> ? GROUP BY state, suspended`, NotInvited)
}

func (tx *Tx) memberWhere(ctx context.Context, condition string, args ...any) (Member, bool, error) {
	return One(ctx, tx, scanMember, `SELECT `+memberColumns+memberTables+`WHERE `+condition, args...)
}

// Member returns the member with this id, invited or not.
func (tx *Tx) Member(ctx context.Context, id string) (Member, bool, error) {
	return tx.memberWhere(ctx, `m.id = ?`, id)
}

// MemberByAddress returns the member that has this sign-in address.
func (tx *Tx) MemberByAddress(ctx context.Context, address string) (Member, bool, error) {
	return tx.memberWhere(ctx, `m.address_folded = ?`, Fold(address))
}

// MemberByInvitation returns the member whose invitation has this hash.
func (tx *Tx) MemberByInvitation(ctx context.Context, hash string) (Member, bool, error) {
	return tx.memberWhere(ctx, `m.invitation_hash = ?`, hash)
}

// MemberByLastUserName returns the unmanaged member that had this userName last.
func (tx *Tx) MemberByLastUserName(ctx context.Context, userName string) (Member, bool, error) {
	return tx.memberWhere(ctx, `m.last_user_name = ?`, Fold(userName))
}

// IsKnown reports whether a person has the userName or an unmanaged member had it last, or a member has the address or
// is about to move to it.
func (tx *Tx) IsKnown(ctx context.Context, userName, address string) (known bool, err error) {
	return known, tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM people WHERE user_name_folded = ?1)
		OR EXISTS (SELECT 1 FROM members WHERE last_user_name = ?1)
		OR EXISTS (SELECT 1 FROM members WHERE address_folded = ?2)
		OR EXISTS (SELECT 1 FROM address_changes WHERE address_folded = ?2)`,
		Fold(userName), Fold(address)).Scan(&known)
}

// ForgetLastUserName takes a userName from whichever unmanaged member had it
// last, because another is about to.
func (tx *Tx) ForgetLastUserName(ctx context.Context, userName string) error {
	return tx.Send(ctx, `UPDATE members SET last_user_name = NULL WHERE last_user_name = ?`, Fold(userName))
}

// InsertMember adds m at version 1.
func (tx *Tx) InsertMember(ctx context.Context, m Member) error {
	return tx.Send(ctx, `INSERT INTO members
			(id, address, address_folded, name, role, state, state_since, suspended, signed_up, last_user_name,
			invitation_hash, invited_at, version, created_at)
		VALUES (?, NULLIF(?, ''), NULLIF(?, ''), ?, ?, ?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, ''), ?, 1, ?)`,
		m.ID, m.Address, Fold(m.Address), m.Name, m.Role, m.State, Micros(m.StateSince), m.Suspended, m.SignedUp,
		m.LastUserName, m.InvitationHash, Micros(m.InvitedAt), Micros(m.CreatedAt))
}

// UpdateMember writes m as its next version.
func (tx *Tx) UpdateMember(ctx context.Context, m Member) error {
	err := tx.Send(ctx, `UPDATE members
		SET address = NULLIF(?, ''), address_folded = NULLIF(?, ''), name = ?, role = ?, state = ?, state_since = ?,
			suspended = ?, suspension_held = ?, last_user_name = NULLIF(?, ''), version = version + 1
		WHERE id = ?`,
		m.Address, Fold(m.Address), m.Name, m.Role, m.State, Micros(m.StateSince), m.Suspended,
		m.SuspensionHeld, m.LastUserName, m.ID)
	if err != nil || m.Suspended {
		return err
	}
	return tx.releaseMails(ctx, m.ID)
}

// SetInvitation makes the link with this hash the only one by which the
// member can join, and without a hash leaves none.
func (tx *Tx) SetInvitation(ctx context.Context, memberID, hash string, at time.Time) error {
	if err := tx.SpendInvitation(ctx, memberID); err != nil {
		return err
	}
	return tx.Send(ctx, `UPDATE members SET invitation_hash = NULLIF(?, ''), invited_at = ? WHERE id = ?`,
		hash, Micros(at), memberID)
}

// SpendInvitation takes the link out of the mails because it was used. Its
// owner may still follow it, and is told that it was.
func (tx *Tx) SpendInvitation(ctx context.Context, memberID string) error {
	return tx.removeLink(ctx, invitationLink, memberID)
}

// DeleteSeat removes a row in state not_invited, which is no member yet.
func (tx *Tx) DeleteSeat(ctx context.Context, memberID string) error {
	return tx.Send(ctx, `DELETE FROM members WHERE id = ? AND state = 'not_invited'`, memberID)
}

// CountSignUps counts, up to most, the members that signed up after a time and
// have not followed their link.
func (tx *Tx) CountSignUps(ctx context.Context, after time.Time, most int) (n int, err error) {
	return n, tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM members
		WHERE signed_up AND state = 'invited' AND invited_at > ? LIMIT ?) AS waiting`, Micros(after), most).Scan(&n)
}

// unclaimed selects members that signed up themselves and that nothing else in the
// account refers to: neither provisioning nor an administrator has taken them up.
const unclaimed = `signed_up AND state = 'invited' AND invited_at < ? AND role = 'member' AND NOT suspended
	AND last_user_name IS NULL
	AND NOT EXISTS (SELECT 1 FROM people WHERE people.member_id = members.id)
	AND NOT EXISTS (SELECT 1 FROM memberships WHERE memberships.member_id = members.id)
	AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.member_id = members.id)
	AND NOT EXISTS (SELECT 1 FROM address_changes WHERE address_changes.member_id = members.id)`

// A MemberFilter chooses members; its zero value chooses all.
type MemberFilter struct {
	Address string
	State   string
	Managed *bool
	GroupID string
}

// Members lists members from the oldest to the newest, from after a place.
func (tx *Tx) Members(ctx context.Context, f MemberFilter, after Place, limit int) ([]Member, error) {
	where, args := `WHERE m.state <> 'not_invited' AND (m.created_at, m.id) > (?, ?)`,
		[]any{Micros(after.Time), after.ID}
	if f.Address != "" {
		where, args = where+` AND m.address_folded = ?`, append(args, Fold(f.Address))
	}
	if f.State != "" {
		where, args = where+` AND m.state = ?`, append(args, f.State)
	}
	if f.Managed != nil {
		where, args = where+` AND (p.id IS NOT NULL) = ?`, append(args, *f.Managed)
	}
	if f.GroupID != "" {
		where, args = where+` AND m.id IN (SELECT member_id FROM memberships WHERE group_id = ?
			UNION ALL SELECT member_id FROM holds WHERE group_id = ?)`, append(args, f.GroupID, f.GroupID)
	}
	return All(ctx, tx, scanMember, `SELECT `+memberColumns+memberTables+where+` ORDER BY m.created_at, m.id LIMIT ?`,
		append(args, limit)...)
}
