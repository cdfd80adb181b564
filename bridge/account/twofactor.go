package account

import (
	"context"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A TwoFactorPolicy sets if sign-in requires a second factor. A bridge has none,
// but credentials that were enrolled under the policy are exempt.
type TwoFactorPolicy struct {
	EnforcedAt time.Time // zero while it is not enforced
	Version    int64
}

// Enforced reports whether the policy is enforced.
func (p TwoFactorPolicy) Enforced() bool { return !p.EnforcedAt.IsZero() }

// TwoFactorPolicy reads the policy.
func (a *Account) TwoFactorPolicy(ctx context.Context) (p TwoFactorPolicy, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, err := tx.TwoFactor(ctx)
		p = TwoFactorPolicy(row)
		return err
	})
	return p, err
}

// SetTwoFactorPolicy enforces or lifts the policy. Setting the current value changes
// nothing, so exempt credentials stay exempt.
func (a *Account) SetTwoFactorPolicy(
	ctx context.Context, enforced bool, ifMatch string,
) (p TwoFactorPolicy, err error) {
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, err := tx.TwoFactor(ctx)
		if err != nil {
			return err
		}
		p = TwoFactorPolicy(row)
		if err := CheckVersion(ifMatch, p.Version); err != nil {
			return err
		}
		if enforced == p.Enforced() {
			return nil
		}
		action := "two_factor.lift"
		p.EnforcedAt, p.Version = time.Time{}, p.Version+1
		if enforced {
			action = "two_factor.enforce"
			p.EnforcedAt = a.Time()
			err = tx.EnforceTwoFactor(ctx, p.EnforcedAt)
		} else {
			err = tx.LiftTwoFactor(ctx)
		}
		if err != nil {
			return err
		}
		// The document of the integration shows whether the sealed session is usable,
		// so its version increases.
		integration, err := tx.Integration(ctx)
		if err != nil {
			return err
		}
		if err := tx.UpdateIntegration(ctx, integration); err != nil {
			return err
		}
		return a.Audit(ctx, tx, action, "two-factor", "")
	})
	return p, err
}

func secondFactorRefusal() *Error {
	return &Error{
		Status: http.StatusForbidden, Code: api.ErrorCodeTwoFactorEnforced,
		Title: "Two-factor authentication is enforced",
		Detail: "two-factor authentication was enforced after these credentials were enrolled, " +
			"and they have no second factor; activate provisioning again or rotate it: " +
			"credentials enrolled under the policy are exempt",
	}
}
