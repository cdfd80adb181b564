package store

import (
	"context"
	"time"
)

// A Token is an administrator's token; its secret is known by its digest alone.
type Token struct {
	ID, Name, Digest string
	CreatedAt        time.Time
	LastUsedAt       time.Time // zero if never
	Scope            string
	ExpiresAt        time.Time // zero if never
}

const tokenColumns = `id, name, digest, created_at, last_used_at, scope, expires_at`

func scanToken(row Scanner) (t Token, err error) {
	return t, row.Scan(
		&t.ID, &t.Name, &t.Digest, (*Time)(&t.CreatedAt), (*Time)(&t.LastUsedAt), &t.Scope, (*Time)(&t.ExpiresAt),
	)
}

// InsertToken adds t.
func (tx *Tx) InsertToken(ctx context.Context, t Token) error {
	return tx.Send(ctx, `INSERT INTO tokens (`+tokenColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		t.ID, t.Name, t.Digest, Micros(t.CreatedAt), Micros(t.LastUsedAt), t.Scope, Micros(t.ExpiresAt))
}

// TokenByDigest finds a token by the digest of its secret.
func (tx *Tx) TokenByDigest(ctx context.Context, digest string) (Token, bool, error) {
	return One(ctx, tx, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE digest = ?`, digest)
}

// Tokens lists tokens by id, from after a given one.
func (tx *Tx) Tokens(ctx context.Context, after string, limit int) ([]Token, error) {
	return All(ctx, tx, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
}

// UseToken notes when a token was used.
func (tx *Tx) UseToken(ctx context.Context, id string, at time.Time) error {
	return tx.Send(ctx, `UPDATE tokens SET last_used_at = ? WHERE id = ?`, Micros(at), id)
}

// OtherTokenOf reports whether there is another token of a scope that is good
// at a time.
func (tx *Tx) OtherTokenOf(ctx context.Context, scope, id string, at time.Time) (bool, error) {
	_, found, err := One(ctx, tx, scanToken, `SELECT `+tokenColumns+` FROM tokens
		WHERE scope = ? AND id <> ? AND (expires_at = 0 OR expires_at > ?) LIMIT 1`, scope, id, Micros(at))
	return found, err
}

// DeleteToken reports whether there was one.
func (tx *Tx) DeleteToken(ctx context.Context, id string) (bool, error) {
	return affected(tx.Exec(ctx, `DELETE FROM tokens WHERE id = ?`, id))
}
