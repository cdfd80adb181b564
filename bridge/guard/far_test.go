package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
)

// A far is a Directory in memory that does what it is told at once, and refuses what a test wants refused.
type far struct {
	mu       sync.Mutex
	people   map[string]*farPerson
	groups   map[string]*farGroup
	made     int
	searches int
	refuses  map[string]error // by the id of a person or a group that is written
	loses    map[string]error // so, when it was written
	unfound  error            // of searches with a filter
	unlisted bool             // people do not list their groups
}

type farPerson struct {
	attributes map[string]any
	changes    int
}

type farGroup struct {
	name    string
	members []string
	changes int
}

func newFar() *far {
	return &far{people: map[string]*farPerson{}, groups: map[string]*farGroup{}, refuses: map[string]error{},
		loses: map[string]error{}}
}

func (f *far) nextID() string {
	f.made++
	return fmt.Sprintf("%04d", f.made)
}

func (f *far) person(id string) (bridge.Person, error) {
	p, there := f.people[id]
	if !there {
		return bridge.Person{}, notFound("User", id)
	}
	raw, err := json.Marshal(p.attributes)
	shown := bridge.Person{ID: id, Version: fmt.Sprintf(`"%d"`, p.changes), Attributes: raw,
		Suspended: p.attributes["active"] == false}
	for _, group := range slices.Sorted(maps.Keys(f.groups)) {
		if g := f.groups[group]; !f.unlisted && slices.Contains(g.members, id) {
			shown.Groups = append(shown.Groups, bridge.Reference{ID: group, Display: g.name, Type: groupType})
		}
	}
	return shown, err
}

func (f *far) CreatePerson(_ context.Context, in bridge.PersonInput) (bridge.Person, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.people {
		if p.attributes["userName"] == userNameOf(in.Attributes) {
			return bridge.Person{}, &bridge.Error{Code: bridge.UserNameTaken, Detail: "taken"}
		}
	}
	id := f.nextID()
	f.people[id] = &farPerson{attributes: decoded(in.Attributes)}
	return f.person(id)
}

func (f *far) Person(_ context.Context, id string) (bridge.Person, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.person(id)
}

func (f *far) ReplacePerson(_ context.Context, id string, in bridge.PersonInput, ifMatch string,
) (bridge.Person, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.person(id)
	if err == nil {
		err = checkVersion(ifMatch, now.Version)
	}
	if err == nil {
		err = f.refuses[id]
	}
	if err != nil {
		return bridge.Person{}, err
	}
	if !isSame(now.Attributes, in.Attributes) {
		f.people[id].attributes = decoded(in.Attributes)
		f.people[id].changes++
	}
	if err := f.loses[id]; err != nil {
		return bridge.Person{}, err
	}
	return f.person(id)
}

func (f *far) DeletePerson(_ context.Context, id, ifMatch string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.person(id)
	if err == nil {
		err = checkVersion(ifMatch, now.Version)
	}
	if err == nil {
		err = f.refuses[id]
	}
	if err != nil {
		return err
	}
	delete(f.people, id)
	for _, g := range f.groups {
		g.members = slices.DeleteFunc(g.members, func(member string) bool { return member == id })
	}
	return nil
}

func (f *far) SearchPeople(_ context.Context, q bridge.Query) (bridge.Page[bridge.Person], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.searches++
	if q.Filter != nil && f.unfound != nil {
		return bridge.Page[bridge.Person]{}, f.unfound
	}
	var all []bridge.Person
	for _, id := range slices.Sorted(maps.Keys(f.people)) {
		p, err := f.person(id)
		if err != nil {
			return bridge.Page[bridge.Person]{}, err
		}
		if q.Filter == nil || filter.Match(*q.Filter, matched(p.Attributes, p.ID, p.Version, p.Created, p.Modified,
			"groups", p.Groups)) {
			all = append(all, p)
		}
	}
	return pageOf(all, q)
}

func pageOf[T any](all []T, q bridge.Query) (bridge.Page[T], error) {
	page := bridge.Page[T]{Total: int64(len(all))}
	if q.Cursor != "" {
		at, err := strconv.ParseInt(q.Cursor, 10, 64)
		if err != nil {
			return page, &bridge.Error{Code: bridge.InvalidCursor}
		}
		q.Offset = at
	}
	from := min(q.Offset, page.Total)
	page.Items = slices.Clone(all[from:min(from+int64(q.Limit), page.Total)])
	if end := from + int64(len(page.Items)); len(page.Items) > 0 && end < page.Total {
		page.Next = strconv.FormatInt(end, 10)
	}
	return page, nil
}

func (f *far) group(id string, withMembers bool) (bridge.Group, error) {
	g, there := f.groups[id]
	if !there {
		return bridge.Group{}, notFound("Group", id)
	}
	raw, err := json.Marshal(map[string]any{"displayName": g.name})
	shown := bridge.Group{ID: id, Version: fmt.Sprintf(`"%d"`, g.changes), Attributes: raw}
	if withMembers {
		shown.Members = []bridge.Reference{}
		for _, member := range g.members {
			r := bridge.Reference{ID: member, Type: groupType}
			if p, is := f.people[member]; is {
				r.Type, r.Display = "User", fmt.Sprint(p.attributes["userName"])
			}
			shown.Members = append(shown.Members, r)
		}
	}
	return shown, err
}

func (f *far) CreateGroup(_ context.Context, in bridge.GroupInput) (bridge.Group, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := "g" + f.nextID()
	f.groups[id] = &farGroup{name: displayNameOf(in.Attributes), members: slices.Clone(in.Members)}
	return f.group(id, false)
}

func (f *far) Group(_ context.Context, id string, withMembers bool) (bridge.Group, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.group(id, withMembers)
}

func (f *far) UpdateGroup(_ context.Context, id string, c bridge.GroupChange, ifMatch string, withMembers bool,
) (bridge.Group, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.group(id, false)
	if err == nil {
		err = checkVersion(ifMatch, now.Version)
	}
	if err == nil {
		err = f.refuses[id]
	}
	if err != nil {
		return bridge.Group{}, err
	}
	lists := c.Instead
	if c.Replace != nil {
		lists = append(lists, *c.Replace)
	}
	for _, list := range lists {
		isKnown := func(id string) bool { return f.people[id] != nil || f.groups[id] != nil }
		if len(list) > 0 && !slices.ContainsFunc(list, isKnown) {
			return bridge.Group{}, &bridge.Error{Code: bridge.MembersUnknown, IDs: list}
		}
	}
	g := f.groups[id]
	members := g.members
	if c.Replace != nil {
		members = *c.Replace
	}
	members = without(slices.Concat(members, c.Add), setOf(c.Remove))
	if !slices.Equal(members, g.members) {
		g.members = members
		g.changes++
	}
	if c.Attributes != nil {
		g.name = displayNameOf(c.Attributes)
		g.changes++
	}
	return f.group(id, withMembers)
}

func (f *far) DeleteGroup(_ context.Context, id, ifMatch string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.group(id, false)
	if err == nil {
		err = checkVersion(ifMatch, now.Version)
	}
	if err == nil {
		err = f.refuses[id]
	}
	if err != nil {
		return err
	}
	delete(f.groups, id)
	return nil
}

func (f *far) SearchGroups(_ context.Context, q bridge.Query) (bridge.Page[bridge.Group], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.searches++
	if q.Filter != nil && f.unfound != nil {
		return bridge.Page[bridge.Group]{}, f.unfound
	}
	var all []bridge.Group
	for _, id := range slices.Sorted(maps.Keys(f.groups)) {
		g, err := f.group(id, true)
		if err != nil {
			return bridge.Page[bridge.Group]{}, err
		}
		if q.Filter == nil || filter.Match(*q.Filter, matched(g.Attributes, g.ID, g.Version, g.Created, g.Modified,
			"members", g.Members)) {
			if !q.WithMembers {
				g.Members = nil
			}
			all = append(all, g)
		}
	}
	return pageOf(all, q)
}

// state returns who is active, suspended and gone of some people, in their order: "a-s" for instance.
func (f *far) stateOf(ids []string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, id := range ids {
		switch p := f.people[id]; {
		case p == nil:
			b.WriteString("-")
		case p.attributes["active"] == false:
			b.WriteString("s")
		default:
			b.WriteString("a")
		}
	}
	return b.String()
}

func (f *far) membersOf(group string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g := f.groups[group]; g != nil {
		return slices.Sorted(slices.Values(g.members))
	}
	return nil
}

// A guarded is a Guard before a far directory with some people.
type guarded struct {
	*testing.T
	*Guard
	far    *far
	folder string
	now    time.Time
	ids    []string
}

// guardWith returns a Guard with a limit, before so many people.
func guardWith(t *testing.T, limit string, people int) *guarded {
	t.Helper()
	g := &guarded{T: t, far: newFar(), folder: t.TempDir(), now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	g.restart(limit)
	for i := range people {
		g.ids = append(g.ids, g.create(fmt.Sprintf("p%d", i)).ID)
	}
	return g
}

// restart makes another Guard of the folder, as a process does that is started after another was killed.
func (g *guarded) restart(limit string) {
	g.Helper()
	parsed, err := suspension.ParseLimit(limit)
	if err != nil {
		g.Fatal(err)
	}
	g.Guard = New(Config{Directory: g.far, DataDir: g.folder, Limit: parsed, Client: "bridge:test",
		Log: hclog.NewNullLogger(), Now: func() time.Time { return g.now }})
	g.SetServer("https://far.example.com/scim/v2")
}

func attributes(userName string, active bool) json.RawMessage {
	raw, err := json.Marshal(map[string]any{"userName": userName, "active": active})
	if err != nil {
		panic(err)
	}
	return raw
}

func (g *guarded) create(userName string) bridge.Person {
	g.Helper()
	p, err := g.CreatePerson(g.Context(), bridge.PersonInput{Attributes: attributes(userName, true)})
	if err != nil {
		g.Fatal(err)
	}
	return p
}

// setActive suspends or reactivates one of the people, and wants the answer to say so.
func (g *guarded) setActive(i int, active bool) {
	g.Helper()
	p, err := g.ReplacePerson(g.Context(), g.ids[i],
		bridge.PersonInput{Attributes: attributes(fmt.Sprintf("p%d", i), active)}, "")
	if err != nil || p.Suspended == active || isActive(p.Attributes) != active {
		g.Fatalf("setting active of %d: %v, %v, %s", i, err, p.Suspended, p.Attributes)
	}
}

func (g *guarded) delete(i int) {
	g.Helper()
	if err := g.DeletePerson(g.Context(), g.ids[i], ""); err != nil {
		g.Fatal(err)
	}
	if _, err := g.Person(g.Context(), g.ids[i]); !isNotFound(err) {
		g.Fatalf("a deleted person is read: %v", err)
	}
}

// newGroup creates a group of people.
func (g *guarded) newGroup(name string, people ...int) string {
	g.Helper()
	in := bridge.GroupInput{Attributes: json.RawMessage(fmt.Sprintf(`{"displayName":%q}`, name))}
	for _, i := range people {
		in.Members = append(in.Members, g.ids[i])
	}
	group, err := g.CreateGroup(g.Context(), in)
	if err != nil {
		g.Fatal(err)
	}
	return group.ID
}

func (g *guarded) update(group string, c bridge.GroupChange) bridge.Group {
	g.Helper()
	changed, err := g.UpdateGroup(g.Context(), group, c, "", true)
	if err != nil {
		g.Fatal(err)
	}
	return changed
}

// wantHeld compares what is held, as "suspensions+removals".
func (g *guarded) wantHeld(want string) bridge.HoldPage {
	g.Helper()
	page, err := g.Holds(g.Context(), "", 1000)
	if got := fmt.Sprintf("%d+%d", page.Suspensions, page.Removals); err != nil || got != want ||
		len(page.Items) != int(page.Suspensions+page.Removals) {
		g.Errorf("held are %s, want %s (%d listed): %v", got, want, len(page.Items), err)
	}
	return page
}

func (g *guarded) wantFar(want string) {
	g.Helper()
	if got := g.far.stateOf(g.ids); got != want {
		g.Errorf("the directory has %s, want %s", got, want)
	}
}

// decideAll decides all that is held.
func (g *guarded) decideAll(approve bool) (int64, error) {
	g.Helper()
	page, err := g.Holds(g.Context(), "", 1)
	if err != nil {
		g.Fatal(err)
	}
	return g.DecideHolds(g.Context(), bridge.HoldDecision{Approve: approve, Until: page.AsOf})
}

func memberIDs(group bridge.Group) []string {
	ids := []string{}
	for _, m := range group.Members {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids
}
