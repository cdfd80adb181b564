package store

import (
	"context"
	"time"
)

// A TwoFactor is the two-factor policy.
type TwoFactor struct {
	EnforcedAt time.Time // zero while it is not enforced
	Version    int64
}

// TwoFactor reads the two-factor policy.
func (tx *Tx) TwoFactor(ctx context.Context) (p TwoFactor, err error) {
	err = tx.QueryRow(ctx, `SELECT enforced_at, version FROM two_factor`).Scan((*Time)(&p.EnforcedAt), &p.Version)
	return p, err
}

// EnforceTwoFactor sets the policy from a time on. Every generation that is
// there needs a second factor from then on, and every session ends; its row
// stays until it is swept, so that its bridge can be told why.
func (tx *Tx) EnforceTwoFactor(ctx context.Context, at time.Time) error {
	if err := tx.Send(ctx, `UPDATE two_factor SET enforced_at = ?, version = version + 1`, Micros(at)); err != nil {
		return err
	}
	if err := tx.Send(ctx, `UPDATE generations SET needs_second_factor = TRUE`); err != nil {
		return err
	}
	return tx.Send(ctx, `UPDATE sessions SET expires_at = ? WHERE expires_at > ?`, Micros(at), Micros(at))
}

// LiftTwoFactor ends the policy; no generation needs a second factor any more.
func (tx *Tx) LiftTwoFactor(ctx context.Context) error {
	if err := tx.Send(ctx, `UPDATE two_factor SET enforced_at = 0, version = version + 1`); err != nil {
		return err
	}
	return tx.Send(ctx, `UPDATE generations SET needs_second_factor = FALSE WHERE needs_second_factor`)
}

// SessionWithoutSecondFactor finds the session of a token that ended because
// its credentials lack the second factor which the policy asks for.
func (tx *Tx) SessionWithoutSecondFactor(ctx context.Context, digest string) (Session, bool, error) {
	return One(ctx, tx, scanSession, `SELECT `+sessionColumns+` FROM sessions s JOIN generations g ON g.epoch = s.epoch
		WHERE s.digest = ? AND g.needs_second_factor`, digest)
}
