package scim

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// CreatePerson implements bridge.Directory. A person is created once, also if
// the far side's answer is lost.
func (d *Directory) CreatePerson(ctx context.Context, in bridge.PersonInput) (bridge.Person, error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	attributes, err := d.people.input(in.Attributes)
	if err != nil {
		return bridge.Person{}, err
	}
	doc, err := d.people.create(ctx, attributes)
	return d.toPerson(doc, err)
}

// Person implements bridge.Directory.
func (d *Directory) Person(ctx context.Context, id string) (bridge.Person, error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	d.ready(ctx)
	doc, err := d.people.get(ctx, id, true)
	return d.toPerson(doc, err)
}

// ReplacePerson implements bridge.Directory.
func (d *Directory) ReplacePerson(ctx context.Context, id string, in bridge.PersonInput, ifMatch string,
) (bridge.Person, error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	attributes, err := d.people.input(in.Attributes)
	if err != nil {
		return bridge.Person{}, err
	}
	doc, err := d.people.replace(ctx, id, attributes, nil, ifMatch)
	return d.toPerson(doc, err)
}

// DeletePerson implements bridge.Directory.
func (d *Directory) DeletePerson(ctx context.Context, id, ifMatch string) error {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	return d.people.directoryError(d.people.delete(ctx, id, ifMatch))
}

// SearchPeople implements bridge.Directory.
func (d *Directory) SearchPeople(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Person], error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	found, next, err := d.people.search(ctx, q)
	page := bridge.Page[bridge.Person]{Total: found.total, Next: next}
	for _, doc := range found.items {
		if err != nil {
			break
		}
		var p bridge.Person
		p, err = d.people.person(doc)
		page.Items = append(page.Items, p)
	}
	if err != nil {
		return bridge.Page[bridge.Person]{}, d.people.directoryError(err)
	}
	return page, nil
}

func (d *Directory) toPerson(doc document, err error) (bridge.Person, error) {
	if err != nil {
		return bridge.Person{}, d.people.directoryError(err)
	}
	return d.people.person(doc)
}
