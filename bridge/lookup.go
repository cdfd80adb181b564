package bridge

import (
	"context"
	"slices"
	"time"
)

// A Member is what the account has of a person, provisioned or not.
type Member struct {
	ID         string
	Address    string // to sign in with; empty before there is one
	Protected  bool   // an owner, an administrator or the Provision Manager, which provisioning leaves alone
	State      MemberState
	StateSince time.Time
	// Suspended is what is in force, unlike a Person's. SuspensionHeld is set if the identity provider alone sees it
	// suspended.
	Suspended, SuspensionHeld bool
	SignedUp                  bool // by the sign-up link
	Created                   time.Time
	// PersonID and UserName are set while the member is provisioned, and else LastUserName if it was, case-folded.
	PersonID, UserName, LastUserName string
	// FoundBy says under which of the names the member was found.
	FoundBy []FoundBy
	// WantedAddress is what the identity provider names; AddressTaken is set if another member has it.
	WantedAddress string
	WantedSince   time.Time
	AddressTaken  bool
	// InvitedAt is when the link of the open invitation was made, and InvitedUntil when it expires; zero without one.
	InvitedAt, InvitedUntil time.Time
	// Mail is the invitation's; for those who ask for details.
	Mail LinkMail
	// Change is a new address that the person has not confirmed; nil if there is none.
	Change *AddressChange

	// Holds and Changes are for those who ask for details: at most 100, and the latest 10, newest first.
	Holds   []Hold
	Changes []MemberChange
}

// A FoundBy says that a member was found under a name.
type FoundBy struct {
	Name int // its place among the names
	As   NameKind
}

// A NameKind is what a name is to a member.
type NameKind string

// The kinds of names, of which those that are not here are ids.
const (
	ByAddress      NameKind = "address"
	ByNewAddress   NameKind = "new_address" // that the person has not confirmed
	ByUserName     NameKind = "user_name"
	ByLastUserName NameKind = "last_user_name"
)

// IsFoundBy reports whether a member was found under a name as one of some kinds.
func (m Member) IsFoundBy(name int, kinds ...NameKind) bool {
	return slices.ContainsFunc(m.FoundBy, func(f FoundBy) bool {
		return f.Name == name && slices.Contains(kinds, f.As)
	})
}

// An AddressChange is a new address that waits for the person's confirmation.
type AddressChange struct {
	Address, Domain string
	Since           time.Time
	Sent            bool      // false while the domain is not allowed for sign-up
	Until           time.Time // when the link in the e-mail expires; zero before there is one
	Mail            LinkMail  // for those who ask for details
}

// A LinkMail says how sending the mail with a link goes; empty if the account does not tell.
type LinkMail string

// How sending a mail goes.
const (
	MailSent    LinkMail = "sent"    // the mail server took it
	MailWaiting LinkMail = "waiting" // to be sent
	MailFailed  LinkMail = "failed"  // refused by the mail server, or not sent in time
)

// A MemberChange is a change of a member in the account.
type MemberChange struct {
	Time   time.Time
	Actor  string // "bridge:INSTANCE", "administrator", "person" or "machine"
	Action string // "member.update", for instance, as in the account's audit log
	// Changed says what, in the words below; nil if that is not known.
	Changed []string
	Request string // of the identity provider; empty if it was not one, or that is not known
}

// Words of MemberChange.Changed. There are others.
const (
	ChangedToSuspended   = "suspended"
	ChangedToReactivated = "reactivated"
)

// MembersFound is the answer to a lookup.
type MembersFound struct {
	Items []Member // the oldest first
	// AllowedDomains are those domains of the names that are allowed for sign-up.
	AllowedDomains []string
	Database       string // of the account; empty if it does not tell
}

// The most names in a lookup.
const (
	MaxNames         = 500
	MaxDetailedNames = 20
)

// Members is the part of the account that tells what it has under a name, also of those who are not provisioned. Its
// errors are as a Directory's, and errors.ErrUnsupported from an account that does not tell.
type Members interface {
	// LookUpMembers returns the members whose address, userName or id is among the names, without regard to case and
	// to blanks around them.
	LookUpMembers(ctx context.Context, names []string, details bool) (MembersFound, error)
}
