package directory

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Search asks for one page of people or groups.
type Search struct {
	Filter      *bridge.Predicate // nil for all
	SortBy      []string          // nil sorts by creation
	Descending  bool
	Offset      int64
	Limit       int    // 0 counts only
	Cursor      string // instead of Offset
	WithMembers bool   // groups: answer with their members
}

// Found is one page of an answer.
type Found[T any] struct {
	Total int64 // how many match in all
	account.Page[T]
}

const maxSearchLimit = 1000

// trimFilter removes the blanks around strings that are compared with the
// attributes at these paths, which are kept without: there " ann" means "ann".
// A blank that may lie inside the attribute counts: sw loses those on the left
// only, ew those on the right, co none.
func trimFilter(p *bridge.Predicate, list string, paths ...string) *bridge.Predicate {
	if p == nil {
		return nil
	}
	out := *p
	at := strings.Join(p.Path, ".")
	if list != "" {
		at = list + "." + at
	}
	if text, isText := p.Value.(string); isText && slices.Contains(paths, at) {
		switch p.Op {
		case "co":
		case "sw":
			out.Value = inputtext.TrimBlanksLeft(text)
		case "ew":
			out.Value = inputtext.TrimBlanksRight(text)
		default:
			out.Value = inputtext.TrimBlanks(text)
		}
	}
	if p.Op == "any" {
		list = at
	}
	out.Terms = make([]bridge.Predicate, len(p.Terms))
	for i := range p.Terms {
		out.Terms[i] = *trimFilter(&p.Terms[i], list, paths...)
	}
	return &out
}

// SearchPeople finds people.
func (d *Directory) SearchPeople(ctx context.Context, s Search) (found Found[Person], err error) {
	s.Filter = trimFilter(s.Filter, "", "userName", "emails.value", "groups.display")
	var position int64
	var id string
	q, err := s.query(&position, &id)
	if err != nil {
		return found, err
	}
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		found.Total, found.Items, err = tx.SearchPeople(ctx, q)
		return refusedFilter(err)
	})
	found.Page = account.PageOf(found.Items, s.Limit, func(p Person) []any { return s.next(q, p.Key()) })
	return found, err
}

// SearchGroups finds managed groups.
func (d *Directory) SearchGroups(ctx context.Context, s Search) (found Found[Group], err error) {
	s.Filter = trimFilter(s.Filter, "", "displayName")
	var created int64
	var id string
	q, err := s.query(&created, &id)
	if err != nil {
		return found, err
	}
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		total, rows, err := tx.SearchGroups(ctx, q)
		if err != nil {
			return refusedFilter(err)
		}
		page := account.PageOf(rows, s.Limit, func(g store.Group) []any { return s.next(q, g.Key()) })
		found.Total, found.Next = total, page.Next
		found.Items, err = toGroups(ctx, tx, page.Items, s.WithMembers)
		return err
	})
	return found, err
}

// query is the search of the store: for one result more than wanted, which shows
// that there is another page. A cursor in the order of creation holds a Key,
// which is read into place.
func (s Search) query(place ...any) (store.Search, error) {
	q := store.Search{Filter: s.Filter, SortBy: s.SortBy, Descending: s.Descending, Offset: s.Offset, Limit: s.Limit}
	switch {
	case s.Limit < 0 || s.Limit > maxSearchLimit:
		return q, account.InvalidValue("/limit", "the limit is %d; ask for 0 to %d", s.Limit, maxSearchLimit)
	case s.Offset < 0:
		return q, account.InvalidValue("/offset", "the offset is %d; ask for 0 or more", s.Offset)
	case s.Cursor != "" && s.Offset != 0:
		return q, account.InvalidValue("/offset", "a search continues by cursor or by offset, not by both")
	}
	if s.Limit > 0 {
		q.Limit++
	}
	if s.Cursor == "" {
		return q, nil
	}
	// In the order of creation a cursor is a place, which stays right while people
	// are created and deleted. In another order it is an offset.
	if s.SortBy != nil {
		err := account.ReadCursor(s.Cursor, &q.Offset)
		if err == nil && q.Offset < 0 {
			err = account.InvalidCursor()
		}
		return q, err
	}
	if err := account.ReadCursor(s.Cursor, place...); err != nil {
		return q, err
	}
	for _, p := range place {
		q.After = append(q.After, reflect.ValueOf(p).Elem().Interface())
	}
	return q, nil
}

// next is what the cursor of the page behind this one holds; the last item has this key.
func (s Search) next(q store.Search, key []any) []any {
	if s.SortBy != nil {
		return []any{q.Offset + int64(s.Limit)}
	}
	return key
}

// refusedFilter turns the store's error for a filter into a refusal.
func refusedFilter(err error) error {
	if e, ok := errors.AsType[*store.FilterError](err); ok {
		return &account.Error{
			Status: http.StatusUnprocessableEntity, Code: api.ErrorCodeInvalidFilter,
			Title: "Invalid filter", Detail: e.Detail,
			Details: account.Details{Field: "/filter"},
		}
	}
	return err
}
