package directory_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func TestAPersonIsInvitedAcceptsAndIsConfirmed(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com", "displayName", "Ann")
	if p.State != store.Invited || p.Suspended || p.Address != "ann@example.com" {
		t.Fatalf("created as %+v, want invited at ann@example.com", p)
	}
	mails, token := d.mailTo("ann@example.com")
	if mails != 1 {
		t.Fatalf("%d mails, want one invitation", mails)
	}
	wantRefusal(t, d.ConfirmPerson(t.Context(), p.ID), "not_accepted")
	if got := d.waiting(); !slices.Equal(got, []string{"ann@example.com invitation_open"}) {
		t.Errorf("waiting: %v", got)
	}
	for range 2 { // following the link twice is harmless
		if m, err := d.AcceptInvitation(t.Context(), token); err != nil || m.State != store.Pending {
			t.Fatalf("accepted: %v, %v; want pending", m.State, err)
		}
	}
	if got := d.waiting(); !slices.Equal(got, []string{"ann@example.com confirmation_due"}) {
		t.Errorf("waiting: %v", got)
	}
	for range 2 { // and so is confirming twice
		if err := d.ConfirmPerson(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.person(p.ID); got.State != store.Active || got.Version <= p.Version {
		t.Errorf("confirmed as %s at version %d, want active at a later version than %d",
			got.State, got.Version, p.Version)
	}
	if got := d.waiting(); len(got) != 0 {
		t.Errorf("waiting: %v, want none", got)
	}
	_, err := d.AcceptInvitation(t.Context(), "nonsense")
	wantRefusal(t, err, "link_unknown")
}

func TestUserNameIsUniqueWithoutRegardToCase(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	first := d.create("Straße@example.com")
	_, err := d.CreatePerson(t.Context(), input("STRASSE@example.com"))
	if e := wantRefusal(t, err, "user_name_taken"); e.ExistingID != first.ID || e.Status != 409 {
		t.Errorf("refused with %+v, want status 409 and the id %s", e, first.ID)
	}
	other := d.create("bob@example.com")
	_, err = d.ReplacePerson(t.Context(), other.ID, input("straße@EXAMPLE.com"), "")
	wantRefusal(t, err, "user_name_taken")
	// One may change the case of one's own.
	if got := d.replace(first.ID, input("straße@example.com")); got.UserName != "straße@example.com" {
		t.Errorf("userName %q", got.UserName)
	}
}

func TestAttributesAreKeptAsSent(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	sent := `{"userName":"ann@example.com","phoneNumbers":[{"value":"(0) 1"}],"x":{"big":12345678901234567890},` +
		`"n":null}`
	p := d.createFrom(directory.PersonInput{Attributes: json.RawMessage(" " + sent), SignInAddress: "ann@example.com"})
	if p.Attributes != sent {
		t.Errorf("got  %s\nwant %s", p.Attributes, sent)
	}
}

func TestANewPersonWritesEachRowOnce(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	for _, row := range []struct {
		name string
		in   directory.PersonInput
		most int64 // rows, and one more, if the person's row is completed
	}{
		// Person, places in the order, member, invitation, count of members, event and end of the chain.
		{"invited", input("ann@example.com"), 1 + 3 + 1 + 1 + 1 + 2},
		{"with two addresses", input("bob@example.com",
			"emails", []any{map[string]any{"value": "bob@example.com"}, map[string]any{"value": "bob@home.example"}}),
			9 + 2},
		{"inactive", input("eve@example.com", "active", false), 1 + 3 + 1 + 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			if rows := d.rowsWritten(func(ctx context.Context) error {
				_, err := d.CreatePerson(ctx, row.in)
				return err
			}); rows > row.most+1 {
				t.Errorf("%d rows were written, want at most %d", rows, row.most+1)
			}
		})
	}
	d.sound()
}

func TestAReplacementWritesWhatItChanges(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.createFrom(directory.PersonInput{SignInAddress: "ann@example.com", Attributes: json.RawMessage(
		`{"userName":"ann@example.com","name":{"familyName":"Lee","givenName":"Ann"},"title":"Dr.",` +
			`"emails":[{"value":"ann@example.com","type":"work"},{"value":"ann@home.example"}],"level":1.0}`)})
	d.group("Staff", p.ID)
	const person, event, emails = 1, 2, 3 // the event and the end of the chain; two addresses are deleted, one is new
	for _, row := range []struct {
		name, attributes string
		rows             int64
	}{
		{"another order of the members", `{"level":1.0,"title":"Dr.","name":{"givenName":"Ann","familyName":"Lee"},` +
			`"emails":[{"type":"work","value":"ann@example.com"},{"value":"ann@home.example"}],` +
			`"userName":"ann@example.com"}`, 0},
		{"another title", `{"userName":"ann@example.com","name":{"familyName":"Lee","givenName":"Ann"},"title":"M",` +
			`"emails":[{"value":"ann@example.com","type":"work"},{"value":"ann@home.example"}],"level":1.0}`,
			person + event},
		{"an address less", `{"userName":"ann@example.com","emails":[{"value":"ann@example.com","type":"work"}]}`,
			person + event + emails},
		{"another type of address", `{"userName":"ann@example.com","emails":[{"value":"ann@example.com"}]}`,
			person + event + 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := d.person(p.ID)
			rows := d.rowsWritten(func(ctx context.Context) error {
				_, err := d.ReplacePerson(ctx, p.ID, directory.PersonInput{
					Attributes: json.RawMessage(row.attributes), SignInAddress: "ann@example.com"}, "")
				return err
			})
			if rows != row.rows {
				t.Errorf("%d rows were written, want %d", rows, row.rows)
			}
			after := d.person(p.ID)
			if row.rows == 0 && !reflect.DeepEqual(before, after) {
				t.Errorf("from %+v it became %+v, want no other version", before, after)
			}
			if row.rows > 0 && (after.Version != before.Version+1 || after.Attributes != row.attributes) {
				t.Errorf("version %d, want the one after %d, with %s", after.Version, before.Version, after.Attributes)
			}
		})
	}
	d.sound()
}

func TestAPersonIsFoundByWhatItWasReplacedBy(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com", "displayName", "Ann", "externalId", "1", "title", "Dr.",
		"emails", []any{map[string]any{"value": "ann@home.example"}})
	finds := func(attribute, value string) int64 {
		filter := eq(attribute, value)
		if attribute == "emails" {
			filter = anyOf(attribute, eq("value", value))
		}
		return d.count(filter)
	}
	for _, row := range []struct{ attribute, was, is string }{
		{"userName", "ann@example.com", "eve@example.com"},
		{"displayName", "Ann", "Eve"},
		{"externalId", "1", "2"},
		{"emails", "ann@home.example", "eve@home.example"},
	} {
		t.Run(row.attribute, func(t *testing.T) {
			text := d.person(p.ID).Attributes
			was, is := finds(row.attribute, row.was), finds(row.attribute, row.is)
			if was != 1 || is != 0 {
				t.Errorf("before, %d are found by %s and %d by %s", was, row.was, is, row.is)
			}
			d.replace(p.ID, directory.PersonInput{SignInAddress: "ann@example.com",
				Attributes: json.RawMessage(strings.ReplaceAll(text, `"`+row.was+`"`, `"`+row.is+`"`))})
			was, is = finds(row.attribute, row.was), finds(row.attribute, row.is)
			if was != 0 || is != 1 {
				t.Errorf("%d are found by %s and %d by %s", was, row.was, is, row.is)
			}
		})
	}
	d.sound()
}

// count counts the people that a filter finds.
func (d *fixture) count(filter *bridge.Predicate) int64 {
	d.t.Helper()
	found, err := d.SearchPeople(d.t.Context(), directory.Search{Filter: filter, Limit: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	return found.Total
}

func TestWhatIsNoPersonIsRefusedByField(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	for name, row := range map[string]struct {
		attributes, address, field string
		code                       api.ErrorCode
	}{
		"no userName":               {`{}`, "", "/attributes/userName", "invalid_value"},
		"an empty userName":         {`{"userName":""}`, "", "/attributes/userName", "invalid_value"},
		"a userName that is a list": {`{"userName":["a"]}`, "", "/attributes/userName", "invalid_value"},
		"active as a text":          {`{"userName":"a","active":"True"}`, "", "/attributes/active", "invalid_value"},
		"a list":                    {`[]`, "", "/attributes", "invalid_value"},
		"null":                      {`null`, "", "/attributes", "invalid_value"},
		"broken JSON":               {`{"userName":`, "", "/attributes", "invalid_value"},
		"bytes that are not UTF-8":  {"{\"userName\":\"\xff\"}", "", "/attributes", "invalid_value"},
		"a password": {
			`{"userName":"a","password":"secret"}`, "", "/attributes/password", "invalid_value",
		},
		"more than 64 KiB": {
			`{"userName":"` + strings.Repeat("a", 64<<10) + `"}`, "", "/attributes", "too_large",
		},
		"an address that is none": {`{"userName":"a"}`, "not an address", "/sign_in_address", "invalid_value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.CreatePerson(t.Context(), directory.PersonInput{
				Attributes: json.RawMessage(row.attributes), SignInAddress: row.address,
			})
			e := wantRefusal(t, err, row.code)
			if e.Field != row.field {
				t.Errorf("field %q, want %q", e.Field, row.field)
			}
			if strings.Contains(e.Detail, "secret") {
				t.Errorf("the detail shows a password: %s", e.Detail)
			}
		})
	}
}

func TestSuspendingKeepsMembershipsAndReactivatingChangesNothingElse(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com")
	g := d.group("Engineers", p.ID)

	got := d.replace(p.ID, input("ann@example.com", "active", false))
	if !got.Suspended || !slices.Equal(ids(got.Groups), []string{g.ID}) {
		t.Errorf("suspended %t, groups %v; want suspended and still in the group", got.Suspended, got.Groups)
	}
	if got := d.waiting(); len(got) != 0 {
		t.Errorf("the suspended wait for nothing, but %v", got)
	}
	got = d.replace(p.ID, input("ann@example.com", "active", true))
	if got.Suspended || got.ID != p.ID || len(got.Groups) != 1 {
		t.Errorf("reactivated as %+v", got)
	}
	if mails, _ := d.mailTo("ann@example.com"); mails != 1 {
		t.Errorf("%d mails, want the first invitation only", mails)
	}
}

func TestNobodyInactiveIsInvitedBeforeBeingActivated(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com", "active", false)
	if p.State != store.NotInvited || !p.Suspended || p.Address != "" {
		t.Fatalf("created as %+v, want suspended and not invited", p)
	}
	g := d.group("Engineers", p.ID)
	members, err := d.Members(t.Context(), directory.MemberFilter{}, "", 100)
	if err != nil || len(members.Items) != 0 {
		t.Errorf("members %v, %v; want none", members.Items, err)
	}
	if got := d.waiting(); len(got) != 0 {
		t.Errorf("waiting: %v, want none", got)
	}
	got := d.replace(p.ID, input("ann@example.com", "active", true))
	if got.State != store.Invited || got.Suspended || !slices.Equal(ids(got.Groups), []string{g.ID}) {
		t.Errorf("activated as %+v, want invited and in the group", got)
	}
	if mails, _ := d.mailTo("ann@example.com"); mails != 1 {
		t.Errorf("%d mails, want one invitation", mails)
	}
}

func TestWritingTheSameAgainChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com", "displayName", "Ann")
	again := directory.PersonInput{ // in another order
		Attributes:    json.RawMessage(`{"userName": "ann@example.com", "displayName": "Ann"}`),
		SignInAddress: "ann@example.com",
	}
	if got := d.replace(p.ID, again); !reflect.DeepEqual(got, p) {
		t.Errorf("got  %+v\nwant %+v", got, p)
	}
	changed := d.replace(p.ID, input("ann@example.com", "displayName", "Anna"))
	if changed.Version != p.Version+1 || !changed.ModifiedAt.After(p.ModifiedAt) {
		t.Errorf("version %d modified %v, want the next after %d and later than %v",
			changed.Version, changed.ModifiedAt,
			p.Version, p.ModifiedAt)
	}
}

func TestAConditionalWriteOnAnOldVersionIsRefused(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com")
	old := account.ETag(p.Version)
	p = d.replace(p.ID, input("ann@example.com", "title", "Dr."))
	_, err := d.ReplacePerson(t.Context(), p.ID, input("ann@example.com"), old)
	if e := wantRefusal(t, err, "version_mismatch"); e.Status != 412 {
		t.Errorf("status %d, want 412", e.Status)
	}
	wantRefusal(t, d.DeletePerson(t.Context(), p.ID, old), "version_mismatch")
	for _, fits := range []string{account.ETag(p.Version), "*", `"x", ` + account.ETag(p.Version)} {
		if _, err := d.ReplacePerson(t.Context(), p.ID, input("ann@example.com", "title", "Dr."), fits); err != nil {
			t.Errorf("If-Match: %s: %v", fits, err)
		}
	}
}

func TestADeletedPersonIsGoneAndTheMemberStaysSuspended(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com")
	g := d.group("Engineers", p.ID)
	byHand, err := d.CreateGroupByHand(t.Context(), "Choir")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.AddGroupMember(t.Context(), byHand.ID, p.MemberID); err != nil {
		t.Fatal(err)
	}
	before := d.update(g.ID, directory.GroupUpdate{})
	d.remove(p.ID)

	_, err = d.Person(t.Context(), p.ID)
	wantRefusal(t, err, "not_found")
	wantRefusal(t, d.DeletePerson(t.Context(), p.ID, ""), "not_found")
	m := d.member(p.MemberID)
	if !m.Suspended || m.Managed() || m.Address != "ann@example.com" {
		t.Errorf("member %+v, want suspended, unmanaged, at the same address", m)
	}
	after := d.update(g.ID, directory.GroupUpdate{})
	if len(after.Members) != 0 || after.MemberCount != 0 || after.Version != before.Version+1 {
		t.Errorf("group %+v, want empty at the next version", after)
	}
	page, err := d.GroupMembers(t.Context(), byHand.ID, "", 10)
	if err != nil || len(page.Items) != 1 {
		t.Errorf("the membership made by hand: %v, %v; want it kept", page.Items, err)
	}
}

func TestAdoption(t *testing.T) {
	t.Parallel()
	t.Run("the last userName comes first, and the id is new", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		old := d.create("ann@example.com")
		_, token := d.mailTo("ann@example.com")
		if _, err := d.AcceptInvitation(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if err := d.ConfirmPerson(t.Context(), old.ID); err != nil {
			t.Fatal(err)
		}
		d.remove(old.ID)
		p := d.createFrom(directory.PersonInput{Attributes: attributes("userName", "ANN@example.com")})
		if p.ID == old.ID || p.MemberID != old.MemberID || p.State != store.Active || p.Suspended {
			t.Errorf("adopted as %+v, want the same member, active, under a new id", p)
		}
		_, err := d.Person(t.Context(), old.ID)
		wantRefusal(t, err, "not_found")
		if mails, _ := d.mailTo("ann@example.com"); mails != 1 {
			t.Errorf("%d mails; a member needs no other", mails)
		}
	})
	t.Run("the sign-in address comes second", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		m := d.invite("Ann@Example.com")
		p := d.createFrom(directory.PersonInput{
			Attributes: attributes("userName", "ann"), SignInAddress: "ann@example.com",
		})
		if p.MemberID != m.ID {
			t.Errorf("adopted %s, want %s", p.MemberID, m.ID)
		}
		if got := d.member(m.ID); !got.Managed() || got.UserName != "ann" || got.Version == m.Version {
			t.Errorf("member %+v, want managed as ann at another version", got)
		}
	})
	t.Run("two different members are a conflict", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		first := d.create("ann@example.com")
		d.remove(first.ID)
		second := d.invite("bob@example.com")
		_, err := d.CreatePerson(t.Context(), directory.PersonInput{
			Attributes: attributes("userName", "ann@example.com"), SignInAddress: "bob@example.com",
		})
		e := wantRefusal(t, err, "user_name_taken")
		if !slices.Equal(e.IDs, []string{first.MemberID, second.ID}) {
			t.Errorf("ids %v", e.IDs)
		}
	})
	t.Run("an inactive person suspends the member that it adopts", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		m := d.invite("ann@example.com")
		if p := d.create("ann@example.com", "active", false); p.MemberID != m.ID || !p.Suspended {
			t.Errorf("adopted as %+v, want %s suspended", p, m.ID)
		}
	})
	t.Run("memberships made by hand show again", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		p := d.create("ann@example.com")
		g := d.group("Engineers")
		accountID := d.accountGroup("Engineers").ID
		if err := d.AddGroupMember(t.Context(), accountID, p.MemberID); err != nil {
			t.Fatal(err)
		}
		d.remove(p.ID)
		if got := d.update(g.ID, directory.GroupUpdate{}); got.MemberCount != 0 || len(got.Members) != 0 {
			t.Errorf("%d members %v, want none to be seen", got.MemberCount, got.Members)
		}
		again := d.create("ann@example.com")
		if got := d.update(g.ID, directory.GroupUpdate{}); got.MemberCount != 1 ||
			!slices.Equal(ids(got.Members), []string{again.ID}) {
			t.Errorf("%d members %v, want %s", got.MemberCount, got.Members, again.ID)
		}
	})
	t.Run("a person who could not be invited adopts as soon as the address fits", func(t *testing.T) {
		t.Parallel()
		d := newDirectory(t)
		m := d.invite("ann@example.com")
		p := d.createFrom(directory.PersonInput{Attributes: attributes("userName", "ann")})
		g := d.group("Engineers", p.ID)
		got := d.replace(p.ID, directory.PersonInput{
			Attributes: attributes("userName", "ann"), SignInAddress: "ann@example.com",
		})
		if got.ID != p.ID || got.MemberID != m.ID || !slices.Equal(ids(got.Groups), []string{g.ID}) {
			t.Errorf("got %+v, want the member %s, under the same id, in the group", got, m.ID)
		}
		if g := d.update(g.ID, directory.GroupUpdate{}); g.MemberCount != 1 || len(g.Members) != 1 {
			t.Errorf("%d members, %v; want one", g.MemberCount, g.Members)
		}
	})
}

func (d *fixture) accountGroup(name string) directory.GroupSummary {
	d.t.Helper()
	page, err := d.Groups(d.t.Context(), directory.GroupFilter{Name: name}, "", 1)
	if err != nil || len(page.Items) != 1 {
		d.t.Fatalf("group %q: %v, %v", name, page.Items, err)
	}
	return page.Items[0]
}

func TestTheProtectedAreNamedAndLeftAlone(t *testing.T) {
	t.Parallel()
	for _, role := range []string{store.RoleOwner, store.RoleAdministrator, store.RoleProvisionManager} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			// By SQL, because only an activation makes a Provision Manager.
			promote := func(id string) {
				t.Helper()
				if err := d.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Exec(ctx, `UPDATE members SET role = ? WHERE id = ?`, role, id)
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			promote(d.invite("boss@example.com").ID)
			_, err := d.CreatePerson(t.Context(), input("boss@example.com"))
			if e := wantRefusal(t, err, "protected"); e.Name != "boss@example.com" || e.Status != 409 {
				t.Errorf("refused with %+v, want status 409 naming boss@example.com", e)
			}
			// Promoted by hand after having been provisioned.
			p := d.create("ann@example.com")
			promote(p.MemberID)
			_, err = d.ReplacePerson(t.Context(), p.ID, input("ann@example.com", "active", false), "")
			wantRefusal(t, err, "protected")
			wantRefusal(t, d.DeletePerson(t.Context(), p.ID, ""), "protected")
			if got := d.person(p.ID); got.Suspended {
				t.Error("suspended all the same")
			}
			// Nor is the address changed, whether or not another person has it.
			d.allow("example.org")
			d.create("bob@example.com")
			for _, address := range []string{"ann@example.org", "bob@example.com"} {
				in := directory.PersonInput{
					Attributes: attributes("userName", "ann@example.com"), SignInAddress: address,
				}
				_, err := d.ReplacePerson(t.Context(), p.ID, in, "")
				if e := wantRefusal(t, err, "protected"); e.Name != "ann@example.com" || e.Status != 409 {
					t.Errorf("refused with %+v, want status 409 naming ann@example.com", e)
				}
			}
			if mails, _ := d.mailTo("ann@example.org"); mails != 0 || d.person(p.ID).PendingAddress != "" {
				t.Errorf("%d mails, moving to %q; want none", mails, d.person(p.ID).PendingAddress)
			}
			// Attributes are not protected.
			d.replace(p.ID, input("ann@example.com", "title", "Boss"))
		})
	}
}

func TestChangesByHandAreSeenByProvisioning(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com")
	manager := store.RoleProvisionManager
	_, err := d.UpdateMember(t.Context(), p.MemberID, directory.MemberUpdate{Role: &manager}, "")
	wantRefusal(t, err, "invalid_value")
	_, err = d.InviteMember(t.Context(), "ANN@example.com", "", store.RoleMember)
	if e := wantRefusal(t, err, "already_exists"); e.ExistingID != p.MemberID {
		t.Errorf("existing id %s, want %s", e.ExistingID, p.MemberID)
	}
}

// An administrator that suspended a member had a reason, which the identity provider
// does not know when it updates a title.
func TestWhoWasSuspendedByHandStaysSoUntilProvisioningSaysActive(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.createFrom(directory.PersonInput{SignInAddress: "ann@example.com", Attributes: json.RawMessage(
		`{"userName":"ann@example.com","active":true,"note":"1 < 2","floor":3.0}`)})
	silent := d.create("bob@example.com")
	active, inactive := eq("active", true), eq("active", false)
	found := func(f *bridge.Predicate) (ids []string) {
		t.Helper()
		page, err := d.SearchPeople(t.Context(), directory.Search{Filter: f, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Items {
			ids = append(ids, p.ID)
		}
		return ids
	}
	suspend := func(memberID string, suspended bool) {
		t.Helper()
		if _, err := d.UpdateMember(t.Context(), memberID,
			directory.MemberUpdate{Suspended: &suspended}, ""); err != nil {
			t.Fatal(err)
		}
	}

	suspend(p.MemberID, true)
	got := d.person(p.ID)
	if !got.Suspended || got.Version == p.Version || !got.ModifiedAt.After(p.ModifiedAt) {
		t.Errorf("person %+v, want suspended and modified, at another version", got)
	}
	if want := `{"userName":"ann@example.com","active":false,"note":"1 < 2","floor":3.0}`; got.Attributes != want {
		t.Errorf("attributes %s, want %s", got.Attributes, want)
	}
	if on, off := found(active), found(inactive); slices.Contains(on, p.ID) || !slices.Equal(off, []string{p.ID}) {
		t.Errorf("active are %v and inactive %v; want %s inactive", on, off, p.ID)
	}

	// Neither the served document with another title nor one without active ends the suspension.
	var shown map[string]any
	if err := json.Unmarshal([]byte(got.Attributes), &shown); err != nil {
		t.Fatal(err)
	}
	shown["title"] = "Dr."
	text, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []directory.PersonInput{
		{Attributes: text, SignInAddress: "ann@example.com"}, input("ann@example.com", "title", "Prof."),
	} {
		if got := d.replace(p.ID, in); !got.Suspended || !strings.Contains(got.Attributes, `"active":false`) {
			t.Errorf("after %s: suspended %t, attributes %s", in.Attributes, got.Suspended, got.Attributes)
		}
	}
	if got := d.replace(p.ID, input("ann@example.com", "active", true)); got.Suspended ||
		!slices.Contains(found(active), p.ID) {
		t.Errorf("person %+v, want reactivated by active: true", got)
	}

	// A reactivation by an administrator shows as well, also without an attribute active.
	suspend(silent.MemberID, true)
	suspend(silent.MemberID, false)
	if got := d.person(silent.ID); got.Suspended || !slices.Contains(found(active), silent.ID) {
		t.Errorf("person %+v, want active", got)
	}
}

func TestTheLastToHaveAUserNameIsAdopted(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	first := d.create("ann@example.com")
	d.remove(first.ID)
	second := d.create("bob@example.com")
	// The first is not adopted: a rename does not adopt members.
	d.replace(second.ID, directory.PersonInput{Attributes: attributes("userName", "ann@example.com"),
		SignInAddress: "bob@example.com"})
	d.remove(second.ID)
	p := d.createFrom(directory.PersonInput{Attributes: attributes("userName", "ann@example.com")})
	if p.MemberID != second.MemberID {
		t.Errorf("adopted %s, want %s", p.MemberID, second.MemberID)
	}
	// The one before is still found by its address.
	if p := d.createFrom(directory.PersonInput{
		Attributes: attributes("userName", "a"), SignInAddress: "ann@example.com",
	}); p.MemberID != first.MemberID {
		t.Errorf("adopted %s, want %s", p.MemberID, first.MemberID)
	}
}

// An identity provider that looks only for active people believes that a person
// who is suspended is not there, and creates again.
func TestTheConflictWithSomebodySuspendedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p, other := d.create("ann@example.com"), d.create("bob@example.com")
	for _, suspended := range []bool{false, true, false} {
		d.replace(p.ID, input("ann@example.com", "active", !suspended))
		_, created := d.CreatePerson(t.Context(), input("ANN@example.com "))
		_, renamed := d.ReplacePerson(t.Context(), other.ID, input("ann@example.com"), "")
		for _, err := range []error{created, renamed} {
			e := wantRefusal(t, err, "user_name_taken")
			told := strings.Contains(e.Detail, "is suspended") && strings.Contains(e.Detail, p.ID) &&
				strings.Contains(e.Detail, "set active to true")
			if told != suspended || suspended && strings.Contains(e.Detail, "another person has") ||
				e.ExistingID != p.ID {
				t.Errorf("suspended %t: %+v", suspended, e)
			}
		}
	}
	// By hand is suspended too.
	if _, err := d.UpdateMember(t.Context(), p.MemberID, directory.MemberUpdate{Suspended: new(true)}, ""); err != nil {
		t.Fatal(err)
	}
	_, err := d.CreatePerson(t.Context(), input("ann@example.com"))
	if e := wantRefusal(t, err, "user_name_taken"); !strings.Contains(e.Detail, "is suspended") {
		t.Errorf("suspended by hand: %s", e.Detail)
	}
}
