package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A Mail is a mail in the outbox.
type Mail = store.Mail

// How long links in mails are valid.
const (
	LinkLife = 30 * 24 * time.Hour
	// SignUpLife is for the link after a sign-up. A sign-up whose link was not
	// followed by then is deleted.
	SignUpLife = 24 * time.Hour

	mailsKept = LinkLife // in the outbox
)

// Mails lists the outbox, oldest first.
func (a *Account) Mails(ctx context.Context) (mails []Mail, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		mails, err = tx.Mails(ctx)
		return err
	})
	return mails, err
}

// QueueMail adds a mail to the outbox, so that it is sent if and only if the
// transaction is committed.
func (a *Account) QueueMail(ctx context.Context, tx *store.Tx, m Mail) error {
	m.ID, m.CreatedAt = a.NewID(), a.Time()
	return tx.InsertMail(ctx, m)
}

// NewLink returns a link to a page for one person, and the hash by which the database
// finds it. The outbox stores the link itself while it is valid, since it must be
// sent: who can read the database file (mode 0600) can use the link.
func (a *Account) NewLink(page string) (link, hash string) {
	token := idEncoding.EncodeToString(a.random(32))
	return a.PublicURL + "/" + page + "/" + token, HashLink(token)
}

// HashLink returns the hash of a link's last part.
func HashLink(token string) string {
	sum := sha256.Sum256([]byte("scimbridge link\x00" + token))
	return hex.EncodeToString(sum[:])
}
