package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
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

// Mails lists the outbox, oldest first; of some states if there are any.
func (a *Account) Mails(ctx context.Context, states ...string) (mails []Mail, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		mails, err = tx.Mails(ctx, states...)
		return err
	})
	return mails, err
}

// CountMails counts the mails of the outbox.
func (a *Account) CountMails(ctx context.Context) (n store.MailCount, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		n, err = tx.CountMails(ctx)
		return err
	})
	return n, err
}

// MailServer returns the mail server of the account service that was started last, and how it does.
func (a *Account) MailServer(ctx context.Context) (s store.MailServer, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		s, err = tx.MailServer(ctx)
		return err
	})
	return s, err
}

// SetMailServer notes the mail server for the commands beside the service: its host and port, or nothing if the
// service sends no mail.
func (a *Account) SetMailServer(ctx context.Context, name string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.SetMailServer(ctx, name, a.PublicURL)
	})
}

// HastenMails makes all waiting mails due now, also if the mail server has failed, and returns how many there are.
func (a *Account) HastenMails(ctx context.Context) (n int64, err error) {
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		now := a.Time()
		server, err := tx.MailServer(ctx)
		if err != nil {
			return err
		}
		if f := server.MailServerFailure; f.Failures > 0 {
			f.Since, f.NextAttempt = now, time.Time{} // or the next pause would be as long as the server has failed
			if err := tx.SetMailServerFailure(ctx, f); err != nil {
				return err
			}
		}
		if err := tx.MendMailTimes(ctx, now); err != nil {
			return err
		}
		if n, err = tx.HastenMails(ctx, now); err != nil || n == 0 {
			return err
		}
		return a.Audit(ctx, tx, "mail.send", "", "%d mails made due", n)
	})
	return n, err
}

// AtPublicURL returns a mail with its link at the PublicURL: it may have been queued before the service had that one.
func (a *Account) AtPublicURL(m Mail) Mail {
	page := strings.LastIndexByte(m.Link[:max(0, strings.LastIndexByte(m.Link, '/'))], '/') // before .../join/TOKEN
	if page < 0 || a.PublicURL == "" {
		return m
	}
	link := a.PublicURL + m.Link[page:]
	m.Body, m.Link = strings.Replace(m.Body, m.Link, link, 1), link
	return m
}

// QueueMail adds a mail to the outbox, so that it is sent if and only if the
// transaction is committed. It returns the mail as it was queued.
func (a *Account) QueueMail(ctx context.Context, tx *store.Tx, m Mail) (Mail, error) {
	m = a.AtPublicURL(m)
	now := a.Time()
	m = Mail{
		ID: a.NewID(), CreatedAt: now, Kind: m.Kind, Recipient: m.Recipient, Subject: m.Subject, Body: m.Body,
		Link: m.Link, LinkHash: m.LinkHash, ExpiresAt: m.ExpiresAt, State: store.MailWaiting, NextAttempt: now,
	}
	if a.MailQueued != nil {
		tx.AfterCommit(a.MailQueued)
	}
	return m, tx.InsertMail(ctx, m)
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
