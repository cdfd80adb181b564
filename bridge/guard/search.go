package guard

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
)

// pageSize is how many are read at a time when all have to be looked at.
const pageSize = 200

// SearchPeople implements bridge.Directory. The directory cannot answer for what it was not told: if the filter is
// about that, or people are to be passed over, its answers to a wider question are looked at here.
func (g *Guard) SearchPeople(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Person], error) {
	var held, removed, deleted int64
	err := g.view(func(s *state) {
		held, removed = int64(len(s.suspended)), int64(len(s.groups))
		for _, id := range s.suspended {
			if s.holds[id].Deleted {
				deleted++
			}
		}
	})
	if err != nil {
		return bridge.Page[bridge.Person]{}, err
	}
	f := finder[bridge.Person]{
		search: g.inner.SearchPeople,
		show: func(p bridge.Person) (bridge.Person, bool, error) {
			if err := g.endSuspension(p); err != nil {
				return p, false, err
			}
			seen, err := g.seenPerson(p.ID)
			if err != nil || seen.deleted {
				return p, false, err
			}
			p, err = seen.show(p)
			return p, true, err
		},
		matched: func(p bridge.Person) map[string]any {
			return matched(p.Attributes, p.ID, p.Version, p.Created, p.Modified, "groups", p.Groups)
		},
		hidden: deleted,
	}
	if held > 0 {
		f.about = append(f.about, "active")
	}
	if removed > 0 {
		f.about = append(f.about, "groups")
	}
	return f.find(ctx, q)
}

// SearchGroups implements bridge.Directory.
func (g *Guard) SearchGroups(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Group], error) {
	var changed bool
	var hidden int64
	err := g.view(func(s *state) { changed, hidden = !s.isEmpty(), int64(len(s.hidden)) })
	if err != nil {
		return bridge.Page[bridge.Group]{}, err
	}
	f := finder[bridge.Group]{
		search: g.inner.SearchGroups,
		show: func(group bridge.Group) (bridge.Group, bool, error) {
			seen, err := g.seenGroup(group.ID)
			if err != nil || seen.hidden {
				return group, false, err
			}
			return seen.show(group), true, nil
		},
		matched: func(group bridge.Group) map[string]any {
			return matched(group.Attributes, group.ID, group.Version, group.Created, group.Modified, "members",
				group.Members)
		},
		hidden: hidden,
	}
	if changed {
		f.about = []string{"members"}
	}
	return f.find(ctx, q)
}

// matched is what a filter is evaluated on.
func matched(attributes []byte, id, version string, created, modified time.Time, list string,
	references []bridge.Reference,
) map[string]any {
	on := decoded(attributes)
	meta := map[string]any{"version": version}
	for name, at := range map[string]time.Time{"created": created, "lastModified": modified} {
		if !at.IsZero() {
			meta[name] = at.Format(time.RFC3339Nano)
		}
	}
	elements := make([]any, len(references))
	for i, r := range references {
		elements[i] = map[string]any{"value": r.ID, "display": r.Display, "type": r.Type}
	}
	on["id"], on["meta"], on[list] = id, meta, elements
	return on
}

// A finder searches people or groups of which some are seen otherwise than the directory has them.
type finder[T any] struct {
	search  func(context.Context, bridge.Query) (bridge.Page[T], error)
	show    func(T) (T, bool, error) // false for one that is not to be seen
	matched func(T) map[string]any
	about   []string // attributes that some are seen with otherwise
	hidden  int64    // how many are not to be seen
}

func (f finder[T]) find(ctx context.Context, q bridge.Query) (bridge.Page[T], error) {
	isAbout := q.Filter != nil &&
		slices.ContainsFunc(f.about, func(name string) bool { return mentions(*q.Filter, name) })
	if f.hidden == 0 && !isAbout {
		page, err := f.search(ctx, q)
		items := page.Items
		page.Items = nil
		for _, item := range items {
			var seen bool
			if item, seen, err = f.show(item); err != nil {
				return bridge.Page[T]{}, err
			}
			if seen {
				page.Items = append(page.Items, item)
			}
		}
		return page, err
	}
	return f.lookAtAll(ctx, q, isAbout)
}

// lookAtAll reads what a wider filter finds, and answers from that.
func (f finder[T]) lookAtAll(ctx context.Context, q bridge.Query, isAbout bool) (found bridge.Page[T], err error) {
	if q.Cursor != "" {
		if q.Offset, err = strconv.ParseInt(q.Cursor, 10, 64); err != nil || q.Offset < 0 {
			return found, &bridge.Error{Code: bridge.InvalidCursor, Detail: "the cursor is not one of this bridge's; " +
				"begin again without it"}
		}
	}
	limit := max(q.Limit, 0)
	wide := q
	wide.Cursor, wide.Offset, wide.Limit = "", 0, pageSize
	if isAbout {
		wide.Filter = widened(*q.Filter, f.about)
		wide.WithMembers = q.WithMembers || mentions(*q.Filter, "members")
	}
	seen := int64(0)
	for {
		page, err := f.search(ctx, wide)
		if err != nil {
			return bridge.Page[T]{}, err
		}
		for _, item := range page.Items {
			item, visible, err := f.show(item)
			if err != nil {
				return bridge.Page[T]{}, err
			}
			if !visible || isAbout && !filter.Match(*q.Filter, f.matched(item)) {
				continue
			}
			if seen >= q.Offset && len(found.Items) < limit {
				found.Items = append(found.Items, item)
			}
			seen++
		}
		// Of all, the number is known, but at the end: some of the hidden may be gone in the directory.
		if n := page.Total - f.hidden; q.Filter == nil && len(found.Items) == limit && n > q.Offset+int64(limit) {
			seen = n
			break
		}
		if wide.Offset += int64(len(page.Items)); len(page.Items) == 0 || wide.Offset >= page.Total {
			break
		}
	}
	found.Total = seen
	if end := q.Offset + int64(len(found.Items)); len(found.Items) > 0 && end < seen {
		found.Next = strconv.FormatInt(end, 10)
	}
	return found, nil
}

// mentions reports whether a predicate is about an attribute.
func mentions(p bridge.Predicate, attribute string) bool {
	return len(p.Path) > 0 && p.Path[0] == attribute ||
		slices.ContainsFunc(p.Terms, func(term bridge.Predicate) bool { return mentions(term, attribute) })
}

// widened returns a predicate that holds wherever p does, and is not about some attributes; nil if it holds everywhere.
func widened(p bridge.Predicate, about []string) *bridge.Predicate {
	if !slices.ContainsFunc(about, func(name string) bool { return mentions(p, name) }) {
		return &p
	}
	if p.Op != "and" && p.Op != "or" {
		return nil
	}
	var terms []bridge.Predicate
	for _, term := range p.Terms {
		switch wide := widened(term, about); {
		case wide != nil:
			terms = append(terms, *wide)
		case p.Op == "or":
			return nil
		}
	}
	switch len(terms) {
	case 0:
		return nil
	case 1:
		return &terms[0]
	}
	p.Terms = terms
	return &p
}
