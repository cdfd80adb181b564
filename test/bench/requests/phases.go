package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
)

// A phase is one kind of request, asked about one person after the other.
type phase struct {
	name string
	next func() request
	want int
	unit int  // operations in a request
	ours bool // not for other servers
}

const (
	base = "/scim/v2"
	page = 100
	bulk = 1000
	few  = 10 // members of the small group
)

// list lists what is measured, what makes more people last.
func (s *site) list(ctx context.Context) ([]phase, error) {
	deep := s.people * 9 / 10
	var cursor string
	if s.program.peer == "" {
		var err error
		if cursor, err = s.cursorAt(ctx, deep); err != nil {
			return nil, err
		}
	}
	made := count()
	fresh := func() int { return s.people + made() }
	everybody, others := pairs(s.people, 0), pairs(s.people, few)
	return []phase{
		s.get1("GET user", func(n int) string { return "/Users/" + s.ids[n] }),
		s.find("userName eq, hit", "userName", userName),
		s.find("userName eq, miss", "userName", func(n int) string { return "no" + userName(n) }),
		s.find("externalId eq, hit", "externalId", externalID),
		s.find("externalId eq, miss", "externalId", func(n int) string { return "no" + externalID(n) }),
		s.find("emails.value eq, hit", "emails.value", userName),
		s.find("emails.value eq, miss", "emails.value", func(n int) string { return "no" + userName(n) }),
		s.get1("page of 100 by index", func(int) string {
			return fmt.Sprintf("/Users?startIndex=%d&count=%d", deep, page)
		}),
		s.get1("page of 100 by cursor", func(int) string {
			return fmt.Sprintf("/Users?cursor=%s&count=%d", url.QueryEscape(cursor), page)
		}).onlyOurs(),
		s.get1("GET group of all, no members", func(int) string {
			return "/Groups/" + s.group + "?excludedAttributes=members"
		}),
		s.write("PATCH user", http.MethodPatch, http.StatusOK, func(n int) (string, []byte) {
			return "/Users/" + s.ids[n%s.people], patch(replaceTitle(n))
		}),
		s.write("member of the group of all", http.MethodPatch, http.StatusNoContent, func(int) (string, []byte) {
			n, first := everybody()
			return "/Groups/" + s.group, member(s.ids[n], !first)
		}),
		s.write("member of a group of 10", http.MethodPatch, http.StatusNoContent, func(int) (string, []byte) {
			n, first := others()
			return "/Groups/" + s.few, member(s.ids[n], first)
		}),
		s.write("POST user", http.MethodPost, http.StatusCreated, func(int) (string, []byte) {
			return "/Users", user(fresh())
		}),
		{name: "bulk of 1,000 PATCHes", want: http.StatusOK, unit: bulk, next: s.bulk(), ours: true},
	}, nil
}

// onlyOurs keeps p from other servers, which need not have what it asks for.
func (p phase) onlyOurs() phase {
	p.ours = true
	return p
}

// count counts from 0, for all connections.
func count() func() int {
	var n atomic.Int64
	return func() int { return int(n.Add(1)) - 1 }
}

// pairs gives the number of everybody from first on twice, so that what the
// first time does the second time can undo. In between lie more requests than
// are ever under way at once.
func pairs(people, first int) func() (n int, once bool) {
	const apart = 96
	next := count()
	return func() (int, bool) {
		i := next()
		n := i/(2*apart)*apart + i%apart
		return first + n%(people-first), i%(2*apart) < apart
	}
}

func (s *site) get1(name string, path func(n int) string) phase {
	next := count()
	return phase{name: name, want: http.StatusOK, unit: 1, next: func() request {
		return request{method: http.MethodGet, path: base + path(next()*7919%s.people)}
	}}
}

func (s *site) find(name, attribute string, value func(n int) string) phase {
	return s.get1(name, func(n int) string {
		return "/Users?filter=" + url.QueryEscape(fmt.Sprintf("%s eq %q", attribute, value(n)))
	})
}

func (s *site) write(name, method string, want int, about func(n int) (path string, body []byte)) phase {
	next := count()
	return phase{name: name, want: want, unit: 1, next: func() request {
		path, body := about(next())
		return request{method: method, path: base + path, body: body}
	}}
}

type operation = map[string]any

func patch(operations ...operation) []byte {
	return encode(map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": operations})
}

func replaceTitle(n int) operation {
	return operation{"op": "replace", "path": "title", "value": fmt.Sprintf("Analyst %d", n)}
}

// member adds a person to a group or removes the person from it.
func member(id string, in bool) []byte {
	if in {
		return patch(operation{"op": "add", "path": "members", "value": []operation{{"value": id}}})
	}
	return patch(operation{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", id)})
}

func (s *site) bulk() func() request {
	next := count()
	return func() request {
		operations := make([]operation, bulk)
		for i := range operations {
			n := next()
			operations[i] = operation{"method": "PATCH", "path": "/Users/" + s.ids[n%s.people],
				"data": json.RawMessage(patch(replaceTitle(-1 - n)))}
		}
		body := encode(map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:BulkRequest"},
			"Operations": operations})
		return request{method: http.MethodPost, path: base + "/Bulk", body: body}
	}
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // made of texts, lists and maps
	}
	return text
}

// cursorAt pages to a place deep in the list.
func (s *site) cursorAt(ctx context.Context, place int) (string, error) {
	cursor := ""
	for at := 0; at < place || cursor == ""; {
		text, err := s.get(ctx, fmt.Sprintf("%s/Users?attributes=id&count=%d&cursor=%s",
			base, min(1000, max(1, place-at)),
			url.QueryEscape(cursor)))
		if err != nil {
			return "", fmt.Errorf("paging by cursor: %w", err)
		}
		var list struct {
			ItemsPerPage int
			NextCursor   string
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return "", err
		}
		if list.NextCursor == "" {
			return "", fmt.Errorf("paging by cursor ended at %d of %d", at, place)
		}
		cursor, at = list.NextCursor, at+list.ItemsPerPage
	}
	return cursor, nil
}
