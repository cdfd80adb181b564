package scim

import (
	"context"
	"slices"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// CreateGroup implements bridge.Directory. The members follow the group, in
// batches; if that fails, the group is deleted again, so that it can be created
// another time.
func (d *Directory) CreateGroup(ctx context.Context, in bridge.GroupInput) (bridge.Group, error) {
	ctx, cancel := bounded(ctx, len(in.Members))
	defer cancel()
	attributes, err := d.groups.input(in.Attributes)
	if err != nil {
		return bridge.Group{}, err
	}
	joining, unknown, err := d.sortOut(ctx, distinct(in.Members))
	if err != nil {
		return bridge.Group{}, d.groups.directoryError(err)
	}
	doc, err := d.groups.create(ctx, attributes)
	if err != nil {
		return bridge.Group{}, d.groups.directoryError(err)
	}
	if len(joining) > 0 {
		late, err := d.changeMembers(ctx, doc.id, memberSet{add: joining, before: []string{}}, "")
		if err != nil {
			d.deleteUnfinished(ctx, doc.id)
			return bridge.Group{}, d.groups.directoryError(err)
		}
		unknown = append(unknown, late...)
		if doc, err = d.groups.get(ctx, doc.id, false); err != nil {
			return bridge.Group{}, d.groups.directoryError(err)
		}
	}
	g, err := d.groups.group(doc, false)
	g.UnknownMembers = unknown
	return g, err
}

// deleteUnfinished deletes a group whose members could not be put in.
func (d *Directory) deleteUnfinished(ctx context.Context, id string) {
	ctx, cancel := bounded(context.WithoutCancel(ctx), 0)
	defer cancel()
	if err := d.groups.delete(ctx, id, ""); err != nil {
		d.cfg.Log.Warn("a group was created on the far side without its members", "id", id, "error", err.Error())
	}
}

// Group implements bridge.Directory.
func (d *Directory) Group(ctx context.Context, id string, withMembers bool) (bridge.Group, error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	d.ready(ctx)
	g, err := d.readGroup(ctx, id, withMembers)
	return g, d.groups.directoryError(err)
}

// readGroup reads a group. Without versions of the far side the group's is made
// of all that is in it.
func (d *Directory) readGroup(ctx context.Context, id string, withMembers bool) (bridge.Group, error) {
	doc, err := d.groups.get(ctx, id, withMembers || d.can(canETag) != Yes)
	if err != nil {
		return bridge.Group{}, err
	}
	return d.groups.group(doc, withMembers)
}

// UpdateGroup implements bridge.Directory. It is not one change for the far
// side: the attributes come first, then those who join, then those who leave.
func (d *Directory) UpdateGroup(ctx context.Context, id string, change bridge.GroupChange, ifMatch string,
	withMembers bool,
) (bridge.Group, error) {
	members := len(change.Add) + len(change.Remove)
	if change.Replace != nil {
		members += len(*change.Replace)
	}
	ctx, cancel := bounded(ctx, members)
	defer cancel()
	d.ready(ctx)
	g, err := d.updateGroup(ctx, id, change, ifMatch, withMembers)
	return g, d.groups.directoryError(err)
}

func (d *Directory) updateGroup(ctx context.Context, id string, change bridge.GroupChange, ifMatch string,
	withMembers bool,
) (bridge.Group, error) {
	if id == "" {
		return bridge.Group{}, d.groups.notFound(id)
	}
	if err := checkChange(id, change); err != nil {
		return bridge.Group{}, err
	}
	unlock, err := d.groups.ids.lock(ctx, id)
	if err != nil {
		return bridge.Group{}, err
	}
	defer unlock()
	cond, err := d.groups.condition(ctx, id, ifMatch)
	if err != nil {
		return bridge.Group{}, err
	}
	set, unknown, err := d.memberSet(ctx, id, change, cond)
	if err != nil {
		return bridge.Group{}, err
	}
	if change.Attributes != nil {
		if cond.tag, err = d.changeAttributes(ctx, id, change, cond); err != nil {
			return bridge.Group{}, err
		}
	}
	if len(set.add)+len(set.remove) > 0 {
		late, err := d.changeMembers(ctx, id, set, cond.tag)
		if err != nil {
			return bridge.Group{}, err
		}
		unknown = append(unknown, late...)
	}
	doc, err := d.groups.get(ctx, id, withMembers)
	if err != nil {
		return bridge.Group{}, err
	}
	g, err := d.groups.group(doc, withMembers)
	g.UnknownMembers = unknown
	return g, err
}

// checkChange refuses what has no meaning.
func checkChange(id string, change bridge.GroupChange) error {
	if both := intersection(change.Add, change.Remove); len(both) > 0 {
		return &bridge.Error{Code: bridge.InvalidValue, IDs: both,
			Detail: "a member is to be added and to be removed; decide for one"}
	}
	joins := slices.Contains(change.Add, id) || change.Replace != nil && slices.Contains(*change.Replace, id)
	if joins {
		return &bridge.Error{Code: bridge.InvalidValue, Detail: "a group cannot be a member of itself"}
	}
	return nil
}

// changeAttributes gives a group other attributes. It returns the condition for
// what follows: after a change of ours the version is another one.
func (d *Directory) changeAttributes(ctx context.Context, id string, change bridge.GroupChange, cond condition,
) (tag string, err error) {
	attributes, err := d.groups.input(change.Attributes)
	if err != nil {
		return "", err
	}
	current := cond.current
	if current == nil {
		doc, err := d.groups.get(ctx, id, false)
		if err != nil {
			return "", err
		}
		current = &doc
	}
	if len(d.groups.changes(current.attributes, attributes)) == 0 {
		return cond.tag, nil
	}
	free, err := d.groups.checkName(ctx, id, attributes)
	if err != nil {
		return "", err
	}
	defer free()
	if d.can(canPatch) != No {
		var a answer
		a, err = d.groups.patchAttributes(ctx, id, current.attributes, attributes, cond.tag)
		if err == nil {
			_, err = d.groups.written(ctx, id, a, attributes)
			return "", err
		}
		if !cannot(err) {
			return "", err
		}
	}
	doc, err := d.groups.get(ctx, id, true)
	if err != nil {
		return "", err
	}
	_, err = d.groups.put(ctx, id, attributes, idsOf(doc.references), cond)
	return "", err
}

// DeleteGroup implements bridge.Directory.
func (d *Directory) DeleteGroup(ctx context.Context, id, ifMatch string) error {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	return d.groups.directoryError(d.groups.delete(ctx, id, ifMatch))
}

// SearchGroups implements bridge.Directory.
func (d *Directory) SearchGroups(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Group], error) {
	ctx, cancel := bounded(ctx, 0)
	defer cancel()
	found, next, err := d.groups.search(ctx, q)
	page := bridge.Page[bridge.Group]{Total: found.total, Next: next}
	for _, doc := range found.items {
		if err != nil {
			break
		}
		var g bridge.Group
		g, err = d.groups.group(doc, q.WithMembers)
		page.Items = append(page.Items, g)
	}
	if err != nil {
		return bridge.Page[bridge.Group]{}, d.groups.directoryError(err)
	}
	return page, nil
}
