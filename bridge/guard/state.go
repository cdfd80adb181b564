package guard

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A hold is a suspension or a removal from a group that the directory behind was not told.
type hold struct {
	ID       string `json:"id"`
	Person   string `json:"person"`
	UserName string `json:"user_name"`
	// Group is of a removal; empty for a suspension.
	Group     string `json:"group,omitempty"`
	GroupName string `json:"group_name,omitempty"`
	// Deleted is set for a suspension if the person was deleted.
	Deleted bool      `json:"deleted,omitempty"`
	Since   time.Time `json:"since"`
	// Made is later than that of all holds before, whatever the clock says.
	Made      time.Time `json:"made"`
	RequestID string    `json:"request,omitempty"`
}

// A kind is what the limit counts apart.
type kind string

const (
	suspending kind = "suspension"
	removing   kind = "removal"
)

// A count is how many suspensions or removals took effect at a time.
type count struct {
	Kind kind      `json:"kind"`
	At   time.Time `json:"at"`
	N    int64     `json:"n"`
}

// A hidden group was deleted by the identity provider, and is there as long as people are held in it.
type hiddenGroup struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// A change is one line of the file: it is there as a whole, or not at all.
type change struct {
	Holds  []hold        `json:"holds,omitempty"` // new ones, or those with an id in another form
	Drop   []string      `json:"drop,omitempty"`  // ids of holds that have ended
	Hide   []hiddenGroup `json:"hide,omitempty"`
	Show   []string      `json:"show,omitempty"` // ids of groups that are not hidden any more
	Counts []count       `json:"counts,omitempty"`
}

func (c change) isEmpty() bool {
	return len(c.Holds)+len(c.Drop)+len(c.Hide)+len(c.Show)+len(c.Counts) == 0
}

// size is how much of the file a change is worth.
func (c change) size() int {
	return len(c.Holds) + len(c.Drop) + len(c.Hide) + len(c.Show) + len(c.Counts)
}

// A state is what all changes make together.
type state struct {
	holds     map[string]hold            // by id
	suspended map[string]string          // a person's suspension
	removals  map[string]map[string]hold // by group and person
	groups    map[string]map[string]bool // in which a person has a removal
	hidden    map[string]string          // groups with their names
	counts    []count
	newest    time.Time // of the holds that there were
}

func newState() *state {
	return &state{
		holds: map[string]hold{}, suspended: map[string]string{}, removals: map[string]map[string]hold{},
		groups: map[string]map[string]bool{}, hidden: map[string]string{},
	}
}

func (s *state) apply(c change) {
	for _, id := range c.Drop {
		s.drop(id)
	}
	for _, h := range c.Holds {
		s.drop(h.ID)
		s.put(h)
	}
	for _, id := range c.Show {
		delete(s.hidden, id)
	}
	for _, g := range c.Hide {
		s.hidden[g.ID] = g.Name
	}
	for _, n := range c.Counts {
		s.count(n)
	}
}

// put adds a hold. Two requests may hold the same: the deletion of a person and its removal from a group, or those to
// two processes. There is one hold of it then, the last, or the others could not be decided.
func (s *state) put(h hold) {
	if h.Group == "" {
		s.drop(s.suspended[h.Person])
	} else {
		s.drop(s.removals[h.Group][h.Person].ID)
	}
	s.holds[h.ID] = h
	if h.Made.After(s.newest) {
		s.newest = h.Made
	}
	if h.Group == "" {
		s.suspended[h.Person] = h.ID
		return
	}
	if s.removals[h.Group] == nil {
		s.removals[h.Group] = map[string]hold{}
	}
	if s.groups[h.Person] == nil {
		s.groups[h.Person] = map[string]bool{}
	}
	s.removals[h.Group][h.Person], s.groups[h.Person][h.Group] = h, true
}

func (s *state) drop(id string) {
	h, there := s.holds[id]
	if !there {
		return
	}
	delete(s.holds, id)
	if h.Group == "" {
		delete(s.suspended, h.Person)
		return
	}
	delete(s.removals[h.Group], h.Person)
	delete(s.groups[h.Person], h.Group)
	if len(s.removals[h.Group]) == 0 {
		delete(s.removals, h.Group)
	}
	if len(s.groups[h.Person]) == 0 {
		delete(s.groups, h.Person)
	}
}

// longestCounted is how long counts are of use to any limit.
const longestCounted = 31 * 24 * time.Hour

func (s *state) count(n count) {
	i := slices.IndexFunc(s.counts, func(c count) bool { return c.Kind == n.Kind && c.At.Equal(n.At) })
	if i < 0 {
		s.counts = append(s.counts, n)
		return
	}
	if s.counts[i].N += n.N; s.counts[i].N <= 0 {
		s.counts = slices.Delete(s.counts, i, i+1)
	}
}

// recent returns how many of a kind took effect within a window.
func (s *state) recent(k kind, now time.Time, window time.Duration) (n int64) {
	s.counts = slices.DeleteFunc(s.counts, func(c count) bool { return now.Sub(c.At) > longestCounted })
	for _, c := range s.counts {
		// What a clock wrote that was far ahead would count for ever.
		if age := now.Sub(c.At); c.Kind == k && age < window && age > -window {
			n += c.N
		}
	}
	return n
}

// suspensionOf returns the suspension that is held of a person.
func (s *state) suspensionOf(person string) (hold, bool) {
	h, held := s.holds[s.suspended[person]]
	return h, held
}

// deleted returns the hold of a deletion that satisfies a condition, if there is one.
func (s *state) deleted(is func(hold) bool) (hold, bool) {
	for _, id := range s.suspended {
		if h := s.holds[id]; h.Deleted && is(h) {
			return h, true
		}
	}
	return hold{}, false
}

// removalsOf returns the removals of a person, the oldest first.
func (s *state) removalsOf(person string) []hold {
	var all []hold
	for group := range s.groups[person] {
		all = append(all, s.removals[group][person])
	}
	return inOrder(all)
}

// isAttached reports whether a removal belongs to the suspension of the same person, with which it is decided.
func (s *state) isAttached(h hold) bool { return h.Group != "" && s.suspended[h.Person] != "" }

// listed returns the holds to decide, the oldest first.
func (s *state) listed() []hold {
	all := make([]hold, 0, len(s.holds))
	for _, h := range s.holds {
		if !s.isAttached(h) {
			all = append(all, h)
		}
	}
	return inOrder(all)
}

func inOrder(holds []hold) []hold {
	slices.SortFunc(holds, func(a, b hold) int { return cmp.Or(a.Made.Compare(b.Made), cmp.Compare(a.ID, b.ID)) })
	return holds
}

// isEmpty reports whether nothing is held.
func (s *state) isEmpty() bool { return len(s.holds)+len(s.hidden) == 0 }

// size is how large whole is.
func (s *state) size() int { return len(s.holds) + len(s.hidden) + len(s.counts) }

// whole returns the changes that make the state.
func (s *state) whole() change {
	c := change{Holds: inOrder(slices.Collect(maps.Values(s.holds))), Counts: s.counts}
	for _, id := range slices.Sorted(maps.Keys(s.hidden)) {
		c.Hide = append(c.Hide, hiddenGroup{id, s.hidden[id]})
	}
	return c
}
