package guard

import (
	"context"
	"errors"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Person implements bridge.Directory.
func (g *Guard) Person(ctx context.Context, id string) (bridge.Person, error) {
	seen, err := g.seenPerson(id)
	if err != nil || seen.deleted {
		return bridge.Person{}, orDeleted(err, id)
	}
	p, err := g.inner.Person(ctx, id)
	return g.showPerson(ctx, id, p, err)
}

func (g *Guard) seenPerson(id string) (seen seenPerson, err error) {
	err = g.view(func(s *state) { seen = s.seenPerson(id) })
	return seen, err
}

// orDeleted is the error for a person whose deletion is held.
func orDeleted(err error, id string) error {
	if err != nil {
		return err
	}
	return notFound(schema.User.Name, id)
}

// showPerson makes the directory's answer about a person the one for the identity provider. Holds end that the answer
// contradicts: the person is gone, or was suspended there.
func (g *Guard) showPerson(ctx context.Context, id string, p bridge.Person, err error) (bridge.Person, error) {
	switch {
	case isNotFound(err):
		if err := g.forgetPerson(ctx, id); err != nil {
			return bridge.Person{}, err
		}
		return bridge.Person{}, err
	case err != nil:
		return bridge.Person{}, err
	}
	if err := g.endSuspension(p); err != nil {
		return bridge.Person{}, err
	}
	seen, err := g.seenPerson(p.ID)
	if err != nil {
		return bridge.Person{}, err
	}
	return seen.show(p)
}

// endSuspension ends the held suspension of a person that is suspended already. A deletion stays to be done.
func (g *Guard) endSuspension(p bridge.Person) error {
	if !p.Suspended {
		return nil
	}
	var h hold
	var held bool
	if err := g.view(func(s *state) { h, held = s.suspensionOf(p.ID) }); err != nil || !held || h.Deleted {
		return err
	}
	return g.drop(h)
}

// CreatePerson implements bridge.Directory. A person whose deletion is held, and who is created again, has the id that
// it had.
func (g *Guard) CreatePerson(ctx context.Context, in bridge.PersonInput) (bridge.Person, error) {
	p, revived, err := g.revive(ctx, in)
	if revived || err != nil {
		return p, err
	}
	return g.inner.CreatePerson(ctx, in)
}

// revive makes a person of that name whose deletion is held what it is created as, if there is one.
func (g *Guard) revive(ctx context.Context, in bridge.PersonInput) (p bridge.Person, revived bool, err error) {
	name := foldName(userNameOf(in.Attributes))
	var h hold
	var held bool
	find := func(s *state) {
		h, held = s.deleted(func(h hold) bool { return name != "" && foldName(h.UserName) == name })
	}
	if err := g.view(find); err != nil || !held {
		return p, false, err
	}
	unlock, err := g.people.lock(ctx, h.Person)
	if err != nil {
		return p, false, err
	}
	defer unlock()
	if err := g.view(find); err != nil || !held { // another request has created it
		return p, false, err
	}
	current, err := g.inner.Person(ctx, h.Person)
	if isNotFound(err) {
		return p, false, g.forgetPerson(ctx, h.Person)
	}
	if err != nil {
		return p, false, err
	}
	if len(current.Groups) == 0 {
		if err := g.holdUnlisted(ctx, h); err != nil {
			return p, false, err
		}
	}
	holds := !isActive(in.Attributes) && !current.Suspended // it stays held, as a suspension
	if holds {
		if in.Attributes, err = withActive(in.Attributes, true); err != nil {
			return p, false, err
		}
	}
	p, err = g.inner.ReplacePerson(ctx, h.Person, in, "")
	if isNotFound(err) {
		return p, false, g.forgetPerson(ctx, h.Person)
	}
	if err != nil {
		return p, false, err
	}
	if holds {
		h.Deleted, h.UserName = false, userNameOf(in.Attributes)
		err = g.update(func(*state) change { return change{Holds: []hold{h}} })
	} else {
		err = g.reactivate(ctx, h)
	}
	if err != nil {
		return p, true, err
	}
	p, err = g.showPerson(ctx, p.ID, p, nil)
	return p, true, err
}

// holdUnlisted holds the removals of a deleted person from its groups at a server that lists none with a person: when
// the deletion was held, they were not known. A server may have no groups at all.
func (g *Guard) holdUnlisted(ctx context.Context, h hold) error {
	var gone map[string]bool
	if err := g.view(func(s *state) { gone = s.seenPerson(h.Person).gone }); err != nil {
		return err
	}
	var removals []hold
	isMember := bridge.Predicate{Op: "any", Path: []string{"members"},
		Terms: []bridge.Predicate{{Op: "eq", Path: []string{"value"}, Value: h.Person, CaseExact: true}}}
	for at := int64(0); ; {
		page, err := g.inner.SearchGroups(ctx, bridge.Query{Filter: &isMember, Offset: at, Limit: pageSize})
		switch {
		case err != nil && (ctx.Err() != nil || bridge.CodeOf(err) == bridge.TooMany):
			return err
		case err != nil:
			g.cfg.Log.Warn("the groups of a person that is created again are not known, and stay as they are",
				"person", h.Person, "error", err)
			return nil
		}
		for _, group := range page.Items {
			if !gone[group.ID] {
				r := g.newHold(ctx, h.Person, h.UserName)
				r.Group, r.GroupName = group.ID, displayNameOf(group.Attributes)
				removals = append(removals, r)
			}
		}
		if at += int64(len(page.Items)); len(page.Items) == 0 || at >= page.Total {
			return g.hold(removals, change{})
		}
	}
}

// reactivate ends a suspension that the identity provider takes back. The removals that belonged to it are the limit's
// then.
func (g *Guard) reactivate(ctx context.Context, h hold) error {
	if err := g.drop(h); err != nil {
		return err
	}
	g.cfg.Log.Info("a held suspension was taken back", "hold", h.ID, "person", h.Person)
	var removals []hold
	if err := g.view(func(s *state) { removals = s.removalsOf(h.Person) }); err != nil || len(removals) == 0 {
		return err
	}
	granted, err := g.withdraw(ctx, removing, int64(len(removals)))
	if err != nil {
		return err
	}
	if err := g.removeAll(ctx, removals[:granted.n]); err != nil {
		granted.undo()
		g.cfg.Log.Warn("removals that belonged to the suspension stay held", "person", h.Person, "reason", err)
	}
	return nil
}

// ReplacePerson implements bridge.Directory.
func (g *Guard) ReplacePerson(ctx context.Context, id string, in bridge.PersonInput, ifMatch string,
) (bridge.Person, error) {
	unlock, err := g.people.lock(ctx, id)
	if err != nil {
		return bridge.Person{}, err
	}
	defer unlock()
	var h hold
	var held bool
	var seen seenPerson
	err = g.view(func(s *state) { h, held = s.suspensionOf(id); seen = s.seenPerson(id) })
	if err != nil || seen.deleted {
		return bridge.Person{}, orDeleted(err, id)
	}
	tag, ok := unmarked(ifMatch, seen.mark())
	if !ok {
		return bridge.Person{}, errStale("")
	}
	if isActive(in.Attributes) {
		p, err := g.inner.ReplacePerson(ctx, id, in, tag)
		if err == nil && held {
			err = g.reactivate(ctx, h)
		}
		return g.showPerson(ctx, id, p, err)
	}
	current, err := g.inner.Person(ctx, id)
	if err != nil {
		return g.showPerson(ctx, id, current, err)
	}
	if current.Suspended { // nothing is taken away
		p, err := g.inner.ReplacePerson(ctx, id, in, tag)
		return g.showPerson(ctx, id, p, err)
	}
	granted := grant{undo: func() {}}
	if !held {
		if granted, err = g.withdraw(ctx, suspending, 1); err != nil {
			return bridge.Person{}, err
		}
	}
	if granted.n == 1 {
		p, err := g.inner.ReplacePerson(ctx, id, in, tag)
		if err != nil {
			g.undoUnlessSuspended(ctx, granted, id, err)
			return g.showPerson(ctx, id, p, err)
		}
		g.carryOutRemovals(ctx, id)
		return g.showPerson(ctx, id, p, nil)
	}
	return g.holdSuspension(ctx, h, current, in, tag)
}

// undoUnlessSuspended takes back what was granted for a suspension that has failed. One whose answer was lost may have
// had its effect.
func (g *Guard) undoUnlessSuspended(ctx context.Context, granted grant, id string, failed error) {
	if errors.Is(failed, bridge.ErrUnavailable) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		if p, err := g.inner.Person(ctx, id); err != nil || p.Suspended {
			return
		}
	}
	granted.undo()
}

// undoTimeout bounds the look at what became of a suspension whose answer was lost.
const undoTimeout = 5 * time.Second

// holdSuspension carries out all of a change but the suspension in it, and holds that. h is the hold that there is
// already; without an id, there is none.
func (g *Guard) holdSuspension(ctx context.Context, h hold, current bridge.Person, in bridge.PersonInput, tag string,
) (bridge.Person, error) {
	var err error
	if in.Attributes, err = withActive(in.Attributes, true); err != nil {
		return bridge.Person{}, err
	}
	as, err := withActive(current.Attributes, true)
	if err != nil {
		return bridge.Person{}, err
	}
	p := current
	if isSame(as, in.Attributes) {
		err = checkVersion(tag, current.Version)
	} else {
		p, err = g.inner.ReplacePerson(ctx, current.ID, in, tag)
	}
	if err != nil {
		return g.showPerson(ctx, current.ID, p, err)
	}
	name := userNameOf(p.Attributes)
	switch {
	case h.ID == "":
		h = g.newHold(ctx, p.ID, name)
		if err = g.hold([]hold{h}, change{}); err == nil {
			g.cfg.Log.Info("a suspension beyond the limit is held", "hold", h.ID, "person", p.ID)
		}
	case h.UserName != name:
		h.UserName = name
		err = g.update(func(*state) change { return change{Holds: []hold{h}} })
	}
	return g.showPerson(ctx, p.ID, p, err)
}

// DeletePerson implements bridge.Directory.
func (g *Guard) DeletePerson(ctx context.Context, id, ifMatch string) error {
	unlock, err := g.people.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	var h hold
	var held bool
	var seen seenPerson
	err = g.view(func(s *state) { h, held = s.suspensionOf(id); seen = s.seenPerson(id) })
	if err != nil || seen.deleted {
		return orDeleted(err, id)
	}
	tag, ok := unmarked(ifMatch, seen.mark())
	if !ok {
		return errStale("")
	}
	if g.cfg.Limit.Off && !held {
		return g.delete(ctx, id, tag)
	}
	current, err := g.inner.Person(ctx, id)
	if isNotFound(err) {
		if err := g.forgetPerson(ctx, id); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	granted := grant{undo: func() {}}
	if !held && !current.Suspended {
		if granted, err = g.withdraw(ctx, suspending, 1); err != nil {
			return err
		}
	}
	if granted.n == 1 || current.Suspended {
		err := g.delete(ctx, id, tag)
		if err != nil {
			g.undoUnlessSuspended(ctx, granted, id, err)
		}
		return err
	}
	if err := checkVersion(tag, current.Version); err != nil {
		return err
	}
	return g.holdDeletion(ctx, h, current)
}

// delete deletes a person who loses nothing by it that is to be held.
func (g *Guard) delete(ctx context.Context, id, tag string) error {
	err := g.inner.DeletePerson(ctx, id, tag)
	if err == nil || isNotFound(err) {
		if err := g.forgetPerson(ctx, id); err != nil {
			return err
		}
	}
	return err
}

// holdDeletion holds the deletion of a person, whose suspension h may be held already. The memberships go with it: if
// the person is created again, it is not back in its groups.
func (g *Guard) holdDeletion(ctx context.Context, h hold, current bridge.Person) error {
	name := userNameOf(current.Attributes)
	var c change
	if h.ID != "" { // another hold: who approves a suspension that was listed before has not seen the deletion
		c.Drop = append(c.Drop, h.ID)
	}
	h = g.newHold(ctx, current.ID, name)
	h.Deleted = true
	fresh := []hold{h}
	var removals map[string]bool
	if err := g.view(func(s *state) { removals = s.seenPerson(current.ID).gone }); err != nil {
		return err
	}
	for _, group := range current.Groups {
		if !removals[group.ID] {
			r := g.newHold(ctx, current.ID, name)
			r.Group, r.GroupName = group.ID, group.Display
			fresh = append(fresh, r)
		}
	}
	if err := g.hold(fresh, c); err != nil {
		return err
	}
	g.cfg.Log.Info("a deletion beyond the limit is held", "hold", h.ID, "person", current.ID)
	return nil
}

// carryOutRemovals ends the held removals of a person that is suspended from now on: it loses nothing more by them.
func (g *Guard) carryOutRemovals(ctx context.Context, person string) {
	var removals []hold
	err := g.view(func(s *state) { removals = s.removalsOf(person) })
	if err == nil {
		err = g.removeAll(ctx, removals)
	}
	if err != nil {
		g.cfg.Log.Warn("removals of a suspended person stay held", "person", person, "reason", err)
	}
}
