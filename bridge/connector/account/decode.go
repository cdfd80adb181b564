package account

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/jsontext"
)

// The answers that a bridge reads all day are taken apart without decoding
// the documents in them, which go on to the identity provider as they are.

// decoder is an answer that reads itself.
type decoder interface{ decode(text []byte) error }

func decode(text []byte, answer any) error {
	if d, ok := answer.(decoder); ok {
		return d.decode(text)
	}
	return json.Unmarshal(text, answer)
}

// person is an api.Person.
type person bridge.Person

func (p *person) decode(text []byte) error {
	err := jsontext.Members(text, func(name, value []byte) (err error) {
		switch string(name) {
		case "id":
			p.ID, err = jsontext.String(value)
		case "etag":
			p.Version, err = jsontext.String(value)
		case "created_at":
			p.Created, err = instant(value)
		case "modified_at":
			p.Modified, err = instant(value)
		case "attributes":
			p.Attributes = value
		case "groups":
			p.Groups, err = list(value, (*reference).decode, reference.public)
		case "state":
			var state string
			state, err = jsontext.String(value)
			p.State = bridge.MemberState(state)
		case "suspended":
			p.Suspended, err = strconv.ParseBool(string(value))
		case "sign_in_address":
			p.SignInAddress, err = jsontext.String(value)
		case "pending_address":
			p.PendingAddress, err = jsontext.String(value)
		}
		return err
	})
	return complete("person", p.ID, p.Version, p.Attributes, err)
}

func (p person) public() bridge.Person { return bridge.Person(p) }

// group is an api.Group.
type group bridge.Group

func (g *group) decode(text []byte) error {
	err := jsontext.Members(text, func(name, value []byte) (err error) {
		switch string(name) {
		case "id":
			g.ID, err = jsontext.String(value)
		case "etag":
			g.Version, err = jsontext.String(value)
		case "created_at":
			g.Created, err = instant(value)
		case "modified_at":
			g.Modified, err = instant(value)
		case "attributes":
			g.Attributes = value
		case "members":
			g.Members, err = list(value, (*reference).decode, reference.public)
		case "unknown_members":
			err = json.Unmarshal(value, &g.UnknownMembers)
		}
		return err
	})
	return complete("group", g.ID, g.Version, g.Attributes, err)
}

func (g group) public() bridge.Group { return bridge.Group(g) }

// complete makes sure that what answered is an account.
func complete(what, id, version string, attributes []byte, err error) error {
	if err == nil && (id == "" || version == "" || len(attributes) == 0 || attributes[0] != '{') {
		err = fmt.Errorf("a %s without id, etag or attributes", what)
	}
	return err
}

// people and groups are an api.PersonPage and an api.GroupPage.
type (
	people bridge.Page[bridge.Person]
	groups bridge.Page[bridge.Group]
)

func (p *people) decode(text []byte) (err error) {
	p.Total, p.Next, p.Items, err = decodePage(text, (*person).decode, person.public)
	return err
}

func (p *groups) decode(text []byte) (err error) {
	p.Total, p.Next, p.Items, err = decodePage(text, (*group).decode, group.public)
	return err
}

func decodePage[T, P any](text []byte, decode func(*T, []byte) error, public func(T) P) (total int64, next string, items []P, err error) {
	err = jsontext.Members(text, func(name, value []byte) (err error) {
		switch string(name) {
		case "total":
			total, err = strconv.ParseInt(string(value), 10, 64)
		case "next_cursor":
			next, err = jsontext.String(value)
		case "items":
			items, err = list(value, decode, public)
		}
		return err
	})
	return total, next, items, err
}

// reference is an api.Reference.
type reference bridge.Reference

func (r *reference) decode(text []byte) error {
	return jsontext.Members(text, func(name, value []byte) (err error) {
		switch string(name) {
		case "id":
			r.ID, err = jsontext.String(value)
		case "display":
			r.Display, err = jsontext.String(value)
		case "type":
			r.Type, err = jsontext.String(value)
		}
		return err
	})
}

func (r reference) public() bridge.Reference { return bridge.Reference(r) }

// list decodes an array. An empty one is not nil: members that were asked for
// may be none.
func list[T, P any](text []byte, decode func(*T, []byte) error, public func(T) P) ([]P, error) {
	if jsontext.IsNull(text) {
		return nil, nil
	}
	all := []P{}
	err := jsontext.Elements(text, func(value []byte) error {
		var one T
		err := decode(&one, value)
		all = append(all, public(one))
		return err
	})
	return all, err
}

func instant(value []byte) (time.Time, error) {
	s, err := jsontext.String(value)
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, s)
}
