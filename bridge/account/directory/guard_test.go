package directory_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// limit sets the integration's suspension limit, and releases nothing.
func (d *fixture) limit(text string) {
	d.t.Helper()
	d.raise(text)
	d.sql(`UPDATE integration SET released_limit = ?, idp = 'Okta'`, text)
}

// raise sets a limit for which ReleaseHolds comes next.
func (d *fixture) raise(text string) {
	d.t.Helper()
	d.sql(`UPDATE integration SET active = TRUE, suspension_limit = ?`, text)
}

func (d *fixture) sql(query string, args ...any) {
	d.t.Helper()
	if err := d.Store.Write(d.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
}

// staff makes n people, a1@example.com and so on.
func (d *fixture) staff(n int) (people []directory.Person) {
	d.t.Helper()
	for i := range n {
		people = append(people, d.create(fmt.Sprintf("a%d@example.com", i+1)))
	}
	return people
}

func idsOf(people []directory.Person) (ids []string) {
	for _, p := range people {
		ids = append(ids, p.ID)
	}
	return ids
}

// active replaces a person by what was read with another value of active.
func (d *fixture) active(p directory.Person, active bool) directory.Person {
	d.t.Helper()
	return d.replace(p.ID, input(p.UserName, "active", active))
}

// holds lists the holds as "user name" or "user name in group".
func (d *fixture) holds() (list []string) {
	d.t.Helper()
	for _, h := range d.allHolds() {
		text := h.UserName
		if h.GroupName != "" {
			text += " in " + h.GroupName
		}
		list = append(list, text)
	}
	return list
}

func (d *fixture) allHolds() (all []directory.Hold) {
	d.t.Helper()
	for cursor := ""; ; {
		page, err := d.Holds(d.t.Context(), cursor, 7)
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	n, err := d.CountHolds(d.t.Context())
	if err != nil || int(n.Suspensions+n.Removals) != len(all) || len(all) > 0 && !n.Oldest.Equal(all[0].Since) {
		d.t.Errorf("counted %+v, %v; %d holds are listed", n, err, len(all))
	}
	return all
}

// inForce lists the user names of those that have access, by what administrators see.
func (d *fixture) inForce(in string) (names []string) {
	d.t.Helper()
	f := directory.MemberFilter{}
	if in != "" {
		f.GroupID = d.accountGroup(in).ID
	}
	page, err := d.Members(d.t.Context(), f, "", 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, m := range page.Items {
		if !m.Suspended {
			names = append(names, m.Address)
		}
	}
	return names
}

// told lists the members of a group as provisioning sees them.
func (d *fixture) told(id string) []string {
	d.t.Helper()
	g, err := d.Group(d.t.Context(), id, true)
	if err != nil {
		d.t.Fatal(err)
	}
	if int(g.MemberCount) != len(g.Members) {
		d.t.Errorf("the group counts %d members and has %d", g.MemberCount, len(g.Members))
	}
	return ids(g.Members)
}

func (d *fixture) decideAll(decision directory.Decision) int {
	d.t.Helper()
	n, err := d.DecideAllHolds(d.t.Context(), decision, d.Time())
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// sound checks the whole database.
func (d *fixture) sound() {
	d.t.Helper()
	faults, err := d.Store.Check(context.WithoutCancel(d.t.Context()))
	if err != nil || len(faults) > 0 {
		d.t.Errorf("the database has faults: %v %v", faults, err)
	}
}

func equalLists(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestSuspensionsBeyondTheLimitAreHeld(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	people := append(d.staff(13), d.create("a14@example.com", "active", true))
	for _, p := range people[:13] {
		got := d.active(p, false)
		if !got.Suspended || !strings.Contains(got.Attributes, `"active":false`) {
			t.Errorf("provisioning sees %s as %v, %s", p.UserName, got.Suspended, got.Attributes)
		}
	}
	equalLists(t, "held", d.holds(), []string{"a11@example.com", "a12@example.com", "a13@example.com"})
	equalLists(t, "in force", d.inForce(""),
		[]string{"a11@example.com", "a12@example.com", "a13@example.com", "a14@example.com"})
	for value, want := range map[bool]int64{false: 13, true: 1} {
		found, err := d.SearchPeople(t.Context(), directory.Search{Filter: eq("active", value), Limit: 100})
		if err != nil || found.Total != want {
			t.Errorf("active eq %v finds %d, %v; want %d", value, found.Total, err, want)
		}
	}
	// A replacement that says nothing of active, or the same again, changes nothing.
	d.replace(people[12].ID, input(people[12].UserName, "title", "Dr."))
	d.active(people[12], false)
	if got := d.person(people[12].ID); !got.Suspended {
		t.Error("provisioning sees somebody active that it has suspended")
	}
	if n := len(d.allHolds()); n != 3 {
		t.Errorf("%d holds after repetitions, want 3", n)
	}
	d.sound()
}

func TestWhatTheLimitCounts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, limit string
		do          func(d *fixture, people []directory.Person)
		held        []string
	}{
		{"the second of two", "max(1, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.active(p[0], false)
			d.active(p[1], false)
		}, []string{"a2@example.com"}},
		{"a repeated suspension counts once", "max(2, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.active(p[0], false)
			d.active(p[0], false)
			d.remove(p[0].ID)
			d.active(p[1], false)
		}, nil},
		{"one that ends is counted all the same", "max(1, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.active(p[0], false)
			d.active(p[0], true)
			d.active(p[0], false)
		}, []string{"a1@example.com"}},
		{"those of the last hour", "max(1, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.active(p[0], false)
			d.later(time.Hour)
			d.active(p[1], false)
			d.later(59 * time.Minute)
			d.active(p[2], false)
		}, []string{"a3@example.com"}},
		{"a shorter window", "max(1, 0%)/5m", func(d *fixture, p []directory.Person) {
			d.active(p[0], false)
			d.later(5 * time.Minute)
			d.active(p[1], false)
			d.active(p[2], false)
		}, []string{"a3@example.com"}},
		{"held ones are not counted", "max(1, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.active(p[0], false)
			d.later(30 * time.Minute)
			d.active(p[1], false)
			d.later(31 * time.Minute)
			d.active(p[2], false)
		}, []string{"a2@example.com"}},
		{"approved ones are not counted", "max(1, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.active(p[0], false)
			d.active(p[1], false)
			d.decideAll(directory.Approve)
			d.later(61 * time.Minute)
			d.active(p[2], false)
		}, nil},
		{"a percentage of those with access, rounded down", "max(0, 20%)/1h", func(d *fixture, p []directory.Person) {
			for _, p := range p[:3] { // of ten
				d.active(p, false)
			}
		}, []string{"a3@example.com"}},
		{"the percentage grows with those who join", "max(0, 20%)/1h", func(d *fixture, p []directory.Person) {
			for i := range 5 {
				d.create(fmt.Sprintf("joiner%d@example.com", i))
			}
			for _, p := range p[:4] {
				d.active(p, false)
			}
		}, []string{"a4@example.com"}},
		{"people without access are no part of the percentage", "max(0, 50%)/1h",
			func(d *fixture, p []directory.Person) {
				d.limit("off")
				for _, p := range p[:6] {
					d.active(p, false)
				}
				d.limit("max(0, 50%)/1h")
				for _, p := range p[6:9] {
					d.active(p, false)
				}
			}, []string{"a9@example.com"}},
		{"without a limit nothing is held", "off", func(d *fixture, p []directory.Person) {
			for _, p := range p {
				d.active(p, false)
			}
		}, nil},
		{"a limit of nothing holds all", "max(0, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.active(p[0], false)
		}, []string{"a1@example.com"}},
		{"a limit that nobody can read is the default", "ten", func(d *fixture, p []directory.Person) {
			for _, p := range append(p, d.create("z@example.com")) {
				d.active(p, false)
			}
		}, []string{"z@example.com"}},
		{"deletions", "max(1, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.remove(p[0].ID)
			d.remove(p[1].ID)
		}, []string{"a2@example.com"}},
		{"a person that was never invited has nothing to lose", "max(0, 0%)/1h",
			func(d *fixture, _ []directory.Person) {
				nobody := d.createFrom(directory.PersonInput{Attributes: attributes("userName", "nobody")})
				d.replace(nobody.ID, directory.PersonInput{
					Attributes: attributes("userName", "nobody", "active", false),
				})
				other := d.createFrom(directory.PersonInput{Attributes: attributes("userName", "other")})
				d.remove(other.ID)
			}, nil},
		{"a person that is created inactive", "max(0, 0%)/1h", func(d *fixture, _ []directory.Person) {
			d.create("new@example.com", "active", false)
		}, nil},
		{"a member that is adopted inactive", "max(0, 0%)/1h", func(d *fixture, _ []directory.Person) {
			d.invite("ann@example.com")
			d.create("ann@example.com", "active", false)
		}, []string{"ann@example.com"}},
		{"a suspension by hand is none of provisioning", "max(0, 0%)/1h", func(d *fixture, p []directory.Person) {
			if _, err := d.UpdateMember(d.t.Context(), p[0].MemberID,
				directory.MemberUpdate{Suspended: new(true)}, ""); err != nil {
				d.t.Fatal(err)
			}
			d.active(p[0], false)
		}, nil},
		{"a clock that is set back loses no count", "max(2, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.active(p[0], false)
			d.later(-24 * time.Hour)
			d.active(p[1], false)
			d.active(p[2], false)
		}, []string{"a3@example.com"}},
		{"nor holds people for ever", "max(1, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.later(1000 * time.Hour)
			d.active(p[0], false)
			d.later(-1000 * time.Hour)
			d.active(p[1], false) // held: the count is full
			d.decideAll(directory.Approve)
			d.limit("max(2, 0%)/1h")
			d.active(p[2], false)
			d.later(2 * time.Hour)
			d.active(p[3], false)
			d.active(p[4], false)
		}, nil},
		{"removals from a group", "max(2, 0%)/1h", func(d *fixture, p []directory.Person) {
			g := d.group("Staff", idsOf(p)...)
			d.update(g.ID, directory.GroupUpdate{Remove: idsOf(p[:3])})
		}, []string{"a3@example.com in Staff"}},
		{"a group is emptied", "max(8, 0%)/1h", func(d *fixture, p []directory.Person) {
			g := d.group("Staff", idsOf(p)...)
			d.update(g.ID, directory.GroupUpdate{Replace: &[]string{}})
		}, []string{"a9@example.com in Staff", "a10@example.com in Staff"}},
		{"members are replaced", "max(8, 0%)/1h", func(d *fixture, p []directory.Person) {
			g := d.group("Staff", idsOf(p)...)
			d.update(g.ID, directory.GroupUpdate{Replace: &[]string{p[0].ID}})
		}, []string{"a10@example.com in Staff"}},
		{"a group is deleted", "max(9, 0%)/1h", func(d *fixture, p []directory.Person) {
			d.ungroup(d.group("Staff", idsOf(p)...).ID)
		}, []string{"a10@example.com in Staff"}},
		{"removals are counted apart from suspensions", "max(1, 0%)/1h", func(d *fixture, p []directory.Person) {
			g := d.group("Staff", idsOf(p)...)
			d.active(p[0], false)
			d.update(g.ID, directory.GroupUpdate{Remove: idsOf(p[1:2])})
		}, nil},
		{"removals of the suspended take nothing away", "max(2, 0%)/1h", func(d *fixture, p []directory.Person) {
			g := d.group("Staff", idsOf(p)...)
			d.active(p[0], false)
			d.active(p[1], false)
			d.update(g.ID, directory.GroupUpdate{Remove: idsOf(p[:4])})
		}, nil},
		{"removals of those not in it count nothing", "max(1, 0%)/1h", func(d *fixture, p []directory.Person) {
			g := d.group("Staff", p[0].ID)
			d.update(g.ID, directory.GroupUpdate{Remove: idsOf(p[1:])})
			d.update(g.ID, directory.GroupUpdate{Remove: idsOf(p[:1])})
			d.update(g.ID, directory.GroupUpdate{Remove: idsOf(p[:1])})
		}, nil},
		{"a percentage of the memberships", "max(0, 20%)/1h", func(d *fixture, p []directory.Person) {
			g := d.group("Staff", idsOf(p)...)
			d.group("Others", idsOf(p[:5])...)
			stay := idsOf(p[:6])
			d.update(g.ID, directory.GroupUpdate{Replace: &stay})
		}, []string{"a10@example.com in Staff"}},
		{"the memberships of somebody who is deleted go with the suspension", "max(1, 0%)/1h",
			func(d *fixture, p []directory.Person) {
				for i := range 5 {
					d.group(fmt.Sprintf("G%d", i), p[0].ID)
				}
				d.remove(p[0].ID)
			}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			people := d.staff(10)
			d.limit(row.limit)
			row.do(d, people)
			equalLists(t, "held", d.holds(), row.held)
			d.sound()
			// Whatever is held can be approved, and then is in force as provisioning sees it.
			d.decideAll(directory.Approve)
			equalLists(t, "held after approval", d.holds(), nil)
			d.sound()
			found, err := d.SearchPeople(t.Context(), directory.Search{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range found.Items {
				if m, err := d.Member(t.Context(), p.MemberID); err == nil && m.Suspended != p.Suspended {
					t.Errorf("%s: suspended is %v, and %v for provisioning", p.UserName, m.Suspended, p.Suspended)
				}
			}
		})
	}
}

// ungroup deletes a group.
func (d *fixture) ungroup(id string) {
	d.t.Helper()
	if err := d.DeleteGroup(d.t.Context(), id, ""); err != nil {
		d.t.Fatal(err)
	}
}

func TestWhatBecomesOfAHeldSuspension(t *testing.T) {
	t.Parallel()
	const staff = "Staff"
	for _, row := range []struct {
		name string
		do   func(d *fixture, ann directory.Person, group string)
		// What remains held, whether ann has access, and what groups it is in, in force
		// and for provisioning. Nobody who is gone is in a group for provisioning.
		held            []string
		access, inForce bool
		told            string // "active", "inactive" or "gone"
		toldIn          bool
	}{
		{"nothing", func(*fixture, directory.Person, string) {},
			[]string{"ann@example.com"}, true, true, "inactive", true},
		{"it is approved", func(d *fixture, _ directory.Person, _ string) { d.decideAll(directory.Approve) },
			nil, false, true, "inactive", true},
		{"it is cancelled", func(d *fixture, _ directory.Person, _ string) { d.decideAll(directory.Cancel) },
			nil, true, true, "active", true},
		{"the identity provider says active", func(d *fixture, ann directory.Person, _ string) { d.active(ann, true) },
			nil, true, true, "active", true},
		{"it removes the person from its group, too", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Remove: []string{ann.ID}})
		}, []string{"ann@example.com"}, true, true, "inactive", false},
		{"both are approved", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Remove: []string{ann.ID}})
			d.decideAll(directory.Approve)
		}, nil, false, false, "inactive", false},
		{"both are cancelled", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Remove: []string{ann.ID}})
			d.decideAll(directory.Cancel)
		}, nil, true, true, "active", true},
		{"active again, but not in the group", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Remove: []string{ann.ID}})
			d.active(ann, true)
		}, []string{"ann@example.com in Staff"}, true, true, "active", false},
		{"in the group again, but not active", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Remove: []string{ann.ID}})
			d.update(group, directory.GroupUpdate{Add: []string{ann.ID}})
		}, []string{"ann@example.com"}, true, true, "inactive", true},
		{"all again", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Remove: []string{ann.ID}})
			d.active(ann, true)
			d.update(group, directory.GroupUpdate{Add: []string{ann.ID}})
		}, nil, true, true, "active", true},
		{"the group is deleted", func(d *fixture, _ directory.Person, group string) { d.ungroup(group) },
			[]string{"ann@example.com", "bob@example.com in Staff"}, true, true, "inactive", false},
		{"the group is deleted and made again", func(d *fixture, _ directory.Person, group string) {
			d.ungroup(group)
			d.group(staff)
		}, []string{"ann@example.com", "bob@example.com in Staff"}, true, true, "inactive", false},
		{"the person is deleted", func(d *fixture, ann directory.Person, _ string) { d.remove(ann.ID) },
			[]string{"ann@example.com"}, true, true, "gone", false},
		{"the deletion is approved", func(d *fixture, ann directory.Person, _ string) {
			d.remove(ann.ID)
			d.decideAll(directory.Approve)
		}, nil, false, false, "gone", false},
		{"the deletion is cancelled", func(d *fixture, ann directory.Person, _ string) {
			d.remove(ann.ID)
			d.decideAll(directory.Cancel)
		}, nil, true, true, "gone", false},
		{"the person is created again", func(d *fixture, ann directory.Person, _ string) {
			d.remove(ann.ID)
			d.create("ann@example.com")
		}, []string{"ann@example.com in Staff"}, true, true, "active", false},
		{"the person is created again and put into the group", func(d *fixture, ann directory.Person, group string) {
			d.remove(ann.ID)
			d.update(group, directory.GroupUpdate{Add: []string{d.create("ann@example.com").ID}})
		}, nil, true, true, "active", true},
		{"the person is created again, inactive", func(d *fixture, ann directory.Person, _ string) {
			d.remove(ann.ID)
			d.create("ann@example.com", "active", false)
		}, []string{"ann@example.com"}, true, true, "inactive", false},
		{"an administrator suspends the member", func(d *fixture, ann directory.Person, _ string) {
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(true)})
		}, nil, false, true, "inactive", true},
		{"an administrator makes it one, too", func(d *fixture, ann directory.Person, _ string) {
			d.byHand(ann.MemberID, directory.MemberUpdate{Role: new(store.RoleAdministrator)})
		}, nil, true, true, "active", true},
		{"an administrator gives it another name", func(d *fixture, ann directory.Person, _ string) {
			d.byHand(ann.MemberID, directory.MemberUpdate{Name: new("Ann")})
		}, []string{"ann@example.com"}, true, true, "inactive", true},
		{"an administrator puts it into the group again", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Remove: []string{ann.ID}})
			if err := d.AddGroupMember(d.t.Context(), d.accountGroup(staff).ID, ann.MemberID); err != nil {
				d.t.Fatal(err)
			}
		}, []string{"ann@example.com"}, true, true, "inactive", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			ann := d.joined("ann@example.com")
			group := d.group(staff, ann.ID, d.create("bob@example.com").ID)
			d.limit("max(0, 0%)/1h")
			d.active(ann, false)
			row.do(d, ann, group.ID)
			d.sound()
			equalLists(t, "held", d.holds(), row.held)
			if m := d.member(ann.MemberID); m.Suspended == row.access {
				t.Errorf("suspended is %v", m.Suspended)
			}
			members, err := d.GroupMembers(t.Context(), d.accountGroup(staff).ID, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			in := slices.ContainsFunc(members.Items, func(m directory.Member) bool { return m.ID == ann.MemberID })
			if in != row.inForce {
				t.Errorf("in the group: %v, want %v", in, row.inForce)
			}
			if n := d.accountGroup(staff).MemberCount; n != len(members.Items) {
				t.Errorf("the group counts %d members, and has %d", n, len(members.Items))
			}
			told, toldIn := d.toldOf("ann@example.com")
			if told != row.told || toldIn != row.toldIn {
				t.Errorf("provisioning sees %s, in the group %v; want %s, %v", told, toldIn, row.told, row.toldIn)
			}
		})
	}
}

func (d *fixture) byHand(member string, u directory.MemberUpdate) {
	d.t.Helper()
	if _, err := d.UpdateMember(d.t.Context(), member, u, ""); err != nil {
		d.t.Fatal(err)
	}
}

// toldOf returns what provisioning sees of a person, and whether it is in a group:
// by the person, by the members of groups, and by filters on both alike.
func (d *fixture) toldOf(userName string) (state string, inGroup bool) {
	d.t.Helper()
	found, err := d.SearchPeople(d.t.Context(), directory.Search{Filter: eq("userName", userName), Limit: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	if found.Total == 0 {
		return "gone", false
	}
	p := found.Items[0]
	state = "active"
	if p.Suspended {
		state = "inactive"
	}
	if strings.Contains(p.Attributes, `"active":false`) != p.Suspended {
		d.t.Errorf("provisioning sees suspended as %v, with %s", p.Suspended, p.Attributes)
	}
	groups, err := d.SearchGroups(d.t.Context(), directory.Search{
		Filter: anyOf("members", eq("value", p.ID)), Limit: 10, WithMembers: true,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	if len(groups.Items) != len(p.Groups) {
		d.t.Errorf("the person has %d groups, and %d have it", len(p.Groups), len(groups.Items))
	}
	for _, g := range groups.Items {
		if !slices.Contains(d.told(g.ID), p.ID) {
			d.t.Errorf("the group %s is found by the member that it does not show", g.ID)
		}
	}
	return state, len(p.Groups) > 0
}

func TestWhatBecomesOfAHeldRemoval(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name            string
		do              func(d *fixture, ann directory.Person, group string)
		held            []string
		inForce, toldIn bool
	}{
		{"nothing", func(*fixture, directory.Person, string) {}, []string{"ann@example.com in Staff"}, true, false},
		{"it is approved", func(d *fixture, _ directory.Person, _ string) { d.decideAll(directory.Approve) },
			nil, false, false},
		{"it is cancelled", func(d *fixture, _ directory.Person, _ string) { d.decideAll(directory.Cancel) },
			nil, true, true},
		{"the member is added again", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Add: []string{ann.ID}})
		}, nil, true, true},
		{"the members are replaced by all", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Replace: &[]string{ann.ID}})
		}, nil, true, true},
		{"it is removed again", func(d *fixture, ann directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Remove: []string{ann.ID}})
		}, []string{"ann@example.com in Staff"}, true, false},
		{"the group is deleted", func(d *fixture, _ directory.Person, group string) { d.ungroup(group) },
			[]string{"ann@example.com in Staff"}, true, false},
		{"the group is deleted and approved", func(d *fixture, _ directory.Person, group string) {
			d.ungroup(group)
			d.decideAll(directory.Approve)
		}, nil, false, false},
		{"the group is deleted and cancelled", func(d *fixture, _ directory.Person, group string) {
			d.ungroup(group)
			d.decideAll(directory.Cancel)
		}, nil, true, false},
		{"the group is made again with the member", func(d *fixture, ann directory.Person, group string) {
			d.ungroup(group)
			d.group("Staff", ann.ID)
		}, nil, true, true},
		{"the group is renamed", func(d *fixture, _ directory.Person, group string) {
			d.update(group, directory.GroupUpdate{Attributes: attributes("displayName", "STAFF")})
		}, []string{"ann@example.com in STAFF"}, true, false},
		{"the person is deleted", func(d *fixture, ann directory.Person, _ string) { d.remove(ann.ID) },
			[]string{"ann@example.com in Staff", "ann@example.com"}, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			ann := d.joined("ann@example.com")
			group := d.group("Staff", ann.ID)
			d.limit("max(0, 0%)/1h")
			before := d.person(ann.ID)
			d.update(group.ID, directory.GroupUpdate{Remove: []string{ann.ID}})
			after := d.person(ann.ID)
			if after.Version == before.Version || !after.ModifiedAt.After(before.ModifiedAt) {
				t.Error("the person shows fewer groups in the same version")
			}
			row.do(d, ann, group.ID)
			d.sound()
			equalLists(t, "held", d.holds(), row.held)
			in := slices.Contains(d.inForce("Staff"), "ann@example.com")
			if in != row.inForce {
				t.Errorf("in the group: %v, want %v", in, row.inForce)
			}
			if _, toldIn := d.toldOf("ann@example.com"); toldIn != row.toldIn {
				t.Errorf("provisioning sees it in the group: %v, want %v", toldIn, row.toldIn)
			}
		})
	}
}

func TestAHoldSaysWhoAndByWhat(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ann, bob := d.joined("ann@example.com"), d.joined("bob@example.com")
	group := d.group("Staff", bob.ID)
	d.limit("max(0, 0%)/1h")
	ctx := account.WithCaller(t.Context(), account.Caller{Kind: account.ByBridge, ID: "b1", RequestID: "R1"})
	before := d.Time()
	if _, err := d.ReplacePerson(ctx, ann.ID, input("ann@example.com", "active", false), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.UpdateGroup(ctx, group.ID, directory.GroupUpdate{Remove: []string{bob.ID}}, "", false); err != nil {
		t.Fatal(err)
	}
	holds := d.allHolds()
	for i, want := range []directory.Hold{
		{MemberID: ann.MemberID, PersonID: ann.ID, UserName: "ann@example.com", Address: "ann@example.com"},
		{MemberID: bob.MemberID, PersonID: bob.ID, UserName: "bob@example.com", Address: "bob@example.com",
			GroupID: d.accountGroup("Staff").ID, GroupName: "Staff", ByScim: true},
	} {
		got := holds[i]
		want.ID, want.Since, want.Made = got.ID, got.Since, got.Since
		want.RequestID, want.Client, want.IdP = "R1", "bridge:b1", "Okta"
		want.Name, want.Managed = got.UserName, true
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got.Since.Before(before) || got.Since.After(d.Time()) {
			t.Errorf("held since %s", got.Since)
		}
	}
}

func TestHoldsAreDecidedSingly(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	people := d.staff(4)
	d.limit("max(0, 0%)/1h")
	for _, p := range people {
		d.active(p, false)
	}
	holds := d.allHolds()
	n, gone, err := d.DecideHolds(t.Context(), directory.Approve, []string{holds[1].ID, "x", holds[1].ID})
	if n != 1 || err != nil || !slices.Equal(gone, []string{"x"}) {
		t.Errorf("decided %d, gone %q, %v", n, gone, err)
	}
	if n, _, err := d.DecideHolds(t.Context(), directory.Cancel, []string{holds[2].ID}); n != 1 || err != nil {
		t.Errorf("decided %d, %v", n, err)
	}
	equalLists(t, "held", d.holds(), []string{"a1@example.com", "a4@example.com"})
	equalLists(t, "in force", d.inForce(""), []string{"a1@example.com", "a3@example.com", "a4@example.com"})
	_, _, err = d.DecideHolds(t.Context(), directory.Cancel, []string{holds[2].ID})
	if e := wantRefusal(t, err, "not_found"); !strings.Contains(e.Detail, holds[2].ID) {
		t.Errorf("refused with %q, which does not name the hold", e.Detail)
	}
	_, _, err = d.DecideHolds(t.Context(), directory.Cancel, nil)
	wantRefusal(t, err, "invalid_value")
	d.sound()
}

// An identity provider that sees the account goes on, and what comes after the page
// was read is not decided with it.
func TestAllIsWhatThereWas(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	people := d.staff(3)
	d.limit("max(0, 0%)/1h")
	d.active(people[0], false)
	d.active(people[1], false)
	until := d.Time()
	d.active(people[2], false)
	if n, err := d.DecideAllHolds(t.Context(), directory.Approve, until); n != 2 || err != nil {
		t.Errorf("decided %d, %v", n, err)
	}
	equalLists(t, "held", d.holds(), []string{"a3@example.com"})
}

func TestRaisingTheLimitReleasesWhatFits(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, before, after string
		pause               time.Duration
		held                int // of the 20 people and the 20 memberships each that go
	}{
		{"what fits, with those that went", "max(5, 0%)/1h", "max(12, 0%)/1h", 0, 8},
		{"more after the window", "max(5, 0%)/1h", "max(12, 0%)/1h", 2 * time.Hour, 3},
		{"all without a limit", "max(5, 0%)/1h", "off", 0, 0},
		{"a percentage", "max(5, 0%)/1h", "max(5, 50%)/1h", 0, 10},
		{"all by a percentage", "max(5, 0%)/1h", "max(5, 100%)/1h", 0, 0},
		{"nothing by a lower one, even after the window", "max(5, 0%)/1h", "max(3, 0%)/1h", 2 * time.Hour, 15},
		{"nothing by the same in other words", "max(5, 0%)/1h", "max(5, 0%)/60m", 2 * time.Hour, 15},
		{"nothing where there was none", "off", "max(5, 0%)/1h", 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			people := d.staff(20)
			others := d.group("Staff", idsOf(people)...)
			d.limit(row.before)
			d.update(others.ID, directory.GroupUpdate{Replace: &[]string{}})
			for _, p := range people {
				d.active(p, false)
			}
			d.later(row.pause)
			d.raise(row.after)
			held := d.holds()
			released, err := d.ReleaseHolds(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n, err := d.CountHolds(t.Context())
			want := int64(row.held)
			if err != nil || n.Removals != want || n.Suspensions != want {
				t.Errorf("%+v are held, %v; want %d each", n, err, want)
			}
			left := d.holds()
			if released+len(left) != len(held) {
				t.Errorf("released %d of %d, and %d are left", released, len(held), len(left))
			}
			if k := int(n.Suspensions); !slices.Equal(left[len(left)-k:], held[len(held)-k:]) {
				t.Errorf("left are %q of %q, want the newest", left, held)
			}
			d.sound()
		})
	}
}

// What is released changes what there is, and not what is allowed.
func TestRaisingTheLimitReleasesManyBatches(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	const people = 600
	populate(t, d.Store, people)
	d.limit("max(200, 0%)/24h")
	for i := range people {
		d.replace(fmt.Sprintf("p%d", i+1), input(fmt.Sprintf("p%d@example.com", i+1), "active", false))
	}
	d.raise("max(200, 60%)/24h")
	released, err := d.ReleaseHolds(t.Context())
	if err != nil || released != 160 {
		t.Errorf("released %d, %v; want 160", released, err)
	}
	if n := len(d.allHolds()); n != 240 {
		t.Errorf("%d are held, want 240", n)
	}
}

// A limit counts over its own window from the first suspension on.
func TestAnotherWindowCountsAtOnce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, before, after string
		held                int
	}{
		{"a longer one", "max(1, 0%)/1h", "max(1, 0%)/24h", 1},
		{"a shorter one", "max(1, 0%)/24h", "max(1, 0%)/1h", 0},
		{"none before", "off", "max(0, 0%)/1h", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			people := d.staff(2)
			d.limit(row.before)
			d.active(people[0], false)
			d.later(2 * time.Hour)
			d.limit(row.after)
			d.active(people[1], false)
			if held := d.holds(); len(held) != row.held {
				t.Errorf("held are %q, want %d", held, row.held)
			}
		})
	}
}

// Two servers of one account count in its database.
func TestTwoServersHaveOneLimit(t *testing.T) {
	t.Parallel()
	path := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	var servers [2]*directory.Directory
	for i := range servers {
		s, err := store.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		var a *account.Account
		if i == 0 {
			a, err = account.Create(t.Context(), s, "Example", time.Now, rand.Reader)
		} else {
			a, err = account.Load(t.Context(), s)
		}
		if err != nil {
			t.Fatal(err)
		}
		servers[i] = directory.New(a)
	}
	const people = 60
	var ids [people]string
	for i := range people {
		p, err := servers[0].CreatePerson(t.Context(), input(fmt.Sprintf("p%d@example.com", i)))
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = p.ID
	}
	done := make(chan error)
	for i := range people {
		go func() {
			_, err := servers[i%2].ReplacePerson(context.WithoutCancel(t.Context()), ids[i],
				input(fmt.Sprintf("p%d@example.com", i), "active", false), "")
			done <- err
		}()
		go func() { // joiners are never hindered
			_, err := servers[i%2].CreatePerson(context.WithoutCancel(t.Context()),
				input(fmt.Sprintf("new%d@example.com", i)))
			done <- err
		}()
	}
	for range 2 * people {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	n, err := servers[1].CountHolds(t.Context())
	if err != nil || n.Suspensions != people-10 {
		t.Errorf("%+v, %v; want %d", n, err, people-10)
	}
}

// A group of thousands that an identity provider empties.
func TestALargeGroupIsEmptied(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	const size = 2000
	populate(t, d.Store, size)
	everybody := make([]string, size)
	for i := range everybody {
		everybody[i] = fmt.Sprintf("p%d", i+1)
	}
	g := d.group("Everybody", everybody...)
	d.update(g.ID, directory.GroupUpdate{Replace: &[]string{}})
	equalLists(t, "told", d.told(g.ID), nil)
	if n, err := d.CountHolds(t.Context()); err != nil || n.Removals != size-size/20 {
		t.Errorf("%+v are held, %v; want %d", n, err, size-size/20)
	}
	if n := d.accountGroup("Everybody").MemberCount; n != size-size/20 {
		t.Errorf("the group has %d members", n)
	}
	if n := d.decideAll(directory.Cancel); n != size-size/20 {
		t.Errorf("cancelled %d", n)
	}
	if n := len(d.told(g.ID)); n != size-size/20 {
		t.Errorf("provisioning sees %d members", n)
	}
	d.sound()
}
