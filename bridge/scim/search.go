package scim

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

const listURI = "urn:ietf:params:scim:api:messages:2.0:ListResponse"

// A listing is the answer to a search.
type listing struct {
	total     int64
	resources [][]byte
	next      string
}

func searchUsers(x *exchange) error {
	return x.search(func(p parameters) (listing, error) { return x.listPeople(p, p.limit(), p.start()-1) })
}

func searchGroups(x *exchange) error {
	return x.search(func(p parameters) (listing, error) { return x.listGroups(p, p.limit(), p.start()-1) })
}

// searchAll searches both kinds (RFC 7644 section 3.4.2.1): all people come
// before all groups, each in their own order.
func searchAll(x *exchange) error {
	return x.search(func(p parameters) (listing, error) {
		if p.cursor != nil {
			return x.listAllByCursor(p)
		}
		offset, limit := p.start()-1, p.limit()
		people, err := x.listPeople(p, limit, offset)
		if err != nil {
			return people, err
		}
		groups, err := x.listGroups(p, limit-len(people.resources), max(0, offset-people.total))
		return people.and(groups), err
	})
}

// The cursor of a mixed search is that of one of the kinds behind its mark.
const (
	inPeople = "u"
	inGroups = "g"
)

func (x *exchange) listAllByCursor(p parameters) (listing, error) {
	cursor, among := *p.cursor, inPeople
	if cursor != "" {
		among, cursor = cursor[:1], cursor[1:]
	}
	limit := p.limit()
	switch among {
	case inPeople:
		people, err := x.listPeople(p.from(cursor), limit, 0)
		if err != nil {
			return people, err
		}
		rest := limit - len(people.resources)
		if people.next != "" {
			rest = 0
		}
		groups, err := x.listGroups(p.from(""), rest, 0) // none are asked for but to be counted
		if err != nil {
			return groups, err
		}
		all := people.and(groups)
		switch {
		case people.next != "":
			all.next = inPeople + people.next
		case groups.next != "" || rest == 0 && limit > 0 && groups.total > 0:
			all.next = inGroups + groups.next
		}
		return all, nil
	case inGroups:
		people, err := x.listPeople(p.from(""), 0, 0)
		if err != nil {
			return people, err
		}
		groups, err := x.listGroups(p.from(cursor), limit, 0)
		all := people.and(groups)
		if groups.next != "" {
			all.next = inGroups + groups.next
		}
		return all, err
	}
	return listing{}, &refusal{Status: http.StatusBadRequest, Kind: invalidCursor, Detail: "the cursor is not one of " +
		"this server's; begin again without it"}
}

// and is both lists, one behind the other.
func (l listing) and(more listing) listing {
	return listing{total: l.total + more.total, resources: append(l.resources, more.resources...)}
}

func (x *exchange) listPeople(p parameters, limit int, offset int64) (listing, error) {
	return listOf(schema.User, p, limit, offset,
		func(q bridge.Query, _ schema.Projection) (bridge.Page[bridge.Person], error) {
			return x.directory.SearchPeople(x.r.Context(), q)
		}, x.renderPerson)
}

func (x *exchange) listGroups(p parameters, limit int, offset int64) (listing, error) {
	return listOf(schema.Group, p, limit, offset,
		func(q bridge.Query, projection schema.Projection) (bridge.Page[bridge.Group], error) {
			q.WithMembers = projection.Shows("members")
			return x.directory.SearchGroups(x.r.Context(), q)
		}, x.renderGroup)
}

// listOf translates the parameters for one kind of resource, asks, and shows
// what was found.
func listOf[T any](
	r *schema.Resource, p parameters, limit int, offset int64,
	ask func(bridge.Query, schema.Projection) (bridge.Page[T], error),
	show func(T, schema.Projection) (rendered, error),
) (listing, error) {
	projection, err := schema.NewProjection(r, p.attributes, p.excluded)
	if err != nil {
		return listing{}, err
	}
	q, err := p.query(r)
	if err != nil {
		return listing{}, err
	}
	q.Limit = limit
	if p.cursor == nil {
		q.Offset = offset
	}
	page, err := ask(q, projection)
	if err != nil {
		return listing{}, err
	}
	l := listing{total: page.Total, next: page.Next, resources: make([][]byte, 0, len(page.Items))}
	for _, item := range page.Items {
		s, err := show(item, projection)
		if err != nil {
			return listing{}, err
		}
		l.resources = append(l.resources, s.body)
	}
	return l, nil
}

// search answers with a ListResponse. itemsPerPage is the number of resources
// really returned: clients page by it.
func (x *exchange) search(find func(parameters) (listing, error)) error {
	p, err := x.parameters()
	if err != nil {
		return err
	}
	found, err := find(p)
	if err != nil {
		return err
	}
	head := struct {
		Schemas      []string `json:"schemas"`
		TotalResults int64    `json:"totalResults"`
		ItemsPerPage int      `json:"itemsPerPage"`
		StartIndex   int64    `json:"startIndex,omitempty"`
		NextCursor   string   `json:"nextCursor,omitempty"`
	}{Schemas: []string{listURI}, TotalResults: found.total, ItemsPerPage: len(found.resources)}
	if p.cursor == nil {
		head.StartIndex = p.start()
	} else {
		head.NextCursor = found.next
	}
	body, err := json.Marshal(head)
	if err != nil {
		return err
	}
	size := len(body) + 32
	for _, r := range found.resources {
		size += len(r) + 1
	}
	body = append(slices.Grow(body, size)[:len(body)-1], `,"Resources":[`...)
	for i, r := range found.resources {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, r...)
	}
	writeBody(x.w, http.StatusOK, append(body, ']', '}'))
	return nil
}
