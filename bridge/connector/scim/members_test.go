package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
)

// crew creates people and a group with the first of them.
func crew(t testing.TB, d *connector.Directory, people, members int) (ids []string, group string) {
	t.Helper()
	for i := range people {
		ids = append(ids, mustCreate(t, d, fmt.Sprintf("p%d@example.com", i)).ID)
	}
	g, err := d.CreateGroup(t.Context(), groupInput("Crew", ids[:members]...))
	if err != nil || len(g.UnknownMembers) > 0 {
		t.Fatalf("%+v, %v", g, err)
	}
	return ids, g.ID
}

// inGroup are the members that the far side has, whatever it shows.
func (s *standIn) inGroup(id string) (members []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		for _, m := range membersOf(g) {
			if g["id"] == id {
				members = append(members, valueOf(m))
			}
		}
	}
	slices.Sort(members)
	return members
}

var farSides = map[string]habits{
	"a good one":             {},
	"no PATCH":               {noPatch: true},
	"no versions":            {noVersions: true},
	"seven at a time":        {mostMembers: 7, refusesRepeat: true, refusesOthers: true},
	"unknown members stay":   {keepsUnknown: true},
	"removals do nothing":    {ignoresPaths: true},
	"a removal empties":      {emptiesAll: true},
	"no filters, no exclude": {filters: none, noExclude: true},
}

func TestMembersAreChangedAsAsked(t *testing.T) {
	t.Parallel()
	for name, h := range farSides {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, h)
			front := far.front(t)
			ids, group := crew(t, front, 30, 20)
			check := func(what string, want []string, g bridge.Group, err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				is := far.inGroup(group)
				if want = slices.Sorted(slices.Values(want)); !slices.Equal(is, want) {
					t.Fatalf("%s: %d members, want %d:\n%v\n%v", what, len(is), len(want), is, want)
				}
				if g.Members != nil && len(g.Members) != len(want) {
					t.Errorf("%s: it shows %d members", what, len(g.Members))
				}
			}
			check("created", ids[:20], bridge.Group{}, nil)
			// It proves nothing that the only member leaves.
			small, err := front.CreateGroup(t.Context(), groupInput("Small", ids[0]))
			if err == nil {
				_, err = front.UpdateGroup(t.Context(), small.ID, bridge.GroupChange{Remove: ids[:1]}, "", false)
			}
			if err != nil || far.inGroup(small.ID) != nil {
				t.Fatalf("the only member is still in: %v, %v", far.inGroup(small.ID), err)
			}
			update := func(c bridge.GroupChange) (bridge.Group, error) {
				return front.UpdateGroup(t.Context(), group, c, "", true)
			}
			g, err := update(bridge.GroupChange{Remove: ids[2:5]})
			check("some leave", slices.Concat(ids[:2], ids[5:20]), g, err)
			g, err = update(bridge.GroupChange{Remove: ids[2:7]})
			check("again, with others", slices.Concat(ids[:2], ids[7:20]), g, err)
			g, err = update(bridge.GroupChange{Add: slices.Concat(ids[18:25], ids[18:25])})
			check("some join, who were in, and twice", slices.Concat(ids[:2], ids[7:25]), g, err)
			g, err = update(bridge.GroupChange{Add: []string{"nobody", ids[26], ""}, Remove: []string{"none"}})
			check("with somebody unknown", slices.Concat(ids[:2], ids[7:25], ids[26:27]), g, err)
			if !slices.Equal(g.UnknownMembers, []string{"nobody", ""}) {
				t.Errorf("unknown are %q", g.UnknownMembers)
			}
			list := slices.Concat(ids[10:30], []string{"nobody"})
			g, err = update(bridge.GroupChange{Replace: &list})
			check("replaced", ids[10:30], g, err)
			wrong := []string{"nobody", "none"}
			if _, err = update(bridge.GroupChange{Replace: &wrong}); bridge.CodeOf(err) != bridge.MembersUnknown {
				t.Errorf("replaced by unknown ids: %v", err)
			}
			_, err = update(bridge.GroupChange{Add: wrong, Remove: ids[10:12], Instead: [][]string{wrong}})
			if bridge.CodeOf(err) != bridge.MembersUnknown {
				t.Errorf("unknown ids instead of members: %v", err)
			}
			check("refused", ids[10:30], bridge.Group{}, nil)
			empty := []string{}
			g, err = update(bridge.GroupChange{Replace: &empty, Attributes: json.RawMessage(`{"displayName":"Staff"}`)})
			check("emptied and renamed", nil, g, err)
			if !strings.Contains(string(g.Attributes), `"Staff"`) {
				t.Errorf("it is called %s", g.Attributes)
			}
			if h.mostMembers > 0 && far.largest > h.mostMembers {
				t.Errorf("%d members in one PATCH", far.largest)
			}
		})
	}
}

func TestALargeGroupIsSentInBatches(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	ids, group := crew(t, front, 250, 250)
	if far.largest != 100 || far.count("PATCH") != 3 {
		t.Errorf("%d requests, of at most %d members", far.count("PATCH"), far.largest)
	}
	far.forgetCounts()
	if _, err := front.UpdateGroup(t.Context(), group, bridge.GroupChange{Remove: ids[:30]}, "", false); err != nil {
		t.Fatal(err)
	}
	far.forgetCounts()
	// By now it was seen to do both. A change costs itself and what the answer shows.
	_, err := front.UpdateGroup(t.Context(), group, bridge.GroupChange{Add: ids[:30], Remove: ids[30:60]}, "", false)
	if err != nil || far.count("") != 3 || len(far.inGroup(group)) != 220 {
		t.Errorf("%d requests, %d members, %v", far.count(""), len(far.inGroup(group)), err)
	}
}

// A far side such as AWS Identity Center shows groups without members. To replace them would remove nobody.
func TestMembersThatAreNotShownAreNotTakenForNone(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{hidesMembers: true})
	front := far.front(t)
	ids, group := crew(t, front, 3, 2)
	if s := front.State().Capabilities.Members; s != connector.No {
		t.Errorf("members are shown: %s", s)
	}
	if _, err := front.UpdateGroup(t.Context(), group, bridge.GroupChange{Add: ids[2:], Remove: ids[:1]}, "",
		false); err != nil || !slices.Equal(far.inGroup(group), ids[1:]) {
		t.Errorf("%v: %v", far.inGroup(group), err)
	}
	list := ids[:1]
	_, err := front.UpdateGroup(t.Context(), group, bridge.GroupChange{Replace: &list}, "", false)
	if connector.CauseOf(err) != connector.CapabilityMissing || len(front.State().Lacks) != 1 {
		t.Errorf("replacing them: %v, %+v", err, front.State().Lacks)
	}
}

func TestAGroupWhoseMembersFailIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	p := mustCreate(t, front, "a@example.com")
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			refuse(w, http.StatusInternalServerError, "", "no")
		}
		return r.Method == http.MethodPatch
	})
	if _, err := front.CreateGroup(t.Context(), groupInput("Crew", p.ID)); err == nil || len(far.groups) > 0 {
		t.Errorf("%v, and %d groups", err, len(far.groups))
	}
	far.intercept(nil)
	if _, err := front.CreateGroup(t.Context(), groupInput("Crew", p.ID)); err != nil {
		t.Error(err)
	}
	if _, err := front.CreateGroup(t.Context(), groupInput("CREW")); bridge.CodeOf(err) != bridge.GroupNameTaken {
		t.Errorf("a name that is taken: %v", err)
	}
}

// A far side may say 404 of a member; the group must not seem gone.
func TestAMissingMemberIsNoMissingGroup(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	ids, group := crew(t, front, 3, 1)
	far.mu.Lock()
	far.people = far.people[:2] // somebody deletes the third there
	far.mu.Unlock()
	far.intercept(once(http.MethodPatch, "/Groups", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "", "a member is not found")
	}))
	g, err := front.UpdateGroup(t.Context(), group, bridge.GroupChange{Add: ids[1:]}, "", true)
	if err != nil || !slices.Equal(g.UnknownMembers, ids[2:]) || len(g.Members) != 2 {
		t.Errorf("%+v, %v", g, err)
	}
	_, err = front.UpdateGroup(t.Context(), "none", bridge.GroupChange{Add: ids[1:2]}, "", false)
	if bridge.CodeOf(err) != bridge.NotFound {
		t.Errorf("a group that is not there: %v", err)
	}
}

func TestWritesDependOnVersions(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]habits{"with versions": {}, "without": {noVersions: true},
		"without a config": {noConfig: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, h)
			front := far.front(t)
			p := mustCreate(t, front, "a@example.com")
			read, err := front.Person(t.Context(), p.ID)
			if err != nil || read.Version == "" || read.Version != p.Version {
				t.Fatalf("versions %q and %q, %v", p.Version, read.Version, err)
			}
			if strings.HasPrefix(p.Version, "W/") {
				t.Errorf("%s is weak", p.Version)
			}
			changed, err := front.ReplacePerson(t.Context(), p.ID, input("b@example.com"), p.Version)
			if err != nil || changed.Version == p.Version {
				t.Errorf("%q, %v", changed.Version, err)
			}
			_, err = front.ReplacePerson(t.Context(), p.ID, input("c@example.com"), p.Version)
			if bridge.CodeOf(err) != bridge.VersionMismatch {
				t.Errorf("an old version: %v", err)
			}
			if err := front.DeletePerson(t.Context(), p.ID, p.Version); bridge.CodeOf(err) != bridge.VersionMismatch {
				t.Errorf("deleting an old version: %v", err)
			}
			g, err := front.CreateGroup(t.Context(), groupInput("Crew"))
			if err != nil {
				t.Fatal(err)
			}
			without, err := front.Group(t.Context(), g.ID, false)
			with, err2 := front.Group(t.Context(), g.ID, true)
			if err != nil || err2 != nil || without.Version != with.Version || with.Version == "" {
				t.Fatalf("%q and %q: %v, %v", without.Version, with.Version, err, err2)
			}
			if _, err = front.UpdateGroup(t.Context(), g.ID, bridge.GroupChange{Add: []string{p.ID}}, with.Version,
				false); err != nil {
				t.Fatal(err)
			}
			_, err = front.UpdateGroup(t.Context(), g.ID, bridge.GroupChange{Remove: []string{p.ID}}, with.Version,
				false)
			if bridge.CodeOf(err) != bridge.VersionMismatch {
				t.Errorf("a member has joined since: %v", err)
			}
			if err := front.DeleteGroup(t.Context(), g.ID, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// github.com/elimity-com/scim refuses all of a PATCH for one attribute that its schemas do not know.
func TestAttributesThatAChangeIsRefusedForAreLeftOut(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{noPut: true})
	front := far.front(t)
	p := mustCreate(t, front, "a@example.com")
	g, err := front.CreateGroup(t.Context(), groupInput("Sales"))
	if err != nil {
		t.Fatal(err)
	}
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		isUnknown := r.Method == http.MethodPatch && bytes.Contains(body, []byte("baseSchema"))
		if isUnknown {
			refuse(w, http.StatusBadRequest, "invalidValue", "no such attribute")
		}
		return isUnknown
	})
	for _, name := range []string{"Marketing", "Marketing"} { // and once with nothing else
		change := json.RawMessage(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"baseSchema":"` +
			time.Now().String() + `","displayName":"` + name + `"}`)
		g, err = front.UpdateGroup(t.Context(), g.ID, bridge.GroupChange{Attributes: change}, "", false)
		if err != nil || !strings.Contains(string(g.Attributes), name) {
			t.Errorf("the group is %s, %v", g.Attributes, err)
		}
	}
	in := input("b@example.com")
	in.Attributes = bytes.Replace(in.Attributes, []byte(`{`), []byte(`{"baseSchema":"x",`), 1)
	if p, err = front.ReplacePerson(t.Context(), p.ID, in, ""); err != nil ||
		!strings.Contains(string(p.Attributes), "b@example.com") {
		t.Errorf("the person is %s, %v", p.Attributes, err)
	}
	if kept := front.State().NotKept; len(kept) != 2 || kept[0].Attribute != "baseSchema" {
		t.Errorf("it is told of %v", kept)
	}
	if _, err := front.UpdateGroup(t.Context(), g.ID, bridge.GroupChange{Attributes: json.RawMessage(
		`{"displayName":"baseSchema"}`)}, "", false); bridge.CodeOf(err) != bridge.InvalidValue {
		t.Errorf("what is refused for itself: %v", err)
	}
}
