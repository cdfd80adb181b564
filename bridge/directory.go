package bridge

import (
	"context"
	"encoding/json"
	"time"
)

// A Person is a person that the identity provider has provisioned.
type Person struct {
	ID      string // SCIM id; a new one each time the person is provisioned again
	Version string // strong entity tag, quotes included
	// Created, and Modified, are zero if the directory does not tell them.
	Created time.Time
	// Modified is the time of the last change of the attributes or memberships.
	Modified time.Time
	// Attributes is the resource as the identity provider keeps it, a JSON
	// object in RFC 7643 names, without id, meta, groups and password.
	Attributes json.RawMessage
	Groups     []Reference
	// State is where the account's member stands.
	State MemberState
	// Suspended is the opposite of "active" among the attributes, also for
	// a person who was suspended in the account by hand.
	Suspended bool
	// SignInAddress is empty until the person is invited.
	SignInAddress string
	// PendingAddress waits for the person's confirmation; often empty.
	PendingAddress string
}

// MemberState is how far a member has come; being suspended is a flag beside it.
type MemberState string

// The states, in the order in which a member passes through them.
const (
	NotInvited MemberState = "not_invited" // stored, but there is no address to invite
	Invited    MemberState = "invited"
	Pending    MemberState = "pending" // accepted the invitation, waits to be confirmed
	Active     MemberState = "active"
)

// PersonInput is what a create or replace says of a person.
type PersonInput struct {
	Attributes json.RawMessage
	// SignInAddress is the address to invite or to move to; empty if there is none.
	SignInAddress string
}

// A Group is a set of people and of other groups.
type Group struct {
	ID       string
	Version  string // as a Person's; empty if the directory has none and did not read the members
	Created  time.Time
	Modified time.Time
	// Attributes is as a Person's, without members.
	Attributes json.RawMessage
	// Members is nil unless they were asked for.
	Members []Reference
	// UnknownMembers are the ids in the request that are of no person and no
	// group; they were passed over.
	UnknownMembers []string
}

// GroupInput is what a create says of a group.
type GroupInput struct {
	Attributes json.RawMessage
	Members    []string
}

// GroupChange is a change of a group, carried out whole or not at all.
type GroupChange struct {
	// Attributes replaces them all; nil keeps them.
	Attributes json.RawMessage
	// Replace sets the members before Add and Remove are applied; nil keeps
	// them, an empty list removes them all. Add and Remove do not overlap. A
	// list without a single known id is refused with MembersUnknown; so is an
	// empty one with such an Add.
	Replace     *[]string
	Add, Remove []string
	// Instead are lists of those of Add that take the place of members in
	// Remove. One without a single known id is refused as such a Replace is.
	Instead [][]string
}

// A Reference points from a group to a member, or from a person to a group.
type Reference struct {
	ID      string
	Display string
	Type    string // "User" or "Group"
}

// A Query asks for one page of people or groups.
type Query struct {
	Filter     *Predicate // nil for all
	SortBy     []string   // a path; nil sorts by creation
	Descending bool
	Offset     int64  // results to pass over, from 0
	Limit      int    // results in the page, 0 to 1000; 0 counts only
	Cursor     string // instead of Offset
	// WithMembers asks that groups come with their members.
	WithMembers bool
}

// A Page is one page of an answer in stable order.
type Page[T any] struct {
	Total int64 // how many match in all
	Items []T
	Next  string // cursor of the next page; empty at the end
}

// A Predicate is a condition on a resource; account/api/openapi.yaml says
// what it means under the same name.
type Predicate struct {
	Op        string      `json:"op"` // and or not any eq ne co sw ew gt ge lt le pr
	Path      []string    `json:"path,omitempty"`
	Value     any         `json:"value,omitempty"` // string, json.Number, float64, bool or nil
	CaseExact bool        `json:"case_exact,omitempty"`
	Terms     []Predicate `json:"terms,omitempty"`
}

// Attention is a person who waits for something.
type Attention struct {
	PersonID string
	UserName string
	Kind     AttentionKind
	Address  string // may be empty
	Domain   string // for SignupDomainMissing
	Since    time.Time
}

// AttentionKind is what a person waits for.
type AttentionKind string

// The things that people wait for.
const (
	AddressMissing      AttentionKind = "address_missing"       // nothing to invite
	AddressTaken        AttentionKind = "address_taken"         // another managed person holds it
	SignupDomainMissing AttentionKind = "signup_domain_missing" // an address change waits for the domain to be allowed
	AddressUnconfirmed  AttentionKind = "address_unconfirmed"   // a link was made, and its mail has not failed
	InvitationUnsent    AttentionKind = "invitation_unsent"     // refused by the mail server, or not sent in time
	ConfirmationUnsent  AttentionKind = "confirmation_unsent"   // so was the mail that has a new address confirmed
	InvitationOpen      AttentionKind = "invitation_open"       // invited, not yet accepted
	ConfirmationDue     AttentionKind = "confirmation_due"      // accepted; the bridge must confirm
)

// A Directory is where people and groups really live: the account on the far
// side of the bridge. It is safe for concurrent use. Every method returns an
// *Error for what the directory refuses, and an error that wraps
// ErrUnavailable when it could not be asked. A method that returned nil has
// its effect on disk.
//
// ifMatch is a Version, or empty for any; another version is an *Error with
// code VersionMismatch. Writing what is already there changes nothing, the
// version included.
//
// Blanks around userName, the values of emails and a group's displayName do
// not count, those of Unicode included: they are kept, compared and served
// without.
type Directory interface {
	CreatePerson(ctx context.Context, in PersonInput) (Person, error)
	Person(ctx context.Context, id string) (Person, error)
	ReplacePerson(ctx context.Context, id string, in PersonInput, ifMatch string) (Person, error)
	DeletePerson(ctx context.Context, id, ifMatch string) error
	SearchPeople(ctx context.Context, q Query) (Page[Person], error)

	CreateGroup(ctx context.Context, in GroupInput) (Group, error)
	Group(ctx context.Context, id string, withMembers bool) (Group, error)
	UpdateGroup(ctx context.Context, id string, c GroupChange, ifMatch string, withMembers bool) (Group, error)
	DeleteGroup(ctx context.Context, id, ifMatch string) error
	SearchGroups(ctx context.Context, q Query) (Page[Group], error)
}

// A WaitingRoom is the part of the account that the confirmation watcher
// and the status page look after.
type WaitingRoom interface {
	// Attention lists the people who wait for something, at most 1000: first
	// those that the bridge must confirm, then those for whom an operator must
	// act, last those who must act themselves; of each kind the oldest first.
	Attention(ctx context.Context) ([]Attention, error)
	// ConfirmPerson confirms a member who accepted; repeating it is harmless.
	ConfirmPerson(ctx context.Context, id string) error
}
