package directory

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// checkAddress accepts an e-mail address to sign in with.
func checkAddress(address string) error {
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || len(address) > 254 {
		return fmt.Errorf("%q is not an e-mail address; write one like ann@example.com", address)
	}
	return nil
}

// domainOf is the domain of an address as sign-up domains are written.
func domainOf(address string) string {
	domain := strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		return ascii
	}
	return domain
}

// settleAddress invites the member to the address that the identity provider
// names, or moves the member there. An address that another member has, or is
// about to move to, is noted at the person and left alone. isFree tells that there is no such member.
func (d *Directory) settleAddress(
	ctx context.Context, tx *store.Tx, p *Person, m *store.Member, isFree bool,
) error {
	if m.LooksSuspended() && m.State != store.Invited {
		return nil // suspended members get no mail; the reactivation settles it
	}
	p.WantedBlocked = false
	wanted := store.Fold(p.WantedAddress)
	switch {
	case wanted == "":
		return nil
	case wanted == store.Fold(m.Address):
		err := cancelMove(ctx, tx, m)
		if err != nil || m.State != store.Invited || m.Suspended || !m.InvitedAt.IsZero() {
			return err
		}
		m.InvitedAt = d.account.Time() // there is no link: none was sent while another address was named
		return d.invite(ctx, tx, m)
	case wanted == store.Fold(m.PendingAddress) && m.State != store.Invited:
		return d.askAgain(ctx, tx, m)
	}
	// An identity provider that could move the address of an administrator
	// could take over the account with it.
	if err := checkProtected(*m, "moved to another address"); err != nil {
		return err
	}
	if !isFree {
		holder, taken, err := tx.AddressHolder(ctx, p.WantedAddress)
		if err != nil {
			return err
		}
		if taken && holder.ID != m.ID {
			p.WantedBlocked = true
			return cancelMove(ctx, tx, m)
		}
	}
	switch m.State {
	case store.NotInvited:
		m.Address, m.State, m.StateSince = p.WantedAddress, store.Invited, d.account.Time()
		return d.invite(ctx, tx, m)
	case store.Invited:
		return d.inviteElsewhere(ctx, tx, m, p.WantedAddress)
	}
	return d.startMove(ctx, tx, m, p.WantedAddress)
}

// inviteElsewhere corrects the address of an open invitation. Nothing needs to
// be confirmed, since the old address was not either, and the link in the old
// mailbox must no longer work.
func (d *Directory) inviteElsewhere(ctx context.Context, tx *store.Tx, m *store.Member, address string) error {
	if err := cancelMove(ctx, tx, m); err != nil {
		return err
	}
	m.Address, m.StateSince = address, d.account.Time()
	if m.Suspended {
		m.InvitedAt = time.Time{} // the reactivation sends another invitation
		return tx.SetInvitation(ctx, m.ID, "", m.InvitedAt)
	}
	m.InvitedAt = m.StateSince
	return d.invite(ctx, tx, m)
}

// startMove reserves a new address for a member. The person is asked to
// confirm it as soon as its domain is allowed for sign-up: what an identity
// provider says must not bring foreign addresses into the account.
func (d *Directory) startMove(ctx context.Context, tx *store.Tx, m *store.Member, address string) error {
	c := store.AddressChange{MemberID: m.ID, Address: address, Domain: domainOf(address), Since: d.account.Time()}
	_, allowed, err := tx.SignupDomain(ctx, c.Domain)
	if err != nil {
		return err
	}
	if allowed {
		if c.TokenHash, err = d.askToConfirm(ctx, tx, m.Name, address); err != nil {
			return err
		}
	}
	m.PendingAddress = address
	return tx.PutAddressChange(ctx, c)
}

// askAgain sends the confirmation e-mail of a move again once the link of the
// last one has expired.
func (d *Directory) askAgain(ctx context.Context, tx *store.Tx, m *store.Member) error {
	c, found, err := tx.AddressChangeOf(ctx, m.ID)
	if err != nil || !found || !d.lapsed(c) {
		return err
	}
	return d.startMove(ctx, tx, m, c.Address)
}

// lapsed reports whether the link that confirms a change has expired.
func (d *Directory) lapsed(c store.AddressChange) bool {
	return c.TokenHash != "" && !d.isGood(c.Since)
}

// cancelMove gives up a move that the identity provider no longer wants.
func cancelMove(ctx context.Context, tx *store.Tx, m *store.Member) error {
	if m.PendingAddress == "" {
		return nil
	}
	m.PendingAddress = ""
	return tx.DeleteAddressChange(ctx, m.ID)
}

// releaseDomain sends the confirmation e-mails that waited for a domain.
func (d *Directory) releaseDomain(ctx context.Context, tx *store.Tx, domain string) error {
	changes, err := tx.WaitingAddressChanges(ctx, domain)
	if err != nil {
		return err
	}
	for _, c := range changes {
		m, err := member(ctx, tx, c.MemberID)
		if err != nil {
			return err
		}
		if c.TokenHash, err = d.askToConfirm(ctx, tx, m.Name, c.Address); err != nil {
			return err
		}
		c.Since = d.account.Time()
		if err := tx.PutAddressChange(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// AddressChange returns the change that the token of a confirmation e-mail
// would carry out: the member, with the new address in PendingAddress.
func (d *Directory) AddressChange(ctx context.Context, token string) (m Member, err error) {
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		m, err = d.memberByAddressToken(ctx, tx, token)
		return err
	})
	return m, err
}

// ConfirmAddress carries the change out, once: the person has shown that the
// new address is its own.
func (d *Directory) ConfirmAddress(ctx context.Context, token string) (m Member, err error) {
	err = d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if m, err = d.memberByAddressToken(ctx, tx, token); err != nil {
			return err
		}
		if err := tx.DeleteAddressChange(ctx, m.ID); err != nil {
			return err
		}
		m.Address, m.PendingAddress = m.PendingAddress, ""
		if err := tx.UpdateMember(ctx, m); err != nil {
			return err
		}
		if err := bumpPerson(ctx, tx, m); err != nil {
			return err
		}
		if m.State == store.Invited {
			// The invitation went to the old address.
			if err := d.invite(ctx, tx, &m); err != nil {
				return err
			}
		}
		if err := d.account.Audit(asPerson(ctx, m.ID), tx, "member.address.confirm", m.ID, ""); err != nil {
			return err
		}
		m, err = member(ctx, tx, m.ID)
		return err
	})
	return m, err
}

// memberByAddressToken returns the member whose change of address this token confirms.
func (d *Directory) memberByAddressToken(ctx context.Context, tx *store.Tx, token string) (Member, error) {
	c, found, err := tx.AddressChange(ctx, account.HashLink(token))
	if err != nil {
		return Member{}, err
	}
	if !found || d.lapsed(c) {
		return Member{}, linkUnknown()
	}
	return unsuspended(member(ctx, tx, c.MemberID))
}
