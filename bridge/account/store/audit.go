package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
)

const auditColumns = `id, time, actor, address, action, object, summary`

// registerAuditHash gives a connection the hash that an event of the chain must have after another one, whose hash is
// the first argument, for the migration that made the chain.
func registerAuditHash(db *sqlite3.Conn) error {
	return db.CreateFunction("audit_hash", 9, sqlite3.DETERMINISTIC|sqlite3.INNOCUOUS,
		func(answer sqlite3.Context, args ...sqlite3.Value) {
			e := audit.Event{
				Sequence: args[1].Int64(), ID: args[2].Text(), Time: time.Time(timeOf(args[3].Int64())),
				Actor: args[4].Text(), Address: args[5].Text(), Action: args[6].Text(), Object: args[7].Text(),
				Summary: args[8].Text(),
			}
			answer.ResultText(e.Digest(args[0].Text()))
		})
}

// AppendAuditEvent adds e to the chain.
func (tx *Tx) AppendAuditEvent(ctx context.Context, e audit.Event) error {
	if tx.ahead.appended.Sequence == 0 {
		_, last, err := tx.AuditChain(ctx)
		if err != nil {
			return err
		}
		tx.ahead.appended = last
	}
	e.Sequence = tx.ahead.appended.Sequence + 1
	e.Hash = e.Digest(tx.ahead.appended.Hash)
	if err := tx.Send(ctx, `INSERT INTO audit (sequence, `+auditColumns+`, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.Sequence, e.ID, Micros(e.Time), e.Actor, e.Address, e.Action, e.Object, e.Summary, e.Hash); err != nil {
		return err
	}
	tx.ahead.appended = e.Link()
	return tx.Send(ctx, `UPDATE audit_chain SET last_sequence = ?, last_hash = ?`, e.Sequence, e.Hash)
}

// AuditChain returns the newest event that was removed because of its age, and the newest one.
func (tx *Tx) AuditChain(ctx context.Context) (removed, last audit.Link, err error) {
	err = tx.QueryRow(ctx, `SELECT removed_sequence, removed_hash, last_sequence, last_hash FROM audit_chain`).
		Scan(&removed.Sequence, &removed.Hash, &last.Sequence, &last.Hash)
	return removed, last, err
}

// AuditRange returns the sequences between which the events of a time are; the zero time is no bound.
// first is larger than last if there are none.
func (tx *Tx) AuditRange(ctx context.Context, since, until time.Time) (first, last int64, err error) {
	removed, newest, err := tx.AuditChain(ctx)
	if err != nil {
		return 0, 0, err
	}
	first, last = removed.Sequence+1, newest.Sequence
	if !since.IsZero() {
		if err = tx.QueryRow(ctx, `SELECT COALESCE(min(sequence), ?) FROM audit WHERE time >= ?`, last+1,
			Micros(since)).Scan(&first); err != nil {
			return 0, 0, err
		}
	}
	if !until.IsZero() {
		err = tx.QueryRow(ctx, `SELECT COALESCE(max(sequence), ?) FROM audit WHERE time <= ?`, first-1,
			Micros(until)).Scan(&last)
	}
	return first, last, err
}

// AuditLink returns the place of an event, whose hash is audit.Unknown if it is missing.
func (tx *Tx) AuditLink(ctx context.Context, sequence int64) (audit.Link, error) {
	if removed, _, err := tx.AuditChain(ctx); err != nil || removed.Sequence == sequence {
		return removed, err
	}
	l, found, err := One(ctx, tx, func(row Scanner) (l audit.Link, err error) {
		return l, row.Scan(&l.Sequence, &l.Hash)
	}, `SELECT sequence, hash FROM audit WHERE sequence = ?`, sequence)
	if err == nil && !found {
		l = audit.Link{Sequence: sequence, Hash: audit.Unknown}
	}
	return l, err
}

// OldestAuditEvent returns the oldest time of an event of the chain, or the zero time. The first event may have a
// newer one, from a clock that was wrong.
func (tx *Tx) OldestAuditEvent(ctx context.Context) (time.Time, error) {
	return tx.auditTime(ctx, "time ASC")
}

// NewestAuditEvent returns the time of the last event of the chain, or the zero time.
func (tx *Tx) NewestAuditEvent(ctx context.Context) (time.Time, error) {
	return tx.auditTime(ctx, "sequence DESC")
}

func (tx *Tx) auditTime(ctx context.Context, order string) (time.Time, error) {
	at, _, err := One(ctx, tx, func(row Scanner) (at time.Time, err error) { return at, row.Scan((*Time)(&at)) },
		`SELECT time FROM audit ORDER BY `+order+` LIMIT 1`)
	return at, err
}

// EachAuditEvent calls fn with the events of a range in their order, and with the hash of the event before each,
// which is audit.Unknown if that is missing.
func (tx *Tx) EachAuditEvent(
	ctx context.Context, first, last int64, fn func(e audit.Event, previous string) error,
) (err error) {
	removed, _, err := tx.AuditChain(ctx)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT sequence, `+auditColumns+`, hash FROM audit WHERE sequence BETWEEN ? AND ?
		ORDER BY sequence`, first-1, last)
	if err != nil {
		return err
	}
	previous := removed
	for rows.Next() && err == nil {
		var e audit.Event
		if err = rows.Scan(&e.Sequence, &e.ID, (*Time)(&e.Time), &e.Actor, &e.Address, &e.Action, &e.Object, &e.Summary,
			&e.Hash); err == nil && e.Sequence >= first {
			if previous.Sequence != e.Sequence-1 {
				previous.Hash = audit.Unknown
			}
			err = fn(e, previous.Hash)
		}
		previous = e.Link()
	}
	if closed := rows.Close(); err == nil {
		err = closed
	}
	return err
}

// AuditJudged returns the time by which the age of events was judged last, or the zero time.
func (tx *Tx) AuditJudged(ctx context.Context) (at time.Time, err error) {
	return at, tx.QueryRow(ctx, `SELECT judged_at FROM audit_chain`).Scan((*Time)(&at))
}

// SetAuditJudged sets the time by which the age of events was judged last.
func (tx *Tx) SetAuditJudged(ctx context.Context, at time.Time) error {
	return tx.Send(ctx, `UPDATE audit_chain SET judged_at = ?`, Micros(at))
}

// RemoveAuditEvents removes the oldest events, up to the last one from before a time that has none from between that
// time and now before it, but not more than most. One from after now has its time from a clock that was wrong, and
// keeps nothing. The chain then begins after them. It returns how many they were.
func (tx *Tx) RemoveAuditEvents(ctx context.Context, before, now time.Time, most int64) (int64, error) {
	removed, last, err := tx.AuditChain(ctx)
	if err != nil {
		return 0, err
	}
	var end int64
	if err := tx.QueryRow(ctx, `SELECT COALESCE(max(sequence), 0) FROM audit WHERE time < ?1 AND sequence <
		(SELECT COALESCE(min(sequence), ?2) FROM audit WHERE time BETWEEN ?1 AND ?3)`, Micros(before), last.Sequence+1,
		Micros(now)).Scan(&end); err != nil {
		return 0, err
	}
	if end = min(end, removed.Sequence+most); end <= removed.Sequence {
		return 0, nil
	}
	if err := tx.Send(ctx, `UPDATE audit_chain SET removed_sequence = sequence, removed_hash = hash
		FROM (SELECT sequence, hash FROM audit WHERE sequence = ?) AS newest`, end); err != nil {
		return 0, err
	}
	return tx.Exec(ctx, `DELETE FROM audit WHERE sequence <= ?`, end)
}

// RefusedTokens are requests with wrong admin tokens.
type RefusedTokens struct {
	Day, Forget string // as 2006-01-02: when, and of which days nothing is kept
	Time        time.Time
	Count       int
	Address     string // of the last one
}

// CountRefusedTokens adds to the day's count, and deletes those of days before Forget.
func (tx *Tx) CountRefusedTokens(ctx context.Context, r RefusedTokens) error {
	if err := tx.Send(ctx, `DELETE FROM refused_tokens WHERE day < ?`, r.Forget); err != nil {
		return err
	}
	return tx.Send(ctx, `INSERT INTO refused_tokens (day, time, address, tries) VALUES (?, ?, ?, ?)
		ON CONFLICT (day) DO UPDATE SET time = excluded.time, address = excluded.address,
			tries = refused_tokens.tries + excluded.tries`,
		r.Day, Micros(r.Time), r.Address, r.Count)
}

// AuditEvents lists events, newest first, from after a given place: those of the chain, and the days' counts of
// requests with wrong admin tokens.
func (tx *Tx) AuditEvents(ctx context.Context, after Place, limit int) ([]audit.Event, error) {
	page := []any{Micros(after.Time), after.ID, limit}
	return All(ctx, tx, func(row Scanner) (e audit.Event, err error) {
		return e, row.Scan(&e.ID, (*Time)(&e.Time), &e.Actor, &e.Address, &e.Action, &e.Object, &e.Summary)
	}, fmt.Sprintf(`SELECT * FROM (
			SELECT * FROM (SELECT %[1]s FROM audit WHERE (time, id) < (?, ?)
				ORDER BY time DESC, id DESC LIMIT ?) AS chain
			UNION ALL SELECT * FROM (SELECT 'tokens-refused-' || day AS id, time, 'stranger', address, 'token.refused',
				CAST(tries AS TEXT), tries || ' requests on ' || day ||
				' (UTC) had a wrong or expired admin token; the address is the last one''s'
				FROM refused_tokens) AS days WHERE (time, id) < (?, ?)
		) AS events ORDER BY time DESC, id DESC LIMIT ?`, auditColumns), append(page, page...)...)
}
