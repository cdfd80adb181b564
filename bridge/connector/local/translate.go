package local

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

// mostBytes is far below the account's limits for a body, however its strings are escaped. The account judges what is
// larger.
const mostBytes = 128 << 10

func isSmallPerson(in bridge.PersonInput) bool {
	return len(in.Attributes)+len(in.SignInAddress) <= mostBytes
}

// isSmall reports whether so many bytes and the ids in the lists are a small body.
func isSmall(bytes int, lists ...[]string) bool {
	for _, list := range lists {
		for _, id := range list {
			if bytes += len(id) + len(`"",`); bytes > mostBytes {
				return false
			}
		}
	}
	return bytes <= mostBytes
}

func isSmallChange(c bridge.GroupChange) bool {
	lists := append([][]string{c.Add, c.Remove}, c.Instead...)
	if c.Replace != nil {
		lists = append(lists, *c.Replace)
	}
	return isSmall(len(c.Attributes), lists...)
}

// isPlainQuery reports whether a query is the same in JSON and without.
func isPlainQuery(q bridge.Query) bool {
	const most = 1 << 10 // terms and bytes
	return q.Filter == nil || cost(*q.Filter, most) <= most
}

// cost returns the number of a condition's terms and of the bytes in them; more than most if a value is of a kind that
// JSON changes.
func cost(p bridge.Predicate, most int) int {
	total := 1
	switch value := p.Value.(type) {
	case nil, bool:
	case string:
		if !utf8.ValidString(value) {
			return most + 1
		}
		total += len(value)
	default:
		return most + 1
	}
	for _, term := range p.Terms {
		if total > most {
			break
		}
		total += cost(term, most)
	}
	return total
}

func fromQuery(q bridge.Query) directory.Search {
	s := directory.Search{
		Filter: q.Filter, SortBy: q.SortBy, Descending: q.Descending, Offset: q.Offset, Limit: q.Limit,
		Cursor: q.Cursor, WithMembers: q.WithMembers,
	}
	if q.Cursor != "" {
		s.Offset = 0
	}
	return s
}

func toPage[A, B any](found directory.Found[A], to func(A) B) bridge.Page[B] {
	return bridge.Page[B]{Total: found.Total, Items: each(found.Items, to), Next: found.Next}
}

func toPerson(p directory.Person) bridge.Person {
	return bridge.Person{
		ID: p.ID, Version: directory.PersonETag(p), Created: p.CreatedAt, Modified: p.ModifiedAt,
		Attributes: json.RawMessage(p.Attributes), Groups: each(p.Groups, toReference),
		State: bridge.MemberState(p.State), Suspended: p.Suspended,
		SignInAddress: p.Address, PendingAddress: p.PendingAddress,
	}
}

func toGroup(g directory.Group) bridge.Group {
	out := bridge.Group{
		ID: g.ID, Version: account.ETag(g.Version), Created: g.CreatedAt, Modified: g.ModifiedAt,
		Attributes: json.RawMessage(g.Attributes),
	}
	if len(g.UnknownMembers) > 0 {
		out.UnknownMembers = g.UnknownMembers
	}
	if g.Members != nil { // they were asked for
		out.Members = each(g.Members, toReference)
	}
	return out
}

func toReference(r directory.Reference) bridge.Reference {
	kind := "User"
	if r.IsGroup {
		kind = "Group"
	}
	return bridge.Reference{ID: r.ID, Display: r.Display, Type: kind}
}

// each never returns nil: there are none is an answer.
func each[A, B any](in []A, to func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = to(a)
	}
	return out
}
