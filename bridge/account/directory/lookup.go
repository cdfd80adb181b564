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
type FoundMember struct {
	store.FoundMember
	FoundBy []FoundBy
	// Holds and Changes are for those who ask for details. The changes are newest first.
	Holds   []store.Hold
	Changes []MemberChange
	// InvitationMail and ChangeMail say for them how sending the mails of an open invitation and of a new address
	// goes: store.MailSent, MailWaiting or MailFailed; empty if that is not known.
	InvitationMail, ChangeMail string
}

// A FoundBy says under which of the names of a lookup a member was found.
type FoundBy struct {
	Name int // its place among them
	As   string
}

// A MemberChange is an audit event about a member or its person.
type MemberChange struct {
	Time          time.Time
	Actor, Action string
	// Changed says what; nil in an event of a version that did not write that down.
	Changed []string
	// Request is the id of the identity provider's request; empty if it was not one, or in an older event.
	Request string
}

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
		members, err := tx.FindMembers(ctx, trimmed)
		asked := make(map[string][]int, len(trimmed))
		for i, name := range trimmed {
			if name != "" {
				asked[store.Fold(name)] = append(asked[store.Fold(name)], i)
			}
		}
		for _, m := range members {
			found.Members = append(found.Members, FoundMember{FoundMember: m, FoundBy: foundBy(m, asked)})
		}
		if err != nil || !details {
			return err
		}
		return addDetails(ctx, tx, found.Members)
	})
	return found, err
}

func addDetails(ctx context.Context, tx *store.Tx, members []FoundMember) error {
	var ids []string
	for _, m := range members {
		ids = append(ids, m.ID)
		if m.Managed() {
			ids = append(ids, m.PersonID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	changes, err := tx.ChangesOf(ctx, ids, maxChangesFound)
	if err != nil {
		return err
	}
	for i := range members {
		m := &members[i]
		if m.Holds, err = tx.HoldsOf(ctx, m.ID, maxHoldsFound); err != nil {
			return err
		}
		if m.State == store.Invited {
			if m.InvitationMail, err = tx.InvitationMail(ctx, m.ID); err != nil {
				return err
			}
		}
		if m.Change.TokenHash != "" {
			if m.ChangeMail, err = tx.AddressChangeMail(ctx, m.ID); err != nil {
				return err
			}
		}
		of := slices.Concat(changes[m.ID], changes[m.PersonID])
		slices.SortStableFunc(of, func(a, b store.MemberChange) int { return b.Time.Compare(a.Time) })
		for _, c := range of[:min(len(of), maxChangesFound)] {
			m.Changes = append(m.Changes, readChange(c))
		}
	}
	return nil
}

// foundBy says under which names a member was found. Whoever asks need not know how names are compared.
func foundBy(m store.FoundMember, asked map[string][]int) (all []FoundBy) {
	for _, n := range [...]struct{ as, name string }{
		{"id", m.ID}, {"person_id", m.PersonID}, {"address", m.Address}, {"new_address", m.Change.Address},
		{"user_name", m.UserName}, {"last_user_name", m.LastUserName},
	} {
		for _, i := range asked[store.Fold(n.name)] {
			all = append(all, FoundBy{i, n.as})
		}
	}
	return all
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
