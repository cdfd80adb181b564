package store

import (
	"context"
	"time"
)

// A SignupDomain is a domain under which people may sign up, and move their
// sign-in address to.
type SignupDomain struct {
	Domain    string
	CreatedAt time.Time
}

func scanSignupDomain(row Scanner) (d SignupDomain, err error) {
	return d, row.Scan(&d.Domain, (*Time)(&d.CreatedAt))
}

// SignupDomain reads one domain.
func (tx *Tx) SignupDomain(ctx context.Context, domain string) (SignupDomain, bool, error) {
	return One(ctx, tx, scanSignupDomain, `SELECT domain, created_at FROM signup_domains WHERE domain = ?`, domain)
}

// SignupDomains lists domains in alphabetical order, from after a given one.
func (tx *Tx) SignupDomains(ctx context.Context, after string, limit int) ([]SignupDomain, error) {
	return All(ctx, tx, scanSignupDomain,
		`SELECT domain, created_at FROM signup_domains WHERE domain > ? ORDER BY domain LIMIT ?`, after, limit)
}

// InsertSignupDomain adds d.
func (tx *Tx) InsertSignupDomain(ctx context.Context, d SignupDomain) error {
	return tx.Send(ctx, `INSERT INTO signup_domains (domain, created_at) VALUES (?, ?)`,
		d.Domain, Micros(d.CreatedAt))
}

// DeleteSignupDomain reports whether there was one.
func (tx *Tx) DeleteSignupDomain(ctx context.Context, domain string) (bool, error) {
	return affected(tx.Exec(ctx, `DELETE FROM signup_domains WHERE domain = ?`, domain))
}
