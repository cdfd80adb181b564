package guard

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

func TestSuspensionsBeyondTheLimitAreHeld(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(2, 0%)/1h", 6)
	for i := range 3 {
		g.setActive(i, false)
	}
	g.setActive(0, false) // twice takes nothing more away
	g.delete(3)
	g.wantFar("ssaaaa")
	page := g.wantHeld("2+0")
	if first, last := page.Items[0], page.Items[1]; first.UserName != "p2" || first.Deleted || last.UserName != "p3" ||
		!last.Deleted || first.Client != "bridge:test" || !first.Since.Equal(g.now) {
		t.Errorf("the list is %+v", page.Items)
	}

	// The identity provider reads it done, and can go on with a held person.
	changed := attributes("p2", false)
	changed = slices.Concat(changed[:len(changed)-1], []byte(`,"title":"Dr."}`))
	p, err := g.ReplacePerson(t.Context(), g.ids[2], bridge.PersonInput{Attributes: changed}, "")
	if err != nil || !p.Suspended || textOf(p.Attributes, "title") != "Dr." {
		t.Errorf("a held person is changed: %v, %+v", err, p)
	}
	g.wantFar("ssaaaa")
	if p, err := g.far.Person(t.Context(), g.ids[2]); err != nil || textOf(p.Attributes, "title") != "Dr." {
		t.Errorf("the directory has %s, %v", p.Attributes, err)
	}

	// It takes back what it wants.
	g.setActive(2, true)
	g.wantHeld("1+0")
	if p := g.create("p3"); p.ID != g.ids[3] || p.Suspended {
		t.Errorf("a person that is created again is %+v", p)
	}
	g.wantHeld("0+0")
	g.wantFar("ssaaaa")

	// The window passes.
	g.now = g.now.Add(time.Hour + time.Minute)
	g.setActive(4, false)
	g.wantFar("ssaasa")
}

func TestAPersonWhoIsCreatedAgainSuspendedStaysHeld(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 1)
	g.delete(0)
	p, err := g.CreatePerson(t.Context(), bridge.PersonInput{Attributes: attributes("P0", false)})
	if err != nil || p.ID != g.ids[0] || !p.Suspended {
		t.Errorf("%+v, %v", p, err)
	}
	if page := g.wantHeld("1+0"); page.Items[0].Deleted {
		t.Errorf("it is still held as deleted")
	}
	g.wantFar("a")
}

// Who approves a suspension that was listed before has not seen the deletion.
func TestADeletionOfSomebodyWhoseSuspensionIsHeldIsAnotherHold(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 1)
	g.setActive(0, false)
	seen := g.wantHeld("1+0")
	g.delete(0)
	for _, d := range []bridge.HoldDecision{{IDs: []string{seen.Items[0].ID}}, {Until: seen.AsOf}} {
		d.Approve = true
		if n, err := g.DecideHolds(t.Context(), d); n != 0 || bridge.CodeOf(err) != bridge.NotFound {
			t.Errorf("%d were carried out, %v", n, err)
		}
	}
	g.wantFar("a")
	if page := g.wantHeld("1+0"); !page.Items[0].Deleted {
		t.Error("it is not held as deleted")
	}
}

func TestTheLimitIsOfThePeopleThatThereAre(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(1, 50%)/1h", 10)
	for i := range 10 {
		g.setActive(i, false)
	}
	g.wantFar("sssssaaaaa") // what is allowed does not shrink by its use
	g.wantHeld("5+0")
	if g.far.searches != 1 {
		t.Errorf("the directory was counted %d times", g.far.searches)
	}
}

// Some servers fail at filters, and that must not refuse suspensions.
func TestPeopleAreCountedAtAServerThatFailsAtFilters(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(1, 50%)/1h", 10)
	g.far.people[g.ids[9]].attributes["active"] = false
	g.far.unfound = &bridge.UnavailableError{Detail: "it answered 500", Err: errors.New("500")}
	for i := range 9 {
		g.setActive(i, false)
	}
	g.wantFar("ssssaaaaas")
	g.wantHeld("5+0")
}

// A server's own limit passes sooner than a base is asked for again.
func TestAServerThatIsTooBusyToCountDoesNotLowerTheLimit(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(1, 50%)/1h", 4)
	g.setActive(0, false)
	g.far.unfound = &bridge.Error{Code: bridge.TooMany, Detail: "busy", RetryAfter: time.Second}
	in := bridge.PersonInput{Attributes: attributes("p1", false)}
	if _, err := g.ReplacePerson(t.Context(), g.ids[1], in, ""); bridge.CodeOf(err) != bridge.TooMany {
		t.Fatal(err)
	}
	g.far.unfound = nil
	g.setActive(1, false)
	g.wantFar("ssaa")
	g.wantHeld("0+0")
}

func TestWhatWasRefusedIsNotCounted(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(1, 0%)/1h", 2)
	g.far.refuses[g.ids[0]] = &bridge.Error{Code: bridge.Protected, Detail: "an administrator"}
	for range 3 {
		_, err := g.ReplacePerson(t.Context(), g.ids[0], bridge.PersonInput{Attributes: attributes("p0", false)}, "")
		if bridge.CodeOf(err) != bridge.Protected {
			t.Fatal(err)
		}
		if err := g.DeletePerson(t.Context(), g.ids[0], ""); bridge.CodeOf(err) != bridge.Protected {
			t.Fatal(err)
		}
	}
	g.setActive(1, false)
	g.wantFar("as")
	g.wantHeld("0+0")
}

// An answer may be lost on the way when the directory has done what it was told.
func TestALostAnswerCountsIfItHadItsEffect(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(1, 0%)/1h", 3)
	lost := &bridge.UnavailableError{Detail: "no answer", Err: errors.New("timeout")}
	in := bridge.PersonInput{Attributes: attributes("p0", false)}
	g.far.refuses[g.ids[0]] = lost // before it is done
	if _, err := g.ReplacePerson(t.Context(), g.ids[0], in, ""); !errors.Is(err, bridge.ErrUnavailable) {
		t.Fatal(err)
	}
	clear(g.far.refuses)
	g.far.loses[g.ids[1]] = lost // after it is done
	in.Attributes = attributes("p1", false)
	if _, err := g.ReplacePerson(t.Context(), g.ids[1], in, ""); !errors.Is(err, bridge.ErrUnavailable) {
		t.Fatal(err)
	}
	g.setActive(2, false)
	g.wantFar("asa")
	g.wantHeld("1+0")
}

func TestRemovalsBeyondTheLimitAreHeld(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(1, 0%)/1h", 5)
	group := g.newGroup("team", 0, 1, 2, 3, 4)
	g.far.people[g.ids[4]].attributes["active"] = false

	// A suspended person loses nothing.
	changed := g.update(group, bridge.GroupChange{Remove: []string{g.ids[0], g.ids[1], g.ids[4]}})
	if got := memberIDs(changed); !slices.Equal(got, g.ids[2:4]) {
		t.Errorf("the answer has %v", got)
	}
	if got := g.far.membersOf(group); !slices.Equal(got, g.ids[1:4]) {
		t.Errorf("the directory has %v", got)
	}
	if page := g.wantHeld("0+1"); page.Items[0].UserName != "p1" || page.Items[0].GroupName != "team" {
		t.Errorf("held is %+v", page.Items)
	}
	if p, err := g.Person(t.Context(), g.ids[1]); err != nil || len(p.Groups) != 0 {
		t.Errorf("the person is in %v, %v", p.Groups, err)
	}

	// A whole list does not end the hold, and can add to it.
	changed = g.update(group, bridge.GroupChange{Replace: &[]string{g.ids[2]}})
	if got := memberIDs(changed); !slices.Equal(got, g.ids[2:3]) {
		t.Errorf("the answer has %v", got)
	}
	if got := g.far.membersOf(group); !slices.Equal(got, g.ids[1:4]) {
		t.Errorf("the directory has %v", got)
	}
	g.wantHeld("0+2")

	// One that is added again is not held any more.
	changed = g.update(group, bridge.GroupChange{Replace: &[]string{g.ids[1], g.ids[2]}})
	if got := memberIDs(changed); !slices.Equal(got, g.ids[1:3]) {
		t.Errorf("the answer has %v", got)
	}
	g.wantHeld("0+1")

	// A list of unknown people is refused as it is without holds, and changes none.
	_, err := g.UpdateGroup(t.Context(), group, bridge.GroupChange{Replace: &[]string{"nobody"}}, "", false)
	if bridge.CodeOf(err) != bridge.MembersUnknown {
		t.Errorf("a list of unknown people: %v", err)
	}
	g.wantHeld("0+1")

	if n, err := g.decideAll(true); n != 1 || err != nil {
		t.Errorf("approved %d, %v", n, err)
	}
	if got := g.far.membersOf(group); !slices.Equal(got, g.ids[1:3]) {
		t.Errorf("the directory has %v", got)
	}
}

func TestADeletedGroupIsThereAsLongAsPeopleAreHeld(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(*guarded, string){
		"approved": func(g *guarded, group string) {
			if n, err := g.decideAll(true); n != 2 || err != nil {
				g.Errorf("approved %d, %v", n, err)
			}
			if g.far.groups[group] != nil {
				g.Error("the directory still has the group")
			}
		},
		"approved one by one": func(g *guarded, group string) {
			for _, h := range g.wantHeld("0+2").Items {
				one := bridge.HoldDecision{Approve: true, IDs: []string{h.ID}}
				if n, err := g.DecideHolds(g.Context(), one); n != 1 || err != nil {
					g.Errorf("approved %d, %v", n, err)
				}
			}
			if g.far.groups[group] != nil {
				g.Error("the directory still has the group")
			}
		},
		"cancelled": func(g *guarded, group string) {
			if n, err := g.decideAll(false); n != 2 || err != nil {
				g.Errorf("cancelled %d, %v", n, err)
			}
			got, err := g.Group(g.Context(), group, true)
			if err != nil || !slices.Equal(memberIDs(got), g.ids[1:3]) {
				g.Errorf("the group is %+v, %v", got, err)
			}
		},
		"created again": func(g *guarded, group string) {
			if again := g.newGroup("TEAM", 2); again != group {
				g.Errorf("it has another id: %s", again)
			}
			got, err := g.Group(g.Context(), group, true)
			if err != nil || !slices.Equal(memberIDs(got), g.ids[2:3]) || displayNameOf(got.Attributes) != "TEAM" {
				g.Errorf("the group is %+v, %v", got, err)
			}
			g.wantHeld("0+1")
		},
		"gone in the directory": func(g *guarded, group string) {
			delete(g.far.groups, group)
			if n, err := g.decideAll(true); n != 2 || err != nil {
				g.Errorf("approved %d, %v", n, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := guardWith(t, "max(1, 0%)/1h", 3)
			group := g.newGroup("team", 0, 1, 2)
			if err := g.DeleteGroup(t.Context(), group, ""); err != nil {
				t.Fatal(err)
			}
			if _, err := g.Group(t.Context(), group, false); !isNotFound(err) {
				t.Errorf("a deleted group is read: %v", err)
			}
			if page, err := g.SearchGroups(t.Context(), bridge.Query{Limit: 10}); err != nil || page.Total != 0 {
				t.Errorf("a deleted group is found: %+v, %v", page, err)
			}
			if got := g.far.membersOf(group); !slices.Equal(got, g.ids[1:]) {
				t.Errorf("the directory has %v", got)
			}
			g.wantHeld("0+2")
			g.T = t
			then(g, group)
			if name != "created again" {
				g.wantHeld("0+0")
			}
		})
	}
}

// What an identity provider takes away from one person is one hold.
func TestARemovalBelongsToTheHeldSuspension(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 2)
	group := g.newGroup("team", 0, 1)
	g.setActive(0, false)
	g.update(group, bridge.GroupChange{Remove: g.ids[:1]})
	g.delete(1) // which is in a group
	g.wantHeld("2+0")
	if n, err := g.decideAll(true); n != 2 || err != nil {
		t.Errorf("approved %d, %v", n, err)
	}
	g.wantFar("s-")
	if got := g.far.membersOf(group); len(got) != 0 {
		t.Errorf("the directory has %v", got)
	}
	g.wantHeld("0+0")
}

// Its people may be gone before their removals are carried out: deleted by approval, or by hand.
func TestAHiddenGroupIsDeletedWithTheLastOfItsPeople(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 30)
	group := g.newGroup("team")
	g.far.groups[group].members = slices.Clone(g.ids)
	for i := range g.ids {
		g.delete(i)
	}
	if err := g.DeleteGroup(t.Context(), group, ""); err != nil {
		t.Fatal(err)
	}
	g.wantHeld("30+0")
	g.far.refuses[group] = &bridge.Error{Code: bridge.Protected, Detail: "a built-in group"}
	if n, err := g.decideAll(true); n != 30 || err != nil {
		t.Errorf("approved %d, %v", n, err)
	}
	if page := g.wantHeld("0+1"); page.Items[0].Refused != "a built-in group" {
		t.Errorf("the list says %+v", page.Items)
	}
	clear(g.far.refuses)
	if n, err := g.decideAll(true); n != 1 || err != nil {
		t.Errorf("approved %d, %v", n, err)
	}
	g.wantHeld("0+0")
	if g.far.groups[group] != nil {
		t.Error("the directory still has the group")
	}
	if page, err := g.SearchGroups(t.Context(), bridge.Query{Limit: 10}); err != nil || page.Total != 0 {
		t.Errorf("a deleted group is found: %+v, %v", page, err)
	}
}

// A person that is created again is not back in its groups by that.
func TestRemovalsAreTheLimitsWhenTheSuspensionIsTakenBack(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 1)
	group := g.newGroup("team", 0)
	g.delete(0)
	g.wantHeld("1+0")
	if p := g.create("p0"); len(p.Groups) != 0 {
		t.Errorf("it is in %v", p.Groups)
	}
	if got, err := g.Group(t.Context(), group, true); err != nil || len(got.Members) != 0 {
		t.Errorf("the group has %v, %v", got.Members, err)
	}
	g.wantHeld("0+1")
	g.update(group, bridge.GroupChange{Add: g.ids})
	g.wantHeld("0+0")
	if p, err := g.Person(t.Context(), g.ids[0]); err != nil || len(p.Groups) != 1 {
		t.Errorf("it is in %v, %v", p.Groups, err)
	}
}

// So it is at a server that does not list groups with people.
func TestWhoIsCreatedAgainIsNotBackInUnlistedGroups(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(1, 0%)/1h", 2)
	g.far.unlisted = true
	groups := []string{g.newGroup("first", 0, 1), g.newGroup("second", 0)}
	g.setActive(1, false) // the limit's one suspension
	g.delete(0)
	g.wantHeld("1+0")
	g.create("p0")
	g.wantHeld("0+1")
	for _, id := range groups {
		if got, err := g.Group(t.Context(), id, true); err != nil || slices.Contains(memberIDs(got), g.ids[0]) {
			t.Errorf("the group has %v, %v", got.Members, err)
		}
	}

	// Some have no groups at all.
	g.delete(0)
	g.far.unfound = &bridge.UnavailableError{Detail: "it has no groups", Err: errors.New("501")}
	g.create("p0")
}

func TestTheListHasPages(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 7)
	for i := range 7 {
		g.setActive(i, false)
	}
	var seen []string
	for cursor := ""; ; {
		page, err := g.Holds(t.Context(), cursor, 3)
		if err != nil || page.Suspensions != 7 || len(page.Items) > 3 {
			t.Fatalf("%+v, %v", page, err)
		}
		for _, h := range page.Items {
			seen = append(seen, h.UserName)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if want := []string{"p0", "p1", "p2", "p3", "p4", "p5", "p6"}; !slices.Equal(seen, want) {
		t.Errorf("the pages have %v", seen)
	}
	if _, err := g.Holds(t.Context(), "x", 3); bridge.CodeOf(err) != bridge.InvalidCursor {
		t.Errorf("a cursor that is none: %v", err)
	}
}

func TestCancellingShowsWhatIsInForce(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 2)
	group := g.newGroup("team", 0, 1)
	g.setActive(0, false)
	g.delete(1)
	if n, err := g.decideAll(false); n != 2 || err != nil {
		t.Errorf("cancelled %d, %v", n, err)
	}
	for _, id := range g.ids {
		if p, err := g.Person(t.Context(), id); err != nil || p.Suspended || len(p.Groups) != 1 {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if got, err := g.Group(t.Context(), group, true); err != nil || len(got.Members) != 2 {
		t.Errorf("the group has %v, %v", got.Members, err)
	}
	g.wantFar("aa")
	if _, err := g.DecideHolds(t.Context(), bridge.HoldDecision{IDs: []string{"x"}}); !isNotFound(err) {
		t.Errorf("deciding what is not held: %v", err)
	}
}

func TestWhatTheDirectoryRefusesStaysHeldAndSaysWhy(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 3)
	group := g.newGroup("team", 2)
	g.setActive(0, false)
	g.setActive(1, false)
	g.update(group, bridge.GroupChange{Remove: g.ids[2:]})
	g.far.refuses[g.ids[0]] = &bridge.Error{Code: bridge.Protected, Detail: "an administrator"}
	g.far.refuses[group] = &bridge.Error{Code: bridge.Protected, Detail: "a built-in group"}
	if n, err := g.decideAll(true); n != 1 || bridge.CodeOf(err) != bridge.Protected {
		t.Errorf("approved %d, %v", n, err)
	}
	page := g.wantHeld("1+1")
	if page.Items[0].Refused != "an administrator" || page.Items[1].Refused != "a built-in group" {
		t.Errorf("the list says %+v", page.Items)
	}
	clear(g.far.refuses)
	if n, err := g.decideAll(true); n != 2 || err != nil {
		t.Errorf("approved %d, %v", n, err)
	}
	g.wantFar("ssa")
}

// The directory is right where it has changed meanwhile.
func TestAHoldOnWhatIsGoneHasEnded(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 4)
	group := g.newGroup("team", 0, 3)
	for i := range 3 {
		g.setActive(i, false)
	}
	g.update(group, bridge.GroupChange{Remove: g.ids[3:]})
	g.wantHeld("3+1")
	delete(g.far.people, g.ids[0])
	if _, err := g.Person(t.Context(), g.ids[0]); !isNotFound(err) {
		t.Errorf("somebody who is gone: %v", err)
	}
	g.wantHeld("2+1")
	g.far.people[g.ids[1]].attributes["active"] = false // by hand
	if p, err := g.Person(t.Context(), g.ids[1]); err != nil || !p.Suspended {
		t.Errorf("%+v, %v", p, err)
	}
	g.wantHeld("1+1")
	delete(g.far.people, g.ids[2])
	if n, err := g.decideAll(true); n != 2 || err != nil {
		t.Errorf("approved %d, %v", n, err)
	}
	g.wantHeld("0+0")
}

// The list must not end before its last.
func TestPeopleAreListedToTheEndWhenAHeldOneIsDeletedByHand(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 6)
	g.delete(0)
	delete(g.far.people, g.ids[0])
	seen := 0
	for q := (bridge.Query{Limit: 2}); ; {
		page, err := g.SearchPeople(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Items)
		if q.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if seen != 5 {
		t.Errorf("%d are seen, want 5", seen)
	}
}

// A hold must never write active: true over a suspension by hand.
func TestAChangeOfAHeldPersonReactivatesNobody(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 1)
	g.setActive(0, false)
	g.far.people[g.ids[0]].attributes["active"] = false
	changed := []byte(`{"userName":"p0","active":false,"title":"Dr."}`)
	if _, err := g.ReplacePerson(t.Context(), g.ids[0], bridge.PersonInput{Attributes: changed}, ""); err != nil {
		t.Fatal(err)
	}
	g.wantFar("s")
	g.wantHeld("0+0")
}

func TestSearchesSeeWhatTheIdentityProviderWasTold(t *testing.T) {
	t.Parallel()
	const people = 450 // several pages
	g := guardWith(t, "max(1, 0%)/1h", people)
	group := g.newGroup("team", 5, 6, 7)
	g.setActive(0, false)
	g.setActive(1, false) // held
	g.delete(2)           // held
	g.delete(300)         // held
	g.update(group, bridge.GroupChange{Remove: g.ids[5:6]})
	g.update(group, bridge.GroupChange{Remove: g.ids[6:7]}) // held
	eq := func(value any, path ...string) *bridge.Predicate {
		return &bridge.Predicate{Op: "eq", Path: path, Value: value}
	}
	inTeam := &bridge.Predicate{Op: "any", Path: []string{"groups"}, Terms: []bridge.Predicate{*eq(group, "value")}}
	for name, row := range map[string]struct {
		filter *bridge.Predicate
		want   int64
	}{
		"all":                         {nil, people - 2},
		"active":                      {eq(true, "active"), people - 4},
		"inactive":                    {eq(false, "active"), 2},
		"not inactive":                {not(*eq(false, "active")), people - 4},
		"a deleted name":              {eq("p2", "userName"), 0},
		"a held name":                 {eq("p1", "userName"), 1},
		"a held name that is active":  {and(*eq("p1", "userName"), *eq(true, "active")), 0},
		"a held name that is not":     {and(*eq("p1", "userName"), *eq(false, "active")), 1},
		"a name, or who is active":    {or(*eq("p1", "userName"), *eq(true, "active")), people - 3},
		"a deleted id":                {eq(g.ids[300], "id"), 0},
		"members of a group":          {inTeam, 1},
		"everybody but a group's":     {not(*inTeam), people - 3},
		"a filter that is about none": {eq("none", "title"), 0},
	} {
		for _, size := range []int{0, 37, 100, 1000} {
			var seen []string
			q := bridge.Query{Filter: row.filter, Limit: size}
			for {
				page, err := g.SearchPeople(t.Context(), q)
				if err != nil || page.Total != row.want {
					t.Fatalf("%s by %d: %d in all, want %d: %v", name, size, page.Total, row.want, err)
				}
				for _, p := range page.Items {
					seen = append(seen, p.ID)
					if held := p.ID == g.ids[1]; held && !p.Suspended || p.ID == g.ids[2] || p.ID == g.ids[300] {
						t.Errorf("%s by %d: %+v is seen", name, size, p)
					}
				}
				if size%2 == 0 { // by cursor, or by offset
					q.Cursor = page.Next
				} else {
					q.Offset += int64(len(page.Items))
				}
				if page.Next == "" {
					break
				}
			}
			if slices.Sort(seen); len(slices.Compact(seen)) != int(row.want) && size > 0 {
				t.Errorf("%s by %d: %d are seen, want %d", name, size, len(seen), row.want)
			}
		}
	}
	hasMember := func(id string) bridge.Query {
		return bridge.Query{Limit: 10, Filter: &bridge.Predicate{Op: "any", Path: []string{"members"},
			Terms: []bridge.Predicate{*eq(id, "value")}}}
	}
	for id, want := range map[string]int64{g.ids[5]: 0, g.ids[6]: 0, g.ids[7]: 1} {
		if page, err := g.SearchGroups(t.Context(), hasMember(id)); err != nil || page.Total != want {
			t.Errorf("groups of %s: %+v, %v", id, page, err)
		}
	}
	page, err := g.SearchGroups(t.Context(), bridge.Query{Limit: 10, WithMembers: true})
	if err != nil || page.Total != 1 || !slices.Equal(memberIDs(page.Items[0]), g.ids[7:8]) {
		t.Errorf("%+v, %v", page, err)
	}
}

func and(terms ...bridge.Predicate) *bridge.Predicate {
	return &bridge.Predicate{Op: "and", Terms: terms}
}

func not(term bridge.Predicate) *bridge.Predicate {
	return &bridge.Predicate{Op: "not", Terms: []bridge.Predicate{term}}
}

func or(terms ...bridge.Predicate) *bridge.Predicate {
	return &bridge.Predicate{Op: "or", Terms: terms}
}

// A client that compares versions sees that it sees something else.
func TestVersionsAreOfWhatIsSeen(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 2)
	group := g.newGroup("team", 0, 1)
	read := func() (person, team string) {
		t.Helper()
		p, err := g.Person(t.Context(), g.ids[0])
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Group(t.Context(), group, true)
		if err != nil {
			t.Fatal(err)
		}
		return p.Version, got.Version
	}
	person, team := read()
	g.setActive(0, false)
	g.update(group, bridge.GroupChange{Remove: g.ids[1:]})
	heldPerson, heldTeam := read()
	if person == heldPerson || team == heldTeam {
		t.Errorf("the versions stay %s and %s", person, team)
	}
	in := bridge.PersonInput{Attributes: attributes("p0", false)}
	for version, want := range map[string]bridge.Code{person: bridge.VersionMismatch, heldPerson: "", "": ""} {
		if _, err := g.ReplacePerson(t.Context(), g.ids[0], in, version); bridge.CodeOf(err) != want {
			t.Errorf("a person with %q: %v", version, err)
		}
	}
	for version, want := range map[string]bridge.Code{team: bridge.VersionMismatch, heldTeam: ""} {
		_, err := g.UpdateGroup(t.Context(), group, bridge.GroupChange{Add: g.ids[:1]}, version, false)
		if bridge.CodeOf(err) != want {
			t.Errorf("a group with %q: %v", version, err)
		}
	}
	if err := g.DeletePerson(t.Context(), g.ids[0], person); bridge.CodeOf(err) != bridge.VersionMismatch {
		t.Errorf("deleting with an old version: %v", err)
	}
	if err := g.DeletePerson(t.Context(), g.ids[0], heldPerson); err != nil {
		t.Errorf("deleting with its version: %v", err)
	}
}

// A limit that is switched off forgets nothing that an earlier one held.
func TestALimitThatIsOffCarriesOutWhatWasHeld(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 3)
	g.setActive(0, false)
	g.delete(1)
	g.restart("off")
	g.setActive(2, false)
	g.wantFar("aas")
	g.wantHeld("2+0")
	g.releaseAll(t.Context())
	g.wantFar("s-s")
	g.wantHeld("0+0")
}

func TestTheReportSaysWhatIsHeldAndThatItCannotBeWritten(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 2)
	if r := g.Report(); r.State != health.Healthy {
		t.Errorf("the report is %+v", r)
	}
	g.setActive(0, false)
	r := g.Report()
	if r.State != health.Degraded || len(r.Problems) != 1 || r.Problems[0].Code != problem.SuspensionsHeld ||
		!strings.Contains(r.Problems[0].Remedy, "scim-bridge holds approve --all --data-dir "+g.folder) {
		t.Errorf("the report is %+v", r)
	}
	breakStore(t, g)
	_, err := g.ReplacePerson(t.Context(), g.ids[1], bridge.PersonInput{Attributes: attributes("p1", false)}, "")
	if !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("a suspension that cannot be held: %v", err)
	}
	g.wantFar("aa")
	if r := g.Report(); r.State != health.Unhealthy || len(r.Problems) != 1 ||
		r.Problems[0].Code != problem.StorageFull {
		t.Errorf("the report is %+v", r)
	}
}

// A person may be deleted and removed from a group by two requests at once.
func TestWhatIsHeldTwiceIsHeldOnce(t *testing.T) {
	t.Parallel()
	g := guardWith(t, "max(0, 0%)/1h", 1)
	group := g.newGroup("team", 0)
	removal, suspension := g.newHold(t.Context(), g.ids[0], "p0"), g.newHold(t.Context(), g.ids[0], "p0")
	removal.Group, removal.GroupName = group, "team"
	for range 2 {
		removal.ID, suspension.ID = rand.Text(), rand.Text()
		if err := g.hold([]hold{removal, suspension}, change{}); err != nil {
			t.Fatal(err)
		}
	}
	g.wantHeld("1+0")
	if n, err := g.decideAll(true); n != 1 || err != nil {
		t.Errorf("approved %d, %v", n, err)
	}
	g.wantHeld("0+0")
	g.wantFar("s")
	if got := g.far.membersOf(group); len(got) != 0 {
		t.Errorf("the directory has %v", got)
	}
}

// Requests come at once, and no more takes effect than one after the other would.
func TestManyAtOnceGetNoMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	const people, limit = 60, 20
	g := guardWith(t, fmt.Sprintf("max(%d, 0%%)/1h", limit), people)
	group := g.newGroup("team")
	g.far.groups[group].members = slices.Clone(g.ids)
	var requests sync.WaitGroup
	for i, id := range g.ids {
		requests.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				err = g.DeletePerson(t.Context(), id, "")
			case 1:
				_, err = g.ReplacePerson(t.Context(), id,
					bridge.PersonInput{Attributes: attributes(fmt.Sprintf("p%d", i), false)}, "")
			default:
				_, err = g.UpdateGroup(t.Context(), group, bridge.GroupChange{Remove: []string{id}}, "", false)
			}
			if err != nil {
				t.Error(err)
			}
		})
		requests.Go(func() {
			if _, err := g.SearchPeople(t.Context(), bridge.Query{Limit: 10}); err != nil {
				t.Error(err)
			}
		})
	}
	requests.Wait()
	if active := strings.Count(g.far.stateOf(g.ids), "a"); active != people-limit {
		t.Errorf("%d are active, want %d", active, people-limit)
	}
	g.wantHeld("20+0")
	if n, err := g.decideAll(true); n != 20 || err != nil {
		t.Errorf("approved %d, %v", n, err)
	}
	active, members := strings.Count(g.far.stateOf(g.ids), "a"), len(g.far.membersOf(group))
	if active != people/3 || members != people/3 {
		t.Errorf("%d are active, and the group has %d", active, members)
	}
}
