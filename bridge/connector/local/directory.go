package local

import (
	"context"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Directory asks an account in the same process by its Go methods. A request that is refused, that fails, or that may
// be too large, is sent by the connector as if nothing had been asked before.
type Directory struct {
	connector *account.Connector
	account   *server.Local
	meter     *account.Meter
}

var _ bridge.Directory = (*Directory)(nil)

// New returns a Directory over an account, in the name of the connector's session. The meter measures what it asks.
func New(c *account.Connector, a *server.Local, m *account.Meter) *Directory {
	return &Directory{c, a, m}
}

// ask calls fn as server.Local's Ask does, in the name of the bridge's session.
func (d *Directory) ask(ctx context.Context, name account.Operation, op server.Operation,
	fn func(context.Context) error,
) bool {
	began, session := time.Now(), d.connector.Session()
	if session == "" || !d.account.Ask(ctx, session, op, fn) {
		return false
	}
	d.meter.Observe(name, op.Method, op.Status, time.Since(began))
	return true
}

// CreatePerson implements bridge.Directory.
func (d *Directory) CreatePerson(ctx context.Context, in bridge.PersonInput) (p bridge.Person, err error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	if isSmallPerson(in) && d.ask(ctx, account.People, server.CreatePerson, func(ctx context.Context) error {
		made, err := d.account.Directory.CreatePerson(ctx, directory.PersonInput(in))
		p = toPerson(made)
		return err
	}) {
		return p, nil
	}
	return d.connector.CreatePerson(ctx, in)
}

// Person implements bridge.Directory.
func (d *Directory) Person(ctx context.Context, id string) (p bridge.Person, err error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	if inputtext.IsOwnID(id) && d.ask(ctx, account.People, server.GetPerson, func(ctx context.Context) error {
		found, err := d.account.Directory.Person(ctx, id)
		p = toPerson(found)
		return err
	}) {
		return p, nil
	}
	return d.connector.Person(ctx, id)
}

// ReplacePerson implements bridge.Directory.
func (d *Directory) ReplacePerson(
	ctx context.Context, id string, in bridge.PersonInput, ifMatch string,
) (p bridge.Person, err error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	isOrdinary := inputtext.IsOwnID(id) && isSmallPerson(in)
	if isOrdinary && d.ask(ctx, account.People, server.ReplacePerson, func(ctx context.Context) error {
		replaced, err := d.account.Directory.ReplacePerson(ctx, id, directory.PersonInput(in), ifMatch)
		p = toPerson(replaced)
		return err
	}) {
		return p, nil
	}
	return d.connector.ReplacePerson(ctx, id, in, ifMatch)
}

// DeletePerson implements bridge.Directory.
func (d *Directory) DeletePerson(ctx context.Context, id, ifMatch string) error {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	if inputtext.IsOwnID(id) && d.ask(ctx, account.People, server.DeletePerson, func(ctx context.Context) error {
		return d.account.Directory.DeletePerson(ctx, id, ifMatch)
	}) {
		return nil
	}
	return d.connector.DeletePerson(ctx, id, ifMatch)
}

// SearchPeople implements bridge.Directory.
func (d *Directory) SearchPeople(ctx context.Context, q bridge.Query) (page bridge.Page[bridge.Person], err error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	if isPlainQuery(q) && d.ask(ctx, account.People, server.SearchPeople, func(ctx context.Context) error {
		found, err := d.account.Directory.SearchPeople(ctx, fromQuery(q))
		page = toPage(found, toPerson)
		return err
	}) {
		return page, nil
	}
	return d.connector.SearchPeople(ctx, q)
}

// CreateGroup implements bridge.Directory.
func (d *Directory) CreateGroup(ctx context.Context, in bridge.GroupInput) (g bridge.Group, err error) {
	ctx, cancel := bounded(ctx, len(in.Members))
	defer cancel()
	isSmall := isSmall(len(in.Attributes), in.Members)
	if isSmall && d.ask(ctx, account.Groups, server.CreateGroup, func(ctx context.Context) error {
		made, err := d.account.Directory.CreateGroup(ctx, directory.GroupInput(in))
		g = toGroup(made)
		return err
	}) {
		return g, nil
	}
	return d.connector.CreateGroup(ctx, in)
}

// Group implements bridge.Directory.
func (d *Directory) Group(ctx context.Context, id string, withMembers bool) (g bridge.Group, err error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	if inputtext.IsOwnID(id) && d.ask(ctx, account.Groups, server.GetGroup, func(ctx context.Context) error {
		found, err := d.account.Directory.Group(ctx, id, withMembers)
		g = toGroup(found)
		return err
	}) {
		return g, nil
	}
	return d.connector.Group(ctx, id, withMembers)
}

// UpdateGroup implements bridge.Directory.
func (d *Directory) UpdateGroup(
	ctx context.Context, id string, c bridge.GroupChange, ifMatch string, withMembers bool,
) (g bridge.Group, err error) {
	members := len(c.Add) + len(c.Remove)
	if c.Replace != nil {
		members += len(*c.Replace)
	}
	ctx, cancel := bounded(ctx, members)
	defer cancel()
	isOrdinary := inputtext.IsOwnID(id) && isSmallChange(c)
	if isOrdinary && d.ask(ctx, account.Groups, server.UpdateGroup, func(ctx context.Context) error {
		updated, err := d.account.Directory.UpdateGroup(ctx, id, directory.GroupUpdate(c), ifMatch, withMembers)
		g = toGroup(updated)
		return err
	}) {
		return g, nil
	}
	return d.connector.UpdateGroup(ctx, id, c, ifMatch, withMembers)
}

// DeleteGroup implements bridge.Directory.
func (d *Directory) DeleteGroup(ctx context.Context, id, ifMatch string) error {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	if inputtext.IsOwnID(id) && d.ask(ctx, account.Groups, server.DeleteGroup, func(ctx context.Context) error {
		return d.account.Directory.DeleteGroup(ctx, id, ifMatch)
	}) {
		return nil
	}
	return d.connector.DeleteGroup(ctx, id, ifMatch)
}

// SearchGroups implements bridge.Directory.
func (d *Directory) SearchGroups(ctx context.Context, q bridge.Query) (page bridge.Page[bridge.Group], err error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	if isPlainQuery(q) && d.ask(ctx, account.Groups, server.SearchGroups, func(ctx context.Context) error {
		found, err := d.account.Directory.SearchGroups(ctx, fromQuery(q))
		page = toPage(found, toGroup)
		return err
	}) {
		return page, nil
	}
	return d.connector.SearchGroups(ctx, q)
}

// bounded gives both ways together the time of one question. After it, whether a write has had its effect is not known,
// and the connector sends nothing any more.
func bounded(ctx context.Context, members int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, account.Timeout(members))
}
