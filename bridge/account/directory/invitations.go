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

// remindEvery is the least time between two mails that a stranger can cause
// to one address.
const remindEvery = 10 * time.Minute

// invite asks somebody to join. A new invitation ends the one before.
func (d *Directory) invite(ctx context.Context, tx *store.Tx, m store.Member) error {
	return d.sendInvitation(ctx, tx, m, m.Name)
}

// inviteUnnamed is invite for who asked for it himself. The mail does not
// greet him: he may be a stranger, who would so write into other people's mail.
func (d *Directory) inviteUnnamed(ctx context.Context, tx *store.Tx, m store.Member) error {
	return d.sendInvitation(ctx, tx, m, "")
}

func (d *Directory) sendInvitation(ctx context.Context, tx *store.Tx, m store.Member, greeted string) error {
	link, hash := d.account.NewLink("join")
	if err := tx.SetInvitation(ctx, m.ID, hash, d.account.Time()); err != nil {
		return err
	}
	return d.account.QueueMail(ctx, tx, account.Mail{
		Kind: mailInvitation, Recipient: m.Address, Link: link, LinkHash: hash,
		Subject: fmt.Sprintf("Join %s", inputtext.Line(d.account.Name)),
		Body: fmt.Sprintf("%s,\n\nyou are invited to join %s. To accept, open this link:\n\n%s\n\n"+
			"It is good for %s. If you did not expect this, do nothing.\n", hello(greeted), inputtext.Line(d.account.Name), link, inWords(invitationLife(m))),
	})
}

// remind sends an open invitation again on the wish of a stranger, who may be
// the invited, whose first mail was lost. So it is the same link, for nobody
// must be able to end the one that somebody else has, and not too often.
func (d *Directory) remind(ctx context.Context, tx *store.Tx, m store.Member) error {
	last, found, err := tx.LastInvitation(ctx, m.ID)
	switch {
	case err != nil:
		return err
	case !d.isInvited(m):
		return d.inviteUnnamed(ctx, tx, m)
	case !found, d.account.Time().Sub(last.CreatedAt) < remindEvery:
		return nil
	}
	return d.account.QueueMail(ctx, tx, last)
}

// isGood tells whether a link that was made at this time still is.
func (d *Directory) isGood(made time.Time) bool { return d.account.Time().Sub(made) < account.LinkLife }

// isInvited reports whether the link of a member's invitation still works.
func (d *Directory) isInvited(m store.Member) bool {
	return d.account.Time().Sub(m.InvitedAt) < invitationLife(m)
}

// invitationLife is how long the link of an invitation works: not for long if
// the member asked for it and nobody else vouches for it.
func invitationLife(m store.Member) time.Duration {
	if m.SignedUp && !m.Managed() {
		return account.SignUpLife
	}
	return account.LinkLife
}

// askToConfirm asks the owner of a new address whether it is his, and returns
// the hash of the token that answers.
func (d *Directory) askToConfirm(ctx context.Context, tx *store.Tx, name, address string) (hash string, err error) {
	link, hash := d.account.NewLink("confirm")
	return hash, d.account.QueueMail(ctx, tx, account.Mail{
		Kind: mailAddress, Recipient: address, Link: link, LinkHash: hash,
		Subject: fmt.Sprintf("Confirm your new address for %s", inputtext.Line(d.account.Name)),
		Body: fmt.Sprintf("%s,\n\nyour sign-in address for %s is about to become %s. To confirm, open this link:\n\n%s\n\n"+
			"It is good for 30 days. Until then you sign in with the old address. If you did not expect this, do nothing.\n",
			hello(name), inputtext.Line(d.account.Name), inputtext.Line(address), link),
	})
}

// inWords is a time of whole days, or of hours if it is one day.
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
