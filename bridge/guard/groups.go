package guard

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// CreateGroup implements bridge.Directory. A group that was deleted, and is there as long as people are held in it, has
// the id that it had when it is created again.
func (g *Guard) CreateGroup(ctx context.Context, in bridge.GroupInput) (bridge.Group, error) {
	var id string
	name := foldName(displayNameOf(in.Attributes))
	find := func(s *state) {
		id = ""
		for hidden, as := range s.hidden {
			if name != "" && foldName(as) == name {
				id = hidden
			}
		}
	}
	if err := g.view(find); err != nil {
		return bridge.Group{}, err
	}
	if id == "" {
		return g.inner.CreateGroup(ctx, in)
	}
	unlock, err := g.groups.lock(ctx, id)
	if err != nil {
		return bridge.Group{}, err
	}
	defer unlock()
	if err := g.view(find); err != nil {
		return bridge.Group{}, err
	}
	if id == "" { // another request has created it
		return g.inner.CreateGroup(ctx, in)
	}
	revived := bridge.GroupChange{Attributes: in.Attributes, Add: in.Members}
	group, err := g.inner.UpdateGroup(ctx, id, revived, "", false)
	if isNotFound(err) {
		if err := g.forgetGroup(id); err != nil {
			return bridge.Group{}, err
		}
		return g.inner.CreateGroup(ctx, in)
	}
	if err == nil {
		err = g.joined(id, in.Members, change{Show: []string{id}}, nil)
	}
	return g.showGroup(id, group, err)
}

// joined ends the held removals of those who were added, beside what else changes.
func (g *Guard) joined(id string, added []string, c change, holds []hold) error {
	return g.hold(holds, g.withJoined(id, added, c))
}

func (g *Guard) withJoined(id string, added []string, c change) change {
	_ = g.view(func(s *state) {
		for _, person := range added {
			if h, held := s.removals[id][person]; held {
				c.Drop = append(c.Drop, h.ID)
			}
		}
	})
	return c
}

// Group implements bridge.Directory.
func (g *Guard) Group(ctx context.Context, id string, withMembers bool) (bridge.Group, error) {
	seen, err := g.seenGroup(id)
	if err != nil || seen.hidden {
		return bridge.Group{}, orHidden(err, id)
	}
	group, err := g.inner.Group(ctx, id, withMembers)
	return g.showGroup(id, group, err)
}

func (g *Guard) seenGroup(id string) (seen seenGroup, err error) {
	err = g.view(func(s *state) { seen = s.seenGroup(id) })
	return seen, err
}

// orHidden is the error for a group that was deleted, and is hidden.
func orHidden(err error, id string) error {
	if err != nil {
		return err
	}
	return notFound(schema.Group.Name, id)
}

// showGroup makes the directory's answer about a group the one for the identity provider. The holds of a group that is
// gone end.
func (g *Guard) showGroup(id string, group bridge.Group, err error) (bridge.Group, error) {
	if isNotFound(err) {
		if err := g.forgetGroup(id); err != nil {
			return bridge.Group{}, err
		}
	}
	if err != nil {
		return bridge.Group{}, err
	}
	seen, err := g.seenGroup(id)
	if err != nil {
		return bridge.Group{}, err
	}
	return seen.show(group), nil
}

// UpdateGroup implements bridge.Directory.
func (g *Guard) UpdateGroup(ctx context.Context, id string, c bridge.GroupChange, ifMatch string, withMembers bool,
) (bridge.Group, error) {
	unlock, err := g.groups.lock(ctx, id)
	if err != nil {
		return bridge.Group{}, err
	}
	defer unlock()
	seen, err := g.seenGroup(id)
	if err != nil || seen.hidden {
		return bridge.Group{}, orHidden(err, id)
	}
	tag, ok := unmarked(ifMatch, seen.mark())
	if !ok {
		return bridge.Group{}, errStale("")
	}
	added := c.Add
	if c.Replace != nil {
		added = without(slices.Concat(*c.Replace, c.Add), setOf(c.Remove))
	}
	leaving := leaving{guard: g, group: id, seen: seen}
	if !g.cfg.Limit.Off || len(seen.gone)+len(seen.deleted) > 0 {
		if err := leaving.decide(ctx, c, added); err != nil {
			leaving.undo(err)
			return g.showGroup(id, bridge.Group{}, err)
		}
	}
	group, err := leaving.carryOut(ctx, c, added, tag, withMembers)
	if err != nil {
		leaving.undo(err)
		return g.showGroup(id, group, err)
	}
	holds := leaving.holds(ctx, displayNameOf(group.Attributes))
	if err := g.joined(id, added, change{}, holds); err != nil {
		return bridge.Group{}, err
	}
	if len(holds) > 0 {
		g.cfg.Log.Info("removals from a group beyond the limit are held", "group", id, "count", len(holds))
	}
	return g.showGroup(id, group, nil)
}

// leaving is what becomes of the people that a change takes out of a group.
type leaving struct {
	guard *Guard
	group string
	seen  seenGroup
	// out leave it now, and others of Remove that are not people in it; stay are held in it.
	out, stay []string
	kept      bool              // somebody stays who is gone for the identity provider already
	names     map[string]string // of the people
	grants    []grant
	asked     bool // the directory was told to change something

	read func() (bridge.Group, error) // the group with its members
}

// lookedUp is how many people are looked up for one grant.
const lookedUp = 64

// decide sorts those who leave.
func (l *leaving) decide(ctx context.Context, c bridge.GroupChange, added []string) error {
	l.names = map[string]string{}
	l.read = sync.OnceValues(func() (bridge.Group, error) { return l.guard.inner.Group(ctx, l.group, true) })
	candidates := c.Remove
	if c.Replace != nil {
		group, err := l.read()
		if err != nil {
			return err
		}
		stays := setOf(added)
		for _, m := range group.Members {
			switch {
			case stays[m.ID]:
			case l.isGone(m.ID):
				l.kept = true
			case m.Type == groupType:
				l.out = append(l.out, m.ID)
			default:
				candidates = append(candidates[:len(candidates):len(candidates)], m.ID)
				l.names[m.ID] = m.Display
			}
		}
	}
	all := distinct(candidates)
	there := slices.DeleteFunc(slices.Clone(all), l.isGone)
	l.kept = l.kept || len(there) < len(all)
	return l.sort(ctx, there)
}

// isGone reports whether the identity provider sees a person gone who is in the group.
func (l *leaving) isGone(id string) bool { return l.seen.gone[id] || l.seen.deleted[id] }

// sort parts people into those who leave now and those who are held: some at a time, until the limit is used up.
func (l *leaving) sort(ctx context.Context, candidates []string) error {
	exhausted := false
	for part := range slices.Chunk(candidates, lookedUp) {
		if exhausted {
			if err := l.keep(part); err != nil {
				return err
			}
			continue
		}
		losers, err := l.losers(ctx, part)
		if err != nil {
			return err
		}
		granted, err := l.guard.withdraw(ctx, removing, int64(len(losers)))
		if err != nil {
			return err
		}
		l.grants = append(l.grants, granted)
		l.out, l.stay = append(l.out, losers[:granted.n]...), append(l.stay, losers[granted.n:]...)
		exhausted = int(granted.n) < len(losers)
	}
	return nil
}

// losers returns who of some loses something by the removal: a member that is not suspended. One whose suspension is
// held stays, too, and that belongs to it.
func (l *leaving) losers(ctx context.Context, ids []string) (losers []string, err error) {
	people := make([]bridge.Person, len(ids))
	lookUp, limited := errgroup.WithContext(ctx)
	lookUp.SetLimit(8)
	for i, id := range ids {
		lookUp.Go(func() (err error) {
			people[i], err = l.guard.inner.Person(limited, id)
			if isNotFound(err) {
				return nil
			}
			return err
		})
	}
	if err := lookUp.Wait(); err != nil {
		return nil, err
	}
	for i, p := range people {
		is, err := l.isMember(p)
		if err != nil {
			return nil, err
		}
		seen, err := l.guard.seenPerson(ids[i])
		if err != nil {
			return nil, err
		}
		switch {
		case p.ID == "" || p.Suspended || !is: // a group, or nobody, or it takes nothing away
			l.out = append(l.out, ids[i])
			continue
		case seen.suspended:
			l.stay = append(l.stay, ids[i])
		default:
			losers = append(losers, ids[i])
		}
		l.names[ids[i]] = userNameOf(p.Attributes)
	}
	return losers, nil
}

// isMember reports whether a person is in the group. Of a directory that shows nobody in it, anybody may be.
func (l *leaving) isMember(p bridge.Person) (bool, error) {
	if p.ID == "" || p.Suspended {
		return false, nil
	}
	if slices.ContainsFunc(p.Groups, func(r bridge.Reference) bool { return r.ID == l.group }) {
		return true, nil
	}
	group, err := l.read()
	return len(group.Members) == 0 ||
		slices.ContainsFunc(group.Members, func(r bridge.Reference) bool { return r.ID == p.ID }), err
}

// keep holds members without looking each of them up.
func (l *leaving) keep(ids []string) error {
	group, err := l.read()
	if err != nil {
		return err
	}
	members := map[string]bridge.Reference{}
	for _, m := range group.Members {
		members[m.ID] = m
	}
	for _, id := range ids {
		m, is := members[id]
		if !is && len(members) > 0 || m.Type == groupType {
			l.out = append(l.out, id)
			continue
		}
		l.stay = append(l.stay, id)
		l.names[id] = cmp.Or(m.Display, l.names[id])
	}
	return nil
}

// undo takes back what was granted for a change that has failed. One whose answer was lost may have had its effect.
func (l *leaving) undo(failed error) {
	if errors.Is(failed, bridge.ErrUnavailable) && l.asked {
		return
	}
	for _, granted := range l.grants {
		granted.undo()
	}
}

// carryOut makes the change without what is held.
func (l *leaving) carryOut(ctx context.Context, c bridge.GroupChange, added []string, tag string, withMembers bool,
) (bridge.Group, error) {
	inner := l.guard.inner
	l.asked = true
	if len(l.stay) == 0 && !l.kept {
		return inner.UpdateGroup(ctx, l.group, c, tag, withMembers)
	}
	if c.Replace != nil {
		// Held members stay in the list that the server gets. A list of unknown ids is refused as without them.
		if list := *c.Replace; len(list) > 0 {
			c.Instead = append(slices.Clone(c.Instead), list)
		} else if len(c.Add) > 0 {
			c.Instead = append(slices.Clone(c.Instead), c.Add)
		}
		c.Replace, c.Add = nil, added
	}
	c.Remove = l.out
	if c.Attributes != nil || len(c.Add)+len(c.Remove) > 0 {
		return inner.UpdateGroup(ctx, l.group, c, tag, withMembers)
	}
	group, err := inner.Group(ctx, l.group, withMembers)
	if err == nil && tag != "" {
		err = checkVersion(tag, group.Version)
	}
	return group, err
}

// holds returns the new holds.
func (l *leaving) holds(ctx context.Context, groupName string) []hold {
	holds := make([]hold, len(l.stay))
	for i, id := range l.stay {
		h := l.guard.newHold(ctx, id, cmp.Or(l.names[id], id))
		h.Group, h.GroupName = l.group, groupName
		holds[i] = h
	}
	return holds
}

// DeleteGroup implements bridge.Directory. A group with people who are held stays, and is hidden.
func (g *Guard) DeleteGroup(ctx context.Context, id, ifMatch string) error {
	unlock, err := g.groups.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	seen, err := g.seenGroup(id)
	if err != nil || seen.hidden {
		return orHidden(err, id)
	}
	tag, ok := unmarked(ifMatch, seen.mark())
	if !ok {
		return errStale("")
	}
	if g.cfg.Limit.Off && len(seen.gone) == 0 {
		return g.inner.DeleteGroup(ctx, id, tag)
	}
	leaving := leaving{guard: g, group: id, seen: seen}
	err = leaving.decide(ctx, bridge.GroupChange{Replace: &[]string{}}, nil)
	var group bridge.Group
	if err == nil {
		group, err = leaving.read()
	}
	switch {
	case err == nil && len(leaving.stay)+len(seen.gone) == 0 && !leaving.kept:
		leaving.asked = true
		err = g.inner.DeleteGroup(ctx, id, tag)
	case err == nil:
		err = leaving.hide(ctx, group, tag)
	}
	if err != nil {
		leaving.undo(err)
		_, err = g.showGroup(id, bridge.Group{}, err)
	}
	return err
}

// hide takes those out of a group who leave it now, and hides it with the others.
func (l *leaving) hide(ctx context.Context, group bridge.Group, tag string) error {
	err := checkVersion(tag, group.Version)
	if err == nil && len(l.out) > 0 {
		l.asked = true
		_, err = l.guard.inner.UpdateGroup(ctx, l.group, bridge.GroupChange{Remove: l.out}, tag, false)
	}
	if err != nil {
		return err
	}
	name := displayNameOf(group.Attributes)
	holds := l.holds(ctx, name)
	// People whose deletion is held lose the membership with that, unless it is cancelled.
	for _, m := range group.Members {
		if l.seen.deleted[m.ID] && !l.seen.gone[m.ID] {
			h := l.guard.newHold(ctx, m.ID, m.Display)
			h.Group, h.GroupName = l.group, name
			holds = append(holds, h)
		}
	}
	if err := l.guard.hold(holds, change{Hide: []hiddenGroup{{l.group, name}}}); err != nil {
		return err
	}
	l.guard.cfg.Log.Info("the deletion of a group beyond the limit is held", "group", l.group, "count", len(holds))
	return nil
}

// removeAll carries out removals, a group at a time. Its error is the first of a group whose removals stay held.
func (g *Guard) removeAll(ctx context.Context, removals []hold) (first error) {
	byGroup := map[string][]hold{}
	for _, h := range removals {
		byGroup[h.Group] = append(byGroup[h.Group], h)
	}
	for _, id := range slices.Sorted(maps.Keys(byGroup)) {
		if err := g.remove(ctx, id, byGroup[id]); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// remove carries out removals from a group. A hidden group of which nobody is held any more is deleted.
func (g *Guard) remove(ctx context.Context, id string, removals []hold) error {
	unlock, err := g.groups.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	var left int
	var hidden bool
	err = g.view(func(s *state) {
		removals = slices.DeleteFunc(removals, func(h hold) bool { return s.removals[id][h.Person].ID != h.ID })
		left = len(s.removals[id]) - len(removals)
		_, hidden = s.hidden[id]
	})
	if err != nil || len(removals) == 0 {
		return err // the identity provider has added them again
	}
	people := make([]string, len(removals))
	for i, h := range removals {
		people[i] = h.Person
	}
	if hidden && left == 0 {
		err = g.inner.DeleteGroup(ctx, id, "")
	} else {
		_, err = g.inner.UpdateGroup(ctx, id, bridge.GroupChange{Remove: people}, "", false)
	}
	if isNotFound(err) || err == nil && hidden && left == 0 {
		return g.forgetGroup(id)
	}
	if err != nil {
		g.refuse(err, removals...)
		return err
	}
	return g.drop(removals...)
}

func setOf(ids []string) map[string]bool {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

func without(ids []string, left map[string]bool) []string {
	return slices.DeleteFunc(distinct(ids), func(id string) bool { return left[id] })
}

func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		before := seen[id]
		seen[id] = true
		return before
	})
}
