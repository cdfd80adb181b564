package directory_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

const month = 30 * 24 * time.Hour // that links in mails are good for

// signUpAnn signs Ann up on the public page.
func (d *fixture) signUpAnn() {
	d.t.Helper()
	if err := d.SignUp(d.t.Context(), "ann@example.com", "Visit evil.example"); err != nil {
		d.t.Fatal(err)
	}
}

func TestAStrangerWhoSignsUpForSomebodyElse(t *testing.T) {
	t.Parallel()
	for name, invite := range map[string]func(*fixture){
		"invited by provisioning":      func(d *fixture) { d.create("ann@example.com") },
		"invited by an administrator":  func(d *fixture) { d.invite("ann@example.com") },
		"signed up by the same client": func(d *fixture) { d.signUpAnn() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			d.allow("example.com")
			invite(d)
			_, token := d.mailTo("ann@example.com")
			for range 10 {
				d.signUpAnn()
			}
			if mails, _ := d.mailTo("ann@example.com"); mails != 1 {
				t.Errorf("%d mails within ten minutes, want the invitation alone", mails)
			}
			d.later(10 * time.Minute)
			d.signUpAnn()
			if mails, _ := d.mailTo("ann@example.com"); mails != 1 {
				t.Errorf("%d mails while the invitation waits to be sent, want that alone", mails)
			}
			d.end("sent", "ann@example.com")
			d.signUpAnn()
			if mails, again := d.mailTo("ann@example.com"); mails != 2 || again != token {
				t.Errorf("%d mails ten minutes later, the last with the same link: %t; want two with one link", mails,
					again == token)
			}
			mails, err := d.Mails(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range mails {
				if strings.Contains(m.Body, "evil") {
					t.Errorf("the client's text is in a mail:\n%s", m.Body)
				}
			}
			// Nor does the client get a second mail sent when the outbox no longer has the first.
			err = d.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Exec(ctx, `DELETE FROM outbox`)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			d.signUpAnn()
			// The link from the first invitation is still valid.
			if _, err := d.AcceptInvitation(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
}

// Nobody's mailbox can be filled by others, whatever becomes of the mails.
func TestStrangersCauseThreeMailsADay(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"sent", "failed"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			d.allow("example.com")
			d.create("ann@example.com")
			for range 2 * 24 * 3 {
				d.end(state, "ann@example.com")
				d.later(20 * time.Minute)
				d.signUpAnn()
			}
			if mails, _ := d.mailTo("ann@example.com"); mails < 5 || mails > 7 {
				t.Errorf("%d mails in two days, want 3 a day", mails)
			}
		})
	}
}

// A mail that was queued while the clock was a year ahead does not keep others from being sent for a year.
func TestAPersonAsksAgainAfterTheClockWasAhead(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	d := newDirectory(t)
	d.allow("example.com")
	d.later(year)
	d.create("ann@example.com")
	d.later(-year)
	for want := 2; want <= 6; want++ {
		d.end("sent", "ann@example.com")
		d.later(time.Hour)
		d.signUpAnn()
		if mails, _ := d.mailTo("ann@example.com"); mails != min(want, 4) {
			t.Errorf("%d mails, want the first and at most 3 a day", mails)
		}
	}
}

func TestSignUpTakesNoMoreThanAName(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.allow("example.com")
	for what, name := range map[string]string{
		"nothing": "", "two lines": "Ann\r\nLee", "201 characters": strings.Repeat("a", 201),
		"a paragraph": "Ann\u2029Lee",
	} {
		if e := wantRefusal(t, d.SignUp(t.Context(), "ann@example.com", name), "invalid_value"); e.Field != "/name" {
			t.Errorf("%s: field %q, want /name", what, e.Field)
		}
	}
}

// The outbox is the one place that has working links in clear; each is gone
// from it as soon as it does not work.
func TestTheOutboxForgetsLinksThatAreOver(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(t *testing.T, d *fixture, p directory.Person)
	}{
		{"after an invitation was accepted", func(t *testing.T, d *fixture, _ directory.Person) {
			_, token := d.mailTo("ann@old.com")
			if _, err := d.AcceptInvitation(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}},
		{"after the invited was deprovisioned", func(_ *testing.T, d *fixture, p directory.Person) { d.remove(p.ID) }},
		{"after an invitation went to another address and was accepted",
			func(t *testing.T, d *fixture, p directory.Person) {
				d.replace(p.ID, input("ann@new.com"))
				_, token := d.mailTo("ann@new.com")
				if _, err := d.AcceptInvitation(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}},
		{"after a new address was confirmed", func(t *testing.T, d *fixture, p directory.Person) {
			d.accept("ann@old.com")
			d.replace(p.ID, input("ann@new.com"))
			_, token := d.mailTo("ann@new.com")
			if _, err := d.ConfirmAddress(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}},
		{"after a move was called off", func(_ *testing.T, d *fixture, p directory.Person) {
			d.accept("ann@old.com")
			d.replace(p.ID, input("ann@new.com"))
			d.replace(p.ID, input("ann@old.com"))
		}},
		{"after a move went elsewhere", func(_ *testing.T, d *fixture, p directory.Person) {
			d.accept("ann@old.com")
			d.replace(p.ID, input("ann@new.com"))
			d.replace(p.ID, input("ann@third.com")) // which is not allowed, so gets no mail
			d.remove(p.ID)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			d.allow("new.com")
			row.do(t, d, d.create("ann@old.com"))
			mails, err := d.Mails(t.Context())
			if err != nil || len(mails) == 0 {
				t.Fatalf("%d mails, %v", len(mails), err)
			}
			for _, m := range mails {
				if strings.Contains(m.Body, d.PublicURL) || m.Link != "" ||
					!strings.Contains(m.Body, "this link is over") {
					t.Errorf("the outbox holds\n%s", m.Body)
				}
			}
		})
	}
}

func TestMailIsSweptAfterAMonth(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.create("ann@example.com")
	d.later(month - time.Minute)
	d.create("bob@example.com")
	for _, row := range []struct {
		pause    time.Duration
		ann, bob int
	}{{0, 1, 1}, {time.Minute, 0, 1}} {
		d.later(row.pause)
		if err := d.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		ann, _ := d.mailTo("ann@example.com")
		bob, _ := d.mailTo("bob@example.com")
		if ann != row.ann || bob != row.bob {
			t.Errorf("%d and %d mails are kept, want %d and %d", ann, bob, row.ann, row.bob)
		}
	}
}

func TestLinksAreGoodForAMonth(t *testing.T) {
	t.Parallel()
	t.Run("an invitation, until another one is sent", func(t *testing.T) {
		t.Parallel()
		yes, no := true, false
		for name, again := range map[string]func(*fixture, directory.Person) error{
			"the identity provider": func(d *fixture, p directory.Person) error {
				d.replace(p.ID, input("ann@example.com", "active", false))
				d.replace(p.ID, input("ann@example.com", "active", true))
				return nil
			},
			"an administrator": func(d *fixture, p directory.Person) error {
				for _, suspended := range []*bool{&yes, &no} {
					if _, err := d.UpdateMember(t.Context(), p.MemberID, directory.MemberUpdate{Suspended: suspended},
						""); err != nil {
						return err
					}
				}
				return nil
			},
			"the page for signing up": func(d *fixture, _ directory.Person) error {
				d.allow("example.com")
				return d.SignUp(t.Context(), "ann@example.com", "Ann")
			},
		} {
			d := newDirectory(t)
			p := d.create("ann@example.com")
			_, token := d.mailTo("ann@example.com")
			d.later(month - time.Minute)
			if _, err := d.Invitation(t.Context(), token); err != nil {
				t.Errorf("%s: a minute early: %v", name, err)
			}
			d.later(time.Minute)
			_, err := d.AcceptInvitation(t.Context(), token)
			wantRefusal(t, err, "link_unknown")
			if err := again(d, p); err != nil {
				t.Fatal(err)
			}
			mails, fresh := d.mailTo("ann@example.com")
			if m, err := d.AcceptInvitation(t.Context(), fresh); mails != 2 || err != nil || m.State != store.Pending {
				t.Errorf("%s: %d mails, accepted as %s, %v; want a second one that works", name, mails, m.State, err)
			}
		}
	})
	t.Run("a confirmation, until the identity provider names the address again", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.allow("new.com")
		p := d.joined("ann@old.com")
		d.replace(p.ID, input("ann@new.com"))
		_, token := d.mailTo("ann@new.com")
		d.later(month)
		_, err := d.ConfirmAddress(t.Context(), token)
		wantRefusal(t, err, "link_unknown")
		d.replace(p.ID, input("ann@new.com"))
		mails, token := d.mailTo("ann@new.com")
		if m, err := d.ConfirmAddress(t.Context(), token); mails != 2 || err != nil || m.Address != "ann@new.com" {
			t.Errorf("%d mails, then at %s, %v; want a second one that works", mails, m.Address, err)
		}
	})
}

func TestWhoWasShutOutCannotFollowAnOldLink(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.allow("new.com")
	p := d.create("ann@example.com")
	_, join := d.mailTo("ann@example.com")
	moving := d.joined("bob@example.com")
	d.replace(moving.ID, input("bob@new.com"))
	_, confirm := d.mailTo("bob@new.com")

	// Suspended: neither link does anything, and both are good again afterwards.
	d.replace(p.ID, input("ann@example.com", "active", false))
	d.replace(moving.ID, input("bob@new.com", "active", false))
	if m, err := d.AcceptInvitation(t.Context(), join); m.ID != "" || wantRefusal(t, err, "suspended").Status != 403 {
		t.Errorf("accepted as %+v, %v", m, err)
	}
	_, err := d.Invitation(t.Context(), join)
	wantRefusal(t, err, "suspended")
	_, err = d.ConfirmAddress(t.Context(), confirm)
	wantRefusal(t, err, "suspended")
	d.replace(p.ID, input("ann@example.com", "active", true))
	d.replace(moving.ID, input("bob@new.com", "active", true))
	if _, err := d.Invitation(t.Context(), join); err != nil {
		t.Error(err)
	}
	if _, err := d.AddressChange(t.Context(), confirm); err != nil {
		t.Error(err)
	}

	// Deprovisioned: the links are invalid for good, also when an administrator lets the
	// member in again, and a returning person is invited again and confirmed.
	d.remove(p.ID)
	_, err = d.AcceptInvitation(t.Context(), join)
	wantRefusal(t, err, "link_unknown")
	again := d.create("ann@example.com")
	if again.MemberID != p.MemberID || again.State != store.Invited {
		t.Fatalf("adopted as %+v, want the same member, still invited", again)
	}
	_, err = d.AcceptInvitation(t.Context(), join)
	wantRefusal(t, err, "link_unknown")
	mails, fresh := d.mailTo("ann@example.com")
	if m, err := d.AcceptInvitation(t.Context(), fresh); mails != 2 || err != nil || m.State != store.Pending {
		t.Errorf("%d mails, accepted as %s, %v; want a second invitation, and then to be confirmed",
			mails, m.State, err)
	}
}

// accept accepts the invitation that went to an address.
func (d *fixture) accept(address string) {
	d.t.Helper()
	_, token := d.mailTo(address)
	if _, err := d.AcceptInvitation(d.t.Context(), token); err != nil {
		d.t.Fatal(err)
	}
}
