package explain_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// at is a time of the day.
func at(hour int) time.Time { return time.Date(2026, 11, 29, hour, 0, 0, 0, time.UTC) }

const (
	annID     = "abcdefghijklmnopqrstuvwxyz"
	requestID = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

func person(state bridge.MemberState, change func(*bridge.Person)) *bridge.Person {
	p := &bridge.Person{
		ID: annID, Created: at(1), State: state, SignInAddress: "ann@example.com",
		Attributes: json.RawMessage(`{"userName":"ann@example.com","externalId":"00u1"}`),
	}
	if change != nil {
		change(p)
	}
	return p
}

func member(state bridge.MemberState, change func(*bridge.Member)) *bridge.Member {
	m := &bridge.Member{
		ID: "member", PersonID: annID, UserName: "ann@example.com", Address: "ann@example.com",
		State: state, StateSince: at(2), Created: at(1), WantedAddress: "ann@example.com", WantedSince: at(1),
	}
	if change != nil {
		change(m)
	}
	return m
}

// unmanaged is a member that is not provisioned.
func unmanaged(state bridge.MemberState, change func(*bridge.Member)) *bridge.Member {
	return member(state, func(m *bridge.Member) {
		m.PersonID, m.UserName, m.WantedAddress = "", "", ""
		if change != nil {
			change(m)
		}
	})
}

func write(hour int, kind journal.Kind, change func(*journal.Event)) journal.Event {
	e := journal.Event{
		Time: at(hour), Kind: kind, Status: 200, Person: annID, Request: requestID, Token: "current",
		Active: journal.Bool(true),
	}
	if kind == journal.PersonRefused {
		e.Method, e.Status, e.Active = "POST", 409, nil
	}
	if kind == journal.PersonDeleted {
		e.Active = nil
	}
	if change != nil {
		change(&e)
	}
	return e
}

// inactive makes the event one of a request that sent active: false.
func inactive(e *journal.Event) { e.Active, e.SentActive = journal.Bool(false), journal.Bool(false) }

// stillInactive makes it one after which the person is inactive, and which did not say so.
func stillInactive(e *journal.Event) { e.Active = journal.Bool(false) }

var hold = bridge.Hold{
	ID: "hold1", UserName: "ann@example.com", Since: at(5), RequestID: "REQUEST5", Client: "bridge:b1", IdP: "okta",
}

func TestPersonIsExplained(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		facts   explain.PersonFacts
		verdict explain.Verdict
		in      bool
		// wants are in the conclusion, and says anywhere in the explanation.
		wants, says []string
	}{
		{
			"an active member",
			explain.PersonFacts{Person: person(bridge.Active, nil), Member: member(bridge.Active, nil)},
			explain.Active, true,
			[]string{"ann@example.com is in", "active member since 2026-11-29 02:00:00 UTC"},
			[]string{"SCIM id " + annID, "externalId 00u1"},
		},
		{
			"an active member of groups",
			explain.PersonFacts{Person: person(bridge.Active, func(p *bridge.Person) {
				p.Groups = []bridge.Reference{{ID: "g1", Display: "Engineering"}, {ID: "g2"}}
			})},
			explain.Active, true, []string{"is in"}, []string{"2 groups: Engineering, g2"},
		},
		{
			"an invitation that was not accepted",
			explain.PersonFacts{
				Person: person(bridge.Invited, nil), Database: "sqlite:/var/lib/account.db",
				Member: member(bridge.Invited, func(m *bridge.Member) { m.InvitedAt, m.InvitedUntil = at(2), at(20) }),
			},
			explain.Invited, false,
			[]string{"is not in yet", "invited to ann@example.com at 2026-11-29 02:00:00 UTC", "has not accepted"},
			[]string{"works until 2026-11-29 20:00:00 UTC",
				"`scim-bridge account mail --database sqlite:/var/lib/account.db --json`"},
		},
		{
			"an invitation that was sent again",
			explain.PersonFacts{
				Person: person(bridge.Invited, nil),
				Member: member(bridge.Invited, func(m *bridge.Member) {
					m.InvitedAt, m.InvitedUntil = at(2), at(20)
					m.Changes = []bridge.MemberChange{{Time: at(4), Actor: "machine", Action: "mail.resend"}}
				}),
			},
			explain.Invited, false, []string{"is not in yet"},
			[]string{"Invitation or confirmation sent again by "},
		},
		{
			"an invitation whose link has expired",
			explain.PersonFacts{
				Person: person(bridge.Invited, nil),
				Member: member(bridge.Invited, func(m *bridge.Member) { m.InvitedAt, m.InvitedUntil = at(1), at(12) }),
			},
			explain.Invited, false, []string{"is not in", "link has expired"},
			[]string{
				"`scim-bridge account mail resend --database DATABASE ann@example.com` on the account's machine",
				"Or switch the person off and on again", "active: false and then active: true",
			},
		},
		{
			"an invitation, from an account that tells no more",
			explain.PersonFacts{Person: person(bridge.Invited, nil), MembersHidden: true},
			explain.Invited, false, []string{"invited to ann@example.com, and has not accepted"}, nil,
		},
		{
			"an acceptance that no bridge has confirmed",
			explain.PersonFacts{Person: person(bridge.Pending, nil), Member: member(bridge.Pending, nil),
				DataDir: "/data"},
			explain.Pending, false, []string{"accepted the invitation at 2026-11-29 02:00:00 UTC", "confirm"},
			[]string{"`scim-bridge status --local /data`"},
		},
		{
			"no address to invite",
			explain.PersonFacts{
				Person: person(bridge.NotInvited, func(p *bridge.Person) {
					p.SignInAddress, p.Attributes = "", json.RawMessage(`{"userName":"ann"}`)
				}),
				Member: member(bridge.NotInvited, func(m *bridge.Member) {
					m.Address, m.WantedAddress, m.UserName = "", "", "ann"
				}),
			},
			explain.NotInvited, false, []string{"ann is not in", "names no e-mail address"},
			[]string{"Map an e-mail address", "No member: the person is stored, and not invited"},
		},
		{
			"an address that another member has",
			explain.PersonFacts{
				DataDir: "/data dir",
				Person: person(bridge.NotInvited, func(p *bridge.Person) {
					p.SignInAddress, p.Attributes = "", json.RawMessage(`{"userName":"ann"}`)
				}),
				Member: member(bridge.NotInvited, func(m *bridge.Member) {
					m.Address, m.UserName, m.WantedAddress, m.AddressTaken = "", "ann", "bob@example.com", true
				}),
			},
			explain.NotInvited, false, []string{"ann is not in", "another member has the address bob@example.com"},
			[]string{"Give the two people different addresses", "`scim-bridge explain bob@example.com '/data dir'`"},
		},
		{
			"a suspension by the identity provider",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) { m.Suspended = true }),
				Events: []journal.Event{
					write(8, journal.PersonUpdated, inactive),
					write(6, journal.PersonUpdated,
						func(e *journal.Event) { inactive(e); e.Request = "SUSPENDINGAAAAAAAAAAAAAAAA" }),
					write(3, journal.PersonCreated, nil),
				},
				Log: map[string]explain.LogLine{"SUSPENDINGAAAAAAAAAAAAAAAA": {Client: "192.0.2.9"}},
			},
			explain.Suspended, false,
			[]string{"suspended, since the identity provider sent active: false at 2026-11-29 06:00:00 UTC",
				"request SUSPENDINGAAAAAAAAAAAAAAAA, from 192.0.2.9"},
			[]string{"sends active: true"},
		},
		{
			"a person that was created inactive",
			explain.PersonFacts{
				Person: person(bridge.NotInvited, func(p *bridge.Person) { p.Suspended = true }),
				Events: []journal.Event{write(3, journal.PersonCreated, inactive)},
			},
			explain.Suspended, false, []string{"created it with active: false at 2026-11-29 03:00:00 UTC"}, nil,
		},
		{
			"a suspension by hand",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Suspended = true
					m.Changes = []bridge.MemberChange{
						{
							Time: at(7), Actor: "administrator", Action: "member.update",
							Changed: []string{"suspended", "role"},
						},
						{Time: at(3), Actor: "bridge:b1", Action: "person.create", Changed: []string{"attributes"}},
					}
				}),
				Events: []journal.Event{write(3, journal.PersonCreated, nil)},
			},
			explain.Suspended, false,
			[]string{"in the account by hand: an administrator suspended the member at 2026-11-29 07:00:00 UTC"},
			[]string{
				"Changed by hand by an administrator at 2026-11-29 07:00:00 UTC (suspended, role)",
				"reactivate the member in the account",
			},
		},
		{
			"a suspension by hand, which a replacement without active kept",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Suspended = true
					m.Changes = []bridge.MemberChange{
						{Time: at(9), Actor: "bridge:b1", Action: "person.replace", Changed: []string{"attributes"}},
						{Time: at(7), Actor: "administrator", Action: "member.update", Changed: []string{"suspended"}},
					}
				}),
				Events: []journal.Event{
					write(9, journal.PersonUpdated, stillInactive), write(3, journal.PersonCreated, nil),
				},
			},
			explain.Suspended, false,
			[]string{"in the account by hand: an administrator suspended the member at 2026-11-29 07:00:00 UTC"}, nil,
		},
		{
			"a suspension by hand that was lifted before the identity provider's",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Suspended = true
					m.Changes = []bridge.MemberChange{{Time: at(4), Actor: "administrator", Action: "member.update"}}
				}),
				Events: []journal.Event{
					write(9, journal.PersonUpdated, inactive), write(6, journal.PersonUpdated, nil),
				},
			},
			explain.Suspended, false, []string{"sent active: false at 2026-11-29 09:00:00 UTC"}, nil,
		},
		{
			"a suspension by the identity provider, and a change by hand since",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Suspended = true
					m.Changes = []bridge.MemberChange{
						{Time: at(9), Actor: "administrator", Action: "member.update", Changed: []string{"name"}},
						{Time: at(6), Actor: "bridge:b1", Action: "person.replace", Request: requestID,
							Changed: []string{"suspended"}},
					}
				}),
				Events: []journal.Event{
					write(6, journal.PersonUpdated, inactive), write(3, journal.PersonCreated, nil),
				},
			},
			explain.Suspended, false,
			[]string{"suspended, since the identity provider sent active: false at 2026-11-29 06:00:00 UTC"},
			[]string{"Changed by hand by an administrator at 2026-11-29 09:00:00 UTC (name)"},
		},
		{
			"a suspension by the identity provider, and a change of the name by hand before it",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }), Bridge: "bridge:b1",
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Suspended = true
					m.Changes = []bridge.MemberChange{
						{Time: at(6), Actor: "bridge:b1", Action: "person.replace"}, // by an older account
						{Time: at(4), Actor: "administrator", Action: "member.update", Changed: []string{"name"}},
					}
				}),
				Events: []journal.Event{
					write(6, journal.PersonUpdated, inactive), write(3, journal.PersonCreated, nil),
				},
			},
			explain.Suspended, false,
			[]string{"since the identity provider sent active: false at 2026-11-29 06:00:00 UTC"}, nil,
		},
		{
			"a suspension, and a change by hand of which an older account does not say what it was",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Suspended = true
					m.Changes = []bridge.MemberChange{{Time: at(4), Actor: "administrator", Action: "member.update"}}
				}),
				Events: []journal.Event{
					write(6, journal.PersonUpdated, inactive), write(3, journal.PersonCreated, nil),
				},
			},
			explain.Suspended, false,
			[]string{"since 2026-11-29 06:00:00 UTC at the latest, when the identity provider sent active: false",
				"or in the account by hand", "an administrator changed the member in the account at " +
					"2026-11-29 04:00:00 UTC, and the account does not say what"},
			nil,
		},
		{
			"a suspension by another bridge, and a request here that was about something else",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }), Bridge: "bridge:a",
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Suspended = true
					m.Changes = []bridge.MemberChange{
						{Time: at(6), Actor: "bridge:a", Action: "person.replace", Changed: []string{"attributes"}},
						{Time: at(5), Actor: "bridge:b", Action: "person.replace", Changed: []string{"suspended"},
							Request: "REQUESTOFTHEOTHERBRIDGEAAA"},
					}
				}),
				Events: []journal.Event{
					write(6, journal.PersonUpdated, stillInactive), write(3, journal.PersonCreated, nil),
				},
			},
			explain.Suspended, false,
			[]string{"since a request of the identity provider at 2026-11-29 05:00:00 UTC, by the bridge b",
				"request REQUESTOFTHEOTHERBRIDGEAAA, which this bridge's journal does not have"},
			nil,
		},
		{
			"a request about something else, from an account that tells no more",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Events: []journal.Event{
					write(6, journal.PersonUpdated, stillInactive), write(3, journal.PersonCreated, nil),
				},
			},
			explain.Suspended, false,
			[]string{"since 2026-11-29 06:00:00 UTC at the latest: it was inactive after a request that is not known " +
				"to have said so", "another bridge's request, or in the account by hand"},
			nil,
		},
		{
			"a suspension that is older than the journal",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) { m.Suspended = true }),
				Events: []journal.Event{write(6, journal.PersonUpdated, inactive)},
			},
			explain.Suspended, false,
			[]string{"since 2026-11-29 06:00:00 UTC at the latest, when the identity provider sent active: false",
				"or from before"},
			nil,
		},
		{
			"a held suspension that an administrator approved",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Suspended = true
					m.Changes = []bridge.MemberChange{
						{Time: at(7), Actor: "machine", Action: "hold.approve", Changed: []string{"suspended"}},
						{Time: at(6), Actor: "bridge:a", Action: "hold.create"},
					}
				}),
				Events: []journal.Event{write(6, journal.PersonUpdated, inactive)},
			},
			explain.Suspended, false,
			[]string{
				"since a command on the account's machine approved the held suspension at 2026-11-29 07:00:00 UTC",
			},
			nil,
		},
		{
			"a member that an administrator reactivated, and another bridge suspended again",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Suspended = true
					m.Changes = []bridge.MemberChange{
						{Time: at(8), Actor: "bridge:b", Action: "person.replace", Changed: []string{"suspended"}},
						{
							Time: at(7), Actor: "administrator", Action: "member.update",
							Changed: []string{"reactivated"},
						},
					}
				}),
				Events: []journal.Event{
					write(6, journal.PersonUpdated, inactive), write(3, journal.PersonCreated, nil),
				},
			},
			explain.Suspended, false,
			[]string{"since a request of the identity provider at 2026-11-29 08:00:00 UTC, by the bridge b"}, nil,
		},
		{
			"a suspension that this bridge knows nothing of",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Active, func(m *bridge.Member) { m.Suspended = true }),
			},
			explain.Suspended, false, []string{"this bridge's journal does not have"}, nil,
		},
		{
			"a suspension that is held",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }), Database: "sqlite:a.db",
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.SuspensionHeld, m.Holds = true,
						[]bridge.Hold{hold}
				}),
			},
			explain.SuspensionHeld, true, []string{"is in", "suspension of it is held since 2026-11-29 05:00:00 UTC"},
			[]string{"okta", "request REQUEST5", "client bridge:b1",
				"`scim-bridge account holds approve --database sqlite:a.db hold1`", "active: true takes the hold back"},
		},
		{
			"a held suspension of somebody who never accepted",
			explain.PersonFacts{
				Person: person(bridge.Invited, func(p *bridge.Person) { p.Suspended = true }),
				Member: member(bridge.Invited, func(m *bridge.Member) {
					m.SuspensionHeld, m.Holds = true,
						[]bridge.Hold{hold}
				}),
			},
			explain.SuspensionHeld, false, []string{"is invited", "held"}, []string{"DATABASE is a placeholder"},
		},
		{
			"a deletion that is held",
			explain.PersonFacts{
				Asked: "ann@example.com",
				Member: unmanaged(bridge.Active, func(m *bridge.Member) {
					m.SuspensionHeld, m.LastUserName, m.Holds = true, "ann@example.com", []bridge.Hold{hold}
				}),
				Events: []journal.Event{write(5, journal.PersonDeleted, nil)},
			},
			explain.SuspensionHeld, true, []string{"is in", "deletion of it is held"}, []string{"assign the person " +
				"again"},
		},
		{
			"a removal from a group that is held",
			explain.PersonFacts{
				Person: person(bridge.Active, nil),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Holds = []bridge.Hold{{ID: "hold2", GroupName: "Engineering", Removal: true, Since: at(6)}}
				}),
			},
			explain.Active, true, []string{"is in"},
			[]string{"still in the group Engineering: its removal is held since 2026-11-29 06:00:00 UTC", "hold2"},
		},
		{
			"a new address at a domain that is not allowed",
			explain.PersonFacts{
				Person: person(bridge.Active, func(p *bridge.Person) { p.PendingAddress = "ann@new.example" }),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Change = &bridge.AddressChange{Address: "ann@new.example", Domain: "new.example", Since: at(4)}
				}),
			},
			explain.Active, true, []string{"is in", "its new address ann@new.example is not in force yet"},
			[]string{"domain new.example is not allowed for sign-up", `domain = "new.example"`, "signs in with " +
				"ann@example.com"},
		},
		{
			"a new address that waits for the person",
			explain.PersonFacts{
				Person: person(bridge.Active, nil),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Change = &bridge.AddressChange{Address: "ann@new.example", Domain: "new.example", Since: at(4),
						Sent:  true,
						Until: at(20)}
				}),
			},
			explain.Active, true, []string{"is in"}, []string{"must open the link", "works until 2026-11-29 20:00:00 " +
				"UTC"},
		},
		{
			"a new address whose link has expired",
			explain.PersonFacts{
				Person: person(bridge.Active, nil),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.Change = &bridge.AddressChange{Address: "ann@new.example", Domain: "new.example", Since: at(1),
						Sent:  true,
						Until: at(12)}
				}),
			},
			explain.Active, true, []string{"is in"}, []string{
				"the link has expired", "mail resend --database DATABASE ann@new.example`", "sent again",
			},
		},
		{
			"a new address that another member has",
			explain.PersonFacts{
				Person: person(bridge.Active, nil),
				Member: member(bridge.Active, func(m *bridge.Member) {
					m.WantedAddress,
						m.AddressTaken = "bob@example.com", true
				}),
			},
			explain.Active, true, []string{"is in"}, []string{"become bob@example.com, which another member has"},
		},
		{
			"a provisioned person that was made an administrator",
			explain.PersonFacts{
				Person: person(bridge.Active, nil),
				Member: member(bridge.Active, func(m *bridge.Member) { m.Protected = true }),
			},
			explain.Active, true, []string{"is in"},
			[]string{"an administrator or the Provision Manager of the account: provisioning never suspends it"},
		},
		{
			"an owner",
			explain.PersonFacts{
				Asked:  "ann@example.com",
				Member: unmanaged(bridge.Active, func(m *bridge.Member) { m.Protected = true }),
				Events: []journal.Event{write(5, journal.PersonRefused,
					func(e *journal.Event) { e.Code = "protected" })},
			},
			explain.Protected, true,
			[]string{
				"is an owner, an administrator or the Provision Manager of the account, which provisioning never " +
					"adopts",
			},
			[]string{"POST 409 protected", "must make it an ordinary member first"},
		},
		{
			"a member that was invited by hand",
			explain.PersonFacts{Asked: "ann@example.com", Member: unmanaged(bridge.Active, nil)},
			explain.NotProvisioned, true, []string{"is in, and not provisioned"}, []string{"adopts the member"},
		},
		{
			"an invitation by hand that was not accepted",
			explain.PersonFacts{Asked: "ann@example.com", Member: unmanaged(bridge.Invited, func(m *bridge.Member) {
				m.InvitedUntil = at(20)
			})},
			explain.NotProvisioned, false, []string{"is not in yet: invited by hand"}, nil,
		},
		{
			"a sign-up that was not accepted",
			explain.PersonFacts{Asked: "ann@example.com", Member: unmanaged(bridge.Invited, func(m *bridge.Member) {
				m.SignedUp = true
			})},
			explain.NotProvisioned, false, []string{"sign-up link"}, nil,
		},
		{
			"a member that the identity provider deleted",
			explain.PersonFacts{
				Asked: "ann@example.com",
				Member: unmanaged(bridge.Active, func(m *bridge.Member) {
					m.Suspended, m.LastUserName = true, "ann@example.com"
				}),
				Events: []journal.Event{write(5, journal.PersonDeleted, nil)},
			},
			explain.NotProvisioned, false, []string{"is not in: the identity provider deleted it at 2026-11-29 " +
				"05:00:00 UTC"},
			[]string{"creating it adopts this member and reactivates it"},
		},
		{
			"a deleted member, before the journal",
			explain.PersonFacts{
				Asked: "ann@example.com",
				Member: unmanaged(bridge.Active, func(m *bridge.Member) {
					m.Suspended, m.LastUserName = true,
						"ann@example.com"
				}),
			},
			explain.NotProvisioned, false, []string{"the identity provider deleted it, and the member is suspended"},
			nil,
		},
		{
			"a member that was suspended by hand and is not provisioned",
			explain.PersonFacts{
				Asked: "ann@example.com", Member: unmanaged(bridge.Active,
					func(m *bridge.Member) { m.Suspended = true }),
			},
			explain.NotProvisioned, false, []string{"suspended by hand, and is not provisioned"}, nil,
		},
		{
			"an address that nobody has and the identity provider never sent",
			explain.PersonFacts{Asked: "ann@example.com", JournalSince: at(0), DataDir: "/data"},
			explain.NeverSeen, false,
			[]string{"nobody has it", "has not sent it since 2026-11-29 00:00:00 UTC"},
			[]string{"assigned to this application", "`scim-bridge journal --kind traffic --since 3h /data`",
				"example.com is not allowed for sign-up"},
		},
		{
			"an address that nobody has, at an allowed domain",
			explain.PersonFacts{Asked: "ann@example.com", AllowedDomains: []string{"example.com"}},
			explain.NeverSeen, false, []string{"journal is empty"}, []string{"example.com is allowed for sign-up"},
		},
		{
			"a name that nobody has, at an account that hides members",
			explain.PersonFacts{Asked: "ann", MembersHidden: true},
			explain.NeverSeen, false, []string{"ann is not in"}, []string{"does not tell who is a member"},
		},
		{
			"a person that was refused",
			explain.PersonFacts{
				Asked: "ann@example.com",
				Events: []journal.Event{
					write(6, journal.PersonRefused, func(e *journal.Event) {
						e.Code, e.Person = "user_name_taken",
							""
					}),
				},
			},
			explain.Refused, false, []string{"failed at 2026-11-29 06:00:00 UTC, with POST 409 user_name_taken"},
			[]string{"Another person had the userName"},
		},
		{
			"a person that was refused while the account was away",
			explain.PersonFacts{
				Asked: "ann@example.com",
				Events: []journal.Event{
					write(6, journal.PersonRefused, func(e *journal.Event) { e.Status, e.Code = 503, "unavailable" }),
				},
			},
			explain.Refused, false, []string{"POST 503 unavailable"}, []string{"The account could not be asked at " +
				"that time"},
		},
		{
			"a person that was deleted and never invited",
			explain.PersonFacts{
				Asked:  "ann@example.com",
				Events: []journal.Event{write(6, journal.PersonDeleted, nil), write(5, journal.PersonCreated, nil)},
			},
			explain.Deleted, false, []string{"the identity provider deleted it at 2026-11-29 06:00:00 UTC"}, nil,
		},
		{
			"a person that was there and is not",
			explain.PersonFacts{Asked: "ann@example.com", Events: []journal.Event{write(5, journal.PersonCreated,
				nil)}},
			explain.Gone, false, []string{"does not have it any more"}, []string{"restored from a backup"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.facts.Now = now
			e := explain.Person(row.facts)
			if e.Verdict != row.verdict || e.In == nil || *e.In != row.in {
				t.Errorf("the verdict is %s, in %v; want %s, %v", e.Verdict, e.In, row.verdict, row.in)
			}
			contains(t, e.Conclusion, row.wants)
			contains(t, everything(e), row.says)
		})
	}
}

func contains(t *testing.T, text string, wants []string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func everything(e explain.Explanation) string {
	lines := []string{e.Conclusion, e.Terraform}
	for _, some := range [][]string{e.Said, e.Has, e.Awaited, e.ToDo} {
		lines = append(lines, some...)
	}
	return strings.Join(lines, "\n")
}

// What is not known is said so, and the journal is told.
func TestWhileTheAccountIsAwayTheJournalIsTold(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		events []journal.Event
		wants  []string
	}{
		{"nothing", nil, []string{"is not known now: the bridge is sealed"}},
		{"a change", []journal.Event{write(5, journal.PersonUpdated, inactive)},
			[]string{"is not known now: the bridge is sealed. The identity provider's last request about it was at " +
				"2026-11-29 05:00:00 UTC: changed, active: false"}},
		{"a refusal", []journal.Event{write(5, journal.PersonRefused, nil)},
			[]string{"is not known now: the bridge is sealed", "last request about it failed at 2026-11-29 05:00:00 " +
				"UTC"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e := explain.Person(explain.PersonFacts{
				Asked: "ann@example.com", Now: now, AccountAway: "the bridge is sealed", Events: row.events,
				DataDir: "/data",
			})
			if e.Verdict != explain.Undetermined || e.In != nil {
				t.Errorf("the verdict is %s, in %v", e.Verdict, e.In)
			}
			contains(t, e.Conclusion, row.wants)
			contains(t, everything(e), []string{"`scim-bridge status --local /data`"})
		})
	}
}

// Names come from the identity provider, and conclusions go to a terminal.
func TestTextsHaveNoControlCharacters(t *testing.T) {
	t.Parallel()
	e := explain.Person(explain.PersonFacts{
		Now: now, Asked: "x",
		Person: person(bridge.Active, func(p *bridge.Person) {
			p.Attributes = json.RawMessage(`{"userName":"ann\u001b[2J\n\u202e","externalId":"a\rb"}`)
			p.Groups = []bridge.Reference{{ID: "g", Display: "x\ny\x1b[31m"}}
		}),
		Member: member(bridge.Active, func(m *bridge.Member) {
			m.Address = "a\nb@example.com"
			m.Changes = []bridge.MemberChange{{Actor: "token:\x1b[31m", Action: "x\ny", Time: at(1)}}
		}),
	})
	for _, line := range strings.Split(everything(e), "\n") {
		if strings.ContainsAny(line, "\x1b\r\u202e") || strings.HasPrefix(line, "y") || strings.HasPrefix(line, "b@") {
			t.Errorf("a text has control characters: %q", line)
		}
	}
}

func TestRequestsAreTold(t *testing.T) {
	t.Parallel()
	ids := []string{"AAAAAAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBBBBBB", "CCCCCCCCCCCCCCCCCCCCCCCCCC"}
	e := explain.Person(explain.PersonFacts{
		Now: now, Person: person(bridge.Active, func(p *bridge.Person) {
			p.Groups = []bridge.Reference{{ID: "g1", Display: "Engineering"}}
		}),
		Events: []journal.Event{
			write(9, journal.PersonRefused, func(e *journal.Event) { e.Request, e.Code = ids[2], "protected" }),
			write(8, journal.GroupUpdated, func(e *journal.Event) {
				e.Request, e.Group, e.Person, e.Active = ids[1], "g1", "", nil
				e.Added = journal.NewMembers([]string{annID})
			}),
			write(7, journal.PersonConfirmed, func(e *journal.Event) { e.Request = "" }),
			write(6, journal.PersonCreated, func(e *journal.Event) {
				e.Request, e.Status, e.State = ids[0], 201, "invited"
				e.SentActive = journal.Bool(true)
			}),
		},
		Log: map[string]explain.LogLine{ids[1]: {Method: "PATCH", Client: "192.0.2.1"}},
	})
	want := []explain.Request{
		{Time: at(9), What: "refused", Method: "POST", Status: 409, Code: "protected", ID: ids[2], Token: "current"},
		{Time: at(8), What: "group Engineering changed, adds one member", Method: "PATCH", Status: 200, ID: ids[1],
			Client: "192.0.2.1", Token: "current"},
		{Time: at(6), What: "created, or adopted, active: true, member invited", Method: "POST", Status: 201,
			ID: ids[0], Token: "current"},
	}
	if len(e.Requests) != len(want) {
		t.Fatalf("%d requests are told, want %d: %+v", len(e.Requests), len(want), e.Requests)
	}
	for i := range want {
		if e.Requests[i] != want[i] {
			t.Errorf("request %d is\n%+v, want\n%+v", i, e.Requests[i], want[i])
		}
	}
}
