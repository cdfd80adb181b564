package journal

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/linestore"
)

// A Filter says which events are asked for. The zero value asks for the latest ones.
type Filter struct {
	// Person is a person's id, or its userName, and Group a group's id or name. A name finds what was asked under
	// it, and what happened to those who had it.
	Person  string `json:"person,omitempty"`
	Group   string `json:"group,omitempty"`
	Request string `json:"request,omitempty"`
	// Kinds are all but PersonRead and Traffic if there are none.
	Kinds  []Kind    `json:"kinds,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	Limit  int       `json:"limit,omitempty"`  // of events in a page; 0 means 100
	Cursor string    `json:"cursor,omitempty"` // Next of the page before
}

// A Page is some of the events, newest first.
type Page struct {
	Events []Event `json:"events"`
	// Next is the cursor of the page with older events; empty if there are none.
	Next string `json:"next,omitempty"`
	// Oldest is how far the journal goes back; zero if it is empty.
	Oldest time.Time `json:"oldest,omitzero"`
	// Lookups is set if one person was asked for by its id.
	Lookups *Lookups `json:"lookups,omitempty"`
}

// Lookups are how often a person was read by itself.
type Lookups struct {
	Count int64     `json:"count"`
	Last  time.Time `json:"last,omitzero"` // to the minute
}

// MaxLimit is the most events of a page.
const MaxLimit = 500

const defaultLimit = 100

// A source is a journal that can be read.
type source struct {
	events, reads, traffic func(linestore.Range) iter.Seq[linestore.Line] // newest first
	fromOldest             func(linestore.Range) iter.Seq[linestore.Line] // the events
	key                    *subjectKey
}

// ReadFolder reads the journal in a data folder that a bridge may be writing.
func ReadFolder(dataDir string, f Filter) (Page, error) { return folderSource(dataDir).read(f) }

func folderSource(dataDir string) source {
	events, reads, traffic := stores(Config{
		DataDir: dataDir, MaxBytes: defaultBytes, MaxAge: defaultAge, Now: time.Now,
	})
	return source{
		events: events.Newest, reads: reads.Newest, traffic: traffic.Newest, fromOldest: events.Oldest,
		key: readKey(events.Folder),
	}
}

// Read returns the events of a filter, newest first.
func (j *Journal) Read(f Filter) (Page, error) {
	if j == nil {
		return Page{Events: []Event{}}, nil
	}
	p, err := j.read(f)
	if p.Lookups != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		if n := j.lookups[f.Person]; n > 0 { // in this minute
			p.Lookups.Count, p.Lookups.Last = p.Lookups.Count+n, j.minute.UTC()
		}
	}
	return p, err
}

// A FilterError is the error for a filter that asks for nothing that there is.
type FilterError struct{ Detail string }

func (e *FilterError) Error() string { return e.Detail }

func (f Filter) check() error {
	switch {
	case f.Request != "" && !isRequestID(f.Request):
		return &FilterError{"a request id has 26 letters and digits"}
	case f.Limit < 0 || f.Limit > MaxLimit:
		return &FilterError{fmt.Sprintf("the limit must be from 1 to %d", MaxLimit)}
	}
	for _, k := range f.Kinds {
		if !slices.Contains(kinds, k) {
			return &FilterError{"there are no events of that kind; the kinds are " + kindList()}
		}
	}
	return nil
}

func kindList() string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

func (s source) read(f Filter) (p Page, err error) {
	p.Events = []Event{}
	if err := f.check(); err != nil {
		return p, err
	}
	from, skip, err := parseCursor(f.Cursor)
	if err != nil {
		return p, err
	}
	m := s.matcher(f)
	r := linestore.Range{Since: f.Since, Until: f.Until}
	if !from.IsZero() && (r.Until.IsZero() || from.Before(r.Until)) {
		r.Until = from
	}
	limit := cmp.Or(f.Limit, defaultLimit)
	for line := range s.lines(f, r) {
		if !m.mayMatch(line.Text) {
			continue
		}
		e, err := parseLine(line.Text)
		if err != nil || !m.matches(&e) {
			continue
		}
		if skip > 0 && e.Time.Equal(from) { // on the page before
			skip--
			continue
		}
		if len(p.Events) == limit {
			p.Next = nextCursor(p.Events, f.Cursor)
			break
		}
		p.Events = append(p.Events, e)
	}
	p.Oldest = s.oldest()
	if inputtext.IsOpaqueID(f.Person) && f.Cursor == "" {
		p.Lookups = s.lookups(f.Person)
	}
	return p, nil
}

// lines returns the lines of the stores that have the filter's kinds.
func (s source) lines(f Filter, r linestore.Range) iter.Seq[linestore.Line] {
	var found iter.Seq[linestore.Line] = func(func(linestore.Line) bool) {}
	if len(f.Kinds) == 0 || slices.ContainsFunc(f.Kinds, func(k Kind) bool { return !k.isSummary() }) {
		found = s.events(r)
	}
	if slices.Contains(f.Kinds, PersonRead) {
		found = newest(found, s.reads(r))
	}
	if slices.Contains(f.Kinds, Traffic) {
		found = newest(found, s.traffic(r))
	}
	return found
}

// newest merges two sequences, newest first.
func newest(a, b iter.Seq[linestore.Line]) iter.Seq[linestore.Line] {
	return func(yield func(linestore.Line) bool) {
		nextB, stop := iter.Pull(b)
		defer stop()
		other, more := nextB()
		for line := range a {
			for ; more && other.At.After(line.At); other, more = nextB() {
				if !yield(other) {
					return
				}
			}
			if !yield(line) {
				return
			}
		}
		for ; more; other, more = nextB() {
			if !yield(other) {
				return
			}
		}
	}
}

// oldest returns the time of the oldest event; zero if there is none.
func (s source) oldest() time.Time {
	for line := range s.fromOldest(linestore.Range{}) {
		return line.At
	}
	return time.Time{}
}

func (s source) lookups(person string) *Lookups {
	found := new(Lookups)
	for line := range s.reads(linestore.Range{}) {
		if !bytes.Contains(line.Text, []byte(person)) {
			continue
		}
		e, err := parseLine(line.Text)
		if err != nil || e.Kind != PersonRead || e.Person != person {
			continue
		}
		found.Count += e.Count
		if e.Since.After(found.Last) {
			found.Last = e.Since
		}
	}
	return found
}

// A matcher finds the events of a filter.
type matcher struct {
	Filter
	// people and groups are ids and digests, one of which an event must have; nil for any.
	people, groups map[string]bool
}

func (s source) matcher(f Filter) matcher {
	m := matcher{Filter: f}
	if f.Person != "" {
		m.people = s.named("person", f.Person, func(e *Event) string { return e.Person })
	}
	if f.Group != "" {
		m.groups = s.named("group", f.Group, func(e *Event) string { return e.Group })
	}
	return m
}

// named returns the digest of a name, the ids that had it, and the name itself if it may be an id: userNames are in
// the form of one where an identity provider makes them of its own ids.
func (s source) named(resource, name string, idOf func(*Event) string) map[string]bool {
	found := map[string]bool{}
	if inputtext.IsOpaqueID(name) {
		found[name] = true
	}
	subjects := map[string]bool{}
	for _, subject := range s.key.all(resource, name) {
		found[subject], subjects[subject] = true, true
	}
	for e := range containing(context.Background(), s.events, subjects) {
		if subjects[e.Subject] && idOf(&e) != "" {
			found[idOf(&e)] = true
		}
	}
	return found
}

// mayMatch is a quick look at the text, since most lines are of others.
func (m *matcher) mayMatch(line []byte) bool {
	contains := func(asked map[string]bool) bool {
		for text := range asked {
			if bytes.Contains(line, []byte(text)) {
				return true
			}
		}
		return asked == nil
	}
	return m.mayBeOfKind(line) && contains(m.people) && contains(m.groups) &&
		(m.Request == "" || bytes.Contains(line, []byte(m.Request)))
}

// mayBeOfKind looks at the kind where appendLine writes it. A line of another form is parsed.
func (m *matcher) mayBeOfKind(line []byte) bool {
	const key = `","kind":"`
	const at = len(lineBegin) + len(timeForm) + len(key)
	if len(m.Kinds) == 0 || len(line) < at || string(line[at-len(key):at]) != key {
		return true
	}
	kind, _, _ := bytes.Cut(line[at:], []byte{'"'})
	return slices.Contains(m.Kinds, Kind(kind))
}

func (m *matcher) matches(e *Event) bool {
	if len(m.Kinds) > 0 && !slices.Contains(m.Kinds, e.Kind) {
		return false
	}
	return (m.Request == "" || e.Request == m.Request) && m.concerns(m.people, e.Person, e) &&
		m.concerns(m.groups, e.Group, e)
}

// concerns reports whether an event is about one of those asked for: also as a member in a request.
func (m *matcher) concerns(asked map[string]bool, id string, e *Event) bool {
	if asked == nil || asked[id] || e.Subject != "" && asked[e.Subject] {
		return true
	}
	for _, members := range [...]*Members{e.Added, e.Removed, e.Set} {
		if members != nil && slices.ContainsFunc(members.IDs, func(id string) bool { return asked[id] }) {
			return true
		}
	}
	return false
}

// nextCursor returns the cursor behind the events of a page: the time of the last one, and how many of that time
// were on this page and those before.
func nextCursor(events []Event, before string) string {
	last := events[len(events)-1].Time
	n := 0
	for _, e := range slices.Backward(events) {
		if !e.Time.Equal(last) {
			break
		}
		n++
	}
	if from, skip, err := parseCursor(before); err == nil && n == len(events) && from.Equal(last) {
		n += skip
	}
	return fmt.Sprintf("%d.%d", last.UnixNano(), n)
}

func parseCursor(text string) (from time.Time, skip int, err error) {
	if text == "" {
		return from, 0, nil
	}
	var nanoseconds int64
	if _, err := fmt.Sscanf(text+"\n", "%d.%d\n", &nanoseconds, &skip); err != nil || skip < 0 {
		return from, 0, &FilterError{"the cursor is not one of this journal's; begin again without it"}
	}
	return time.Unix(0, nanoseconds).UTC(), skip, nil
}
