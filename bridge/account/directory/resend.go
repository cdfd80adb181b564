package directory

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// ResendMail queues a mail again: the one with an id, or the one that the person with an address waits for. It has
// the same link while that is good, else a fresh one, which needs the account's PublicURL. The mail that it replaces is
// not sent any more.
func (d *Directory) ResendMail(ctx context.Context, idOrAddress string) (queued account.Mail, err error) {
	return queued, d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		address := inputtext.TrimBlanks(idOrAddress)
		old, found, err := tx.Mail(ctx, address)
		if err != nil {
			return err
		}
		if found {
			address = old.Recipient
		}
		m, found, err := tx.AddressHolder(ctx, address)
		switch {
		case err != nil:
			return err
		case !found:
			return notResent("there is no mail with the id, and no member with the address, %q", address)
		case m.Suspended:
			return notResent("%q is suspended: the link in a mail would do nothing", address)
		}
		if queued, err = d.resendTo(ctx, tx, m, address); err != nil {
			return err
		}
		if err := d.replaceMail(ctx, tx, old, queued); err != nil {
			return err
		}
		return d.account.Audit(ctx, tx, "mail.resend", m.ID, "%s", queued.Kind)
	})
}

// resendTo queues what the member waits for at an address.
func (d *Directory) resendTo(ctx context.Context, tx *store.Tx, m Member, address string) (account.Mail, error) {
	switch store.Fold(address) {
	case store.Fold(m.PendingAddress):
		return d.resendConfirmation(ctx, tx, m)
	case store.Fold(m.Address):
		if m.State == store.Invited {
			return d.resendInvitation(ctx, tx, m)
		}
	}
	return account.Mail{}, notResent("%q has no open invitation and no new address to confirm: there is nothing to "+
		"send", address)
}

func (d *Directory) resendInvitation(ctx context.Context, tx *store.Tx, m Member) (account.Mail, error) {
	last, found, err := tx.LastInvitation(ctx, m.ID)
	if err != nil {
		return last, err
	}
	if found && d.isInvited(m) {
		last.ExpiresAt = invitationEnds(m)
		return d.requeue(ctx, tx, last)
	}
	invite := d.invite
	if m.SignedUp && !m.Managed() {
		invite = d.inviteUnnamed
	}
	if err := invite(ctx, tx, &m); err != nil {
		return last, err
	}
	last, _, err = tx.LastInvitation(ctx, m.ID)
	return last, err
}

func (d *Directory) resendConfirmation(ctx context.Context, tx *store.Tx, m Member) (account.Mail, error) {
	change, _, err := tx.AddressChangeOf(ctx, m.ID)
	if err != nil {
		return account.Mail{}, err
	}
	if change.TokenHash == "" {
		return account.Mail{}, notResent("no mail goes to %q while %s is not allowed for sign-up: allow the domain, "+
			"and it is sent by itself", change.Address, change.Domain)
	}
	last, found, err := tx.LastMailWith(ctx, change.TokenHash)
	if err != nil {
		return last, err
	}
	if found && !d.lapsed(change) {
		last.ExpiresAt = change.Since.Add(account.LinkLife)
		return d.requeue(ctx, tx, last)
	}
	hash, err := d.askToConfirm(ctx, tx, m.Name, change.Address)
	if err != nil {
		return last, err
	}
	change.TokenHash, change.Since = hash, d.account.Time()
	if err := tx.PutAddressChange(ctx, change); err != nil {
		return last, err
	}
	last, _, err = tx.LastMailWith(ctx, hash)
	return last, err
}

// requeue queues a mail again with the same link.
func (d *Directory) requeue(ctx context.Context, tx *store.Tx, old account.Mail) (account.Mail, error) {
	queued, err := d.account.QueueMail(ctx, tx, old)
	if err != nil {
		return old, err
	}
	return queued, d.replaceMail(ctx, tx, old, queued)
}

// replaceMail keeps a mail that was not sent from being sent beside the one that was queued in its place.
func (d *Directory) replaceMail(ctx context.Context, tx *store.Tx, old, queued account.Mail) error {
	if old.ID == "" || old.ID == queued.ID {
		return nil
	}
	return tx.VoidMail(ctx, old.ID, "queued again as "+queued.ID)
}

func notResent(format string, args ...any) error {
	return account.Conflict(codeNothingToSend, "Nothing to send", format, args...)
}

// FailedMails returns the ids of the mails to send again: of each link whose mails were refused, or not sent in time,
// the latest, if the person still waits for it. Those that strangers caused by signing up are not among them.
func (d *Directory) FailedMails(ctx context.Context) (ids []string, err error) {
	return ids, d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		ids, err = tx.UnsentMails(ctx)
		return err
	})
}
