package front

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

var _ bridge.Directory = (*Connector)(nil)

// ask calls the server's Directory, if the session is open.
func ask[T any](c *Connector, call func(bridge.Directory) (T, error)) (T, error) {
	d, err := c.directory()
	if err != nil {
		var none T
		return none, err
	}
	return call(d)
}

// CreatePerson implements bridge.Directory.
func (c *Connector) CreatePerson(ctx context.Context, in bridge.PersonInput) (bridge.Person, error) {
	return ask(c, func(d bridge.Directory) (bridge.Person, error) { return d.CreatePerson(ctx, in) })
}

// Person implements bridge.Directory.
func (c *Connector) Person(ctx context.Context, id string) (bridge.Person, error) {
	return ask(c, func(d bridge.Directory) (bridge.Person, error) { return d.Person(ctx, id) })
}

// ReplacePerson implements bridge.Directory.
func (c *Connector) ReplacePerson(ctx context.Context, id string, in bridge.PersonInput, ifMatch string,
) (bridge.Person, error) {
	return ask(c, func(d bridge.Directory) (bridge.Person, error) { return d.ReplacePerson(ctx, id, in, ifMatch) })
}

// DeletePerson implements bridge.Directory.
func (c *Connector) DeletePerson(ctx context.Context, id, ifMatch string) error {
	d, err := c.directory()
	if err != nil {
		return err
	}
	return d.DeletePerson(ctx, id, ifMatch)
}

// SearchPeople implements bridge.Directory.
func (c *Connector) SearchPeople(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Person], error) {
	return ask(c, func(d bridge.Directory) (bridge.Page[bridge.Person], error) { return d.SearchPeople(ctx, q) })
}

// CreateGroup implements bridge.Directory.
func (c *Connector) CreateGroup(ctx context.Context, in bridge.GroupInput) (bridge.Group, error) {
	return ask(c, func(d bridge.Directory) (bridge.Group, error) { return d.CreateGroup(ctx, in) })
}

// Group implements bridge.Directory.
func (c *Connector) Group(ctx context.Context, id string, withMembers bool) (bridge.Group, error) {
	return ask(c, func(d bridge.Directory) (bridge.Group, error) { return d.Group(ctx, id, withMembers) })
}

// UpdateGroup implements bridge.Directory.
func (c *Connector) UpdateGroup(
	ctx context.Context, id string, change bridge.GroupChange, ifMatch string, withMembers bool,
) (bridge.Group, error) {
	return ask(c, func(d bridge.Directory) (bridge.Group, error) {
		return d.UpdateGroup(ctx, id, change, ifMatch, withMembers)
	})
}

// DeleteGroup implements bridge.Directory.
func (c *Connector) DeleteGroup(ctx context.Context, id, ifMatch string) error {
	d, err := c.directory()
	if err != nil {
		return err
	}
	return d.DeleteGroup(ctx, id, ifMatch)
}

// SearchGroups implements bridge.Directory.
func (c *Connector) SearchGroups(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Group], error) {
	return ask(c, func(d bridge.Directory) (bridge.Page[bridge.Group], error) { return d.SearchGroups(ctx, q) })
}
