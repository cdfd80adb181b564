package account

import (
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/jsontext"
)

// The answers that a bridge reads all day are taken apart without decoding
// the documents in them, which go on to the identity provider as they are.

// DecodeAnswer implements client.Decoder.
func (p *person) DecodeAnswer(text []byte) error { return decode(text, p.read) }

// DecodeAnswer implements client.Decoder.
func (g *group) DecodeAnswer(text []byte) error { return decode(text, g.read) }

// DecodeAnswer implements client.Decoder.
func (p *people) DecodeAnswer(text []byte) error { return decode(text, p.read) }

// DecodeAnswer implements client.Decoder.
func (p *groups) DecodeAnswer(text []byte) error { return decode(text, p.read) }

func decode(text []byte, read func(*jsontext.Reader)) error {
	r := jsontext.NewReader(text)
	read(r)
	return r.Err()
}

// person is an api.Person.
type person bridge.Person

func (p *person) read(r *jsontext.Reader) {
	r.Object(func(name []byte) {
		switch string(name) {
		case "id":
			p.ID = r.String()
		case "etag":
			p.Version = r.String()
		case "created_at":
			p.Created = r.Time()
		case "modified_at":
			p.Modified = r.Time()
		case "attributes":
			p.Attributes = r.Raw()
		case "groups":
			p.Groups = list(r, (*reference).readShared, reference.public)
		case "state":
			p.State = bridge.MemberState(r.Shared())
		case "suspended":
			p.Suspended = r.Bool()
		case "sign_in_address":
			p.SignInAddress = r.String()
		case "pending_address":
			p.PendingAddress = r.String()
		}
	})
	complete(r, "person", p.ID, p.Version, p.Attributes)
}

func (p person) public() bridge.Person { return bridge.Person(p) }

// group is an api.Group.
type group bridge.Group

func (g *group) read(r *jsontext.Reader) {
	r.Object(func(name []byte) {
		switch string(name) {
		case "id":
			g.ID = r.String()
		case "etag":
			g.Version = r.String()
		case "created_at":
			g.Created = r.Time()
		case "modified_at":
			g.Modified = r.Time()
		case "attributes":
			g.Attributes = r.Raw()
		case "members":
			g.Members = list(r, (*reference).read, reference.public)
		case "unknown_members":
			r.Array(func() { g.UnknownMembers = append(g.UnknownMembers, r.String()) })
		}
	})
	complete(r, "group", g.ID, g.Version, g.Attributes)
}

func (g group) public() bridge.Group { return bridge.Group(g) }

// complete makes sure that what answered is an account.
func complete(r *jsontext.Reader, what, id, version string, attributes []byte) {
	if id == "" || version == "" || len(attributes) == 0 || attributes[0] != '{' {
		r.Fail(fmt.Errorf("a %s without id, etag or attributes", what))
	}
}

// people and groups are an api.PersonPage and an api.GroupPage.
type (
	people bridge.Page[bridge.Person]
	groups bridge.Page[bridge.Group]
)

func (p *people) read(r *jsontext.Reader) {
	p.Total, p.Next, p.Items = page(r, (*person).read, person.public)
}

func (p *groups) read(r *jsontext.Reader) {
	p.Total, p.Next, p.Items = page(r, (*group).read, group.public)
}

func page[T, P any](r *jsontext.Reader, read func(*T, *jsontext.Reader), public func(T) P,
) (total int64, next string, items []P) {
	r.Object(func(name []byte) {
		switch string(name) {
		case "total":
			total = r.Int()
		case "next_cursor":
			next = r.String()
		case "items":
			items = list(r, read, public)
		}
	})
	return total, next, items
}

// reference is an api.Reference.
type reference bridge.Reference

func (to *reference) read(r *jsontext.Reader) {
	r.Object(func(name []byte) {
		switch string(name) {
		case "id":
			to.ID = r.String()
		case "display":
			to.Display = r.String()
		case "type":
			to.Type = r.Shared()
		}
	})
}

// readShared reads a reference that many have, to a group for instance.
func (to *reference) readShared(r *jsontext.Reader) {
	r.Object(func(name []byte) {
		switch string(name) {
		case "id":
			to.ID = r.Shared()
		case "display":
			to.Display = r.Shared()
		case "type":
			to.Type = r.Shared()
		}
	})
}

func (to reference) public() bridge.Reference { return bridge.Reference(to) }

// list reads an array. An empty one is not nil: members that were asked for
// may be none.
func list[T, P any](r *jsontext.Reader, read func(*T, *jsontext.Reader), public func(T) P) []P {
	all := []P{}
	r.Array(func() {
		var one T
		read(&one, r)
		all = append(all, public(one))
	})
	return all
}
