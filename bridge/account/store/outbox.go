package store

import (
	"context"
	"time"
)

// A Mail is a message that was or will be sent.
type Mail struct {
	ID                             string
	CreatedAt                      time.Time
	Kind, Recipient, Subject, Body string
	// Link stands in the body and is a secret; the rest of the database has
	// LinkHash only. Both are empty once removeLink took it out.
	Link, LinkHash string
}

const mailQuery = `SELECT id, created_at, kind, recipient, subject, body, link, COALESCE(link_hash, '') FROM outbox `

func scanMail(row Scanner) (m Mail, err error) {
	return m, row.Scan(&m.ID, (*Time)(&m.CreatedAt), &m.Kind, &m.Recipient, &m.Subject, &m.Body, &m.Link, &m.LinkHash)
}

// InsertMail adds m to the outbox.
func (tx *Tx) InsertMail(ctx context.Context, m Mail) error {
	_, err := tx.Exec(ctx, `INSERT INTO outbox (id, created_at, kind, recipient, subject, body, link, link_hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''))`,
		m.ID, Micros(m.CreatedAt), m.Kind, m.Recipient, m.Subject, m.Body, m.Link, m.LinkHash)
	return err
}

// Mails lists the outbox, oldest first.
func (tx *Tx) Mails(ctx context.Context) ([]Mail, error) {
	return All(ctx, tx, scanMail, mailQuery+`ORDER BY created_at, id`)
}

// LastInvitation is the latest mail with the link of a member's invitation.
func (tx *Tx) LastInvitation(ctx context.Context, memberID string) (Mail, bool, error) {
	return One(ctx, tx, scanMail, mailQuery+`WHERE link_hash = (`+invitationLink+`)
		ORDER BY created_at DESC, id DESC LIMIT 1`, memberID)
}

// The hash of the link that a member has in its mails.
const (
	invitationLink    = `SELECT invitation_hash FROM members WHERE id = ?`
	addressChangeLink = `SELECT token_hash FROM address_changes WHERE member_id = ?`
)

// removeLink takes a member's link out of the mails that hold it.
func (tx *Tx) removeLink(ctx context.Context, link, memberID string) error {
	_, err := tx.Exec(
		ctx,
		`UPDATE outbox SET body = replace(body, link, '(this link is over)'), link = '', link_hash = NULL
		WHERE link_hash = (`+link+`)`,
		memberID,
	)
	return err
}
