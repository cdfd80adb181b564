package scim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/patch"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

func postUser(x *exchange) error {
	projection, err := x.projection(schema.User)
	if err != nil {
		return err
	}
	in, err := x.decodePerson()
	if err != nil {
		return err
	}
	p, err := x.directory.CreatePerson(x.r.Context(), in)
	if err != nil {
		return err
	}
	return x.answerPerson(http.StatusCreated, p, projection)
}

func getUser(x *exchange) error {
	projection, err := x.projection(schema.User)
	if err != nil {
		return err
	}
	p, err := x.directory.Person(x.r.Context(), x.id)
	if err != nil {
		return err
	}
	x.record.read = p.ID
	if x.unchanged(p.Version) {
		return nil
	}
	return x.answerPerson(http.StatusOK, p, projection)
}

func putUser(x *exchange) error {
	projection, err := x.projection(schema.User)
	if err != nil {
		return err
	}
	body, err := x.decodeObject(maxBody)
	if err == nil {
		x.recordName(body)
		body, err = schema.User.Unqualified(body)
	}
	if err != nil {
		return err
	}
	ifMatch, err := x.ifMatch(x.personVersion)
	if err != nil {
		return err
	}
	var p bridge.Person
	err = retryStale(x.r.Context(), ifMatch, func() error {
		p, err = x.replacePerson(body, ifMatch)
		return err
	})
	if err != nil {
		return err
	}
	return x.answerPerson(http.StatusOK, p, projection)
}

// replacePerson writes what the client sent. A suspended person stays so unless
// the body sets active: a client that updates a name must not reactivate a
// person that another part of it has suspended.
func (x *exchange) replacePerson(body map[string]any, ifMatch string) (bridge.Person, error) {
	resource, err := patch.Normalize(schema.User, body)
	if err != nil {
		return bridge.Person{}, err
	}
	x.recordName(resource)
	says, err := assigns(body, schema.User.Attribute("active"))
	if err != nil {
		return bridge.Person{}, err
	}
	x.recordActive(says, resource)
	if !says {
		p, err := x.directory.Person(x.r.Context(), x.id)
		if err != nil {
			return p, err
		}
		if ifMatch == "" {
			ifMatch = p.Version
		}
		stored, err := decodeStored(p.Attributes)
		if err != nil {
			return p, err
		}
		if active, said := stored["active"]; said {
			resource["active"] = active
		}
		if p.Suspended {
			resource["active"] = false
		}
	}
	raw, err := json.Marshal(resource)
	if err != nil {
		return bridge.Person{}, err
	}
	return x.directory.ReplacePerson(x.r.Context(), x.id, bridge.PersonInput{Attributes: raw}, ifMatch)
}

// assigns reports whether a body gives the attribute a value, under a name in
// any case. What is a value is asked of the normalised one: an empty text or
// list stands for none, as null does (RFC 7643 section 2.5).
func assigns(body map[string]any, attribute *schema.Attribute) (bool, error) {
	for name, value := range body {
		if !strings.EqualFold(name, attribute.Name) {
			continue
		}
		if kept, err := attribute.Coerce(value); err != nil || kept != nil {
			return true, err
		}
	}
	return false, nil
}

func deleteUser(x *exchange) error {
	ifMatch, err := x.ifMatch(x.personVersion)
	if err != nil {
		return err
	}
	if err := x.directory.DeletePerson(x.r.Context(), x.id, ifMatch); err != nil {
		return err
	}
	x.answerEmpty()
	return nil
}

func patchUser(x *exchange) error {
	projection, err := x.projection(schema.User)
	if err != nil {
		return err
	}
	ops, err := x.decodePatch(maxBody)
	if err != nil {
		return err
	}
	ifMatch, err := x.ifMatch(x.personVersion)
	if err != nil {
		return err
	}
	var p bridge.Person
	err = retryStale(x.r.Context(), ifMatch, func() error {
		p, err = x.applyToPerson(ops, ifMatch)
		return err
	})
	if err != nil {
		return err
	}
	return x.answerPerson(http.StatusOK, p, projection)
}

// applyToPerson reads the person, applies the operations and writes the
// outcome, if the person is still what was read.
func (x *exchange) applyToPerson(ops []patch.Operation, ifMatch string) (bridge.Person, error) {
	p, err := x.directory.Person(x.r.Context(), x.id)
	if err != nil {
		return p, err
	}
	if ifMatch != "" && ifMatch != p.Version {
		return p, staleError(p.Version)
	}
	stored, err := decodeStored(p.Attributes)
	if err != nil {
		return p, err
	}
	changed, err := patch.Apply(schema.User, stored, ops)
	if err != nil {
		return p, err
	}
	x.recordName(changed)
	x.recordActive(slices.ContainsFunc(ops, setsActive), changed)
	raw, err := json.Marshal(changed)
	if err != nil {
		return p, err
	}
	before := p.Version
	p, err = x.directory.ReplacePerson(x.r.Context(), x.id, bridge.PersonInput{Attributes: raw}, before)
	x.record.event.Unchanged = err == nil && p.Version == before
	return p, err
}

func (x *exchange) decodePerson() (bridge.PersonInput, error) {
	body, err := x.decodeObject(maxBody)
	if err != nil {
		return bridge.PersonInput{}, err
	}
	x.recordName(body)
	resource, err := patch.Normalize(schema.User, body)
	if err != nil {
		return bridge.PersonInput{}, err
	}
	x.recordName(resource)
	x.recordActive(sendsActive(body), resource)
	raw, err := json.Marshal(resource)
	return bridge.PersonInput{Attributes: raw}, err
}

func (x *exchange) answerPerson(status int, p bridge.Person, projection schema.Projection) error {
	x.recordPerson(p)
	s, err := x.renderPerson(p, projection)
	if err != nil {
		return err
	}
	return x.answer(status, s)
}

func (x *exchange) personVersion() (string, error) {
	p, err := x.directory.Person(x.r.Context(), x.id)
	return p.Version, err
}
