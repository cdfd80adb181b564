package directory

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A FoundMember is a member with what its state depends on.
type FoundMember = store.FoundMember

// A MemberChange is an audit event about a member or its person.
type MemberChange = store.MemberChange

// Lookup is what LookUpMembers found.
type Lookup struct {
	Members []FoundMember // the oldest first
	// AllowedDomains are those domains of the names that are allowed for sign-up.
	AllowedDomains []string
	// Database is the account's own database setting, for commands on its machine.
	Database string
}

// The bounds of a lookup.
const (
	maxNames         = 500
	maxDetailedNames = 20
	maxHoldsFound    = 100
	maxChangesFound  = 10
)

// LookUpMembers returns what the account has under some names, managed or not: the member whose sign-in address, new
// address, userName, last userName or id it is. With details, the members have their holds and latest changes.
func (d *Directory) LookUpMembers(ctx context.Context, names []string, details bool) (found Lookup, err error) {
	most := maxNames
	if details {
		most = maxDetailedNames
	}
	if len(names) == 0 || len(names) > most {
		return found, account.InvalidValue("/names", "there are %d names; give 1 to %d", len(names), most)
	}
	trimmed := make([]string, len(names))
	for i, name := range names {
		trimmed[i] = inputtext.TrimBlanks(name)
	}
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		found = Lookup{Database: d.account.Store.Setting()}
		if found.AllowedDomains, err = allowedDomains(ctx, tx, trimmed); err != nil {
			return err
		}
		if found.Members, err = tx.FindMembers(ctx, trimmed); err != nil || !details {
			return err
		}
		for i := range found.Members {
			if err := addDetails(ctx, tx, &found.Members[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

func addDetails(ctx context.Context, tx *store.Tx, m *FoundMember) (err error) {
	if m.Holds, err = tx.HoldsOf(ctx, m.ID, maxHoldsFound); err != nil {
		return err
	}
	ids := []string{m.ID}
	if m.Managed() {
		ids = append(ids, m.PersonID)
	}
	m.Changes, err = tx.ChangesOf(ctx, ids, maxChangesFound)
	return err
}

// allowedDomains returns those domains of some addresses that are allowed for sign-up, in alphabetical order.
func allowedDomains(ctx context.Context, tx *store.Tx, names []string) (allowed []string, err error) {
	var domains []string
	for _, name := range names {
		if strings.Contains(name, "@") {
			domains = append(domains, domainOf(name))
		}
	}
	slices.Sort(domains)
	for _, domain := range slices.Compact(domains) {
		_, found, err := tx.SignupDomain(ctx, domain)
		if err != nil {
			return nil, err
		}
		if found {
			allowed = append(allowed, domain)
		}
	}
	return allowed, nil
}

// InvitedUntil returns until when the link of a member's open invitation works; zero if it has none.
func InvitedUntil(m Member) time.Time {
	if m.State != store.Invited || m.InvitedAt.IsZero() {
		return time.Time{}
	}
	return m.InvitedAt.Add(invitationLife(m))
}

// ChangeUntil returns until when the link that confirms a change of address works; zero if none was sent.
func ChangeUntil(c store.AddressChange) time.Time {
	if c.TokenHash == "" {
		return time.Time{}
	}
	return c.Since.Add(account.LinkLife)
}
