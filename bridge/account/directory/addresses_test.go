package directory_test

import (
	"context"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func TestWithoutAFreeAddressAPersonIsStoredAndListed(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	none := d.createFrom(directory.PersonInput{Attributes: attributes("userName", "none")})
	d.create("ann@example.com")
	taken := d.createFrom(directory.PersonInput{
		Attributes: attributes("userName", "taken"), SignInAddress: "Ann@example.com",
	})
	for _, p := range []directory.Person{none, taken} {
		if p.State != store.NotInvited || p.Suspended {
			t.Errorf("%s is %s, suspended %t; want stored and not invited", p.UserName, p.State, p.Suspended)
		}
	}
	want := []string{"none address_missing", "taken address_taken", "ann@example.com invitation_open"}
	if got := d.waiting(); !slices.Equal(got, want) {
		t.Errorf("waiting %v, want %v", got, want)
	}
	// The first address that is free invites.
	got := d.replace(none.ID, directory.PersonInput{
		Attributes: attributes("userName", "none"), SignInAddress: "none@example.com",
	})
	if got.State != store.Invited || got.Address != "none@example.com" {
		t.Errorf("now %+v, want invited", got)
	}
	// A person without a member leaves nothing behind.
	d.remove(taken.ID)
	again := d.createFrom(directory.PersonInput{Attributes: attributes("userName", "taken")})
	if again.MemberID == taken.MemberID {
		t.Error("adopted a person that never was a member")
	}
}

func TestAnAddressChangesOnlyWhenThePersonConfirms(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@old.com")
	_, token := d.mailTo("ann@old.com")
	if _, err := d.AcceptInvitation(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := d.ConfirmPerson(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}

	// The userName follows at once; the address waits for its domain.
	got := d.replace(p.ID, input("ann@new.com"))
	if got.UserName != "ann@new.com" || got.Address != "ann@old.com" || got.PendingAddress != "ann@new.com" {
		t.Fatalf("moving as %+v", got)
	}
	list, err := d.Attention(t.Context())
	if err != nil || len(list) == 0 || list[0].Kind != store.SignupDomainMissing || list[0].Domain != "new.com" ||
		list[0].Address != "ann@new.com" {
		t.Fatalf("attention %+v, %v; want the missing domain new.com", list, err)
	}
	if mails, _ := d.mailTo("ann@new.com"); mails != 0 {
		t.Fatal("a mail went to a domain that is not allowed")
	}
	// Both addresses are reserved meanwhile.
	for _, address := range []string{"ann@old.com", "ann@new.com"} {
		_, err := d.InviteMember(t.Context(), address, "", store.RoleMember)
		wantRefusal(t, err, "already_exists")
	}
	other := d.createFrom(directory.PersonInput{
		Attributes: attributes("userName", "other"), SignInAddress: "ann@new.com",
	})
	if other.State != store.NotInvited {
		t.Errorf("the reserved address was given to %+v", other)
	}

	// Allowing another domain releases nothing; allowing this one sends the mail by itself.
	d.allow("sub.new.com")
	if mails, _ := d.mailTo("ann@new.com"); mails != 0 {
		t.Fatal("a sub-domain released the mail")
	}
	d.allow("new.com")
	mails, token := d.mailTo("ann@new.com")
	if mails != 1 {
		t.Fatalf("%d mails, want one to confirm the address", mails)
	}
	if got := d.waiting(); !slices.Contains(got, "ann@new.com address_unconfirmed") {
		t.Errorf("waiting %v, want the confirmation", got)
	}
	if m, err := d.AddressChange(t.Context(), token); err != nil || m.PendingAddress != "ann@new.com" {
		t.Errorf("the page would show %+v, %v", m, err)
	}
	m, err := d.ConfirmAddress(t.Context(), token)
	if err != nil || m.Address != "ann@new.com" || m.PendingAddress != "" {
		t.Fatalf("confirmed %+v, %v", m, err)
	}
	_, err = d.ConfirmAddress(t.Context(), token)
	wantRefusal(t, err, "link_unknown")
	if now := d.person(p.ID); now.Address != "ann@new.com" || now.Version <= got.Version {
		t.Errorf("person %+v", now)
	}
	// The old address is free again.
	d.invite("ann@old.com")
}

// An invitation that was not accepted follows the identity provider: its recipient has not
// shown that the wrong mailbox is theirs, and its reader must not join.
func TestAWrongAddressIsCorrectedBeforeTheInvitationIsAccepted(t *testing.T) {
	t.Parallel()
	at := func(address string, pairs ...any) directory.PersonInput {
		return directory.PersonInput{Attributes: attributes(append([]any{"userName", "ann"}, pairs...)...),
			SignInAddress: address}
	}
	const wrong, right = "wrong@old.com", "right@new.com"
	for _, row := range []struct {
		name    string
		correct func(t *testing.T, d *fixture, p directory.Person) directory.Person
	}{
		{"by a PUT", func(_ *testing.T, d *fixture, p directory.Person) directory.Person {
			return d.replace(p.ID, at(right))
		}},
		{"twice", func(_ *testing.T, d *fixture, p directory.Person) directory.Person {
			d.replace(p.ID, at("second@other.com"))
			return d.replace(p.ID, at(right))
		}},
		{"after the invitation has lapsed", func(_ *testing.T, d *fixture, p directory.Person) directory.Person {
			d.later(month)
			return d.replace(p.ID, at(right))
		}},
		{"while suspended, and reactivated by the identity provider",
			func(_ *testing.T, d *fixture, p directory.Person) directory.Person {
				d.replace(p.ID, at(wrong, "active", false))
				d.replace(p.ID, at(right, "active", false))
				return d.replace(p.ID, at(right, "active", true))
			}},
		{"together with the suspension, and reactivated by hand",
			func(t *testing.T, d *fixture, p directory.Person) directory.Person {
				d.replace(p.ID, at(right, "active", false))
				if mails, _ := d.mailTo(right); mails != 0 {
					t.Errorf("%d mails to a suspended member", mails)
				}
				if _, err := d.UpdateMember(t.Context(), p.MemberID, directory.MemberUpdate{Suspended: new(false)},
					""); err != nil {
					t.Fatal(err)
				}
				return d.person(p.ID)
			}},
		{"together with the reactivation", func(_ *testing.T, d *fixture, p directory.Person) directory.Person {
			d.replace(p.ID, at(wrong, "active", false))
			return d.replace(p.ID, at(right, "active", true))
		}},
		{"by DELETE and POST", func(_ *testing.T, d *fixture, p directory.Person) directory.Person {
			d.remove(p.ID)
			return d.createFrom(at(right))
		}},
		{"by DELETE and a POST that is activated later",
			func(_ *testing.T, d *fixture, p directory.Person) directory.Person {
				d.remove(p.ID)
				again := d.createFrom(at(right, "active", false))
				return d.replace(again.ID, at(right, "active", true))
			}},
		{"over a move that an earlier version has begun",
			func(t *testing.T, d *fixture, p directory.Person) directory.Person {
				err := d.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					return tx.PutAddressChange(ctx, store.AddressChange{MemberID: p.MemberID,
						Address: right, Domain: "new.com",
						Since: d.tick()})
				})
				if err != nil {
					t.Fatal(err)
				}
				return d.replace(p.ID, at(right, "title", "Dr."))
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t) // where no domain is allowed for sign-up
			p := d.createFrom(at(wrong))
			_, old := d.mailTo(wrong)
			got := row.correct(t, d, p)
			if got.MemberID != p.MemberID || got.State != store.Invited || got.Suspended || got.Address != right ||
				got.PendingAddress != "" {
				t.Errorf("corrected to %+v, want the same member, invited at the new address", got)
			}
			_, err := d.AcceptInvitation(t.Context(), old)
			wantRefusal(t, err, "link_unknown")
			mails, token := d.mailTo(right)
			if m, err := d.AcceptInvitation(t.Context(), token); mails != 1 || err != nil || m.State != store.Pending ||
				m.Address != right {
				t.Errorf("%d mails, accepted as %+v, %v; want one that works", mails, m, err)
			}
			if list := d.waiting(); !slices.Equal(list, []string{"ann confirmation_due"}) {
				t.Errorf("waiting: %v", list)
			}
			d.invite(wrong) // free again
		})
	}
}

func TestACorrectedAddressMustBeFree(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.create("bob@example.com")
	p := d.create("ann@example.com")
	_, token := d.mailTo("ann@example.com")
	got := d.replace(p.ID, directory.PersonInput{
		Attributes: attributes("userName", "ann"), SignInAddress: "BOB@example.com",
	})
	if got.Address != "ann@example.com" || !slices.Contains(d.waiting(), "ann address_taken") {
		t.Errorf("person %+v, waiting %v; want to stay and be listed", got, d.waiting())
	}
	if _, err := d.AcceptInvitation(t.Context(), token); err != nil {
		t.Error(err)
	}
}

// A person that returns with an address that is not free gets no link at the
// address of before, which the identity provider has given up.
func TestNobodyIsInvitedAgainAtAnAddressThatWasCorrected(t *testing.T) {
	t.Parallel()
	at := func(address string) directory.PersonInput {
		return directory.PersonInput{Attributes: attributes("userName", "ann"), SignInAddress: address}
	}
	d := newDirectory(t)
	d.create("bob@example.com")
	p := d.createFrom(at("wrong@example.com"))
	d.remove(p.ID)
	again := d.createFrom(at("bob@example.com"))
	if mails, token := d.mailTo("wrong@example.com"); mails != 1 || token != "" {
		t.Errorf("%d mails to the wrong address, the last with a link: %t; want the first, whose link is over", mails,
			token != "")
	}
	if !slices.Contains(d.waiting(), "ann address_taken") {
		t.Errorf("waiting: %v", d.waiting())
	}
	// The address of before is right after all.
	for range 2 {
		d.replace(again.ID, at("wrong@example.com"))
	}
	mails, token := d.mailTo("wrong@example.com")
	if m, err := d.AcceptInvitation(t.Context(), token); mails != 2 || err != nil || m.State != store.Pending {
		t.Errorf("%d mails, accepted as %+v, %v; want a second one that works", mails, m, err)
	}
}

func TestOnlyTheLastOfManyCorrectionsWorks(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("a0@example.com")
	_, token := d.mailTo("a0@example.com")
	tokens := []string{token}
	for _, address := range []string{"a1@example.com", "a2@example.com", "a0@example.com"} {
		d.replace(p.ID, directory.PersonInput{Attributes: attributes("userName", "ann"), SignInAddress: address})
		_, token := d.mailTo(address)
		tokens = append(tokens, token)
	}
	for i, token := range tokens {
		_, err := d.AcceptInvitation(t.Context(), token)
		if last := i == len(tokens)-1; last != (err == nil) {
			t.Errorf("link %d of %d: %v", i+1, len(tokens), err)
		}
	}
}

func TestAMove(t *testing.T) {
	t.Parallel()
	t.Run("to an allowed domain is asked for at once", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.allow("new.com")
		p := d.joined("ann@old.com")
		d.replace(p.ID, input("ann@NEW.com"))
		if mails, _ := d.mailTo("ann@NEW.com"); mails != 1 {
			t.Errorf("%d mails, want one", mails)
		}
	})
	t.Run("and back again is called off", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.allow("new.com")
		p := d.joined("ann@old.com")
		d.replace(p.ID, input("ann@new.com"))
		_, token := d.mailTo("ann@new.com")
		if got := d.replace(p.ID, input("ann@old.com")); got.PendingAddress != "" {
			t.Errorf("still moving to %s", got.PendingAddress)
		}
		_, err := d.ConfirmAddress(t.Context(), token)
		wantRefusal(t, err, "link_unknown")
		d.invite("ann@new.com") // no longer reserved
	})
	t.Run("on to a third address replaces the second", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		p := d.joined("ann@old.com")
		d.replace(p.ID, input("ann@new.com"))
		if got := d.replace(p.ID, input("ann@third.com")); got.PendingAddress != "ann@third.com" {
			t.Errorf("moving to %q", got.PendingAddress)
		}
		d.invite("ann@new.com")
	})
	t.Run("repeated sends no second mail", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.allow("new.com")
		p := d.joined("ann@old.com")
		first := d.replace(p.ID, input("ann@new.com"))
		if again := d.replace(p.ID, input("ann@new.com")); again.Version != first.Version {
			t.Errorf("version %d, want %d", again.Version, first.Version)
		}
		if mails, _ := d.mailTo("ann@new.com"); mails != 1 {
			t.Errorf("%d mails, want one", mails)
		}
	})
	t.Run("to another person's address is listed", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.create("bob@example.com")
		p := d.joined("ann@example.com")
		got := d.replace(p.ID, directory.PersonInput{
			Attributes: attributes("userName", "ann"), SignInAddress: "bob@example.com",
		})
		if got.Address != "ann@example.com" || got.PendingAddress != "" {
			t.Errorf("person %+v, want to stay", got)
		}
		if got := d.waiting(); !slices.Contains(got, "ann address_taken") {
			t.Errorf("waiting %v, want ann's address_taken", got)
		}
	})
	t.Run("ends with the person", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		p := d.joined("ann@old.com")
		d.replace(p.ID, input("ann@new.com"))
		d.remove(p.ID)
		if m := d.member(p.MemberID); m.Address != "ann@old.com" || m.PendingAddress != "" {
			t.Errorf("member %+v, want to stay at the old address", m)
		}
		d.invite("ann@new.com")
	})
}

func TestSignUpTellsStrangersNothing(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.allow("example.com")
	wantRefusal(t, d.SignUp(t.Context(), "eve@sub.example.com", "Eve"), "domain_not_allowed")
	wantRefusal(t, d.SignUp(t.Context(), "eve", "Eve"), "invalid_value")
	if err := d.SignUp(t.Context(), "Ann@Example.com", "Ann"); err != nil {
		t.Fatal(err)
	}
	_, token := d.mailTo("Ann@Example.com")
	m, err := d.AcceptInvitation(t.Context(), token)
	if err != nil || m.State != store.Active || m.Managed() || m.Name != "Ann" {
		t.Fatalf("signed up as %+v, %v; want active and unmanaged", m, err)
	}
	// A second time looks the same and does nothing.
	if err := d.SignUp(t.Context(), "ann@example.com", "Ann"); err != nil {
		t.Error(err)
	}
	if mails, _ := d.mailTo("Ann@Example.com"); mails != 1 {
		t.Errorf("%d mails, want one", mails)
	}
	if p := d.create("ann@example.com"); p.MemberID != m.ID || p.State != store.Active {
		t.Errorf("provisioned as %+v, want the member that signed up", p)
	}
}
