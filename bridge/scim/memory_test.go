package scim_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
)

// memory is a bridge.Directory with nothing behind it. It keeps the contract
// of the port and none of an account's rules.
type memory struct {
	mu     sync.Mutex
	next   int
	now    time.Time
	people []*bridge.Person
	groups []*bridge.Group
	// before is called ahead of every write, to let another client be faster.
	before func()
}

func newMemory() *memory {
	return &memory{now: time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)}
}

var _ bridge.Directory = (*memory)(nil)

func (m *memory) lock() func() {
	if before := m.before; before != nil {
		m.before = nil
		before()
	}
	m.mu.Lock()
	return m.mu.Unlock
}

func (m *memory) stamp() (string, time.Time) {
	m.next++
	m.now = m.now.Add(time.Second)
	return strconv.Itoa(m.next), m.now
}

func decoded(raw json.RawMessage) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		panic(fmt.Sprintf("attributes that are no object: %v: %s", err, raw))
	}
	for _, name := range []string{"id", "meta", "groups", "members", "password"} {
		if _, has := object[name]; has {
			panic(fmt.Sprintf("attributes with %s: %s", name, raw))
		}
	}
	return object
}

// kept is a resource as a directory keeps it: blanks around userName, e-mail
// values and a group's name do not count.
func kept(raw json.RawMessage, name string) json.RawMessage {
	object := decoded(raw)
	trim := func(object map[string]any, name string) {
		if s, ok := object[name].(string); ok {
			object[name] = inputtext.TrimBlanks(s)
		}
	}
	trim(object, name)
	emails, _ := object["emails"].([]any)
	for _, e := range emails {
		if e, ok := e.(map[string]any); ok {
			trim(e, "value")
		}
	}
	raw, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return raw
}

func text(raw json.RawMessage, name string) string {
	s, _ := decoded(raw)[name].(string)
	return s
}

func refuse(code bridge.Code, format string, args ...any) error {
	return &bridge.Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

func (m *memory) person(id string) (*bridge.Person, error) {
	for _, p := range m.people {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, refuse(bridge.NotFound, "there is no person %q", id)
}

func (m *memory) group(id string) (*bridge.Group, error) {
	for _, g := range m.groups {
		if g.ID == id {
			return g, nil
		}
	}
	return nil, refuse(bridge.NotFound, "there is no group %q", id)
}

func current(version, ifMatch string) error {
	if ifMatch != "" && ifMatch != version {
		return refuse(bridge.VersionMismatch, "the version is %s", version)
	}
	return nil
}

func (m *memory) nameTaken(id string, attributes json.RawMessage) error {
	for _, p := range m.people {
		if p.ID != id && strings.EqualFold(text(p.Attributes, "userName"), text(attributes, "userName")) {
			return refuse(bridge.UserNameTaken, "userName is taken by %s", p.ID)
		}
	}
	return nil
}

func (m *memory) CreatePerson(_ context.Context, in bridge.PersonInput) (bridge.Person, error) {
	defer m.lock()()
	in.Attributes = kept(in.Attributes, "userName")
	if strings.HasPrefix(text(in.Attributes, "userName"), "owner@") {
		return bridge.Person{}, refuse(bridge.Protected, "owner@ is an owner of the account")
	}
	if err := m.nameTaken("", in.Attributes); err != nil {
		return bridge.Person{}, err
	}
	version, now := m.stamp()
	p := &bridge.Person{ID: "p" + version, Version: `"` + version + `"`, Created: now, Modified: now,
		Attributes: in.Attributes}
	m.people = append(m.people, p)
	return m.withGroups(p), nil
}

func (m *memory) withGroups(p *bridge.Person) bridge.Person {
	out := *p
	for _, g := range m.groups {
		for _, member := range g.Members {
			if member.ID == p.ID {
				out.Groups = append(out.Groups, bridge.Reference{
					ID: g.ID, Display: text(g.Attributes, "displayName"), Type: "Group",
				})
			}
		}
	}
	return out
}

func (m *memory) Person(_ context.Context, id string) (bridge.Person, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.person(id)
	if err != nil {
		return bridge.Person{}, err
	}
	return m.withGroups(p), nil
}

func (m *memory) ReplacePerson(_ context.Context, id string, in bridge.PersonInput, ifMatch string,
) (bridge.Person, error) {
	defer m.lock()()
	in.Attributes = kept(in.Attributes, "userName")
	p, err := m.person(id)
	if err == nil {
		err = cmp.Or(current(p.Version, ifMatch), m.nameTaken(id, in.Attributes))
	}
	if err != nil {
		return bridge.Person{}, err
	}
	if !bytes.Equal(p.Attributes, in.Attributes) {
		version, now := m.stamp()
		p.Attributes, p.Version, p.Modified = in.Attributes, `"`+version+`"`, now
	}
	return m.withGroups(p), nil
}

func (m *memory) DeletePerson(_ context.Context, id, ifMatch string) error {
	defer m.lock()()
	p, err := m.person(id)
	if err == nil {
		err = current(p.Version, ifMatch)
	}
	if err != nil {
		return err
	}
	m.people = slices.DeleteFunc(m.people, func(q *bridge.Person) bool { return q == p })
	for _, g := range m.groups {
		g.Members = slices.DeleteFunc(g.Members, func(r bridge.Reference) bool { return r.ID == id })
	}
	return nil
}

func (m *memory) SearchPeople(_ context.Context, q bridge.Query) (bridge.Page[bridge.Person], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]bridge.Person, len(m.people))
	for i, p := range m.people {
		all[i] = m.withGroups(p)
	}
	return page(q, all, func(p bridge.Person) map[string]any {
		return document(p.Attributes, p.ID, p.Version, p.Created, p.Modified, "groups", p.Groups)
	})
}

func (m *memory) CreateGroup(_ context.Context, in bridge.GroupInput) (bridge.Group, error) {
	defer m.lock()()
	in.Attributes = kept(in.Attributes, "displayName")
	for _, g := range m.groups {
		if strings.EqualFold(text(g.Attributes, "displayName"), text(in.Attributes, "displayName")) {
			return bridge.Group{}, refuse(bridge.GroupNameTaken, "the name is taken by %s", g.ID)
		}
	}
	version, now := m.stamp()
	g := &bridge.Group{ID: "g" + version, Version: `"` + version + `"`, Created: now, Modified: now,
		Attributes: in.Attributes}
	unknown := m.join(g, in.Members)
	m.groups = append(m.groups, g)
	out := *g
	out.Members, out.UnknownMembers = nil, unknown
	return out, nil
}

func (m *memory) known(id string) bool {
	_, noPerson := m.person(id)
	_, noGroup := m.group(id)
	return noPerson == nil || noGroup == nil
}

// join adds members and returns the unknown ids.
func (m *memory) join(g *bridge.Group, ids []string) (unknown []string) {
	for _, id := range ids {
		if slices.ContainsFunc(g.Members, func(r bridge.Reference) bool { return r.ID == id }) {
			continue
		}
		if p, err := m.person(id); err == nil {
			g.Members = append(g.Members,
				bridge.Reference{ID: id, Display: text(p.Attributes, "displayName"), Type: "User"})
		} else if other, err := m.group(id); err == nil {
			g.Members = append(g.Members, bridge.Reference{ID: id, Display: text(other.Attributes, "displayName"),
				Type: "Group"})
		} else {
			unknown = append(unknown, id)
		}
	}
	return unknown
}

func (m *memory) Group(_ context.Context, id string, withMembers bool) (bridge.Group, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g, err := m.group(id)
	if err != nil {
		return bridge.Group{}, err
	}
	return membersIf(withMembers, g), nil
}

func membersIf(wanted bool, g *bridge.Group) bridge.Group {
	out := *g
	out.Members = slices.Clone(g.Members)
	if !wanted {
		out.Members = nil
	}
	return out
}

func (m *memory) UpdateGroup(_ context.Context, id string, c bridge.GroupChange, ifMatch string, withMembers bool,
) (bridge.Group, error) {
	defer m.lock()()
	g, err := m.group(id)
	if err == nil {
		err = current(g.Version, ifMatch)
	}
	if err != nil {
		return bridge.Group{}, err
	}
	for _, id := range c.Add {
		if slices.Contains(c.Remove, id) {
			return bridge.Group{}, refuse(bridge.InvalidValue, "%s both joins and leaves", id)
		}
	}
	if c.Replace != nil && *c.Replace == nil {
		// On its way to an account it would be null, which keeps them.
		return bridge.Group{}, refuse(bridge.InvalidValue, "a nil list of members is not an empty one")
	}
	if c.Replace != nil {
		list := *c.Replace
		if len(list) == 0 {
			list = c.Add
		}
		if len(list) > 0 && !slices.ContainsFunc(list, m.known) {
			return bridge.Group{}, &bridge.Error{Code: bridge.MembersUnknown, IDs: list, Detail: "unknown ids: " +
				strings.Join(list, ", ")}
		}
	}
	for _, list := range c.Instead {
		if !slices.ContainsFunc(list, m.known) {
			return bridge.Group{}, &bridge.Error{Code: bridge.MembersUnknown, IDs: list, Detail: "unknown ids: " +
				strings.Join(list, ", ")}
		}
	}
	if c.Attributes != nil {
		g.Attributes = kept(c.Attributes, "displayName")
	}
	var unknown []string
	if c.Replace != nil {
		g.Members = nil
		unknown = m.join(g, *c.Replace)
	}
	unknown = append(unknown, m.join(g, c.Add)...)
	g.Members = slices.DeleteFunc(g.Members, func(r bridge.Reference) bool { return slices.Contains(c.Remove, r.ID) })
	version, now := m.stamp()
	g.Version, g.Modified = `"`+version+`"`, now
	out := membersIf(withMembers, g)
	out.UnknownMembers = unknown
	return out, nil
}

func (m *memory) DeleteGroup(_ context.Context, id, ifMatch string) error {
	defer m.lock()()
	g, err := m.group(id)
	if err == nil {
		err = current(g.Version, ifMatch)
	}
	if err != nil {
		return err
	}
	m.groups = slices.DeleteFunc(m.groups, func(q *bridge.Group) bool { return q == g })
	return nil
}

func (m *memory) SearchGroups(_ context.Context, q bridge.Query) (bridge.Page[bridge.Group], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]bridge.Group, len(m.groups))
	for i, g := range m.groups {
		all[i] = membersIf(true, g)
	}
	found, err := page(q, all, func(g bridge.Group) map[string]any {
		return document(g.Attributes, g.ID, g.Version, g.Created, g.Modified, "members", g.Members)
	})
	for i := range found.Items {
		found.Items[i] = membersIf(q.WithMembers, &found.Items[i])
	}
	return found, err
}

// document is what predicates are evaluated on, as openapi.yaml says.
func document(raw json.RawMessage, id, version string, created, modified time.Time, list string,
	refs []bridge.Reference) map[string]any {
	d := decoded(raw)
	d["id"] = id
	d["meta"] = map[string]any{
		"created":      created.Format(time.RFC3339Nano),
		"lastModified": modified.Format(time.RFC3339Nano), "version": version,
	}
	var elements []any
	for _, r := range refs {
		elements = append(elements, map[string]any{"value": r.ID, "display": r.Display, "type": r.Type})
	}
	d[list] = elements
	return d
}

func page[T any](q bridge.Query, all []T, document func(T) map[string]any) (bridge.Page[T], error) {
	offset := q.Offset
	if q.Cursor != "" {
		n, err := strconv.ParseInt(q.Cursor, 10, 64)
		if err != nil {
			return bridge.Page[T]{}, refuse(bridge.InvalidCursor, "the cursor is not one of ours")
		}
		offset = n
	}
	all = slices.DeleteFunc(all, func(item T) bool {
		return q.Filter != nil && !filter.Match(*q.Filter, document(item))
	})
	if q.SortBy != nil {
		slices.SortStableFunc(all, func(a, b T) int {
			x, y := sortText(document(a), q.SortBy), sortText(document(b), q.SortBy)
			order := strings.Compare(x, y)
			if x == "" || y == "" { // who has no value comes last
				order = -order
			}
			if q.Descending {
				return -order
			}
			return order
		})
	}
	p := bridge.Page[T]{Total: int64(len(all))}
	start := min(offset, p.Total)
	end := min(start+int64(q.Limit), p.Total)
	p.Items = all[start:end]
	if end < p.Total {
		p.Next = strconv.FormatInt(end, 10)
	}
	return p, nil
}

func sortText(value any, path []string) string {
	for _, key := range path {
		if list, ok := value.([]any); ok && len(list) > 0 {
			value = list[0]
		}
		object, _ := value.(map[string]any)
		value = object[key]
	}
	s, _ := value.(string)
	return strings.ToLower(s)
}
