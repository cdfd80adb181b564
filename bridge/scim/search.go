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
	count     int    // of resources
	resources []byte // with commas between them
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
		groups, err := x.listGroups(p, limit-people.count, max(0, offset-people.total))
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
		rest := limit - people.count
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
	if l.count > 0 && more.count > 0 {
		l.resources = append(l.resources, ',')
	}
	l.resources = append(l.resources, more.resources...)
	return listing{total: l.total + more.total, count: l.count + more.count, resources: l.resources}
}

func (x *exchange) listPeople(p parameters, limit int, offset int64) (listing, error) {
	return listOf(schema.User, p, limit, offset,
		func(q bridge.Query, _ schema.Projection) (bridge.Page[bridge.Person], error) {
			return x.directory.SearchPeople(x.r.Context(), q)
		}, x.appendPerson)
}

func (x *exchange) listGroups(p parameters, limit int, offset int64) (listing, error) {
	return listOf(schema.Group, p, limit, offset,
		func(q bridge.Query, projection schema.Projection) (bridge.Page[bridge.Group], error) {
			q.WithMembers = projection.Shows("members")
			return x.directory.SearchGroups(x.r.Context(), q)
		}, x.appendGroup)
}

// listOf translates the parameters for one kind of resource, asks, and shows
// what was found.
func listOf[T any](
	r *schema.Resource, p parameters, limit int, offset int64,
	ask func(bridge.Query, schema.Projection) (bridge.Page[T], error),
	show func([]byte, T, schema.Projection) ([]byte, error),
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
	var b []byte
	for i, item := range page.Items {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = show(b, item, projection); err != nil {
			return listing{}, err
		}
		if i == 0 { // the others are about as long: usually one allocation for all of them
			b = slices.Grow(b, len(b)*(len(page.Items)-1)*9/8)
		}
	}
	return listing{total: page.Total, count: len(page.Items), resources: b, next: page.Next}, nil
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
	}{Schemas: []string{listURI}, TotalResults: found.total, ItemsPerPage: found.count}
	if p.cursor == nil {
		head.StartIndex = p.start()
	} else {
		head.NextCursor = found.next
	}
	body, err := json.Marshal(head)
	if err != nil {
		return err
	}
	body = append(body[:len(body)-1], `,"Resources":[`...)
	writeBody(x.w, http.StatusOK, body, found.resources, []byte("]}"))
	return nil
}
