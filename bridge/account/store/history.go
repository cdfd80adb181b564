package store

import (
	"context"
	"time"
)

// A Place is a row's position in a list that is sorted by time.
type Place struct {
	Time time.Time
	ID   string
}

// Key is the place as a cursor holds it.
func (p Place) Key() []any { return []any{Micros(p.Time), p.ID} }

// An Attempt is a sign-in, or a request of a session, that was let in, let in
// and reported, or refused; equal ones of an hour are one row.
type Attempt struct {
	ID, SessionID, Address, Email, Instance, Result, RuleID string
	First, Last                                             time.Time
	Count                                                   int
}

// CountAttempt merges a into its row.
func (tx *Tx) CountAttempt(ctx context.Context, a Attempt) error {
	return tx.Send(ctx, `INSERT INTO attempts
			(id, hour, session_id, address, email, instance, result, rule_id, first_time, last_time, tries)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
		ON CONFLICT (hour, session_id, address, email, instance, result, rule_id)
			DO UPDATE SET last_time = excluded.last_time, tries = attempts.tries + 1`,
		a.ID, Micros(a.Last.Truncate(time.Hour)), a.SessionID, a.Address, a.Email, a.Instance, a.Result, a.RuleID,
		Micros(a.Last), Micros(a.Last))
}

// IsCrowded reports whether the hour of a already has so many attempts with the
// same result, without a session, from other addresses; that of the rest, which
// have no row of their own, is not counted.
func (tx *Tx) IsCrowded(ctx context.Context, a Attempt, rest string, most int) (crowded bool, err error) {
	return crowded, tx.QueryRow(ctx, `SELECT count(*) >= ? FROM (SELECT 1 FROM attempts
		WHERE hour = ? AND session_id = '' AND result = ? AND address NOT IN (?, ?) LIMIT ?) AS others`,
		most, Micros(a.Last.Truncate(time.Hour)), a.Result, a.Address, rest, most).Scan(&crowded)
}

// Attempts lists attempts since a time, newest first, from after a given place.
func (tx *Tx) Attempts(ctx context.Context, since time.Time, after Place, limit int) ([]Attempt, error) {
	return All(ctx, tx, func(row Scanner) (a Attempt, err error) {
		return a, row.Scan(&a.ID, &a.SessionID, &a.Address, &a.Email, &a.Instance, &a.Result, &a.RuleID,
			(*Time)(&a.First), (*Time)(&a.Last), &a.Count)
	}, `SELECT id, session_id, address, email, instance, result, rule_id, first_time, last_time, tries FROM attempts
		WHERE last_time >= ? AND (last_time, id) < (?, ?) ORDER BY last_time DESC, id DESC LIMIT ?`,
		Micros(since), Micros(after.Time), after.ID, limit)
}

// LatestAttempts lists the last attempt of each instance and address with a
// result since a time, newest first.
func (tx *Tx) LatestAttempts(ctx context.Context, result string, since time.Time, limit int) ([]Attempt, error) {
	return All(ctx, tx, func(row Scanner) (a Attempt, err error) {
		a.Result = result
		return a, row.Scan(&a.Instance, &a.Address, (*Time)(&a.Last))
	}, `SELECT instance, address, max(last_time) FROM attempts WHERE result = ? AND last_time >= ?
		GROUP BY instance, address ORDER BY max(last_time) DESC, instance, address LIMIT ?`,
		result, Micros(since), limit)
}

// A SavedAnswer is the answer to a request that carried an Idempotency-Key.
type SavedAnswer struct {
	Scope, Key string
	Digest     string // of the request
	Answer     string
	CreatedAt  time.Time
}

// SavedAnswer finds an answer that was given since a time.
func (tx *Tx) SavedAnswer(ctx context.Context, scope, key string, since time.Time) (SavedAnswer, bool, error) {
	return One(ctx, tx, func(row Scanner) (a SavedAnswer, err error) {
		return a, row.Scan(&a.Scope, &a.Key, &a.Digest, &a.Answer, (*Time)(&a.CreatedAt))
	}, `SELECT scope, key, digest, answer, created_at FROM idempotency WHERE scope = ? AND key = ? AND created_at > ?`,
		scope, key, Micros(since))
}

// PutSavedAnswer keeps an answer, in the place of an outdated one if there is one.
func (tx *Tx) PutSavedAnswer(ctx context.Context, a SavedAnswer) error {
	return tx.Send(ctx, `INSERT INTO idempotency (scope, key, digest, answer, created_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (scope, key) DO UPDATE SET digest = excluded.digest, answer = excluded.answer,
			created_at = excluded.created_at`,
		a.Scope, a.Key, a.Digest, a.Answer, Micros(a.CreatedAt))
}

// Ends are the times before which things are over.
type Ends struct{ Now, Answers, Attempts, Mails, SignUps, Withdrawals, Bridges time.Time }

// Sweep deletes what is over: handshakes and sessions, and from before a time
// of their own saved answers, attempts, mails, sign-ups with their mails,
// what the limit on suspensions counts, and bridges without a session.
func (tx *Tx) Sweep(ctx context.Context, ends Ends) error {
	for _, s := range []struct {
		query  string
		before time.Time
	}{
		{`DELETE FROM handshakes WHERE expires_at < ?`, ends.Now},
		{`DELETE FROM sessions WHERE expires_at < ?`, ends.Now},
		{`DELETE FROM idempotency WHERE created_at < ?`, ends.Answers},
		{`DELETE FROM attempts WHERE last_time < ?`, ends.Attempts},
		{`DELETE FROM outbox WHERE created_at < ?`, ends.Mails},
		{`DELETE FROM outbox WHERE link_hash IN (SELECT invitation_hash FROM members WHERE ` +
			unclaimed + `)`, ends.SignUps},
		{`DELETE FROM members WHERE ` + unclaimed, ends.SignUps},
		{`DELETE FROM withdrawals WHERE time < ?`, ends.Withdrawals},
		{`DELETE FROM bridges WHERE last_contact < ?
			AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.instance = bridges.instance)`, ends.Bridges},
	} {
		// Each has its own time, since there may be many rows.
		if _, err := tx.Exec(ctx, s.query, Micros(s.before)); err != nil {
			return err
		}
	}
	return nil
}
