package directory

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A SignupDomain is a domain whose people may sign up, and move their
// sign-in address to.
type SignupDomain = store.SignupDomain

// SignupDomains lists domains in alphabetical order.
func (d *Directory) SignupDomains(ctx context.Context, cursor string, limit int) (account.Page[SignupDomain], error) {
	var after string
	if err := account.ReadCursor(cursor, &after); err != nil {
		return account.Page[SignupDomain]{}, err
	}
	var domains []SignupDomain
	err := d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		domains, err = tx.SignupDomains(ctx, after, limit+1)
		return err
	})
	return account.PageOf(domains, limit, func(d SignupDomain) []any { return []any{d.Domain} }), err
}

// SignupDomain reads one domain.
func (d *Directory) SignupDomain(ctx context.Context, domain string) (found SignupDomain, err error) {
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		var allowed bool
		if found, allowed, err = tx.SignupDomain(ctx, domain); err == nil && !allowed {
			return domainNotFound(domain)
		}
		return err
	})
	return found, err
}

// CreateSignupDomain allows a domain. Confirmation e-mails that waited for it
// go out in the same transaction.
func (d *Directory) CreateSignupDomain(ctx context.Context, domain string) (SignupDomain, error) {
	if err := checkDomain(domain); err != nil {
		return SignupDomain{}, account.InvalidValue("/domain", "%v", err)
	}
	created := SignupDomain{Domain: domain, CreatedAt: d.account.Time()}
	err := d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, found, err := tx.SignupDomain(ctx, domain)
		if err != nil {
			return err
		}
		if found {
			return account.AlreadyExists(domain, "the domain %s is already allowed for sign-up", domain)
		}
		if err := tx.InsertSignupDomain(ctx, created); err != nil {
			return err
		}
		if err := d.releaseDomain(ctx, tx, domain); err != nil {
			return err
		}
		return d.account.Audit(ctx, tx, "signup_domain.create", domain, "")
	})
	return created, err
}

// DeleteSignupDomain forbids a domain again. Members under it stay, and
// confirmation e-mails that went out stay good.
func (d *Directory) DeleteSignupDomain(ctx context.Context, domain, ifMatch string) error {
	return d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		present, found, err := tx.SignupDomain(ctx, domain)
		if err != nil {
			return err
		}
		if !found {
			return domainNotFound(domain)
		}
		if err := account.CheckVersion(ifMatch, present.CreatedAt.UnixMicro()); err != nil {
			return err
		}
		if _, err := tx.DeleteSignupDomain(ctx, domain); err != nil {
			return err
		}
		return d.account.Audit(ctx, tx, "signup_domain.delete", domain, "")
	})
}

// domainNotFound repeats the domain only if it is one: a client may have put a secret in its place.
func domainNotFound(domain string) *account.Error {
	e := account.NotFound("sign-up domain", "")
	e.Detail = "this is no domain that is allowed for sign-up"
	if IsDomain(domain) {
		e.Detail = fmt.Sprintf("there is no sign-up domain %q", domain)
	}
	return e
}

// IsDomain reports whether domain could be one that is allowed for sign-up, and is no secret.
func IsDomain(domain string) bool {
	return checkDomain(domain) == nil && inputtext.Scrub(domain) == domain
}

// DomainETag is a domain's entity tag. A domain never changes, but one that
// was removed and allowed again is another.
func DomainETag(d SignupDomain) string { return account.ETag(d.CreatedAt.UnixMicro()) }

// checkDomain accepts a host name as DNS has it: lower case, A-labels, at
// least two of them. Whatever people paste instead is refused with the name
// to write, where that can be told.
func checkDomain(domain string) error {
	lower := strings.ToLower(domain)
	switch {
	case domain == "":
		return errors.New("the domain is empty; write one like example.com")
	case strings.Contains(domain, "://"):
		return domainError(domain, "is a URL")
	case strings.ContainsFunc(domain, unicode.IsSpace):
		return domainError(domain, "contains a space")
	case strings.Contains(domain, "*"):
		return domainError(domain, "contains a wildcard, and sub-domains are entries of their own")
	case strings.Contains(domain, "@"):
		return domainError(domain, "is an e-mail address")
	case strings.ContainsAny(domain, "/?#:"):
		return domainError(domain, "contains more than a host name")
	case strings.HasSuffix(domain, "."):
		return domainError(domain, "ends in a dot")
	case lower != domain:
		return domainError(domain, "is not in lower case, as "+lower+" is")
	}
	if _, err := netip.ParseAddr(domain); err == nil {
		return domainError(domain, "is an IP address")
	}
	ascii, err := idna.Registration.ToASCII(domain)
	switch {
	case err != nil:
		return domainError(domain, "is not a host name ("+err.Error()+")")
	case ascii != domain:
		return domainError(domain, "is not in its IDNA form, "+ascii)
	case !strings.Contains(domain, "."):
		return domainError(domain, "has one label only")
	case len(domain) > 253:
		return domainError(domain, "is longer than 253 bytes")
	}
	return nil
}

func domainError(domain, what string) error {
	return fmt.Errorf("%q %s; write a host name like example.com", domain, what)
}
