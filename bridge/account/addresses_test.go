package account_test

import (
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func TestWithoutAFreeAddressAPersonIsStoredAndListed(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	none := d.createFrom(account.PersonInput{Attributes: attributes("userName", "none")})
	d.create("ann@example.com")
	taken := d.createFrom(account.PersonInput{Attributes: attributes("userName", "taken"), SignInAddress: "Ann@example.com"})
	for _, p := range []account.Person{none, taken} {
		if p.State != store.NotInvited || p.Suspended {
			t.Errorf("%s is %s, suspended %t; want stored and not invited", p.UserName, p.State, p.Suspended)
		}
	}
	want := []string{"none address_missing", "taken address_taken", "ann@example.com invitation_open"}
	if got := d.waiting(); !slices.Equal(got, want) {
		t.Errorf("waiting %v, want %v", got, want)
	}
	// The first address that is free invites.
	got := d.replace(none.ID, account.PersonInput{Attributes: attributes("userName", "none"), SignInAddress: "none@example.com"})
	if got.State != store.Invited || got.Address != "none@example.com" {
		t.Errorf("now %+v, want invited", got)
	}
	// A person of whom nobody became a member leaves nothing behind.
	d.remove(taken.ID)
	if again := d.createFrom(account.PersonInput{Attributes: attributes("userName", "taken")}); again.MemberID == taken.MemberID {
		t.Error("adopted somebody who never was a member")
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
	if err != nil || len(list) == 0 || list[0].Kind != store.SignupDomainMissing || list[0].Domain != "new.com" || list[0].Address != "ann@new.com" {
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
	other := d.createFrom(account.PersonInput{Attributes: attributes("userName", "other"), SignInAddress: "ann@new.com"})
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
	d.invite("ann@old.com", store.RoleMember)
}

func TestAMove(t *testing.T) {
	t.Parallel()
	t.Run("to an allowed domain is asked for at once", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.allow("new.com")
		p := d.create("ann@old.com")
		d.replace(p.ID, input("ann@NEW.com"))
		if mails, _ := d.mailTo("ann@NEW.com"); mails != 1 {
			t.Errorf("%d mails, want one", mails)
		}
	})
	t.Run("and back again is called off", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.allow("new.com")
		p := d.create("ann@old.com")
		d.replace(p.ID, input("ann@new.com"))
		_, token := d.mailTo("ann@new.com")
		if got := d.replace(p.ID, input("ann@old.com")); got.PendingAddress != "" {
			t.Errorf("still moving to %s", got.PendingAddress)
		}
		_, err := d.ConfirmAddress(t.Context(), token)
		wantRefusal(t, err, "link_unknown")
		d.invite("ann@new.com", store.RoleMember) // no longer reserved
	})
	t.Run("on to a third address replaces the second", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		p := d.create("ann@old.com")
		d.replace(p.ID, input("ann@new.com"))
		if got := d.replace(p.ID, input("ann@third.com")); got.PendingAddress != "ann@third.com" {
			t.Errorf("moving to %q", got.PendingAddress)
		}
		d.invite("ann@new.com", store.RoleMember)
	})
	t.Run("repeated sends no second mail", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.allow("new.com")
		p := d.create("ann@old.com")
		first := d.replace(p.ID, input("ann@new.com"))
		if again := d.replace(p.ID, input("ann@new.com")); again.Version != first.Version {
			t.Errorf("version %d, want %d", again.Version, first.Version)
		}
		if mails, _ := d.mailTo("ann@new.com"); mails != 1 {
			t.Errorf("%d mails, want one", mails)
		}
	})
	t.Run("to an address of somebody else is listed", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.create("bob@example.com")
		p := d.create("ann@example.com")
		got := d.replace(p.ID, account.PersonInput{Attributes: attributes("userName", "ann"), SignInAddress: "bob@example.com"})
		if got.Address != "ann@example.com" || got.PendingAddress != "" {
			t.Errorf("person %+v, want to stay", got)
		}
		if got := d.waiting(); !slices.Contains(got, "ann address_taken") {
			t.Errorf("waiting %v, want ann's address_taken", got)
		}
	})
	t.Run("before the invitation was accepted sends it anew", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		d.allow("new.com")
		p := d.create("ann@old.com")
		_, old := d.mailTo("ann@old.com")
		d.replace(p.ID, input("ann@new.com"))
		_, token := d.mailTo("ann@new.com")
		if _, err := d.ConfirmAddress(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		_, err := d.AcceptInvitation(t.Context(), old)
		wantRefusal(t, err, "link_unknown")
		_, token = d.mailTo("ann@new.com")
		if m, err := d.AcceptInvitation(t.Context(), token); err != nil || m.State != store.Pending {
			t.Errorf("accepted: %+v, %v", m, err)
		}
	})
	t.Run("ends with the person", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		p := d.create("ann@old.com")
		d.replace(p.ID, input("ann@new.com"))
		d.remove(p.ID)
		if m := d.member(p.MemberID); m.Address != "ann@old.com" || m.PendingAddress != "" {
			t.Errorf("member %+v, want to stay at the old address", m)
		}
		d.invite("ann@new.com", store.RoleMember)
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
