package directory_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func (d *fixture) lookUp(names ...string) directory.Lookup {
	d.t.Helper()
	found, err := d.LookUpMembers(d.t.Context(), names, true)
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

func TestAMemberIsFoundUnderEachOfItsNames(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.allow("example.com")
	ann := d.createFrom(directory.PersonInput{
		Attributes: attributes("userName", "Ann"), SignInAddress: "ann@example.com",
	})
	_, token := d.mailTo("ann@example.com")
	if _, err := d.AcceptInvitation(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	d.replace(ann.ID, directory.PersonInput{Attributes: attributes("userName", "Ann"),
		SignInAddress: "ann@new.example"})
	bob := d.create("bob@example.com")
	d.remove(bob.ID)
	zoe := d.createFrom(directory.PersonInput{
		Attributes: attributes("userName", "Zoe"), SignInAddress: "zoe@example.com",
	})
	d.remove(zoe.ID)
	byHand := d.invite("carol@example.com")
	stored := d.createFrom(directory.PersonInput{Attributes: attributes("userName", "dave")})

	for _, row := range []struct{ name, asked, want string }{
		{"by the userName, in any case", "aNN", ann.MemberID},
		{"by the sign-in address", "ANN@example.com", ann.MemberID},
		{"by the address that is not confirmed", "ann@new.example", ann.MemberID},
		{"by the SCIM id", ann.ID, ann.MemberID},
		{"by the member's id", ann.MemberID, ann.MemberID},
		{"with blanks around it", " \u00a0ann@example.com\t", ann.MemberID},
		{"one that was deleted, by its last userName", "zOE", zoe.MemberID},
		{"one that was deleted, by its address", "bob@example.com", bob.MemberID},
		{"one that was invited by hand", "carol@example.com", byHand.ID},
		{"one that was not invited", "dave", stored.MemberID},
		{"nobody, by a SCIM id that has ended", bob.ID, ""},
		{"nobody", "eve@example.com", ""},
		{"nobody, by a blank", "  ", ""},
		{"nobody, by a part", "ann@", ""},
	} {
		var ids []string
		for _, m := range d.lookUp(row.asked).Members {
			ids = append(ids, m.ID)
		}
		if got := strings.Join(ids, " "); got != row.want {
			t.Errorf("%s: found %q, want %q", row.name, got, row.want)
		}
	}
	all := d.lookUp("ann", "ANN@example.com", ann.ID, "carol@example.com", "eve@elsewhere.example", "x@sub.example.com")
	if len(all.Members) != 2 || !slices.Equal(all.AllowedDomains, []string{"example.com"}) {
		t.Errorf("%d are found at once, and allowed is %q", len(all.Members), all.AllowedDomains)
	}
}

func TestALookupTellsWhatAStateDependsOn(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.limit("max(0, 0%)/1h")
	invited := d.create("ann@example.com")
	moving := d.joined("bob@example.com")
	d.replace(moving.ID, directory.PersonInput{
		Attributes: attributes("userName", "bob@example.com"), SignInAddress: "bob@new.example",
	})
	held := d.joined("carol@example.com")
	group := d.group("Sales", held.ID)
	d.active(held, false)
	blocked := d.createFrom(directory.PersonInput{
		Attributes: attributes("userName", "dave"), SignInAddress: "ann@example.com",
	})
	d.byHand(moving.MemberID, directory.MemberUpdate{Suspended: new(true)})

	one := func(name string) directory.FoundMember {
		t.Helper()
		found := d.lookUp(name).Members
		if len(found) != 1 {
			t.Fatalf("%s finds %d members", name, len(found))
		}
		return found[0]
	}
	m := one(invited.ID)
	until := directory.InvitedUntil(m.Member)
	if m.State != store.Invited || until.Sub(m.InvitedAt) != 30*24*time.Hour {
		t.Errorf("the invited one is %+v, until %s", m, until)
	}
	m = one(moving.ID)
	if m.Change.Address != "bob@new.example" || m.Change.Domain != "new.example" || m.Change.TokenHash != "" ||
		!m.Suspended || m.WantedAddress != "bob@new.example" || !directory.InvitedUntil(m.Member).IsZero() ||
		!directory.ChangeUntil(m.Change).IsZero() {
		t.Errorf("the moving one is %+v", m)
	}
	if len(m.Changes) < 3 || m.Changes[0].Action != "member.update" || m.Changes[0].Actor != "machine" ||
		!slices.IsSortedFunc(m.Changes, func(a, b directory.MemberChange) int { return b.Time.Compare(a.Time) }) {
		t.Errorf("its changes are %+v", m.Changes)
	}
	m = one(held.ID)
	if !m.SuspensionHeld || m.Suspended || len(m.Holds) != 1 || m.Holds[0].Kind() != store.Suspension {
		t.Errorf("the held one is %+v", m)
	}
	d.ungroup(group.ID)
	if m = one(blocked.ID); !m.WantedBlocked || m.State != store.NotInvited || m.WantedAddress != "ann@example.com" {
		t.Errorf("the blocked one is %+v", m)
	}
	plain, err := d.LookUpMembers(t.Context(), []string{held.ID, moving.ID}, false)
	if err != nil || len(plain.Members) != 2 || plain.Members[0].Changes != nil || plain.Members[1].Holds != nil {
		t.Errorf("without details: %+v, %v", plain.Members, err)
	}
}

// Whoever asks why a member is suspended must be told what was changed, and by which request.
func TestALookupTellsWhatWasChanged(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ctx := account.WithCaller(t.Context(), account.Caller{Kind: account.ByBridge, ID: "b1", RequestID: "REQUEST1"})
	ann := d.joined("ann@example.com")
	input := func(active bool) directory.PersonInput {
		return directory.PersonInput{
			Attributes: attributes("userName", "ann@example.com", "active", active), SignInAddress: "ann@example.com",
		}
	}
	latest := func(name string) directory.MemberChange {
		t.Helper()
		members := d.lookUp(name).Members
		if len(members) != 1 || len(members[0].Changes) == 0 {
			t.Fatalf("%s finds %+v", name, members)
		}
		return members[0].Changes[0]
	}
	replace := func(in directory.PersonInput) {
		t.Helper()
		if _, err := d.ReplacePerson(ctx, ann.ID, in, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name    string
		do      func()
		changed []string
		request string
	}{
		{"a suspension by a request", func() { replace(input(false)) }, []string{"suspended"}, "REQUEST1"},
		{"a reactivation by a request", func() { replace(input(true)) }, []string{"reactivated"}, "REQUEST1"},
		{"another attribute", func() {
			replace(directory.PersonInput{
				Attributes:    attributes("userName", "ann@example.com", "title", "Dr."),
				SignInAddress: "ann@example.com",
			})
		}, []string{"attributes"}, "REQUEST1"},
		{"a name by hand", func() { d.byHand(ann.MemberID, directory.MemberUpdate{Name: new("suspended")}) },
			[]string{"name"}, ""},
		{"a role by hand", func() { d.byHand(ann.MemberID, directory.MemberUpdate{Role: new(store.RoleOwner)}) },
			[]string{"role"}, ""},
		{"a role and a suspension by hand", func() {
			d.byHand(ann.MemberID, directory.MemberUpdate{Role: new(store.RoleMember), Suspended: new(true)})
		}, []string{"suspended", "role"}, ""},
		{"a reactivation by hand", func() { d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(false)}) },
			[]string{"reactivated"}, ""},
	} {
		row.do()
		if got := latest(ann.ID); !slices.Equal(got.Changed, row.changed) || got.Request != row.request {
			t.Errorf("%s: the change is %+v, want %q by %q", row.name, got, row.changed, row.request)
		}
		d.later(time.Second)
	}
	if err := d.DeletePerson(ctx, ann.ID, ""); err != nil {
		t.Fatal(err)
	}
	if got := latest("ann@example.com"); got.Action != "person.delete" || got.Request != "REQUEST1" ||
		!slices.Equal(got.Changed, []string{"suspended"}) {
		t.Errorf("the deletion is %+v", got)
	}
	inactive, err := d.CreatePerson(ctx,
		directory.PersonInput{Attributes: attributes("userName", "bob", "active", false)})
	if err != nil {
		t.Fatal(err)
	}
	if got := latest(inactive.ID); got.Action != "person.create" || !slices.Equal(got.Changed, []string{"suspended"}) {
		t.Errorf("the creation as inactive is %+v", got)
	}
}

// A held suspension is suspended by whoever approves it.
func TestALookupTellsWhoApprovedAHold(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.limit("max(0, 0%)/1h")
	ann := d.joined("ann@example.com")
	d.active(ann, false)
	changes := d.lookUp(ann.ID).Members[0].Changes
	if len(changes) < 2 || !slices.ContainsFunc(changes[:2], func(c directory.MemberChange) bool {
		return slices.Equal(c.Changed, []string{"suspension held"})
	}) {
		t.Errorf("after the request: %+v", changes)
	}
	d.later(time.Second)
	d.decideAll(directory.Approve)
	changes = d.lookUp(ann.ID).Members[0].Changes
	if changes[0].Action != "hold.approve" || !slices.Equal(changes[0].Changed, []string{"suspended"}) {
		t.Errorf("after the approval: %+v", changes)
	}
}

// A lookup bounds the holds of a member, and the one on the suspension decides whether it is in.
func TestTheHoldOnASuspensionIsToldBeforeOlderRemovals(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.limit("max(0, 0%)/1h")
	ann := d.joined("ann@example.com")
	sales := d.group("Sales", ann.ID)
	d.update(sales.ID, directory.GroupUpdate{Remove: []string{ann.ID}})
	d.later(time.Second)
	d.active(ann, false)
	var kinds []string
	for _, h := range d.lookUp(ann.ID).Members[0].Holds {
		kinds = append(kinds, h.Kind())
	}
	if !slices.Equal(kinds, []string{store.Suspension, store.Removal}) {
		t.Errorf("the holds are %q", kinds)
	}
}

// What another member had once is not in the way now.
func TestALookupTellsWhetherAnAddressIsTakenNow(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ann := d.create("ann@example.com")
	blocked := d.createFrom(directory.PersonInput{
		Attributes: attributes("userName", "dave"), SignInAddress: "ANN@example.com",
	})
	if !d.lookUp(blocked.ID).Members[0].WantedBlocked {
		t.Error("the address of another member is free")
	}
	d.replace(ann.ID, directory.PersonInput{
		Attributes: attributes("userName", "ann@example.com"), SignInAddress: "ann2@example.com",
	})
	if m := d.lookUp(blocked.ID).Members[0]; m.WantedBlocked || m.WantedAddress != "ANN@example.com" {
		t.Errorf("nobody has the address, and the member is %+v", m)
	}
}

// The account compares names, since only it knows how: each spelling finds the member and is told as its name.
func TestALookupSaysByWhichNameAMemberWasFound(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	d.invite("caf\u00e9@example.com")
	gone := d.createFrom(directory.PersonInput{
		Attributes: attributes("userName", "Stra\u00dfe"), SignInAddress: "s@example.com",
	})
	d.remove(gone.ID)
	for _, row := range []struct{ asked, as string }{
		{"CAFE\u0301@example.com", "address"}, {"STRASSE", "last_user_name"}, {"stra\u00dfe", "last_user_name"},
		{" s@EXAMPLE.com", "address"},
	} {
		members := d.lookUp("nobody", row.asked).Members
		if len(members) != 1 || !slices.Equal(members[0].FoundBy, []directory.FoundBy{{Name: 1, As: row.as}}) {
			t.Errorf("%q finds %+v", row.asked, members)
		}
	}
}

// Nobody can look for a mail that was not sent. One that was sent before and failed when it was sent again is there.
func TestALookupTellsHowSendingAMailGoes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		states []string // of the mails with the link, the latest last
		want   string
	}{
		{"it waits", []string{store.MailWaiting}, store.MailWaiting},
		{"it waits for the reactivation", []string{store.MailSuspended}, store.MailWaiting},
		{"it was sent", []string{store.MailSent}, store.MailSent},
		{"it failed", []string{store.MailFailed}, store.MailFailed},
		{"it failed and is queued again", []string{store.MailFailed, store.MailWaiting}, store.MailWaiting},
		{"it was sent, and failed when it was sent again", []string{store.MailSent, store.MailFailed}, store.MailSent},
		{"it is not to be sent", []string{store.MailVoid}, ""},
		{"it was queued again, and failed", []string{store.MailVoid, store.MailFailed}, store.MailFailed},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			d.allow("new.com")
			d.create("ann@old.com")
			d.replace(d.joined("bob@old.com").ID, directory.PersonInput{
				Attributes: attributes("userName", "bob@old.com"), SignInAddress: "bob@new.com",
			})
			addresses := []string{"ann@old.com", "bob@new.com"}
			for _, address := range addresses {
				for range row.states[1:] {
					d.resend(address)
				}
				for i, state := range row.states {
					d.sql(`UPDATE outbox SET state = ? WHERE id = (SELECT id FROM outbox WHERE recipient = ?
						ORDER BY created_at, id LIMIT 1 OFFSET ?)`, state, address, i)
				}
			}
			for _, m := range d.lookUp(addresses...).Members {
				got := m.InvitationMail
				if m.Change.Address != "" {
					got = m.ChangeMail
				}
				if got != row.want || m.InvitationMail != "" && m.ChangeMail != "" {
					t.Errorf("%s: the mails are %q and %q, want %q", m.UserName, m.InvitationMail, m.ChangeMail,
						row.want)
				}
			}
			plain, err := d.LookUpMembers(t.Context(), addresses, false)
			if err != nil || len(plain.Members) != 2 || plain.Members[0].InvitationMail != "" {
				t.Errorf("without details: %+v, %v", plain.Members, err)
			}
		})
	}
}

func TestALookupIsBounded(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	for _, row := range []struct {
		name    string
		names   int
		details bool
		ok      bool
	}{
		{"none", 0, false, false}, {"all", 500, false, true}, {"one more", 501, false, false},
		{"all with details", 20, true, true}, {"one more with details", 21, true, false},
	} {
		_, err := d.LookUpMembers(t.Context(), make([]string, row.names), row.details)
		if row.ok && err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if !row.ok {
			wantRefusal(t, err, api.ErrorCodeInvalidValue)
		}
	}
}
