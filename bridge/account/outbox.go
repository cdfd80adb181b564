package account

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A Mail is one that the account wrote and that waits in the outbox.
type Mail = store.Mail

// mailsKept is how long a mail stays in the outbox: as long as a link in it
// can be good.
const mailsKept = linkLife

// Mails lists the outbox, oldest first.
func (a *Account) Mails(ctx context.Context) (mails []Mail, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		mails, err = tx.Mails(ctx)
		return err
	})
	return mails, err
}

// queueMail puts a mail into the outbox, so that it goes out if and only if
// the transaction holds.
func (a *Account) queueMail(ctx context.Context, tx *store.Tx, m Mail) error {
	m.ID, m.CreatedAt = a.newID(), a.now()
	return tx.InsertMail(ctx, m)
}
