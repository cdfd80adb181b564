package store

import (
	"context"
	"math/rand/v2"
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
	// ExpiresAt is when the link ends; zero without one.
	ExpiresAt time.Time

	// How sending it goes, which QueueMail sets.
	State        string
	Attempts     int // begun
	Copies       int // attempts of which it is not known that they came to nothing
	NextAttempt  time.Time
	LeasedUntil  time.Time // the process that is sending it has it until then
	FirstFailure time.Time // of this mail, not of the server; zero before one
	LastError    string
	SentAt       time.Time
}

// The states of a mail.
const (
	MailWaiting = "waiting" // to be sent, or being sent
	// MailSuspended is for a mail to a suspended person, whose link does nothing. It waits again when the person is
	// reactivated, which sends no other.
	MailSuspended = "suspended"
	MailSent      = "sent"   // the mail server took it
	MailFailed    = "failed" // refused, or not sent in time
	MailVoid      = "void"   // its link was used, or replaced, before it was sent
)

// MailStates lists the states of a mail.
func MailStates() []string {
	return []string{MailWaiting, MailSuspended, MailSent, MailFailed, MailVoid}
}

// A time beyond these was written while the clock was ahead.
const (
	// MailLease is for how long a mail belongs to the process that sends it. One that is killed leaves its mail to
	// others after that.
	MailLease = 3 * time.Minute
	// MailSkew is by how much the clocks of the machines that send mails may differ: by more, and a mail that takes
	// long may be sent by two.
	MailSkew = time.Minute
	// LongestMailPause bounds the pauses until the next attempt to send a mail.
	LongestMailPause = 75 * time.Minute
	// LongestServerPause bounds those for all mails.
	LongestServerPause = 15 * time.Minute
)

// The states in lists of SQL.
const (
	mailsToSend   = `('` + MailWaiting + `', '` + MailSuspended + `')`
	mailsOnTheWay = `('` + MailWaiting + `', '` + MailSuspended + `', '` + MailSent + `')`
)

const mailQuery = `SELECT id, created_at, kind, recipient, subject, body, link, COALESCE(link_hash, ''), expires_at,
	state, attempts, copies, next_attempt, leased_until, first_failure, last_error, sent_at FROM outbox `

func scanMail(row Scanner) (m Mail, err error) {
	return m, row.Scan(&m.ID, (*Time)(&m.CreatedAt), &m.Kind, &m.Recipient, &m.Subject, &m.Body, &m.Link, &m.LinkHash,
		(*Time)(&m.ExpiresAt), &m.State, &m.Attempts, &m.Copies, (*Time)(&m.NextAttempt), (*Time)(&m.LeasedUntil),
		(*Time)(&m.FirstFailure), &m.LastError, (*Time)(&m.SentAt))
}

// InsertMail adds m to the outbox, to be sent.
func (tx *Tx) InsertMail(ctx context.Context, m Mail) error {
	return tx.Send(ctx, `INSERT INTO outbox (id, created_at, kind, recipient, subject, body, link, link_hash,
			expires_at, next_attempt)
		VALUES (?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?)`,
		m.ID, Micros(m.CreatedAt), m.Kind, m.Recipient, m.Subject, m.Body, m.Link, m.LinkHash,
		Micros(m.ExpiresAt), Micros(m.NextAttempt))
}

// Mails lists the outbox, oldest first; of some states if there are any.
func (tx *Tx) Mails(ctx context.Context, states ...string) ([]Mail, error) {
	return All(ctx, tx, scanMail, mailQuery+`WHERE ? = '[]' OR state IN (SELECT value FROM json_each(?))
		ORDER BY created_at, id`, List(states), List(states))
}

// Mail returns the mail with this id.
func (tx *Tx) Mail(ctx context.Context, id string) (Mail, bool, error) {
	return One(ctx, tx, scanMail, mailQuery+`WHERE id = ?`, id)
}

// LastInvitation is the latest mail with the link of a member's invitation.
func (tx *Tx) LastInvitation(ctx context.Context, memberID string) (Mail, bool, error) {
	return One(ctx, tx, scanMail, mailQuery+`WHERE link_hash = (`+invitationLink+`)
		ORDER BY created_at DESC, id DESC LIMIT 1`, memberID)
}

// LastMailWith is the latest mail with the link that has this hash.
func (tx *Tx) LastMailWith(ctx context.Context, linkHash string) (Mail, bool, error) {
	return One(ctx, tx, scanMail, mailQuery+`WHERE link_hash = ? ORDER BY created_at DESC, id DESC LIMIT 1`, linkHash)
}

// InvitationMail says how sending a member's invitation goes: MailSent if the mail server took a mail with its link,
// else MailWaiting if one is to be sent, else MailFailed; empty if there is no such mail.
func (tx *Tx) InvitationMail(ctx context.Context, memberID string) (state string, err error) {
	return tx.linkState(ctx, invitationLink, memberID)
}

// AddressChangeMail is InvitationMail for the mail that has a member's new address confirmed.
func (tx *Tx) AddressChangeMail(ctx context.Context, memberID string) (state string, err error) {
	return tx.linkState(ctx, addressChangeLink, memberID)
}

func (tx *Tx) linkState(ctx context.Context, link, memberID string) (state string, err error) {
	return state, tx.QueryRow(ctx, `SELECT CASE max(CASE state WHEN '`+MailSent+`' THEN 3 WHEN '`+MailWaiting+`' THEN 2
			WHEN '`+MailSuspended+`' THEN 2 WHEN '`+MailFailed+`' THEN 1 ELSE 0 END)
			WHEN 3 THEN '`+MailSent+`' WHEN 2 THEN '`+MailWaiting+`' WHEN 1 THEN '`+MailFailed+`' ELSE '' END
		FROM outbox WHERE link_hash = (`+link+`)`, memberID).Scan(&state)
}

// unsent selects the mails, as f, that were refused by the mail server, or not sent in time: of each link the latest,
// if it is neither queued again nor was sent another time.
const unsent = ` FROM outbox f WHERE f.state = '` + MailFailed + `' AND f.link_hash IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.link_hash = f.link_hash AND (o.state || '' IN ` + mailsOnTheWay + `
		OR o.state = f.state AND (o.created_at, o.id) > (f.created_at, f.id)))`

// strangersCaused selects mails to members that signed up themselves and are not provisioned, which anybody can cause.
const strangersCaused = `EXISTS (SELECT 1 FROM members m WHERE m.invitation_hash = outbox.link_hash AND m.signed_up
	AND NOT EXISTS (SELECT 1 FROM people p WHERE p.member_id = m.id))`

// unsentAndNeeded is unsent, if the link is one that a member still waits for: not if the member is suspended, or
// signed up itself and is not provisioned.
const unsentAndNeeded = unsent + ` AND (EXISTS (SELECT 1 FROM members m WHERE m.invitation_hash = f.link_hash
			AND m.state = 'invited' AND NOT m.suspended
			AND (NOT m.signed_up OR EXISTS (SELECT 1 FROM people p WHERE p.member_id = m.id)))
		OR EXISTS (SELECT 1 FROM address_changes c JOIN members m ON m.id = c.member_id
			WHERE c.token_hash = f.link_hash AND NOT m.suspended))`

// UnsentMails returns the ids of the mails that were refused or not sent in time, of each link the latest, if a member
// still waits for it. Mails that strangers cause by signing up are not among them.
func (tx *Tx) UnsentMails(ctx context.Context) (ids []string, err error) {
	return All(ctx, tx, scanText, `SELECT f.id`+unsentAndNeeded+` ORDER BY f.created_at, f.id`)
}

// CountMailsWith counts the mails with the link that has this hash, queued after a time and not after another one.
func (tx *Tx) CountMailsWith(ctx context.Context, linkHash string, after, until time.Time) (n int, err error) {
	return n, tx.QueryRow(ctx, `SELECT count(*) FROM outbox WHERE link_hash = ? AND created_at > ? AND created_at <= ?`,
		linkHash, Micros(after), Micros(until)).Scan(&n)
}

// The hash of the link that a member has in its mails.
const (
	invitationLink    = `SELECT invitation_hash FROM members WHERE id = ?`
	addressChangeLink = `SELECT token_hash FROM address_changes WHERE member_id = ?`
)

// SetMailsExpiry sets when the link in the waiting mails of a member's invitation ends.
func (tx *Tx) SetMailsExpiry(ctx context.Context, memberID string, ends time.Time) error {
	return tx.Send(ctx, `UPDATE outbox SET expires_at = ?
		WHERE state || '' IN `+mailsToSend+` AND link_hash = (`+invitationLink+`)`, Micros(ends), memberID)
}

// removeLink takes a member's link out of the mails that hold it. Those that wait are not sent.
func (tx *Tx) removeLink(ctx context.Context, link, memberID string) error {
	return tx.Send(
		ctx,
		`UPDATE outbox SET body = replace(body, link, '(this link is over)'), link = '', link_hash = NULL,
			state = CASE WHEN state IN `+mailsToSend+` THEN '`+MailVoid+`' ELSE state END
		WHERE link_hash = (`+link+`)`,
		memberID,
	)
}

// suspendedRecipient selects mails whose link does nothing, because the member is suspended.
const suspendedRecipient = `EXISTS (SELECT 1 FROM members m WHERE m.invitation_hash = outbox.link_hash AND m.suspended)
	OR EXISTS (SELECT 1 FROM address_changes c JOIN members m ON m.id = c.member_id
		WHERE c.token_hash = outbox.link_hash AND m.suspended)`

// linkIsKnown selects mails without a link, and those whose link is a member's.
const linkIsKnown = `link_hash IS NULL
	OR EXISTS (SELECT 1 FROM members m WHERE m.invitation_hash = outbox.link_hash)
	OR EXISTS (SELECT 1 FROM address_changes c WHERE c.token_hash = outbox.link_hash)`

// A DueMail is a mail that is due, and what its link does, if it has one.
type DueMail struct {
	Mail
	Known     bool // it leads somewhere
	Suspended bool // it does nothing, since the member is suspended
}

// DueMail returns the waiting mail that is due first and that no process is sending. A server that has failed gets in
// turn, if there are any, the first of those that were tried, and, if it refuses mails, any of those that were not.
func (tx *Tx) DueMail(ctx context.Context, now time.Time, failures int) (m DueMail, found bool, err error) {
	switch {
	case failures%2 == 1:
		m.Mail, found, err = tx.firstDue(ctx, now, 1)
	case failures > 0:
		m.Mail, found, err = tx.untriedMail(ctx, now)
	}
	if err == nil && !found {
		m.Mail, found, err = tx.firstDue(ctx, now, 0)
	}
	if err != nil || !found {
		return m, false, err
	}
	return m, true, tx.QueryRow(ctx, `SELECT `+linkIsKnown+`, `+suspendedRecipient+` FROM outbox WHERE id = ?`, m.ID).
		Scan(&m.Known, &m.Suspended)
}

// firstDue returns the mail that is due first, of those with so many attempts or more.
func (tx *Tx) firstDue(ctx context.Context, now time.Time, attempts int) (Mail, bool, error) {
	return One(ctx, tx, scanMail, mailQuery+dueMail+` LIMIT 1`, Micros(now), Micros(now), attempts)
}

// untriedMail returns any mail that is due and was not tried, if others are blamed: of many in a row that the server
// does not take, each would hold the others up for a pause.
func (tx *Tx) untriedMail(ctx context.Context, now time.Time) (m Mail, found bool, err error) {
	var blamed bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM outbox WHERE blamed = 1)`).Scan(&blamed)
	if err != nil || !blamed {
		return m, false, err
	}
	ids, err := All(ctx, tx, scanText, untriedMails, Micros(now), Micros(now), 0)
	if err != nil || len(ids) == 0 {
		return m, false, err
	}
	return tx.Mail(ctx, ids[rand.IntN(len(ids))])
}

const (
	dueMail = `WHERE state = '` + MailWaiting + `' AND next_attempt <= ? AND leased_until <= ? AND attempts >= ?
		ORDER BY next_attempt, created_at, id`
	// untriedMails are not all, of which there may be very many.
	untriedMails = `SELECT id FROM outbox WHERE state = '` + MailWaiting + `' AND next_attempt <= ?
		AND leased_until <= ? AND attempts = ? ORDER BY next_attempt, created_at, id LIMIT 1000`
)

// MendMailTimes makes due what was put off or leased while the clock was ahead, which would else wait until that time.
func (tx *Tx) MendMailTimes(ctx context.Context, now time.Time) error {
	if err := tx.Send(ctx, `UPDATE outbox SET next_attempt = ? WHERE state = ? AND next_attempt > ?`, Micros(now),
		MailWaiting, Micros(now.Add(LongestMailPause))); err != nil {
		return err
	}
	return tx.Send(ctx, `UPDATE outbox SET leased_until = 0 WHERE leased_until > 0 AND leased_until > ?`,
		Micros(now.Add(MailLease+MailSkew)))
}

// SuspendMail takes a waiting mail out of the queue until the member is reactivated.
func (tx *Tx) SuspendMail(ctx context.Context, id string) error {
	return tx.Send(ctx, `UPDATE outbox SET state = ? WHERE id = ?`, MailSuspended, id)
}

// releaseMails has the mails to a member that is not suspended wait again.
func (tx *Tx) releaseMails(ctx context.Context, memberID string) error {
	return tx.Send(ctx, releaseMails, memberID, memberID)
}

// releaseMails goes by the link, since thousands of mails may be in that state. (Text that is added
// to a column keeps databases from going by its index.)
const releaseMails = `UPDATE outbox SET state = '` + MailWaiting + `' WHERE state || '' = '` + MailSuspended + `'
	AND link_hash IN (` + invitationLink + ` UNION ALL ` + addressChangeLink + `)`

// LeaseMail gives a mail to the caller until m.LeasedUntil, and notes the attempt and the link that it is sent with.
func (tx *Tx) LeaseMail(ctx context.Context, m Mail) error {
	return tx.Send(ctx, `UPDATE outbox SET body = ?, link = ?, attempts = ?, copies = ?, leased_until = ?
		WHERE id = ?`, m.Body, m.Link, m.Attempts, m.Copies, Micros(m.LeasedUntil), m.ID)
}

// ReturnMail gives a leased mail back, of which no attempt was made.
func (tx *Tx) ReturnMail(ctx context.Context, m Mail) error {
	return tx.Send(ctx, `UPDATE outbox SET attempts = attempts - 1, copies = copies - 1, leased_until = 0
		WHERE id = ? AND leased_until = ?`, m.ID, Micros(m.LeasedUntil))
}

// MailWasSent notes that the mail server took a mail, whatever became of it meanwhile.
func (tx *Tx) MailWasSent(ctx context.Context, id string, at time.Time) error {
	return tx.Send(ctx, `UPDATE outbox SET state = ?, sent_at = ?, leased_until = 0, last_error = '' WHERE id = ?`,
		MailSent, Micros(at), id)
}

// DeferMail notes that an attempt failed, and when the next one is due. It does nothing if the
// lease was lost to another process.
func (tx *Tx) DeferMail(ctx context.Context, m Mail, next time.Time, reason string) error {
	return tx.Send(ctx, `UPDATE outbox SET next_attempt = ?, first_failure = ?, copies = ?, last_error = ?,
			leased_until = 0
		WHERE id = ? AND leased_until = ?`,
		Micros(next), Micros(m.FirstFailure), m.Copies, reason, m.ID, Micros(m.LeasedUntil))
}

// FailMail gives a waiting mail up. It does nothing if the lease was lost to another process.
func (tx *Tx) FailMail(ctx context.Context, m Mail, reason string) error {
	return tx.Send(ctx, `UPDATE outbox SET state = ?, last_error = ?, leased_until = 0, blamed = 0
		WHERE id = ? AND state = ? AND leased_until = ?`,
		MailFailed, reason, m.ID, MailWaiting, Micros(m.LeasedUntil))
}

// RefuseMail is FailMail for a mail that the mail server refused, which is tried again if it refuses all.
func (tx *Tx) RefuseMail(ctx context.Context, m Mail, reason string) error {
	return tx.Send(ctx, `UPDATE outbox SET state = ?, last_error = ?, leased_until = 0
		WHERE id = ? AND state = ? AND leased_until = ?`,
		MailFailed, reason, m.ID, MailWaiting, Micros(m.LeasedUntil))
}

// BlameMail notes that the mail server did not take a mail, and returns how many mails it did not take since it took
// one. It notes nothing if the lease was lost to another process.
func (tx *Tx) BlameMail(ctx context.Context, m Mail) (inRow int, err error) {
	if err := tx.Send(ctx, `UPDATE outbox SET blamed = 1 WHERE id = ? AND state = ? AND leased_until = ?`,
		m.ID, MailWaiting, Micros(m.LeasedUntil)); err != nil {
		return 0, err
	}
	return inRow, tx.QueryRow(ctx, `SELECT count(*) FROM outbox WHERE blamed = 1`).Scan(&inRow)
}

// ForgetBlame notes that the mail server takes mails: those that it did not take are to blame themselves.
func (tx *Tx) ForgetBlame(ctx context.Context) error {
	return tx.Send(ctx, `UPDATE outbox SET blamed = 0 WHERE blamed = 1`)
}

// RetryRefused has the mails that the mail server refused since it took one wait again, unless they were queued again
// or their link is over.
func (tx *Tx) RetryRefused(ctx context.Context, now time.Time) error {
	return tx.Send(ctx, `UPDATE outbox SET state = ?, next_attempt = ?,
			first_failure = CASE first_failure WHEN 0 THEN ? ELSE first_failure END
		WHERE blamed = 1 AND state = ? AND link_hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM outbox other
			WHERE other.link_hash = outbox.link_hash AND other.state || '' IN `+mailsOnTheWay+`)`,
		MailWaiting, Micros(now), Micros(now), MailFailed)
}

// TookMailSince reports whether the mail server took a mail since then.
func (tx *Tx) TookMailSince(ctx context.Context, since time.Time) (took bool, err error) {
	return took, tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM outbox WHERE state = ? AND sent_at >= ?)`, MailSent,
		Micros(since)).Scan(&took)
}

// VoidMail notes that a mail, which was not sent, is not to be sent.
func (tx *Tx) VoidMail(ctx context.Context, id, reason string) error {
	return tx.Send(ctx, `UPDATE outbox SET state = ?, last_error = ?, leased_until = 0
		WHERE id = ? AND state IN (?, ?, ?)`, MailVoid, reason, id, MailWaiting, MailSuspended, MailFailed)
}

// HastenMails makes the waiting mails due now, and returns how many there are. It leaves alone those that are
// being sent.
func (tx *Tx) HastenMails(ctx context.Context, now time.Time) (int64, error) {
	return tx.Exec(ctx, `UPDATE outbox SET next_attempt = CASE WHEN next_attempt > ?1 THEN ?1 ELSE next_attempt END
		WHERE state = ?2 AND leased_until <= ?1`, Micros(now), MailWaiting)
}

// NextMail returns when the next waiting mail is due, whoever has it; zero if none waits. A time that was written while
// the clock was ahead is now.
func (tx *Tx) NextMail(ctx context.Context, now time.Time) (next time.Time, err error) {
	var last time.Time
	err = tx.QueryRow(ctx, `SELECT COALESCE((SELECT min(next_attempt) FROM outbox WHERE state = ?), 0),
		COALESCE((SELECT max(next_attempt) FROM outbox WHERE state = ?), 0)`, MailWaiting, MailWaiting).
		Scan((*Time)(&next), (*Time)(&last))
	if last.After(now.Add(LongestMailPause)) {
		next = now
	}
	return next, err
}

// A MailCount is how many mails are in each state.
type MailCount struct {
	ByState map[string]int64
	// Unsent are those that UnsentMails lists.
	Unsent int64
	// Oldest is when the oldest waiting mail was queued with a link that was not sent before; zero if none waits. Mails
	// that strangers can cause do not count, nor those to suspended people.
	Oldest time.Time
}

// CountMails counts the mails of the outbox.
func (tx *Tx) CountMails(ctx context.Context) (c MailCount, err error) {
	type stateCount struct {
		state string
		n     int64
	}
	counts, err := All(ctx, tx, func(row Scanner) (s stateCount, err error) { return s, row.Scan(&s.state, &s.n) },
		`SELECT state, count(*) FROM outbox GROUP BY state`)
	if err != nil {
		return c, err
	}
	c.ByState = make(map[string]int64)
	for _, state := range MailStates() {
		c.ByState[state] = 0
	}
	for _, s := range counts {
		c.ByState[s.state] = s.n
	}
	return c, tx.QueryRow(ctx, `SELECT (SELECT count(*)`+unsentAndNeeded+`), COALESCE((`+oldestWaiting+`), 0)`).
		Scan(&c.Unsent, (*Time)(&c.Oldest))
}

const oldestWaiting = `SELECT created_at FROM outbox WHERE state = '` + MailWaiting + `'
	AND NOT (` + suspendedRecipient + ` OR ` + strangersCaused + ` OR EXISTS
		(SELECT 1 FROM outbox o WHERE o.link_hash = outbox.link_hash AND o.state || '' = '` + MailSent + `'))
	ORDER BY created_at LIMIT 1`

// StrangersCaused reports whether a mail is one that anybody can cause: to a member that signed up itself and is not
// provisioned.
func (tx *Tx) StrangersCaused(ctx context.Context, id string) (yes bool, err error) {
	return yes, tx.QueryRow(ctx, `SELECT `+strangersCaused+` FROM outbox WHERE id = ?`, id).Scan(&yes)
}

// A MailServer is the mail server of the account service that was started last, and how it does.
type MailServer struct {
	Name      string // host and port; empty if the service sends no mail
	PublicURL string // of the service, for the links
	MailServerFailure
}

// A MailServerFailure says since when and why no mail can be sent at all; zero if mails can be sent.
type MailServerFailure struct {
	Failures    int
	Since       time.Time
	NextAttempt time.Time
	LastError   string
}

// Pause returns for how long no mail is tried; not for longer than a pause can be, since the clock may have been ahead.
func (f MailServerFailure) Pause(now time.Time) time.Duration {
	if pause := f.NextAttempt.Sub(now); pause <= LongestServerPause {
		return max(0, pause)
	}
	return 0
}

// MailServer returns the mail server.
func (tx *Tx) MailServer(ctx context.Context) (s MailServer, err error) {
	return s, tx.QueryRow(ctx, `SELECT name, public_url, failures, failing_since, next_attempt, last_error
		FROM mail_server`).Scan(&s.Name, &s.PublicURL, &s.Failures, (*Time)(&s.Since), (*Time)(&s.NextAttempt),
		&s.LastError)
}

// SetMailServer notes which mail server the service has, and forgets its failures.
func (tx *Tx) SetMailServer(ctx context.Context, name, publicURL string) error {
	return tx.Send(ctx, `UPDATE mail_server SET name = ?, public_url = ?, failures = 0, failing_since = 0,
		next_attempt = 0, last_error = ''`, name, publicURL)
}

// SetMailServerFailure notes how the mail server does.
func (tx *Tx) SetMailServerFailure(ctx context.Context, f MailServerFailure) error {
	return tx.Send(ctx, `UPDATE mail_server SET failures = ?, failing_since = ?, next_attempt = ?, last_error = ?`,
		f.Failures, Micros(f.Since), Micros(f.NextAttempt), f.LastError)
}
