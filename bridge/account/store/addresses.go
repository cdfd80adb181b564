package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// An AddressChange is a member's move to another sign-in address.
type AddressChange struct {
	MemberID  string
	Address   string
	Domain    string
	TokenHash string // empty while it waits for the domain to be allowed
	Since     time.Time
}

const addressChangeQuery = `SELECT member_id, address, domain, COALESCE(token_hash, ''), since FROM address_changes `

func scanAddressChange(row Scanner) (c AddressChange, err error) {
	return c, row.Scan(&c.MemberID, &c.Address, &c.Domain, &c.TokenHash, (*Time)(&c.Since))
}

// AddressChange returns the change that a token with this hash confirms.
func (tx *Tx) AddressChange(ctx context.Context, tokenHash string) (AddressChange, bool, error) {
	return One(ctx, tx, scanAddressChange, addressChangeQuery+`WHERE token_hash = ?`, tokenHash)
}

// WaitingAddressChanges lists the changes that wait for the domain, oldest first.
func (tx *Tx) WaitingAddressChanges(ctx context.Context, domain string) ([]AddressChange, error) {
	return All(ctx, tx, scanAddressChange,
		addressChangeQuery+`WHERE domain = ? AND token_hash IS NULL ORDER BY since, member_id`, domain)
}

// PutAddressChange makes c the member's only change.
func (tx *Tx) PutAddressChange(ctx context.Context, c AddressChange) error {
	if err := tx.DeleteAddressChange(ctx, c.MemberID); err != nil {
		return err
	}
	return tx.Send(ctx, `INSERT INTO address_changes (member_id, address, address_folded, domain, token_hash, since)
		VALUES (?, ?, ?, ?, NULLIF(?, ''), ?)`, c.MemberID, c.Address, Fold(c.Address), c.Domain, c.TokenHash,
		Micros(c.Since))
}

// AddressChangeOf returns the change of a member.
func (tx *Tx) AddressChangeOf(ctx context.Context, memberID string) (AddressChange, bool, error) {
	return One(ctx, tx, scanAddressChange, addressChangeQuery+`WHERE member_id = ?`, memberID)
}

// DeleteAddressChange ends the member's change, if there is one, and the link
// that confirms it.
func (tx *Tx) DeleteAddressChange(ctx context.Context, memberID string) error {
	if err := tx.removeLink(ctx, addressChangeLink, memberID); err != nil {
		return err
	}
	return tx.Send(ctx, `DELETE FROM address_changes WHERE member_id = ?`, memberID)
}

// AddressHolder returns the member that has the address or is about to move to it.
func (tx *Tx) AddressHolder(ctx context.Context, address string) (Member, bool, error) {
	folded := Fold(address)
	return tx.memberWhere(ctx, `m.id = COALESCE(
		(SELECT id FROM members WHERE address_folded = ?),
		(SELECT member_id FROM address_changes WHERE address_folded = ?))`, folded, folded)
}

// The things that people wait for.
const (
	AddressMissing      = "address_missing"
	AddressTaken        = "address_taken"
	SignupDomainMissing = "signup_domain_missing"
	AddressUnconfirmed  = "address_unconfirmed"
	InvitationUnsent    = "invitation_unsent"
	ConfirmationUnsent  = "confirmation_unsent"
	InvitationOpen      = "invitation_open"
	ConfirmationDue     = "confirmation_due"
)

// An Attention is a managed person that waits for something.
type Attention struct {
	PersonID, UserName, Kind, Address, Domain string
	Since                                     time.Time
}

// waits are the queries of the people that wait, by what they wait for: first
// what a bridge must do, then what an operator must do, and last what only the
// person can do. Suspended people wait for nothing.
var waits = []wait{
	{ConfirmationDue, `m.address`, `''`, `m.state_since`, managedMembers + `WHERE m.state = 'pending'`},
	{SignupDomainMissing, `c.address`, `c.domain`, `c.since`, movingMembers + `WHERE c.token_hash IS NULL` + isMoving},
	{
		AddressMissing, `''`, `''`, `p.wanted_since`,
		managedMembers + `WHERE m.state = 'not_invited' AND p.wanted_address = ''`,
	},
	{AddressTaken, `p.wanted_address`, `''`, `p.wanted_since`, managedMembers + `WHERE p.wanted_blocked`},
	{
		InvitationUnsent, `m.address`, `''`, `m.state_since`,
		managedMembers + `WHERE m.state = 'invited' AND m.invitation_hash IN (` + unsentLinks + `)`,
	},
	{
		ConfirmationUnsent, `c.address`, `''`, `c.since`,
		movingMembers + `WHERE c.token_hash IN (` + unsentLinks + `)` + isMoving,
	},
	{
		AddressUnconfirmed, `c.address`, `''`, `c.since`,
		movingMembers + `WHERE c.token_hash IS NOT NULL AND c.token_hash NOT IN (` + unsentLinks + `)` + isMoving,
	},
	{
		InvitationOpen, `m.address`, `''`, `m.state_since`,
		managedMembers + `WHERE m.state = 'invited' AND COALESCE(m.invitation_hash, '') NOT IN (` + unsentLinks + `)`,
	},
}

type wait struct{ kind, address, domain, since, from string }

const unsentLinks = `SELECT f.link_hash` + unsent

const (
	managedMembers = ` FROM members m JOIN people p ON p.member_id = m.id `
	// movingMembers begins with the changes, which are few: given the choice, SQLite reads all members.
	movingMembers = ` FROM address_changes c CROSS JOIN members m CROSS JOIN people p `
	isMoving      = ` AND m.id = c.member_id AND p.member_id = m.id `
)

// WaitingKinds lists what people wait for, in the order of lists.
func WaitingKinds() []string {
	kinds := make([]string, len(waits))
	for i, w := range waits {
		kinds[i] = w.kind
	}
	return kinds
}

// among is the part of the query that chooses the people with a text in the userName
// or the address; all of them, if it is empty.
func (w wait) among(search string) (where string, args []any) {
	where = w.from + ` AND NOT m.suspended`
	if search == "" {
		return where, nil
	}
	pattern := "%" + likeEscaper.Replace(Fold(search)) + "%"
	return where + ` AND (p.user_name_folded LIKE ? ESCAPE '!' OR lower(` + w.address + `) LIKE ? ESCAPE '!')`,
		[]any{pattern, pattern}
}

var likeEscaper = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// Waiting lists the people that wait for one thing, the oldest first, from after a place.
func (tx *Tx) Waiting(ctx context.Context, kind, search string, after Place, limit int) ([]Attention, error) {
	i := slices.IndexFunc(waits, func(w wait) bool { return w.kind == kind })
	if i < 0 {
		return nil, fmt.Errorf("nobody waits for %q", kind)
	}
	w := waits[i]
	where, args := w.among(search)
	args = append(args, Micros(after.Time), after.ID, limit)
	return All(ctx, tx, func(row Scanner) (a Attention, err error) {
		a.Kind = kind
		return a, row.Scan(&a.PersonID, &a.UserName, &a.Address, &a.Domain, (*Time)(&a.Since))
	}, `SELECT p.id, p.user_name, `+w.address+`, `+w.domain+`, `+w.since+` AS since`+where+
		` AND (`+w.since+`, p.id) > (?, ?) ORDER BY since, p.id LIMIT ?`, args...)
}

// CountWaiting counts the people that wait for one thing.
func (tx *Tx) CountWaiting(ctx context.Context, kind, search string) (n int64, err error) {
	for _, w := range waits {
		if w.kind == kind {
			where, args := w.among(search)
			return n, tx.QueryRow(ctx, `SELECT count(*)`+where, args...).Scan(&n)
		}
	}
	return 0, fmt.Errorf("nobody waits for %q", kind)
}

// Attention lists the people that wait and what for, at most limit of each
// kind: thousands of open invitations, which need nobody, must not hide the one
// person that an operator must help.
func (tx *Tx) Attention(ctx context.Context, limit int) (all []Attention, err error) {
	for _, w := range waits {
		some, err := tx.Waiting(ctx, w.kind, "", Place{Time: time.UnixMicro(math.MinInt64)}, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
