package directory

import (
	"context"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// The bounds of signing up. The page is open to strangers, and each sign-up
// costs a member and a mail: a network may have some at once and later one at a
// time, all networks together more, and sign-ups whose link was not followed are
// deleted after a day. One network alone cannot use up what may wait.
const (
	mostSignUps   = 1000 // whose link was not followed yet
	networkBurst  = 20
	networkPause  = 2 * time.Minute
	everyoneBurst = 100
	everyonePause = 10 * time.Second
)

func newSignUpLimiter() *httpkit.Limiter {
	return &httpkit.Limiter{
		PerNetwork: httpkit.Rate{Burst: networkBurst, Every: networkPause},
		Total:      httpkit.Rate{Burst: everyoneBurst, Every: everyonePause},
	}
}

// SignUp sends an invitation to an address under an allowed domain. The answer
// is the same whether or not the address is a member's already: the page is open
// to strangers, who must not learn which addresses are.
func (d *Directory) SignUp(ctx context.Context, address, name string) error {
	address = inputtext.TrimBlanks(address)
	if err := checkAddress(address); err != nil {
		return account.InvalidValue("/address", "%v", err)
	}
	if err := checkName(name); err != nil {
		return err
	}
	if err := d.checkSignupDomain(ctx, domainOf(address)); err != nil {
		return err
	}
	if wait := d.signUps.Take(httpkit.NetworkOf(account.CallerFrom(ctx).Address), d.account.Time()); wait > 0 {
		return account.TooMany("Too many sign-ups", wait, "too many people sign up at present")
	}
	return d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		holder, taken, err := tx.AddressHolder(ctx, address)
		switch {
		case err != nil:
			return err
		case !taken:
			return d.insertSignUp(ctx, tx, address, name)
		case holder.State == store.Invited && !holder.Suspended && store.Fold(holder.Address) == store.Fold(address):
			return d.remind(ctx, tx, holder)
		}
		return nil
	})
}

func (d *Directory) checkSignupDomain(ctx context.Context, domain string) error {
	return d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, allowed, err := tx.SignupDomain(ctx, domain)
		if err == nil && !allowed {
			return &account.Error{Status: http.StatusForbidden, Code: codeDomainNotAllowed, Title: "Domain not allowed",
				Detail: "addresses under " + domain + " may not sign up; " +
					"ask an administrator of the account to allow the domain"}
		}
		return err
	})
}

// insertSignUp adds the member. That is audited only once the link is followed,
// since audit events are kept for ever.
func (d *Directory) insertSignUp(ctx context.Context, tx *store.Tx, address, name string) error {
	waiting, err := tx.CountSignUps(ctx, d.account.Time().Add(-account.SignUpLife), mostSignUps)
	if err != nil {
		return err
	}
	if waiting >= mostSignUps {
		return account.TooMany(
			"Too many sign-ups", networkPause, "too many people have signed up and not followed the link in their "+
				"mail yet",
		)
	}
	now := d.account.Time()
	m := Member{
		ID: d.account.NewID(), Address: address, Name: name, Role: store.RoleMember,
		State: store.Invited, StateSince: now, SignedUp: true, Version: 1, CreatedAt: now,
	}
	if err := tx.InsertMember(ctx, m); err != nil {
		return err
	}
	return d.inviteUnnamed(ctx, tx, &m)
}
