package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

const nothing = "max(0, 0%)/1h"

// decideKind decides the holds of a kind by their ids.
func (d *fixture) decideKind(decision directory.Decision, kind string) {
	d.t.Helper()
	var ids []string
	for _, h := range d.allHolds() {
		if h.Kind() == kind {
			ids = append(ids, h.ID)
		}
	}
	if _, _, err := d.DecideHolds(d.t.Context(), decision, ids); err != nil {
		d.t.Fatal(err)
	}
}

// A removal takes nothing away from a member that is suspended, so nothing is left to
// decide, whichever came first.
func TestASuspensionCarriesOutTheHeldRemovalsOfItsMember(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(d *fixture, ann directory.Person)
		held []string
	}{
		{"the suspension is within the limit", func(d *fixture, ann directory.Person) {
			d.limit("max(1, 0%)/1h")
			d.active(ann, false)
		}, nil},
		{"the deletion is within the limit", func(d *fixture, ann directory.Person) {
			d.limit("max(1, 0%)/1h")
			d.remove(ann.ID)
		}, nil},
		{"there is no limit any more", func(d *fixture, ann directory.Person) {
			d.limit("off")
			d.active(ann, false)
		}, nil},
		{"the suspension is held, too", func(d *fixture, ann directory.Person) { d.active(ann, false) },
			[]string{"ann@example.com in Staff", "ann@example.com in Board", "ann@example.com"}},
		{"the held suspension is approved", func(d *fixture, ann directory.Person) {
			d.active(ann, false)
			d.decideKind(directory.Approve, store.Suspension)
		}, nil},
		{"the held deletion is approved", func(d *fixture, ann directory.Person) {
			d.remove(ann.ID)
			d.decideKind(directory.Approve, store.Suspension)
		}, nil},
		{"the held suspension is approved by hand", func(d *fixture, ann directory.Person) {
			d.active(ann, false)
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(true)})
		}, nil},
		{"a higher limit releases the suspension", func(d *fixture, ann directory.Person) {
			d.active(ann, false)
			d.decideKind(directory.Cancel, store.Removal)
			for _, name := range []string{"Staff", "Board"} {
				d.update(d.toldGroup(name), directory.GroupUpdate{Remove: []string{ann.ID}})
			}
			d.raise("max(1, 0%)/1h")
			if n, err := d.ReleaseHolds(d.t.Context()); n != 1 || err != nil {
				d.t.Errorf("released %d, %v", n, err)
			}
		}, nil},
		{"a person whom an administrator suspended is deleted", func(d *fixture, ann directory.Person) {
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(true)})
			d.remove(ann.ID)
		}, nil},
		{"an administrator suspends the member, which decides no request of provisioning",
			func(d *fixture, ann directory.Person) {
				d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(true)})
			}, []string{"ann@example.com in Staff", "ann@example.com in Board"}},
		{"the identity provider suspends whom an administrator has suspended", func(d *fixture, ann directory.Person) {
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(true)})
			d.active(ann, false)
		}, nil},
		{"an administrator suspends whom the identity provider has suspended", func(d *fixture, ann directory.Person) {
			d.limit("max(1, 0%)/1h")
			d.active(ann, false)
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(true)})
		}, nil},
		{"both suspend the member, and the administrator lets it in again", func(d *fixture, ann directory.Person) {
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(true)})
			d.active(ann, false)
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(false)})
		}, nil},
		{"an administrator suspends the member and lets it in again", func(d *fixture, ann directory.Person) {
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(true)})
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(false)})
		}, []string{"ann@example.com in Staff", "ann@example.com in Board"}},
		{"the held suspension is cancelled, which decides nothing else", func(d *fixture, ann directory.Person) {
			d.active(ann, false)
			d.decideKind(directory.Cancel, store.Suspension)
		}, []string{"ann@example.com in Staff", "ann@example.com in Board"}},
		{"the identity provider says active, which decides nothing else", func(d *fixture, ann directory.Person) {
			d.active(ann, false)
			d.active(ann, true)
		}, []string{"ann@example.com in Staff", "ann@example.com in Board"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			ann := d.joined("ann@example.com")
			staff, board := d.group("Staff", ann.ID), d.group("Board")
			if err := d.AddGroupMember(t.Context(), d.accountGroup("Board").ID, ann.MemberID); err != nil {
				t.Fatal(err)
			}
			d.limit(nothing)
			for _, g := range []directory.Group{staff, board} {
				d.update(g.ID, directory.GroupUpdate{Remove: []string{ann.ID}})
			}
			row.do(d, ann)
			equalLists(t, "held", d.holds(), row.held)
			for _, name := range []string{"Staff", "Board"} {
				want := 0
				if len(row.held) > 0 {
					want = 1
				}
				if n := d.accountGroup(name).MemberCount; n != want {
					t.Errorf("%s has %d members, want %d", name, n, want)
				}
			}
			d.sound()
		})
	}
}

// toldGroup is the SCIM id of a group.
func (d *fixture) toldGroup(name string) string {
	d.t.Helper()
	found, err := d.SearchGroups(d.t.Context(), directory.Search{Filter: eq("displayName", name), Limit: 1})
	if err != nil || found.Total != 1 {
		d.t.Fatalf("found %d groups %s, %v", found.Total, name, err)
	}
	return found.Items[0].ID
}

// Both are decided, whichever id comes first, and none is reported as gone.
func TestASuspensionAndTheRemovalsItCarriesOutAreDecidedTogether(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		decide func(d *fixture, ids []string) (n int, gone []string, err error)
	}{
		{"in the order of the list", func(d *fixture, ids []string) (int, []string, error) {
			return d.DecideHolds(d.t.Context(), directory.Approve, ids)
		}},
		{"the other way round", func(d *fixture, ids []string) (int, []string, error) {
			slices.Reverse(ids)
			return d.DecideHolds(d.t.Context(), directory.Approve, ids)
		}},
		{"in two batches", func(d *fixture, ids []string) (int, []string, error) {
			slices.Reverse(ids)
			for i := range 99 {
				ids = slices.Insert(ids, 1, fmt.Sprint("none", i))
			}
			n, gone, err := d.DecideHolds(d.t.Context(), directory.Approve, ids)
			return n, gone[99:], err
		}},
		{"all", func(d *fixture, _ []string) (int, []string, error) {
			n, err := d.DecideAllHolds(d.t.Context(), directory.Approve, d.Time())
			return n, nil, err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			ann := d.joined("ann@example.com")
			staff := d.group("Staff", ann.ID)
			d.limit(nothing)
			d.update(staff.ID, directory.GroupUpdate{Remove: []string{ann.ID}})
			d.active(ann, false)
			var ids []string
			for _, h := range d.allHolds() {
				ids = append(ids, h.ID)
			}
			if n, gone, err := row.decide(d, ids); n != 2 || len(gone) > 0 || err != nil {
				t.Errorf("decided %d, gone %q, %v; want 2", n, gone, err)
			}
			equalLists(t, "held", d.holds(), nil)
			d.sound()
		})
	}
}

// A client that repeats an id is told how many holds were decided, and each that is gone once.
func TestAnIDThatIsGivenTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ann := d.joined("ann@example.com")
	d.limit(nothing)
	d.active(ann, false)
	id := d.allHolds()[0].ID
	ids := append(slices.Repeat([]string{id, "none"}, 60), id) // more than one batch
	n, gone, err := d.DecideHolds(t.Context(), directory.Approve, ids)
	if n != 1 || !slices.Equal(gone, []string{"none"}) || err != nil {
		t.Errorf("decided %d, gone %q, %v; want 1 each", n, gone, err)
	}
}

// The server may stop, or its client leave, at any time.
func TestRaisingTheLimitGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	const people = 350
	populate(t, d.Store, people)
	d.limit(nothing)
	for i := range people {
		d.replace(fmt.Sprintf("p%d", i+1), input(fmt.Sprintf("p%d@example.com", i+1), "active", false))
	}
	d.raise("max(320, 0%)/1h")
	ctx, cancel := context.WithCancel(t.Context())
	d.mu.Lock()
	d.ticks, d.alarm = 200, cancel
	d.mu.Unlock()
	first, err := d.ReleaseHolds(ctx)
	if !errors.Is(err, context.Canceled) || first == 0 || first >= 320 {
		t.Fatalf("released %d, %v; want some", first, err)
	}
	rest, err := d.ReleaseHolds(t.Context())
	if err != nil || first+rest != 320 {
		t.Errorf("released %d and %d, %v; want 320", first, rest, err)
	}
	// What is done is not done again, however long ago.
	d.later(24 * time.Hour)
	if n, err := d.ReleaseHolds(t.Context()); n != 0 || err != nil {
		t.Errorf("released %d more, %v", n, err)
	}
	if n := len(d.allHolds()); n != 30 {
		t.Errorf("%d are held, want 30", n)
	}
	d.sound()
}

// A limit that is lowered before the higher one was all used gives nothing more.
func TestALimitThatIsLoweredReleasesNothingMore(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	people := d.staff(4)
	d.limit("max(1, 0%)/1h")
	for _, p := range people {
		d.active(p, false)
	}
	d.raise("off")
	d.raise("max(1, 0%)/30m") // before anything was released
	d.later(time.Hour)
	for _, text := range []string{"max(1, 0%)/30m", "max(0, 0%)/30m"} {
		d.raise(text)
		if n, err := d.ReleaseHolds(t.Context()); n != 0 || err != nil {
			t.Errorf("%s released %d, %v", text, n, err)
		}
	}
	d.raise("max(1, 0%)/30m")
	if n, err := d.ReleaseHolds(t.Context()); n != 1 || err != nil {
		t.Errorf("released %d, %v; want what is more than before", n, err)
	}
}

// An operator decides about all that was read, and about nothing that came later,
// whatever the clock says of it.
func TestAllIsNothingThatCameLater(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		// What is held before and after the list is read.
		before, after func(d *fixture, people []directory.Person, group string)
		left          []string
	}{
		{"the clock is set back",
			func(d *fixture, p []directory.Person, _ string) { d.active(p[0], false) },
			func(d *fixture, p []directory.Person, _ string) {
				d.later(-time.Hour)
				d.active(p[1], false)
			}, []string{"a2@example.com"}},
		{"the clock is set back and nothing was held", func(*fixture, []directory.Person, string) {},
			func(d *fixture, p []directory.Person, _ string) {
				d.later(-time.Hour)
				d.active(p[1], false)
			}, []string{"a2@example.com"}},
		{"the clock is set back and nothing is held any more",
			func(d *fixture, p []directory.Person, _ string) {
				d.active(p[0], false)
				d.active(p[0], true)
			},
			func(d *fixture, p []directory.Person, _ string) {
				d.later(-time.Hour)
				d.active(p[1], false)
			}, []string{"a2@example.com"}},
		{"a removal was part of a suspension that the identity provider took back",
			func(d *fixture, p []directory.Person, group string) {
				d.active(p[0], false)
				d.update(group, directory.GroupUpdate{Remove: []string{p[0].ID}})
				d.active(p[1], false)
			},
			func(d *fixture, p []directory.Person, _ string) { d.active(p[0], true) },
			[]string{"a1@example.com in Staff"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			people := d.staff(3)
			group := d.group("Staff", idsOf(people)...)
			d.limit(nothing)
			row.before(d, people, group.ID)
			read, err := d.CountHolds(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			row.after(d, people, group.ID)
			n, err := d.DecideAllHolds(t.Context(), directory.Approve, read.AsOf)
			if err != nil {
				t.Fatal(err)
			}
			equalLists(t, fmt.Sprintf("held after %d were decided", n), d.holds(), row.left)
			if n, err = d.DecideAllHolds(t.Context(), directory.Approve, d.asOf()); n != len(row.left) || err != nil {
				t.Errorf("then %d were decided, %v", n, err)
			}
			d.sound()
		})
	}
}

// A clock that was once in the future says nothing about what is held under the right one,
// and "all as of" is what the list had.
func TestAClockThatWasWrongDatesNoLaterHold(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		ahead time.Duration // at the first hold
		back  bool          // whether the first is taken back
	}{
		{"by a century", 100 * 365 * 24 * time.Hour, false},
		{"by a century, and nothing is held any more", 100 * 365 * 24 * time.Hour, true},
		{"by an hour", time.Hour, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			people := d.staff(4)
			group := d.group("Staff", idsOf(people)...)
			d.limit(nothing)
			d.later(row.ahead)
			d.active(people[0], false)
			if row.back {
				d.active(people[0], true)
			}
			d.later(-row.ahead)
			then := d.asOf()
			now := d.Time()
			d.active(people[1], false)
			d.update(group.ID, directory.GroupUpdate{Remove: []string{people[1].ID, people[2].ID}})
			d.active(people[1], true) // the removal is held by itself now
			d.active(people[3], false)
			page, err := d.Holds(t.Context(), "", 10)
			if err != nil {
				t.Fatal(err)
			}
			later := page.Items[len(page.Items)-3:]
			for _, h := range later {
				if ahead := h.Since.Sub(now); ahead < -time.Minute || ahead > time.Minute {
					t.Errorf("the %s of %s is held since %s, want about %s", h.Kind(), h.UserName, h.Since, now)
				}
			}
			earlier := len(page.Items) - len(later)
			if n, err := d.DecideAllHolds(t.Context(), directory.Approve, then); n != earlier || err != nil {
				t.Errorf("decided %d as of the first list, %v; want %d", n, err, earlier)
			}
			if n, err := d.DecideAllHolds(t.Context(), directory.Approve, d.asOf()); n != len(later) || err != nil {
				t.Errorf("decided %d as of the second list, %v; want %d", n, err, len(later))
			}
			d.sound()
		})
	}
}

func (d *fixture) asOf() time.Time {
	d.t.Helper()
	n, err := d.CountHolds(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return n.AsOf
}

// Many groups make no removal slower.
func TestMembershipsAreCountedOnce(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	people := d.staff(10)
	g := d.group("Staff", idsOf(people)...)
	d.limit("max(0, 10%)/1h")
	d.sql(`UPDATE groups SET managed_count = managed_count + 1000`) // which nothing reads
	d.update(g.ID, directory.GroupUpdate{Remove: idsOf(people[:2])})
	if n := len(d.allHolds()); n != 1 {
		t.Errorf("%d of two removals are held, want one: the groups were counted", n)
	}
}

// What counts the memberships of all groups follows what becomes of them.
func TestTheCountOfMembershipsFollows(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	people := d.staff(4)
	inner := d.group("Inner", idsOf(people[:2])...)
	outer := d.group("Outer", inner.ID, people[2].ID)
	byHand := d.invite("eve@example.com")
	for _, step := range []struct {
		name string
		do   func()
		want int64
	}{
		{"two groups, one in the other", func() {}, 4},
		{"a member joins", func() { d.update(inner.ID, directory.GroupUpdate{Add: idsOf(people[3:])}) }, 5},
		{"a member leaves", func() { d.update(outer.ID, directory.GroupUpdate{Remove: idsOf(people[2:3])}) }, 4},
		{"an unmanaged member is put in", func() {
			if err := d.AddGroupMember(t.Context(), d.accountGroup("Outer").ID, byHand.ID); err != nil {
				t.Fatal(err)
			}
		}, 4},
		{"it becomes managed", func() { d.create("eve@example.com") }, 5},
		{"a member of one group is deleted", func() { d.remove(people[0].ID) }, 4},
		{"the inner group is deleted", func() { d.ungroup(inner.ID) }, 1},
		{"the outer group is deleted", func() { d.ungroup(outer.ID) }, 1},
		{"the group is adopted", func() { d.group("Inner", people[1].ID) }, 2},
	} {
		step.do()
		var w store.Withdrawals
		err := d.Store.Read(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
			w, err = tx.Withdrawn(ctx, store.Removal, time.Time{})
			return err
		})
		if err != nil || w.Present != step.want {
			t.Errorf("%s: %d memberships, %v; want %d", step.name, w.Present, err, step.want)
		}
		d.sound()
	}
}

// The identity provider corrects the address of somebody whose suspension is held: the
// old link must not work, and the person keeps the way in.
func TestTheAddressOfAnInvitedPersonIsCorrectedWhileItsSuspensionIsHeld(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		after func(d *fixture, ann directory.Person)
		open  bool // whether the new link works
	}{
		{"and nothing else", func(*fixture, directory.Person) {}, true},
		{"and the suspension is cancelled",
			func(d *fixture, _ directory.Person) { d.decideAll(directory.Cancel) }, true},
		{"and the suspension is approved",
			func(d *fixture, _ directory.Person) { d.decideAll(directory.Approve) }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			ann := d.create("typo@example.com")
			_, old := d.mailTo("typo@example.com")
			d.limit(nothing)
			d.active(ann, false)
			in := input("typo@example.com", "active", false)
			in.SignInAddress = "ann@example.com"
			d.replace(ann.ID, in)
			row.after(d, ann)
			if _, err := d.AcceptInvitation(t.Context(), old); err == nil {
				t.Error("the link in the old mailbox still works")
			}
			if got := d.member(ann.MemberID).Address; got != "ann@example.com" {
				t.Errorf("the address is %s", got)
			}
			n, token := d.mailTo("ann@example.com")
			if n != 1 {
				t.Fatalf("%d mails went to the new address", n)
			}
			if _, err := d.AcceptInvitation(t.Context(), token); (err == nil) != row.open {
				t.Errorf("following the new link: %v", err)
			}
			d.sound()
		})
	}
}

// For the identity provider that is a reactivation like any other.
func TestAReactivationSendsAnInvitationThatHasExpiredMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ann := d.create("ann@example.com")
	d.limit(nothing)
	d.active(ann, false)
	d.later(account.LinkLife)
	d.active(ann, true)
	if n, _ := d.mailTo("ann@example.com"); n != 2 {
		t.Errorf("%d mails, want a new invitation", n)
	}
}

// Nobody that the identity provider has deleted gets in without somebody who decides
// so, and nobody waits for a confirmation that cannot come.
func TestAPersonThatIsDeletedBeforeItJoined(t *testing.T) {
	t.Parallel()
	accept := func(d *fixture, link string) {
		d.t.Helper()
		if _, err := d.AcceptInvitation(d.t.Context(), link); err != nil {
			d.t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name      string
		do        func(d *fixture, ann directory.Person, link string)
		state     string
		suspended bool
	}{
		{"it follows the link while the deletion is held", func(d *fixture, ann directory.Person, link string) {
			d.remove(ann.ID)
			accept(d, link)
		}, store.Pending, false},
		{"and the deletion is cancelled", func(d *fixture, ann directory.Person, link string) {
			d.remove(ann.ID)
			accept(d, link)
			d.decideAll(directory.Cancel)
		}, store.Active, false},
		{"and the deletion is approved", func(d *fixture, ann directory.Person, link string) {
			d.remove(ann.ID)
			accept(d, link)
			d.decideAll(directory.Approve)
		}, store.Pending, true},
		{"it follows the link after the deletion was cancelled", func(d *fixture, ann directory.Person, link string) {
			d.remove(ann.ID)
			d.decideAll(directory.Cancel)
			accept(d, link)
		}, store.Active, false},
		{"it had followed the link, and the deletion is cancelled",
			func(d *fixture, ann directory.Person, link string) {
				accept(d, link)
				d.remove(ann.ID)
				d.decideAll(directory.Cancel)
			}, store.Active, false},
		{"it had followed the link, and gets a role that provisioning must not suspend",
			func(d *fixture, ann directory.Person, link string) {
				accept(d, link)
				d.remove(ann.ID)
				d.byHand(ann.MemberID, directory.MemberUpdate{Role: new(store.RoleAdministrator)})
			}, store.Active, false},
		{"it had followed the link, and an administrator reactivates it after the deletion",
			func(d *fixture, ann directory.Person, link string) {
				accept(d, link)
				d.limit("off")
				d.remove(ann.ID)
				d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(false)})
			}, store.Active, false},
		{"an administrator reactivates it before that", func(d *fixture, ann directory.Person, _ string) {
			d.limit("off")
			d.remove(ann.ID)
			d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(false)})
		}, store.Invited, false},
		{"it is created again, and waits to be confirmed", func(d *fixture, ann directory.Person, link string) {
			d.remove(ann.ID)
			accept(d, link)
			d.create("ann@example.com")
		}, store.Pending, false},
		{"it is created again, and is confirmed", func(d *fixture, ann directory.Person, link string) {
			d.remove(ann.ID)
			accept(d, link)
			again := d.create("ann@example.com")
			if err := d.ConfirmPerson(d.t.Context(), again.ID); err != nil {
				d.t.Fatal(err)
			}
		}, store.Active, false},
		{"an administrator reactivates a person that provisioning can still confirm",
			func(d *fixture, ann directory.Person, link string) {
				accept(d, link)
				d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(true)})
				d.byHand(ann.MemberID, directory.MemberUpdate{Suspended: new(false)})
			}, store.Pending, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			ann := d.create("ann@example.com")
			_, link := d.mailTo("ann@example.com")
			d.limit(nothing)
			row.do(d, ann, link)
			if m := d.member(ann.MemberID); m.State != row.state || m.Suspended != row.suspended {
				t.Errorf("the member is %s, suspended %v; want %s, %v", m.State, m.Suspended, row.state, row.suspended)
			}
			d.sound()
		})
	}
}

// Removals that were part of a held suspension are the limit's again when the person is
// active again.
func TestAReactivationAsksTheLimitForTheRemovals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, limit string
		held        int
	}{
		{"all are within it", "max(2, 0%)/1h", 0},
		{"there is none", "off", 0},
		{"one is within it", "max(1, 0%)/1h", 1},
		{"none is within it", nothing, 2},
	} {
		for _, how := range []struct {
			name string
			do   func(d *fixture, ann directory.Person, groups []string)
		}{
			{"set active", func(d *fixture, ann directory.Person, groups []string) {
				d.active(ann, false)
				for _, g := range groups {
					d.update(g, directory.GroupUpdate{Remove: []string{ann.ID}})
				}
				d.limit(row.limit)
				d.active(ann, true)
			}},
			{"created again", func(d *fixture, ann directory.Person, _ []string) {
				d.remove(ann.ID)
				d.limit(row.limit)
				d.create("ann@example.com")
			}},
		} {
			t.Run(row.name+", "+how.name, func(t *testing.T) {
				t.Parallel()
				d := newDirectory(t)
				ann := d.joined("ann@example.com")
				groups := []string{d.group("A", ann.ID).ID, d.group("B", ann.ID).ID}
				d.limit(nothing)
				how.do(d, ann, groups)
				in := d.accountGroup("A").MemberCount + d.accountGroup("B").MemberCount
				if held := d.holds(); len(held) != row.held || in != row.held {
					t.Errorf("held are %q, and the person is in %d groups; want %d", held, in, row.held)
				}
				d.sound()
				if row.limit != "max(2, 0%)/1h" {
					return
				}
				// They are counted.
				bob := d.joined("bob@example.com")
				d.update(d.group("C", bob.ID).ID, directory.GroupUpdate{Remove: []string{bob.ID}})
				equalLists(t, "held then", d.holds(), []string{"bob@example.com in C"})
			})
		}
	}
}

// A person without an address gets the one of a deleted person whose removals are held:
// what the two are in is one person's.
func TestAPersonThatAdoptsLateAMemberWithHeldRemovals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		active  bool
		held    []string
		inForce map[string]int
		toldIn  int
	}{
		{"it is active", true, []string{"ann@example.com in Old"}, map[string]int{"Both": 1, "Old": 1, "New": 1}, 2},
		{"it is not, and adopts nobody", false, []string{"ann@example.com"},
			map[string]int{"Both": 1, "Old": 1, "New": 0}, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			ann := d.joined("ann@example.com")
			nobody := d.createFrom(directory.PersonInput{Attributes: attributes("userName", "nobody")})
			both := d.group("Both", ann.ID, nobody.ID)
			d.group("Old", ann.ID)
			d.group("New", nobody.ID)
			d.limit(nothing)
			d.remove(ann.ID)
			in := input("nobody", "active", row.active)
			in.SignInAddress = "ann@example.com"
			p := d.replace(nobody.ID, in)
			d.sound()
			equalLists(t, "held", d.holds(), row.held)
			for name, want := range row.inForce {
				if n := d.accountGroup(name).MemberCount; n != want {
					t.Errorf("%s has %d members, want %d", name, n, want)
				}
			}
			equalLists(t, "told in Both", d.told(both.ID), []string{nobody.ID})
			if len(p.Groups) != row.toldIn {
				t.Errorf("provisioning sees it in %v, want %d groups", p.Groups, row.toldIn)
			}
			if adopted := p.MemberID == ann.MemberID; adopted != row.active {
				t.Errorf("adopted: %v", adopted)
			}
			d.decideAll(directory.Approve)
			d.sound()
			equalLists(t, "held after approval", d.holds(), nil)
		})
	}
}
