package journal

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/linestore"
)

// A Search asks for the events about some people or groups, all at once: a journal is read as a whole.
type Search struct {
	Groups bool // about groups instead of people
	// IDs are those of the people, and Names userNames. What had a name earlier, or was refused it, is found with all
	// its events: see Found.Named.
	IDs, Names []string
	Limit      int // of events of each; 0 means MaxLimit
}

// Found is the answer to a search.
type Found struct {
	Events []Event   // newest first
	Oldest time.Time // how far the journal goes back; zero if it is empty
	// Lookups are how often people were read by themselves, by the ids of the search.
	Lookups  map[string]Lookups
	subjects map[string][]string // by name
}

// Named reports whether the request of an event knew its person or group under a name of the search, or asked for
// that name.
func (f Found) Named(e Event, name string) bool {
	return e.Subject != "" && slices.Contains(f.subjects[name], e.Subject)
}

// Search returns the events about some people or groups. The error is that of ctx.
func (j *Journal) Search(ctx context.Context, s Search) (Found, error) {
	if j == nil {
		return Found{}, nil
	}
	f, err := j.search(ctx, s)
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, l := range f.Lookups {
		if n := j.lookups[id]; n > 0 { // in this minute
			f.Lookups[id] = Lookups{Count: l.Count + n, Last: j.minute.UTC()}
		}
	}
	return f, err
}

// SearchFolder searches the journal in a data folder that a bridge may be writing.
func SearchFolder(ctx context.Context, dataDir string, s Search) (Found, error) {
	return folderSource(dataDir).search(ctx, s)
}

// maxNamed is how many ids are followed that had a name.
const maxNamed = 100

func (s source) search(ctx context.Context, q Search) (f Found, err error) {
	resource, idOf := "person", func(e *Event) string { return e.Person }
	if q.Groups {
		resource, idOf = "group", func(e *Event) string { return e.Group }
	}
	f.subjects, f.Lookups = map[string][]string{}, map[string]Lookups{}
	subjects, asked := map[string]bool{}, map[string]bool{}
	for _, name := range q.Names {
		f.subjects[name] = s.key.all(resource, name)
		for _, subject := range f.subjects[name] {
			subjects[subject], asked[subject] = true, true
		}
	}
	for _, id := range q.IDs {
		if inputtext.IsOpaqueID(id) {
			asked[id] = true
			f.Lookups[id] = Lookups{}
		}
	}
	f.Oldest = s.oldest()
	for e := range containing(ctx, s.events, subjects) {
		id := idOf(&e)
		if subjects[e.Subject] && id != "" && len(asked) < len(q.IDs)+len(q.Names)+maxNamed {
			asked[id] = true
		}
	}
	// The events of one that had a name before leave room for those of the others.
	limit, found := cmp.Or(q.Limit, MaxLimit), map[string]int{}
	for e := range containing(ctx, s.events, asked) {
		of := q.whom(&e, idOf(&e), asked)
		if of == "" || found[of] == limit || e.Kind == Explained { // which is about whoever asked
			continue
		}
		found[of]++
		f.Events = append(f.Events, e)
	}
	s.addLookups(ctx, f.Lookups)
	return f, ctx.Err()
}

// whom returns the id or the digest of the name by which an event is one of a search; empty if it is not. A group's
// event is one of its members, too, but for those of whom only a name is known.
func (q Search) whom(e *Event, id string, asked map[string]bool) string {
	switch {
	case asked[id]:
		return id
	case asked[e.Subject]:
		return e.Subject
	}
	for _, members := range [...]*Members{e.Added, e.Removed, e.Set} {
		if members == nil {
			continue
		}
		if i := slices.IndexFunc(q.IDs, func(id string) bool { return slices.Contains(members.IDs, id) }); i >= 0 {
			return q.IDs[i]
		}
	}
	return ""
}

// containing yields the events whose lines have one of some texts, newest first, until ctx ends.
func containing(
	ctx context.Context, lines func(linestore.Range) iter.Seq[linestore.Line], texts map[string]bool,
) iter.Seq[Event] {
	var sought [][]byte
	for text := range texts {
		sought = append(sought, []byte(text))
	}
	return func(yield func(Event) bool) {
		if len(sought) == 0 {
			return
		}
		read := 0
		for line := range lines(linestore.Range{}) {
			if read++; read%1024 == 0 && ctx.Err() != nil {
				return
			}
			if !slices.ContainsFunc(sought, func(text []byte) bool { return bytes.Contains(line.Text, text) }) {
				continue
			}
			if e, err := parseLine(line.Text); err == nil && !yield(e) {
				return
			}
		}
	}
}

// addLookups adds how often the people were read whose ids are the keys.
func (s source) addLookups(ctx context.Context, found map[string]Lookups) {
	ids := make(map[string]bool, len(found))
	for id := range found {
		ids[id] = true
	}
	for e := range containing(ctx, s.reads, ids) {
		if l, asked := found[e.Person]; asked && e.Kind == PersonRead {
			l.Count += e.Count
			if e.Since.After(l.Last) {
				l.Last = e.Since
			}
			found[e.Person] = l
		}
	}
}
