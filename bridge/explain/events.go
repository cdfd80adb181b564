package explain

import (
	"errors"
	"slices"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// id is under which the journal has the person.
func (f PersonFacts) id() string {
	switch {
	case f.Person != nil:
		return f.Person.ID
	case f.Member == nil && inputtext.IsOpaqueID(f.Asked):
		return f.Asked
	default:
		return ""
	}
}

// journalNames are the userNames under which the journal may have the person, or its earlier life: one that is
// deleted and created again has another id.
func (f PersonFacts) journalNames() []string {
	switch {
	case f.Person != nil:
		return []string{f.name()}
	case f.Member != nil:
		return []string{f.Member.LastUserName, f.Member.Address}
	default:
		return []string{f.Asked}
	}
}

func (f GroupFacts) id() string {
	switch {
	case f.Group != nil:
		return f.Group.ID
	case inputtext.IsOpaqueID(f.Asked):
		return f.Asked
	default:
		return ""
	}
}

func (f GroupFacts) journalNames() []string {
	if f.Group != nil {
		if name := attributesOf(f.Group.Attributes).DisplayName; name != "" {
			return []string{name}
		}
	}
	return []string{f.Asked}
}

// gaveName reports whether the person or group of an event has had the name of its request since.
func gaveName(e journal.Event) bool {
	switch e.Kind {
	case journal.PersonCreated, journal.PersonUpdated, journal.GroupCreated, journal.GroupUpdated:
		return true
	default:
		return false
	}
}

// others returns the ids of those who had one of the names, or were refused it, and are there under another name now:
// what was asked of them is not about whom it is asked. There are more than maxFound only where names go round; those
// are taken for others as well.
func (x *Explainer) others(
	found journal.Found, q journal.Search, idOf func(journal.Event) string, get func(id string) error,
) map[string]bool {
	others := map[string]bool{}
	for _, id := range q.IDs {
		others[id] = true
	}
	asked := len(others)
	for _, e := range found.Events {
		id := idOf(e)
		if _, known := others[id]; known || id == "" {
			continue
		}
		if len(others) >= asked+maxFound {
			others[id] = true
			continue
		}
		err := get(id)
		others[id] = bridge.CodeOf(err) != bridge.NotFound && !errors.Is(err, errNotAsked)
	}
	return others
}

// errNotAsked is the error for a question to an account that is away.
var errNotAsked = errors.New("the account cannot be asked")

// about returns the events about one of those of a search: those of its id, requests without an id that gave its name,
// and those of an id of nobody, from when that had the name.
func about(
	found journal.Found, id string, names []string, others map[string]bool, idOf func(journal.Event) string,
) []journal.Event {
	isNamed := func(e journal.Event) bool {
		return slices.ContainsFunc(names, func(name string) bool { return found.Named(e, name) })
	}
	type life struct{ known, named bool }
	lives := map[string]life{}
	var events []journal.Event
	for _, e := range slices.Backward(found.Events) {
		of := idOf(e)
		mine := of == id && id != "" || isMember(e, id)
		switch {
		case mine:
		case of == "":
			mine = isNamed(e)
		case !others[of]:
			l := lives[of]
			if gaveName(e) && e.Subject != "" {
				l = life{true, isNamed(e)}
				lives[of] = l
			}
			mine = l.named || !l.known && isNamed(e)
		}
		if mine {
			events = append(events, e)
		}
	}
	slices.Reverse(events)
	return events
}

// isMember reports whether an event of a group names a member.
func isMember(e journal.Event, id string) bool {
	for _, m := range [...]*journal.Members{e.Added, e.Removed, e.Set} {
		if m != nil && id != "" && slices.Contains(m.IDs, id) {
			return true
		}
	}
	return false
}
