package directory_test

import (
	"encoding/json"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// padded are spellings of a name with blanks around it.
func padded(name string) []string {
	return []string{
		" " + name, name + " ", "\t" + name + "\r\n", "\u00a0" + name + "\u3000", "\ufeff" + name + "\u200b",
	}
}

// Exports of HR systems pad their columns; " ann" and "ann" are one person.
func TestBlanksAroundAUserNameDoNotCount(t *testing.T) {
	t.Parallel()
	for _, name := range padded("ann@example.com") {
		d := newDirectory(t)
		p := d.createFrom(directory.PersonInput{SignInAddress: name,
			Attributes: attributes("userName", name, "floor", 3,
				"emails", []any{map[string]any{
					"value": name, "type": "work", "display": " kept <as> sent ",
				}, "x@y.org"})})
		want := `{"emails":[{"display":" kept <as> sent ` +
			`","type":"work","value":"ann@example.com"},"x@y.org"],"floor":3,"userName":"ann@example.com"}`
		if p.Attributes != want {
			t.Errorf("%q is kept as\n%s\nwant\n%s", name, p.Attributes, want)
		}
		if p.State != store.Invited || p.Address != "ann@example.com" {
			t.Errorf("%q is %s at %q", name, p.State, p.Address)
		}
		// No other person gets that name, however it is padded.
		other := d.create("bob@example.com")
		for _, again := range append(padded("Ann@Example.com"), "ann@example.com") {
			_, err := d.CreatePerson(t.Context(), input(again))
			wantRefusal(t, err, "user_name_taken")
			_, err = d.ReplacePerson(t.Context(), other.ID, input(again), "")
			wantRefusal(t, err, "user_name_taken")
		}
		// Writing it again with other blanks is no change.
		got := d.replace(p.ID, directory.PersonInput{SignInAddress: name, Attributes: json.RawMessage(p.Attributes)})
		if got.Version != p.Version {
			t.Errorf("%q: version %d of %d", name, got.Version, p.Version)
		}
		d.remove(p.ID)
		if again := d.createFrom(directory.PersonInput{
			Attributes: attributes("userName", name+" "),
		}); again.MemberID != p.MemberID {
			t.Errorf("%q did not adopt the member who had the name last", name)
		}
		if faults, err := d.Store.Check(t.Context()); err != nil || len(faults) > 0 {
			t.Errorf("%q leaves %v, %v", name, faults, err)
		}
	}
	d := newDirectory(t)
	_, err := d.CreatePerson(t.Context(), directory.PersonInput{Attributes: attributes("userName", " \u00a0\u200b")})
	wantRefusal(t, err, "invalid_value")
}

func TestBlanksAroundAGroupNameDoNotCount(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	byHand, err := d.CreateGroupByHand(t.Context(), " Choir ")
	if err != nil || byHand.Name != "Choir" {
		t.Fatalf("made %+v, %v", byHand, err)
	}
	_, err = d.CreateGroupByHand(t.Context(), "\u200b ")
	wantRefusal(t, err, "invalid_value")
	for i, name := range padded("Choir") {
		g := d.group(name)
		if d.accountGroup(" choir ").ID != byHand.ID || g.Attributes != `{"displayName":"Choir"}` {
			t.Errorf("%q made %+v", name, g)
		}
		other := d.group([]string{"A", "B", "C", "D", "E"}[i])
		for _, again := range append(padded("CHOIR"), "choir") {
			_, err := d.CreateGroup(t.Context(), directory.GroupInput{Attributes: attributes("displayName", again)})
			wantRefusal(t, err, "group_name_taken")
			_, err = d.UpdateGroup(t.Context(), other.ID,
				directory.GroupUpdate{Attributes: attributes("displayName", again)},
				"", false)
			wantRefusal(t, err, "group_name_taken")
		}
		if err := d.DeleteGroup(t.Context(), g.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range padded("Owners") {
		_, err := d.CreateGroup(t.Context(), directory.GroupInput{Attributes: attributes("displayName", name)})
		wantRefusal(t, err, "protected")
	}
}

func TestBlanksAroundAnAddressDoNotCount(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	m := d.invite(" ann@example.com\u00a0")
	if m.Address != "ann@example.com" {
		t.Errorf("invited at %q", m.Address)
	}
	found, err := d.Members(t.Context(), directory.MemberFilter{Address: "\tann@example.com "}, "", 10)
	if err != nil || len(found.Items) != 1 {
		t.Errorf("found %v, %v", found.Items, err)
	}
	p := d.createFrom(directory.PersonInput{
		Attributes: attributes("userName", "ann"), SignInAddress: " ANN@example.com",
	})
	if p.MemberID != m.ID {
		t.Errorf("adopted %+v, want the member who has the address", p)
	}
}

func TestFiltersPassOverBlanksAroundNames(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ann := d.createFrom(directory.PersonInput{Attributes: attributes("userName", " ann lee ", "displayName", " Ann ",
		"emails", []any{map[string]any{"value": "ann@home.org ", "type": "home"}})})
	d.createFrom(directory.PersonInput{Attributes: attributes("userName", "ann leeds")})
	d.group(" The Choir ", ann.ID)
	for _, row := range []struct {
		name   string
		filter *bridge.Predicate
		want   int
	}{
		{"eq without blanks", eq("userName", "Ann Lee"), 1},
		{"eq with blanks", eq("userName", "\u00a0ann lee "), 1},
		{"ne with blanks", leaf("ne", "userName", " ann lee "), 1},
		{"sw with a blank before", leaf("sw", "userName", " ann"), 2},
		{"sw with a blank behind, which is inside the name", leaf("sw", "userName", "ann l "), 0},
		{"ew with a blank behind", leaf("ew", "userName", "lee "), 1},
		{"ew with a blank before, which is inside the name", leaf("ew", "userName", " lee"), 1},
		{"co with blanks, which are inside the name", leaf("co", "userName", " lee "), 0},
		{"an e-mail value", anyOf("emails", eq("value", " ann@home.org")), 1},
		{"an e-mail value beside something else",
			anyOf("emails", with("and", eq("value", "ann@home.org\t"), leaf("pr", "type", nil))), 1},
		{"none of them", with("not", anyOf("emails", eq("value", " ann@home.org "))), 1},
		{"a group's name", anyOf("groups", eq("display", " the choir ")), 1},
		{"a display name is kept as sent", eq("displayName", "Ann"), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			found, err := d.SearchPeople(t.Context(), directory.Search{Filter: row.filter, Limit: 10})
			if err != nil || int(found.Total) != row.want {
				t.Errorf("found %d, %v; want %d", found.Total, err, row.want)
			}
		})
	}
	found, err := d.SearchGroups(t.Context(), directory.Search{Filter: eq("displayName", "the choir\u2003"), Limit: 10})
	if err != nil || found.Total != 1 || found.Items[0].Attributes != `{"displayName":"The Choir"}` {
		t.Errorf("found %+v, %v", found.Items, err)
	}
}
