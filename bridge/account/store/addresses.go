package store

import (
	"context"
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
	_, err := tx.Exec(ctx, `INSERT INTO address_changes (member_id, address, address_folded, domain, token_hash, since)
		VALUES (?, ?, ?, ?, NULLIF(?, ''), ?)`, c.MemberID, c.Address, Fold(c.Address), c.Domain, c.TokenHash,
		Micros(c.Since))
	return err
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
	_, err := tx.Exec(ctx, `DELETE FROM address_changes WHERE member_id = ?`, memberID)
	return err
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
var waits = []struct{ kind, query string }{
	{ConfirmationDue, `m.address, '', m.state_since AS since` + managedMembers + `WHERE m.state = 'pending'`},
	{SignupDomainMissing, `c.address, c.domain, c.since AS since` + movingMembers + `WHERE c.token_hash IS NULL`},
	{
		AddressMissing,
		`'', '', p.wanted_since AS since` + managedMembers + `WHERE m.state = 'not_invited' AND p.wanted_address = ''`,
	},
	{AddressTaken, `p.wanted_address, '', p.wanted_since AS since` + managedMembers + `WHERE p.wanted_blocked`},
	{AddressUnconfirmed, `c.address, '', c.since AS since` + movingMembers + `WHERE c.token_hash IS NOT NULL`},
	{InvitationOpen, `m.address, '', m.state_since AS since` + managedMembers + `WHERE m.state = 'invited'`},
}

const (
	managedMembers = ` FROM members m JOIN people p ON p.member_id = m.id `
	movingMembers  = ` FROM address_changes c JOIN members m ON m.id = c.member_id JOIN people p ON p.member_id = m.id `
)

// Attention lists the people that wait and what for, at most limit of each
// kind: thousands of open invitations, which need nobody, must not hide the one
// person that an operator must help.
func (tx *Tx) Attention(ctx context.Context, limit int) (all []Attention, err error) {
	for _, w := range waits {
		some, err := All(ctx, tx, func(row Scanner) (a Attention, err error) {
			a.Kind = w.kind
			return a, row.Scan(&a.PersonID, &a.UserName, &a.Address, &a.Domain, (*Time)(&a.Since))
		}, `SELECT p.id, p.user_name, `+w.query+` AND NOT m.suspended ORDER BY since, p.id LIMIT ?`, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
