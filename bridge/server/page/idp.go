package page

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// A Visitor is a client whose SCIM requests had a right token: the identity provider, or what plays its part.
type Visitor struct {
	Agent       string // what it says of itself, made safe to show; may be empty
	Address     netip.Addr
	Token       string // the name of the token: current or previous
	First, Last time.Time
	Requests    int64
}

// A Directory knows the names of people and groups.
type Directory interface {
	SearchPeople(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Person], error)
	SearchGroups(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Group], error)
}

// IdentityProvider shows whether and when the identity provider last came, how its requests of the last hour were
// answered, and what it changed. The visitors are those since the bridge started, the last one first. The journal has
// no names: the directory is asked for them.
func IdentityProvider(j *journal.Journal, visitors func() []Visitor, names Directory) Section {
	return Section{
		Name: "idp",
		Data: func(v *Visit) any {
			t := newTraffic(v.Now, j, visitors())
			ctx, cancel := v.AskAccount()
			defer cancel()
			t.addNames(ctx, names)
			return t
		},
	}
}

// traffic is the data of idp.html.
type traffic struct {
	Now time.Time
	// Last is when the last request came; exact only if there are Visitors.
	Last     time.Time
	Visitors []Visitor
	More     int // visitors that are not shown
	Hour     chart
	Changes  []change
	Kept     bool // there is a journal
}

const (
	visitorsShown = 4
	changesShown  = 8
)

// changes are the kinds of events that are shown as what the identity provider changed.
var changes = []journal.Kind{
	journal.PersonCreated, journal.PersonUpdated, journal.PersonDeleted, journal.PersonRefused,
	journal.GroupCreated, journal.GroupUpdated, journal.GroupDeleted, journal.GroupRefused, journal.RequestRefused,
}

func newTraffic(now time.Time, j *journal.Journal, visitors []Visitor) traffic {
	t := traffic{Now: now, Visitors: visitors, Kept: j != nil, Hour: newChart(now, j.Minutes(now.Add(-time.Hour)))}
	if t.More = len(visitors) - visitorsShown; t.More > 0 {
		t.Visitors = visitors[:visitorsShown]
	}
	if len(visitors) > 0 {
		t.Last = visitors[0].Last
	} else {
		t.Last = j.LastMinute()
	}
	p, err := j.Read(journal.Filter{Kinds: changes, Limit: changesShown})
	if err == nil { // the filter is a constant
		for _, e := range p.Events {
			t.Changes = append(t.Changes, change{Event: e})
		}
	}
	return t
}

// addNames adds the names of those who are still there. While the account is away, ids have to do.
func (t *traffic) addNames(ctx context.Context, d Directory) {
	var people, groups []string
	for _, c := range t.Changes {
		switch {
		case c.Group != "":
			groups = append(groups, c.Group)
		case c.Person != "":
			people = append(people, c.Person)
		}
	}
	found := map[string]string{}
	if len(people) > 0 {
		p, err := d.SearchPeople(ctx, byID(people))
		for _, person := range p.Items {
			found[person.ID] = nameIn(person.Attributes, "userName")
		}
		if err != nil {
			return
		}
	}
	if len(groups) > 0 {
		p, _ := d.SearchGroups(ctx, byID(groups)) // without an answer there are no names
		for _, group := range p.Items {
			found[group.ID] = nameIn(group.Attributes, "displayName")
		}
	}
	for i, c := range t.Changes {
		t.Changes[i].Name = found[c.ID()]
	}
}

func byID(ids []string) bridge.Query {
	anyOf := bridge.Predicate{Op: "or"}
	for _, id := range ids {
		anyOf.Terms = append(anyOf.Terms, bridge.Predicate{Op: "eq", Path: []string{"id"}, Value: id, CaseExact: true})
	}
	return bridge.Query{Filter: &anyOf, Limit: len(ids)}
}

// nameIn returns a text among attributes.
func nameIn(attributes json.RawMessage, key string) string {
	var all map[string]any
	_ = json.Unmarshal(attributes, &all) // what is no object has no name
	name, _ := all[key].(string)
	return inputtext.ShortLine(name, maxName)
}

// maxName is how much of a name is shown, in bytes.
const maxName = 200

type change struct {
	journal.Event
	Name string // empty if it is not known
}

// ID is the person's or group's that was changed; it may be empty.
func (c change) ID() string {
	if c.Group != "" {
		return c.Group
	}
	return c.Person
}

// What says what was changed.
func (c change) What() string {
	switch c.Kind {
	case journal.PersonCreated:
		return "Added a person" + c.activity()
	case journal.PersonUpdated:
		if c.Unchanged {
			return "Sent a person again; nothing changed"
		}
		return "Changed a person" + c.activity()
	case journal.PersonDeleted:
		return "Deleted a person"
	case journal.PersonRefused:
		return "Was refused a change of a person" + c.why()
	case journal.GroupCreated:
		return "Added a group" + c.members()
	case journal.GroupUpdated:
		if c.Unchanged {
			return "Sent a group again; nothing changed"
		}
		return "Changed a group" + c.members()
	case journal.GroupDeleted:
		return "Deleted a group"
	case journal.GroupRefused:
		return "Was refused a change of a group" + c.why()
	default:
		return "Was refused a bulk request" + c.why()
	}
}

func (c change) activity() string {
	if c.Active != nil && !*c.Active {
		return ", who is not active"
	}
	return ""
}

func (c change) members() string {
	text := ""
	if c.Set != nil {
		text += ", with " + plural(int64(c.Set.Count), "member")
	}
	if c.Added != nil {
		text += ", " + plural(int64(c.Added.Count), "member") + " added"
	}
	if c.Removed != nil {
		text += ", " + plural(int64(c.Removed.Count), "member") + " removed"
	}
	return text
}

func (c change) why() string {
	if c.Code == "" {
		return ""
	}
	return ": " + c.Code
}

// Refused reports whether nothing was changed because of a refusal.
func (c change) Refused() bool {
	return c.Kind == journal.PersonRefused || c.Kind == journal.GroupRefused || c.Kind == journal.RequestRefused
}
