package explain_test

import (
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// What is to be done must help as it is printed.
func TestWhatToDoIsTrue(t *testing.T) {
	t.Parallel()
	off := func(p *bridge.Person) { p.Suspended = true }
	expired := func(m *bridge.Member) { m.InvitedAt, m.InvitedUntil = at(1), at(2) }
	mailed := func(mail bridge.LinkMail) func(*bridge.Member) {
		return func(m *bridge.Member) { m.InvitedAt, m.InvitedUntil, m.Mail = at(1), at(20), mail }
	}
	moving := func(mail bridge.LinkMail) func(*bridge.Member) {
		return func(m *bridge.Member) {
			m.Change = &bridge.AddressChange{
				Address: "ann@new.example", Domain: "new.example", Since: at(4), Sent: true, Until: at(20), Mail: mail,
			}
		}
	}
	for _, row := range []struct {
		name         string
		facts        explain.PersonFacts
		wants, never []string
	}{
		{
			"a sign-up whose link has expired",
			explain.PersonFacts{Database: "sqlite:/a.db", Member: unmanaged(bridge.Invited, func(m *bridge.Member) {
				expired(m)
				m.SignedUp = true
			})},
			[]string{
				"has not accepted, and the link has expired", "no link works",
				"ask for another invitation at the account's sign-up link",
				"`scim-bridge account mail resend --database sqlite:/a.db ann@example.com` on the account's machine",
			},
			[]string{"works until", "look for the mail"},
		},
		{
			"an invitation by hand whose link has expired",
			explain.PersonFacts{Member: unmanaged(bridge.Invited, expired)},
			[]string{
				"the link has expired", "no link works", "mail resend",
				"suspend the member in the account and reactivate it",
			},
			[]string{"works until", "look for the mail", "sign-up link"},
		},
		{
			"an invitation by hand without a link",
			explain.PersonFacts{Member: unmanaged(bridge.Invited, nil)},
			[]string{"no link works"}, []string{"look for the mail"},
		},
		{
			"an invitation whose mail was sent",
			explain.PersonFacts{
				Person: person(bridge.Invited, nil), Member: member(bridge.Invited, mailed(bridge.MailSent)),
			},
			[]string{"works until", "Ask the person to look for the mail to ann@example.com"}, []string{"mail resend"},
		},
		{
			"an invitation whose mail waits",
			explain.PersonFacts{
				Person: person(bridge.Invited, nil), Database: "sqlite:/a.db",
				Member: member(bridge.Invited, mailed(bridge.MailWaiting)),
			},
			[]string{
				"The account has not sent the mail yet", "works until",
				"`scim-bridge account mail --database sqlite:/a.db` on the account's machine says why the mail waits.",
			},
			[]string{"sk the person to look"},
		},
		{
			"an invitation whose mail failed",
			explain.PersonFacts{
				Person: person(bridge.Invited, nil), Database: "sqlite:/a.db",
				Member: member(bridge.Invited, mailed(bridge.MailFailed)),
			},
			[]string{
				"refused by the mail server, or could not be sent in time",
				"`scim-bridge account mail --database sqlite:/a.db --state failed` on the account's machine says why",
				"`scim-bridge account mail resend --database sqlite:/a.db ann@example.com` sends it again",
			},
			[]string{"sk the person to look"},
		},
		{
			"an invitation of whose mail the account does not tell",
			explain.PersonFacts{Person: person(bridge.Invited, nil), Member: member(bridge.Invited, mailed(""))},
			[]string{
				"--json` on the account's machine says whether the mail to ann@example.com was sent", "If it was, ask",
			},
			[]string{"has not sent"},
		},
		{
			"an invitation by hand whose mail failed",
			explain.PersonFacts{Member: unmanaged(bridge.Invited, mailed(bridge.MailFailed))},
			[]string{"refused by the mail server", "mail resend"}, []string{"sk the person to look"},
		},
		{
			"a new address whose mail was sent",
			explain.PersonFacts{
				Person: person(bridge.Active, nil), Member: member(bridge.Active, moving(bridge.MailSent)),
			},
			[]string{"works until", "Ask the person to look for the mail to ann@new.example"}, []string{"mail resend"},
		},
		{
			"a new address whose mail waits",
			explain.PersonFacts{
				Person: person(bridge.Active, nil), Member: member(bridge.Active, moving(bridge.MailWaiting)),
			},
			[]string{"The account has not sent the mail yet", "says why the mail waits"}, []string{"went there"},
		},
		{
			"a new address whose mail failed",
			explain.PersonFacts{
				Person: person(bridge.Active, nil), Database: "sqlite:/a.db",
				Member: member(bridge.Active, moving(bridge.MailFailed)),
			},
			[]string{"`scim-bridge account mail resend --database sqlite:/a.db ann@new.example` sends it again"},
			[]string{"went there", "sk the person to look"},
		},
		{
			"a new address of whose mail the account does not tell",
			explain.PersonFacts{Person: person(bridge.Active, nil), Member: member(bridge.Active, moving(""))},
			[]string{"says whether the mail to ann@new.example was sent"}, []string{"went there"},
		},
		{
			"an attempt to create the person again",
			explain.PersonFacts{
				Person: person(bridge.Active, off),
				Member: member(bridge.Active, func(m *bridge.Member) { m.Suspended = true }),
				Events: []journal.Event{
					write(6, journal.PersonRefused, func(e *journal.Event) {
						e.Code, e.Person = "user_name_taken", ""
					}),
					write(5, journal.PersonUpdated, inactive),
				},
			},
			[]string{"tried to create this person again, and does not know its SCIM id"},
			[]string{"give one of the two another", "Another person had"},
		},
		{
			"a rename that another person was in the way of",
			explain.PersonFacts{
				Person: person(bridge.Active, nil),
				Events: []journal.Event{
					write(6, journal.PersonRefused, func(e *journal.Event) {
						e.Method, e.Code = "PATCH", "user_name_taken"
					}),
				},
			},
			[]string{"give one of the two another"}, []string{"tried to create"},
		},
		{
			"an address that another member had, and has not any more",
			explain.PersonFacts{
				Person: person(bridge.NotInvited, nil),
				Member: member(bridge.NotInvited, func(m *bridge.Member) {
					m.Address, m.WantedAddress = "", "bob@example.com"
				}),
			},
			[]string{
				"another member had the address bob@example.com when the identity provider sent it last, and nobody " +
					"has it now", "send this person again",
			},
			[]string{"names no e-mail address", "different addresses"},
		},
		{
			"a new address that another member had, and has not any more",
			explain.PersonFacts{
				Person: person(bridge.Active, nil),
				Member: member(bridge.Active, func(m *bridge.Member) { m.WantedAddress = "bob@example.com" }),
			},
			[]string{"nobody else has it now", "send this person again"}, []string{"which another member has"},
		},
		{
			"an address that a member has whom no identity provider manages",
			explain.PersonFacts{
				Person: person(bridge.NotInvited, nil),
				Member: member(bridge.NotInvited, func(m *bridge.Member) {
					m.Address, m.WantedAddress, m.AddressTaken = "", "bob@example.com", true
				}),
			},
			[]string{"If no identity provider manages the member that has it"}, nil,
		},
		{
			"an expired invitation whose new address another member has",
			explain.PersonFacts{
				Person: person(bridge.Invited, nil),
				Member: member(bridge.Invited, func(m *bridge.Member) {
					expired(m)
					m.WantedAddress, m.AddressTaken = "bob@example.com", true
				}),
			},
			[]string{"another member has"}, []string{"active: false and then active: true"},
		},
		{
			"a person that was created inactive and never invited",
			explain.PersonFacts{
				Person: person(bridge.NotInvited, off),
				Member: member(bridge.NotInvited, func(m *bridge.Member) { m.Address, m.Suspended = "", true }),
			},
			[]string{"must send active: true"}, []string{"reactivate"},
		},
		{
			"while no bridge runs",
			explain.PersonFacts{
				Asked: "ann", AccountAway: "no bridge is running in /data", Offline: true, DataDir: "/data",
			},
			[]string{"Start the bridge: `scim-bridge serve --data-dir /data`"},
			[]string{"status --local", "status page"},
		},
		{
			"a member that was provisioned before, and is active",
			explain.PersonFacts{Member: unmanaged(bridge.Active, func(m *bridge.Member) { m.LastUserName = "ann" })},
			[]string{
				"An identity provider managed it before, as ann",
				"the identity provider deleted it, and an administrator let it stay, or reactivated it",
			},
			[]string{"no identity provider manages"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.facts.Now, row.facts.JournalSince = now, at(0)
			text := everything(explain.Person(row.facts))
			contains(t, text, row.wants)
			for _, never := range row.never {
				if strings.Contains(text, never) {
					t.Errorf("%q is told:\n%s", never, text)
				}
			}
		})
	}
}

// An account that does not tell of members may hold a suspension: the member has access then.
func TestASuspensionMayBeHeldWhereMembersAreHidden(t *testing.T) {
	t.Parallel()
	e := explain.Person(explain.PersonFacts{
		Now: now, JournalSince: at(0), MembersHidden: true,
		Person: person(bridge.Active, func(p *bridge.Person) { p.Suspended = true }),
	})
	if e.Verdict != explain.Suspended || e.In != nil || !strings.Contains(everything(e), "may hold the suspension") {
		t.Errorf("the explanation is %+v", e)
	}
}
