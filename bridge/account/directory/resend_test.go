package directory_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// lastMail returns the latest mail to an address.
func (d *fixture) lastMail(address string) (last account.Mail) {
	d.t.Helper()
	mails, err := d.Mails(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, m := range mails {
		if m.Recipient == address {
			last = m
		}
	}
	return last
}

// A mail that is sent again has a link that works, and the same one while that is good.
func TestAMailIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		address string
		before  func(d *fixture, p directory.Person)
		fresh   bool
		works   func(d *fixture, token string) error
	}{
		{"an invitation has the same link", "ann@old.com", func(*fixture, directory.Person) {}, false, (*fixture).join},
		{"one that is over gets a fresh link", "ann@old.com", func(d *fixture, _ directory.Person) {
			d.later(month)
		}, true, (*fixture).join},
		{"so does one whose mail is gone", "ann@old.com", func(d *fixture, _ directory.Person) {
			err := d.Store.Write(d.t.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Exec(ctx, `DELETE FROM outbox`)
				return err
			})
			if err != nil {
				d.t.Fatal(err)
			}
		}, true, (*fixture).join},
		{"that of a sign-up has the same link", "sue@new.com", func(d *fixture, _ directory.Person) {
			d.signUp("sue@new.com")
		}, false, (*fixture).join},
		{"and after a day a fresh one", "sue@new.com", func(d *fixture, _ directory.Person) {
			d.signUp("sue@new.com")
			d.later(account.SignUpLife)
		}, true, (*fixture).join},
		{"a confirmation has the same link", "ann@new.com", (*fixture).move, false, (*fixture).confirm},
		{"and a fresh one when that is over", "ann@new.com", func(d *fixture, p directory.Person) {
			d.move(p)
			d.later(month)
		}, true, (*fixture).confirm},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			d.allow("new.com")
			row.before(d, d.create("ann@old.com"))
			old := d.lastMail(row.address)
			got, err := d.ResendMail(t.Context(), " "+row.address+" ")
			if err != nil {
				t.Fatal(err)
			}
			queued := d.lastMail(row.address)
			if got.ID != queued.ID || got.ID == old.ID || queued.State != store.MailWaiting ||
				(queued.Link == old.Link) == row.fresh || !queued.ExpiresAt.After(d.Time()) {
				t.Errorf("before it was %+v, then %+v", old, queued)
			}
			_, token := d.mailTo(row.address)
			if err := row.works(d, token); err != nil {
				t.Errorf("the link does not work: %v", err)
			}
		})
	}
}

// A link of somebody who signed up is good for as long as others when the person is provisioned, and so long its mails
// are sent.
func TestMailsOfASignUpThatIsProvisioned(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		state string // before the person is provisioned
		do    func(d *fixture)
	}{
		{"that waits to be sent", store.MailWaiting, func(*fixture) {}},
		{"that is queued again by the operator", store.MailSent, func(d *fixture) {
			if _, err := d.ResendMail(d.t.Context(), "sue@new.com"); err != nil {
				d.t.Fatal(err)
			}
		}},
		{"that the person asks for again", store.MailSent, func(d *fixture) {
			d.later(2 * account.SignUpLife)
			d.signUp("sue@new.com")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			d.allow("new.com")
			d.signUp("sue@new.com")
			d.end(row.state, "sue@new.com")
			d.later(time.Hour)
			p := d.create("sue@new.com")
			row.do(d)
			m := d.lastMail("sue@new.com")
			if ends := d.member(p.MemberID).InvitedAt.Add(account.LinkLife); m.State != store.MailWaiting ||
				!m.ExpiresAt.Equal(ends) {
				t.Errorf("it is %s until %s, want %s", m.State, m.ExpiresAt, ends)
			}
			d.later(2 * account.SignUpLife)
			_, token := d.mailTo("sue@new.com")
			if err := d.join(token); err != nil {
				t.Errorf("the link does not work: %v", err)
			}
		})
	}
}

// move has Ann, who has joined, move to another address.
func (d *fixture) move(p directory.Person) {
	d.t.Helper()
	_, token := d.mailTo("ann@old.com")
	if err := d.join(token); err != nil {
		d.t.Fatal(err)
	}
	d.replace(p.ID, input("ann@new.com"))
}

func (d *fixture) join(token string) error {
	_, err := d.AcceptInvitation(d.t.Context(), token)
	return err
}

func (d *fixture) confirm(token string) error {
	_, err := d.ConfirmAddress(d.t.Context(), token)
	return err
}

func (d *fixture) signUp(address string) {
	d.t.Helper()
	if err := d.SignUp(d.t.Context(), address, "Sue"); err != nil {
		d.t.Fatal(err)
	}
}

// The mail in whose place another is queued is not sent beside it.
func TestAMailThatIsSentAgainReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.create("ann@example.com")
	old := d.lastMail("ann@example.com")
	if _, err := d.ResendMail(t.Context(), old.ID); err != nil {
		t.Fatal(err)
	}
	waiting, err := d.Mails(t.Context(), store.MailWaiting)
	if err != nil || len(waiting) != 1 || waiting[0].ID == old.ID {
		t.Errorf("%+v, %v", waiting, err)
	}
}

func TestWhoGetsNoMailAgain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, who string
		why       string
	}{
		{"nobody has the address", "eve@example.com", "no member with the address"},
		{"nor the id", "6fzw5vl3n2uk4gqj7xa2cdrt4m", "there is no mail with the id"},
		{"a member that has joined", "joined@example.com", "has no open invitation"},
		{"a member that is suspended", "suspended@example.com", "is suspended"},
		{"a move to a domain that is not allowed", "moving@forbidden.com", "forbidden.com is not allowed for sign-up"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			d.joined("joined@example.com")
			p := d.create("suspended@example.com")
			d.replace(p.ID, input("suspended@example.com", "active", false))
			moving := d.joined("moving@example.com")
			d.replace(moving.ID, input("moving@forbidden.com"))
			_, err := d.ResendMail(t.Context(), row.who)
			if e := wantRefusal(t, err, "nothing_to_send"); !strings.Contains(e.Detail, row.why) {
				t.Errorf("it says %q", e.Detail)
			}
		})
	}
}

// Failed mails of people who need none any more are left alone.
func TestWhichFailedMailsAreSentAgain(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.create("ann@example.com")
	d.joined("bob@example.com")
	d.create("cid@example.com")
	want := d.lastMail("ann@example.com").ID
	d.fail("ann@example.com")
	d.fail("bob@example.com")
	got, err := d.FailedMails(t.Context())
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if d.later(time.Second); d.lastMail("cid@example.com").State != store.MailWaiting {
		t.Error("a mail that waits was touched")
	}
}

// One mail of each person that still waits for one is sent again, whatever else was tried.
func TestFailedMailsOfOnePerson(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(d *fixture)
		want []string // addresses
	}{
		{"two that failed", func(d *fixture) {
			d.create("ann@old.com")
			d.resend("ann@old.com")
			d.sql("UPDATE outbox SET state = 'failed'")
		}, []string{"ann@old.com"}},
		{"one that failed after another was sent", func(d *fixture) {
			d.create("ann@old.com")
			d.end(store.MailSent, "ann@old.com")
			d.resend("ann@old.com")
			d.sql("UPDATE outbox SET state = 'failed' WHERE state = 'waiting'")
		}, nil},
		{"one that failed before another was sent", func(d *fixture) {
			d.create("ann@old.com")
			d.fail("ann@old.com")
			d.resend("ann@old.com")
			d.sql("UPDATE outbox SET state = 'failed' WHERE state = 'void'")
			d.sql("UPDATE outbox SET state = 'sent' WHERE state = 'waiting'")
		}, nil},
		{"one to an address that the person has left", func(d *fixture) {
			p := d.create("ann@old.com")
			d.fail("ann@old.com")
			d.replace(p.ID, input("ann@new.com"))
		}, nil},
		{"a confirmation", func(d *fixture) {
			d.move(d.create("ann@old.com"))
			d.fail("ann@new.com")
		}, []string{"ann@new.com"}},
		{"that of a sign-up, which strangers cause", func(d *fixture) {
			d.signUp("ann@new.com")
			d.fail("ann@new.com")
		}, nil},
		{"that of a sign-up who is provisioned", func(d *fixture) {
			d.signUp("ann@new.com")
			d.create("ann@new.com")
			d.fail("ann@new.com")
		}, []string{"ann@new.com"}},
		{"one of a person who is suspended", func(d *fixture) {
			p := d.create("ann@old.com")
			d.fail("ann@old.com")
			d.replace(p.ID, input("ann@old.com", "active", false))
		}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			d.allow("new.com")
			row.do(d)
			ids, err := d.FailedMails(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, id := range ids {
				m, err := d.ResendMail(t.Context(), id)
				if err != nil {
					t.Error(err)
				}
				got = append(got, m.Recipient)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("sent again to %q, want %q", got, row.want)
			}
		})
	}
}

// resend queues the mail to an address again.
func (d *fixture) resend(address string) {
	d.t.Helper()
	if _, err := d.ResendMail(d.t.Context(), address); err != nil {
		d.t.Fatal(err)
	}
}

// fail has the mail server refuse all mails to an address.
func (d *fixture) fail(address string) {
	d.t.Helper()
	d.end(store.MailFailed, address)
}

// end has sending all mails to an address end in a state.
func (d *fixture) end(state, address string) {
	d.t.Helper()
	err := d.Store.Write(d.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE outbox SET state = ? WHERE recipient = ?`, state, address)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
}
