package directory_test

import (
	"slices"
	"strings"
	"testing"
	"time"

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
