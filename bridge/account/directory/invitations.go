package directory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// The kinds of mail.
const (
	mailInvitation = "invitation"
	mailAddress    = "address_confirmation"
)

// The bounds of mails that strangers can cause to one person: the least time between two, and the most in a day with
// one link, the first one included.
const (
	remindEvery     = 10 * time.Minute
	mostMailsPerDay = 3
)

// invite sends a member an invitation, which ends the one before.
func (d *Directory) invite(ctx context.Context, tx *store.Tx, m *store.Member) error {
	return d.sendInvitation(ctx, tx, m, m.Name)
}

// inviteUnnamed is invite for a member that signed up. The mail does not show
// the name: a stranger could write text into other people's mail with it.
func (d *Directory) inviteUnnamed(ctx context.Context, tx *store.Tx, m *store.Member) error {
	return d.sendInvitation(ctx, tx, m, "")
}

func (d *Directory) sendInvitation(ctx context.Context, tx *store.Tx, m *store.Member, greeted string) error {
	link, hash := d.account.NewLink("join")
	if m.Version == 0 { // the caller adds it
		m.InvitationHash, m.InvitedAt = hash, d.account.Time()
	} else if err := tx.SetInvitation(ctx, m.ID, hash, d.account.Time()); err != nil {
		return err
	}
	_, err := d.account.QueueMail(ctx, tx, account.Mail{
		Kind: mailInvitation, Recipient: m.Address, Link: link, LinkHash: hash,
		ExpiresAt: d.account.Time().Add(invitationLife(*m)),
		Subject:   fmt.Sprintf("Join %s", inputtext.Line(d.account.Name)),
		Body: fmt.Sprintf("%s,\n\nyou are invited to join %s. To accept, open this link:\n\n%s\n\n"+
			"It is good for %s. If you did not expect this, do nothing.\n", hello(greeted),
			inputtext.Line(d.account.Name), link,
			inWords(invitationLife(*m))),
	})
	return err
}

// remind sends an open invitation again when a stranger asks for it, who may be
// the invited person, whose first mail was lost. It holds the same link, since a
// stranger must not be able to end the first one, and is not sent too often, nor while
// the first one still waits to be sent.
func (d *Directory) remind(ctx context.Context, tx *store.Tx, m store.Member) error {
	last, found, err := tx.LastInvitation(ctx, m.ID)
	switch {
	case err != nil:
		return err
	case !d.isInvited(m):
		return d.inviteUnnamed(ctx, tx, &m)
	case !found, last.State == store.MailWaiting:
		return nil
	}
	now := d.account.Time()
	if age := now.Sub(last.CreatedAt); age >= 0 && age < remindEvery { // not below 0, as after the clock was ahead
		return nil
	}
	today, err := tx.CountMailsWith(ctx, last.LinkHash, now.Add(-24*time.Hour), now)
	if err != nil || today >= mostMailsPerDay {
		return err
	}
	last.ExpiresAt = invitationEnds(m)
	_, err = d.account.QueueMail(ctx, tx, last)
	return err
}

// isGood reports whether a link that was made at this time still works.
func (d *Directory) isGood(made time.Time) bool { return d.account.Time().Sub(made) < account.LinkLife }

// isInvited reports whether the link of a member's invitation still works.
func (d *Directory) isInvited(m store.Member) bool {
	return d.account.Time().Before(invitationEnds(m))
}

// invitationEnds is when the link of a member's invitation ends.
func invitationEnds(m store.Member) time.Time { return m.InvitedAt.Add(invitationLife(m)) }

// invitationLife is how long the link of an invitation works: not for long if
// the member signed up and is not provisioned.
func invitationLife(m store.Member) time.Duration {
	if m.SignedUp && !m.Managed() {
		return account.SignUpLife
	}
	return account.LinkLife
}

// askToConfirm sends the link that confirms a new address, and returns its hash.
func (d *Directory) askToConfirm(ctx context.Context, tx *store.Tx, name, address string) (hash string, err error) {
	link, hash := d.account.NewLink("confirm")
	_, err = d.account.QueueMail(ctx, tx, account.Mail{
		Kind: mailAddress, Recipient: address, Link: link, LinkHash: hash,
		ExpiresAt: d.account.Time().Add(account.LinkLife),
		Subject:   fmt.Sprintf("Confirm your new address for %s", inputtext.Line(d.account.Name)),
		Body: fmt.Sprintf("%s,\n\nyour sign-in address for %s is about to become %s. To confirm, open this link:\n\n"+
			"%s\n\n"+
			"It is good for 30 days. Until then you sign in with the old address. If you did not expect this, "+
			"do nothing.\n",
			hello(name), inputtext.Line(d.account.Name), inputtext.Line(address), link),
	})
	return hash, err
}

// inWords formats a duration in days, or in hours if it is one day or less.
func inWords(life time.Duration) string {
	if days := int(life.Hours() / 24); days > 1 {
		return fmt.Sprintf("%d days", days)
	}
	return fmt.Sprintf("%d hours", int(life.Hours()))
}

func hello(name string) string {
	if name = strings.TrimSpace(inputtext.Line(name)); name == "" {
		return "Hello"
	}
	return "Hello " + name
}
