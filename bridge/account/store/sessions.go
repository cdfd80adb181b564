package store

import (
	"context"
	"slices"
	"time"
)

// A Handshake is a sign-in that has begun.
type Handshake struct {
	ID        string
	Epoch     int64  // 0 for one that cannot succeed
	Email     string // as the client said it
	State     string // base64; the server's half of SRP
	ExpiresAt time.Time
}

// InsertHandshake adds h, and deletes those that are over and, of the others,
// the oldest above keep: anybody may begin a sign-in, and what piles up must
// neither outlive its minute nor fill the disk within it.
func (tx *Tx) InsertHandshake(ctx context.Context, h Handshake, now time.Time, keep int) error {
	if err := tx.Send(ctx, `DELETE FROM handshakes WHERE expires_at < ?`, Micros(now)); err != nil {
		return err
	}
	if err := tx.Send(ctx, `DELETE FROM handshakes WHERE id IN
		(SELECT id FROM handshakes ORDER BY expires_at DESC, id LIMIT ? OFFSET ?)`, keep, keep-1); err != nil {
		return err
	}
	return tx.Send(ctx, `INSERT INTO handshakes (id, epoch, email, state, expires_at) VALUES (?, ?, ?, ?, ?)`,
		h.ID, h.Epoch, h.Email, h.State, Micros(h.ExpiresAt))
}

// HasHandshake reports whether there is a handshake with this id.
func (tx *Tx) HasHandshake(ctx context.Context, id string) (has bool, err error) {
	return has, tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM handshakes WHERE id = ?)`, id).Scan(&has)
}

// TakeHandshake reads a handshake and deletes it, so that it serves once.
func (tx *Tx) TakeHandshake(ctx context.Context, id string) (Handshake, bool, error) {
	return One(ctx, tx, func(row Scanner) (h Handshake, err error) {
		return h, row.Scan(&h.ID, &h.Epoch, &h.Email, &h.State, (*Time)(&h.ExpiresAt))
	}, `DELETE FROM handshakes WHERE id = ? RETURNING id, epoch, email, state, expires_at`, id)
}

// A Session is what a bridge holds after signing in.
type Session struct {
	ID, Digest string
	Epoch      int64
	Instance   string
	CreatedAt  time.Time
	ExpiresAt  time.Time
	EndsAt     time.Time // when it expires or its generation does; read only
}

const (
	sessionColumns = `s.id, s.digest, s.epoch, s.instance, s.created_at, s.expires_at,
		CASE WHEN g.expires_at > 0 AND g.expires_at < s.expires_at THEN g.expires_at ELSE s.expires_at END`
	// A session is live while neither it nor its generation is over.
	sessionLive = `s.expires_at > ? AND g.ended = '' AND (g.expires_at = 0 OR g.expires_at > ?)`
)

func scanSession(row Scanner) (s Session, err error) {
	return s, row.Scan(
		&s.ID, &s.Digest, &s.Epoch, &s.Instance, (*Time)(&s.CreatedAt), (*Time)(&s.ExpiresAt), (*Time)(&s.EndsAt),
	)
}

// InsertSession adds s.
func (tx *Tx) InsertSession(ctx context.Context, s Session) error {
	return tx.Send(ctx, `INSERT INTO sessions (id, digest, epoch, instance, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?)`, s.ID, s.Digest, s.Epoch, s.Instance, Micros(s.CreatedAt), Micros(s.ExpiresAt))
}

// Session finds the session of a token by its digest, unless its generation
// was ended. It is live until EndsAt.
func (tx *Tx) Session(ctx context.Context, digest string) (Session, bool, error) {
	return One(ctx, tx, scanSession, `SELECT `+sessionColumns+` FROM sessions s JOIN generations g ON g.epoch = s.epoch
		WHERE s.digest = ? AND g.ended = ''`, digest)
}

// SessionSilence is after how long without a heartbeat, of which three were
// due, a session no longer counts as one that its bridge uses.
const SessionSilence = 45 * time.Second

// HasOtherSession reports whether the instance has another live session, which
// is newer, as that of a process that took over, or in use, as that of the
// process beside which this one was on standby.
func (tx *Tx) HasOtherSession(ctx context.Context, sessionID string, now time.Time) (other bool, err error) {
	return other, tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM sessions mine
		JOIN sessions s ON s.instance = mine.instance AND s.id <> mine.id AND (s.created_at >= mine.created_at
			OR s.last_heartbeat > ?)
		JOIN generations g ON g.epoch = s.epoch
		WHERE mine.id = ? AND `+sessionLive+`)`, Micros(now.Add(-SessionSilence)), sessionID, Micros(now),
		Micros(now)).Scan(&other)
}

// NoteHeartbeat records when the session was used last; the zero time, that it
// will be used no more.
func (tx *Tx) NoteHeartbeat(ctx context.Context, sessionID string, at time.Time) error {
	return tx.Send(ctx, `UPDATE sessions SET last_heartbeat = ? WHERE id = ?`, Micros(at), sessionID)
}

// DeleteSession ends a session.
func (tx *Tx) DeleteSession(ctx context.Context, id string) error {
	return tx.Send(ctx, `DELETE FROM sessions WHERE id = ?`, id)
}

// EndSessions ends all sessions and sign-ins.
func (tx *Tx) EndSessions(ctx context.Context) error {
	for _, query := range []string{`DELETE FROM sessions`, `DELETE FROM handshakes`} {
		if err := tx.Send(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

// A Bridge is what the account knows of one bridge instance.
type Bridge struct {
	Instance, Version, Revision string
	Address                     string
	FirstSeen, LastContact      time.Time
	State                       string
	Problems                    string // JSON array of codes
	LastRefusal                 string // JSON, or empty
	Live                        bool   // read only
}

// BridgeSilence is after how long without contact a bridge no longer counts as
// live, whatever session it has: heartbeats come every 15 seconds, and a
// process that was killed cannot sign out.
const BridgeSilence = 2 * time.Minute

// PutBridge writes a bridge; the first contact and, if b has none, the last
// refusal stay as they were.
func (tx *Tx) PutBridge(ctx context.Context, b Bridge) error {
	return tx.Send(ctx, `INSERT INTO bridges
			(instance, version, revision, address, first_seen, last_contact, state, problems, last_refusal)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (instance) DO UPDATE SET version = excluded.version, revision = excluded.revision,
			address = excluded.address, last_contact = excluded.last_contact, state = excluded.state,
			problems = excluded.problems,
			last_refusal = CASE excluded.last_refusal WHEN '' THEN bridges.last_refusal ELSE excluded.last_refusal END`,
		b.Instance, b.Version, b.Revision, b.Address, Micros(b.LastContact), Micros(b.LastContact), b.State, b.Problems,
		b.LastRefusal)
}

const bridgeQuery = `SELECT b.instance, b.version, b.revision, b.address, b.first_seen, b.last_contact, b.state,
		b.problems, b.last_refusal, b.last_contact > ? AND EXISTS (
			SELECT 1 FROM sessions s JOIN generations g ON g.epoch = s.epoch
			WHERE s.instance = b.instance AND ` + sessionLive + `)
	FROM bridges b `

// liveAt are the parameters with which bridgeQuery begins.
func liveAt(now time.Time) []any {
	return []any{Micros(now.Add(-BridgeSilence)), Micros(now), Micros(now)}
}

func scanBridge(row Scanner) (b Bridge, err error) {
	return b, row.Scan(&b.Instance, &b.Version, &b.Revision, &b.Address, (*Time)(&b.FirstSeen), (*Time)(&b.LastContact),
		&b.State, &b.Problems, &b.LastRefusal, &b.Live)
}

// Bridge reads one bridge.
func (tx *Tx) Bridge(ctx context.Context, instance string, now time.Time) (Bridge, bool, error) {
	return One(ctx, tx, scanBridge, bridgeQuery+`WHERE b.instance = ?`, append(liveAt(now), instance)...)
}

// Bridges lists bridges, newest contact first, from after a given place.
func (tx *Tx) Bridges(ctx context.Context, now time.Time, after Place, limit int) ([]Bridge, error) {
	return All(ctx, tx, scanBridge, bridgeQuery+`WHERE (b.last_contact, b.instance) < (?, ?)
		ORDER BY b.last_contact DESC, b.instance DESC LIMIT ?`,
		append(liveAt(now), Micros(after.Time), after.ID, limit)...)
}

// LiveBridges lists the bridges that have a live session and use it.
func (tx *Tx) LiveBridges(ctx context.Context, now time.Time) ([]Bridge, error) {
	all, err := All(ctx, tx, scanBridge, bridgeQuery+`ORDER BY b.instance`, liveAt(now)...)
	return slices.DeleteFunc(all, func(b Bridge) bool { return !b.Live }), err
}
