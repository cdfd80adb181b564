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
		VALUES (?, ?, ?, ?, NULLIF(?, ''), ?)`, c.MemberID, c.Address, Fold(c.Address), c.Domain, c.TokenHash, Micros(c.Since))
	return err
}

// DeleteAddressChange ends the member's change, if there is one.
func (tx *Tx) DeleteAddressChange(ctx context.Context, memberID string) error {
	_, err := tx.Exec(ctx, `DELETE FROM address_changes WHERE member_id = ?`, memberID)
	return err
}

// AddressHolder returns the member who has the address or is about to move to it.
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

// An Attention is a managed person who waits for something.
type Attention struct {
	PersonID, UserName, Kind, Address, Domain string
	Since                                     time.Time
}

// Attention lists who waits for what, oldest first. The suspended wait for nothing.
func (tx *Tx) Attention(ctx context.Context, limit int) ([]Attention, error) {
	return All(ctx, tx, func(row Scanner) (a Attention, err error) {
		return a, row.Scan(&a.PersonID, &a.UserName, &a.Kind, &a.Address, &a.Domain, (*Time)(&a.Since))
	}, `
	SELECT p.id, p.user_name, CASE WHEN p.wanted_address = '' THEN 'address_missing' ELSE 'address_taken' END,
			p.wanted_address, '', p.wanted_since AS since
		FROM members m JOIN people p ON p.member_id = m.id
		WHERE m.state = 'not_invited' AND NOT m.suspended
	UNION ALL
	SELECT p.id, p.user_name, CASE m.state WHEN 'invited' THEN 'invitation_open' ELSE 'confirmation_due' END,
			m.address, '', m.state_since
		FROM members m JOIN people p ON p.member_id = m.id
		WHERE m.state IN ('invited', 'pending') AND NOT m.suspended
	UNION ALL
	SELECT p.id, p.user_name, CASE WHEN c.token_hash IS NULL THEN 'signup_domain_missing' ELSE 'address_unconfirmed' END,
			c.address, CASE WHEN c.token_hash IS NULL THEN c.domain ELSE '' END, c.since
		FROM address_changes c JOIN members m ON m.id = c.member_id JOIN people p ON p.member_id = m.id
		WHERE NOT m.suspended
	UNION ALL
	SELECT p.id, p.user_name, 'address_taken', p.wanted_address, '', p.wanted_since
		FROM people p JOIN members m ON m.id = p.member_id
		WHERE p.wanted_blocked AND m.state <> 'not_invited' AND NOT m.suspended
	ORDER BY since, 1, 3 LIMIT ?`, limit)
}
