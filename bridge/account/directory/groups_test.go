package directory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

func TestGroupMembersChangeTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ann, bob, eve := d.create("ann@example.com").ID, d.create("bob@example.com").ID, d.create("eve@example.com").ID
	nested := d.group("Nested").ID
	many := make([]string, 150)
	for i := range many {
		many[i] = fmt.Sprintf("nobody-%03d", i)
	}

	for _, row := range []struct {
		name     string
		change   directory.GroupUpdate
		members  []string
		unknown  []string
		versions int64 // by how many the version moves
	}{
		{"adding people and a group", directory.GroupUpdate{Add: []string{ann, bob, nested}},
			[]string{ann, bob, nested}, nil,
			1},
		{"adding who is in already", directory.GroupUpdate{Add: []string{ann, ann}},
			[]string{ann, bob, nested}, nil, 0},
		{"removing an id that is not a member", directory.GroupUpdate{Remove: []string{eve, "nobody"}},
			[]string{ann, bob, nested}, nil,
			0},
		{"adding one who is known and two who are not", directory.GroupUpdate{Add: []string{"x", eve, "y"}},
			[]string{ann, bob, eve, nested}, []string{"x", "y"}, 1},
		{"removing and adding at once", directory.GroupUpdate{Add: []string{"z"}, Remove: []string{ann, nested}},
			[]string{bob, eve}, []string{"z"}, 1},
		{"replacing by the same", directory.GroupUpdate{Replace: &[]string{eve, bob, bob}}, []string{bob, eve}, nil, 0},
		{"replacing with an empty list, then adding all again",
			directory.GroupUpdate{Replace: &[]string{}, Add: []string{eve, bob}},
			[]string{bob, eve}, nil, 0},
		{"replacing, then adding and removing", directory.GroupUpdate{
			Replace: &[]string{ann, bob}, Add: []string{nested}, Remove: []string{bob},
		}, []string{ann, nested}, nil, 1},
		{"replacing a member with a known id after many unknown ones", directory.GroupUpdate{
			Add: append(slices.Clone(many), eve), Remove: []string{ann},
			Instead: [][]string{append(slices.Clone(many), eve)},
		}, []string{eve, nested}, many, 1},
		{"replacing with an empty list", directory.GroupUpdate{Replace: &[]string{}}, []string{}, nil, 1},
		{"nothing", directory.GroupUpdate{}, []string{}, nil, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := d.ensureGroup("Engineers")
			got := d.update(before.ID, row.change)
			if !slices.Equal(ids(got.Members), sorted(row.members...)) || got.MemberCount != int64(len(row.members)) {
				t.Errorf("%d members %v, want %v", got.MemberCount, ids(got.Members), sorted(row.members...))
			}
			if !slices.Equal(got.UnknownMembers, row.unknown) {
				t.Errorf("unknown %v, want %v", got.UnknownMembers, row.unknown)
			}
			moved := got.Version - before.Version
			if moved != row.versions || got.ModifiedAt.After(before.ModifiedAt) != (row.versions > 0) {
				t.Errorf("the version moved by %d and the time from %v to %v, want by %d", moved,
					before.ModifiedAt, got.ModifiedAt,
					row.versions)
			}
		})
	}
}

// ensureGroup returns the managed group of a name, made if it is not there.
func (d *fixture) ensureGroup(name string) directory.Group {
	d.t.Helper()
	found, err := d.SearchGroups(d.t.Context(), directory.Search{Filter: eq("displayName", name), Limit: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	if found.Total == 0 {
		return d.group(name)
	}
	return found.Items[0]
}

func TestWhatIsNoGroupChangeIsRefusedWhole(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ann, bob, gone := d.create("ann@example.com").ID, d.create("bob@example.com").ID, d.create("gone@example.com").ID
	d.remove(gone)
	g := d.group("Engineers", ann)
	d.group("Doctors")
	if _, err := d.CreateGroupByHand(t.Context(), "Choir"); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		change directory.GroupUpdate
		code   api.ErrorCode
	}{
		"adding and removing the same": {directory.GroupUpdate{Add: []string{bob}, Remove: []string{bob}},
			"invalid_value"},
		"a group in itself": {directory.GroupUpdate{Add: []string{bob, g.ID}}, "invalid_value"},
		"no displayName": {directory.GroupUpdate{Attributes: json.RawMessage(`{}`), Add: []string{bob}},
			"invalid_value"},
		"members among the attributes": {
			directory.GroupUpdate{
				Attributes: attributes("displayName", "E", "members", []string{}), Add: []string{bob},
			},
			"invalid_value",
		},
		"the name of another group": {
			directory.GroupUpdate{Attributes: attributes("displayName", "doctors"), Add: []string{bob}},
			"group_name_taken",
		},
		"the name of an unmanaged group": {
			directory.GroupUpdate{Attributes: attributes("displayName", "choir"), Add: []string{bob}},
			"group_name_taken",
		},
		"the name of a built-in group": {
			directory.GroupUpdate{Attributes: attributes("displayName", "OWNERS"), Add: []string{bob}}, "protected",
		},
		"only unknown ids instead of all": {directory.GroupUpdate{Replace: &[]string{"x", "y"}}, "members_unknown"},
		"ids in capitals": {directory.GroupUpdate{Replace: &[]string{strings.ToUpper(ann)}},
			"members_unknown"},
		"empty ids":                        {directory.GroupUpdate{Replace: &[]string{"", ""}}, "members_unknown"},
		"the id of a deprovisioned person": {directory.GroupUpdate{Replace: &[]string{gone}}, "members_unknown"},
		"the id of a member": {directory.GroupUpdate{Replace: &[]string{d.person(ann).MemberID}},
			"members_unknown"},
		"emptying and adding only unknown ids": {directory.GroupUpdate{Replace: &[]string{}, Add: []string{"x"}},
			"members_unknown"},
		"only unknown ids, then a known one": {directory.GroupUpdate{Replace: &[]string{"x"}, Add: []string{bob}},
			"members_unknown"},
		"only unknown ids and another name": {
			directory.GroupUpdate{Attributes: attributes("displayName", "E"), Replace: &[]string{"x"}},
			"members_unknown",
		},
		"only unknown ids instead of one": {
			directory.GroupUpdate{Add: []string{"x", "y"}, Remove: []string{ann}, Instead: [][]string{{"x", "y"}}},
			"members_unknown",
		},
		"beside a known id instead of another": {
			directory.GroupUpdate{Add: []string{"x", bob}, Remove: []string{ann}, Instead: [][]string{{bob}, {"x"}}},
			"members_unknown",
		},
		"an empty id in the place of one": {
			directory.GroupUpdate{Add: []string{""}, Remove: []string{ann}, Instead: [][]string{{""}}},
			"members_unknown",
		},
		"in the place of one, and a name": {
			directory.GroupUpdate{Attributes: attributes("displayName", "E"), Add: []string{"x"}, Remove: []string{ann},
				Instead: [][]string{{"x"}}}, "members_unknown",
		},
		"a replacement that is not added": {directory.GroupUpdate{Add: []string{bob}, Instead: [][]string{{"x"}}},
			"invalid_value"},
		"an unknown member and bad names": {
			directory.GroupUpdate{Attributes: attributes("displayName", 1), Add: []string{"x"}}, "invalid_value",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.UpdateGroup(t.Context(), g.ID, row.change, "", true)
			wantRefusal(t, err, row.code)
			got, err := d.Group(t.Context(), g.ID, true)
			if err != nil || got.Version != g.Version || !slices.Equal(ids(got.Members), []string{ann}) {
				t.Errorf("the group is %+v, %v; want it untouched", got, err)
			}
		})
	}
	_, err := d.UpdateGroup(t.Context(), g.ID, directory.GroupUpdate{Replace: &[]string{"x", "y"}}, "", false)
	e := wantRefusal(t, err, "members_unknown")
	if !slices.Equal(e.IDs, []string{"x", "y"}) || !strings.Contains(e.Detail, `"x", "y"`) {
		t.Errorf("refused with %+v, want the ids named", e)
	}
	_, err = d.UpdateGroup(t.Context(), "none", directory.GroupUpdate{}, "", false)
	wantRefusal(t, err, "not_found")
	_, err = d.UpdateGroup(t.Context(), g.ID, directory.GroupUpdate{Add: []string{bob}}, `"0"`, false)
	wantRefusal(t, err, "version_mismatch")
	wantRefusal(t, d.DeleteGroup(t.Context(), g.ID, `"0"`), "version_mismatch")
}

func TestGroupsAreAdoptedByName(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	byHand, err := d.CreateGroupByHand(t.Context(), "Choir")
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.CreateGroupByHand(t.Context(), "CHOIR")
	if e := wantRefusal(t, err, "already_exists"); e.ExistingID != byHand.ID {
		t.Errorf("existing id %s, want %s", e.ExistingID, byHand.ID)
	}
	p := d.create("ann@example.com")
	if err := d.AddGroupMember(t.Context(), byHand.ID, p.MemberID); err != nil {
		t.Fatal(err)
	}
	if got := d.person(p.ID); len(got.Groups) != 0 {
		t.Errorf("an unmanaged group is shown: %v", got.Groups)
	}

	bob := d.create("bob@example.com")
	g := d.group("choir", bob.ID)
	if d.accountGroup("Choir").ID != byHand.ID || !slices.Equal(ids(g.Members), sorted(p.ID, bob.ID)) ||
		g.MemberCount != 2 {
		t.Errorf("adopted as %+v, want the same group with both members", g)
	}
	_, err = d.CreateGroup(t.Context(), directory.GroupInput{Attributes: attributes("displayName", "CHOIR")})
	if e := wantRefusal(t, err, "group_name_taken"); e.ExistingID != g.ID {
		t.Errorf("existing id %s, want %s", e.ExistingID, g.ID)
	}

	// Deleting it removes only the members from provisioning.
	parent := d.group("Parent", g.ID)
	if err := d.DeleteGroup(t.Context(), g.ID, ""); err != nil {
		t.Fatal(err)
	}
	_, err = d.Group(t.Context(), g.ID, false)
	wantRefusal(t, err, "not_found")
	page, err := d.GroupMembers(t.Context(), byHand.ID, "", 10)
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != p.MemberID {
		t.Errorf("members %v, %v; want %s alone", page.Items, err, p.MemberID)
	}
	if got := d.update(parent.ID, directory.GroupUpdate{}); len(got.Members) != 0 || got.MemberCount != 0 {
		t.Errorf("the parent still counts %d, %v", got.MemberCount, got.Members)
	}
	again := d.group("Choir")
	if again.ID == g.ID || !slices.Equal(ids(again.Members), []string{p.ID}) || again.MemberCount != 1 {
		t.Errorf("adopted again as %+v, want a new id and %s", again, p.ID)
	}
}

func TestBuiltInGroupsAreNeitherAdoptedNorFilled(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com")
	for _, name := range []string{"Owners", "administrators", "Team Members"} {
		_, err := d.CreateGroup(t.Context(), directory.GroupInput{
			Attributes: attributes("displayName", name), Members: []string{p.ID},
		})
		if e := wantRefusal(t, err, "protected"); store.Fold(e.Name) != store.Fold(name) {
			t.Errorf("named %q, want %q", e.Name, name)
		}
		if g := d.accountGroup(name); !g.BuiltIn || g.MemberCount != 0 {
			t.Errorf("group %+v", g)
		}
	}
}

func TestAMembershipIsPartOfThePersonToo(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p, bystander := d.create("ann@example.com"), d.create("bob@example.com")
	g := d.group("Engineers", p.ID)
	joined := d.person(p.ID)
	if joined.Version != p.Version+1 || !joined.ModifiedAt.After(p.ModifiedAt) ||
		!slices.Equal(ids(joined.Groups), []string{g.ID}) {
		t.Errorf("joined as %+v, want the next version, in the group", joined)
	}
	d.update(g.ID, directory.GroupUpdate{Remove: []string{p.ID}})
	if left := d.person(p.ID); left.Version != joined.Version+1 || len(left.Groups) != 0 {
		t.Errorf("left as %+v, want the next version, in no group", left)
	}
	if got := d.person(bystander.ID); !reflect.DeepEqual(got, bystander) {
		t.Errorf("the bystander changed to %+v", got)
	}
}

func TestManyWritersOfOneGroupLoseNothing(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	const n = 64
	people := make([]string, n)
	for i := range people {
		people[i] = d.create(fmt.Sprintf("p%d@example.com", i)).ID
	}
	g := d.group("Engineers")
	before := d.Store.Stats()
	var writers sync.WaitGroup
	release := make(chan struct{})
	for _, id := range people {
		writers.Go(func() {
			<-release
			if _, err := d.UpdateGroup(t.Context(), g.ID, directory.GroupUpdate{Add: []string{id}},
				"", false); err != nil {
				t.Error(err)
			}
		})
	}
	close(release)
	writers.Wait()
	got := d.update(g.ID, directory.GroupUpdate{})
	if !slices.Equal(ids(got.Members), sorted(people...)) || got.MemberCount != n || got.Version != g.Version+n {
		t.Errorf("%d members counted, %d listed, version %d; want %d, at version %d", got.MemberCount, len(got.Members),
			got.Version, n, g.Version+n)
	}
	after := d.Store.Stats()
	if commits := after.Commits - before.Commits; commits >= n {
		t.Errorf("%d writes took %d commits, want them to share", n, commits)
	}
}

func TestAddingOneMemberWritesTheSameNumberOfRowsInASmallAndALargeGroup(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	var people []string
	for i := range 60 {
		people = append(people, d.create(fmt.Sprintf("p%d@example.com", i)).ID)
	}
	small, large := d.group("Small"), d.group("Large", people[:59]...)
	rows := func(g directory.Group) (n int64) {
		err := d.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			before, err := storetest.RowsWritten(ctx, tx)
			if err != nil {
				return err
			}
			if _, err := d.UpdateGroup(ctx, g.ID, directory.GroupUpdate{Add: people[59:]}, "", false); err != nil {
				return err
			}
			after, err := storetest.RowsWritten(ctx, tx)
			n = after - before
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	few, many := rows(small), rows(large)
	if few == 0 || few != many {
		t.Errorf("%d rows written for the small group, %d for the large one", few, many)
	}
}
