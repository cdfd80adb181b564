package simulate

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A colleague is a person and the id that the server gave.
type colleague struct {
	person
	id string // empty if creating failed, or after a deletion
	// again is set after the person was deleted and created again, in no group.
	again bool
}

// company plays the life of a company: all people join, teams are formed, some
// people change and some leave, and everything is read back.
func (r *run) company(ctx context.Context) {
	people, teams := company(r.People, r.Groups, r.Domain, r.tag())
	staff := make([]colleague, len(people))
	r.concurrently(ctx, len(people), func(i int) { staff[i] = r.join(ctx, people[i]) })

	ids := make([]string, len(teams))
	r.concurrently(ctx, len(teams), func(i int) { ids[i] = r.form(ctx, teams[i], staff) })
	r.changes(ctx, staff)
	r.leavers(ctx, staff)
	r.readBack(ctx, staff)
	for i, t := range teams {
		if ids[i] == "" || ctx.Err() != nil {
			continue
		}
		size := 0
		for _, j := range t.members {
			if c := staff[j]; c.id != "" && !c.again {
				size++
			}
		}
		r.ask(ctx, "groups read back", get(at("Groups", ids[i]), check(Path{"displayName"}, "eq", t.name),
			check(Path{"members"}, "len", float64(size))).as(habitReadGroup))
		find := r.provider.dialect.(groupPusher).findTeam(t.name) // the name has parentheses and a comma
		find.Check = append(find.Check, check(Path{"Resources", "0", "id"}, "eq", ids[i]))
		r.ask(ctx, "groups read back", find)
	}
	if r.SwitchOff {
		r.switchOff(ctx, staff)
	}
}

// switchOff deprovisions everybody who is still there.
func (r *run) switchOff(ctx context.Context, staff []colleague) {
	r.concurrently(ctx, len(staff), func(i int) {
		if c := &staff[i]; c.id != "" && c.active {
			r.leave(ctx, "everybody is switched off", c)
		}
	})
	r.readBack(ctx, staff)
}

// leave deprovisions a person, looks it up, and reports whether that was done.
func (r *run) leave(ctx context.Context, phase string, c *colleague) bool {
	d := r.provider.dialect
	leaves := d.leave(c.id, c.person)
	if _, ok := r.ask(ctx, phase, leaves); !ok {
		return false
	}
	find := d.findPerson(c.person)
	if find.habit() != habitSearchPost { // a server without that would seem not to delete
		find = find.as(leaves.habit())
	}
	if _, suspends := d.(suspender); !suspends {
		find.Check = append(find.Check, check(Path{"totalResults"}, "eq", 0.0))
		r.ask(ctx, phase, find)
		c.id, c.again = "", true
		return true
	}
	c.active = false
	// A suspended person is still found.
	find.Check = append(find.Check, check(Path{"Resources", "0", "id"}, "eq", c.id),
		check(Path{"Resources", "0", "active"}, "eq", false))
	r.ask(ctx, phase, find)
	return true
}

// settle finds a resource or makes it, in the provider's order of the two.
// found is the resource if it was there already; its attribute has the name.
func (r *run) settle(ctx context.Context, phase string, find, create Step, attribute, name string) (
	id string, found any,
) {
	if r.provider.createsFirst {
		made, ok := r.ask(ctx, phase, refusable(create))
		if id := stringAt(made, "id"); id != "" || !ok {
			return id, nil
		}
	}
	page, ok := r.ask(ctx, phase, find)
	if !ok && find.needs(r.Player.declared) == "" { // without filters, a provider's people are all new
		return "", nil
	}
	if found, there := (Path{"Resources", "0"}).in(page); ok && there {
		// A server that passes over the filter shows somebody else, who must not be changed.
		if shown := stringAt(found, attribute); !strings.EqualFold(shown, name) {
			r.say(phase, find.habit(), find.Method+" "+find.Path, fmt.Sprintf("%s is %q, want %q", attribute, shown,
				name))
		} else {
			return stringAt(found, "id"), found
		}
	}
	made, _ := r.ask(ctx, phase, create)
	return stringAt(made, "id"), nil
}

// join matches a person, and creates it or updates the one that exists.
func (r *run) join(ctx context.Context, p person) colleague {
	d := r.provider.dialect
	id, found := r.settle(ctx, "people join", d.findPerson(p), d.createPerson(p), "userName", p.userName)
	if found != nil {
		r.ask(ctx, "people matched", r.provider.dialect.updatePerson(id, found, p)...)
	}
	return colleague{person: p, id: id}
}

// form makes a team and fills it; its last member leaves and joins again.
// It returns the team's id.
func (r *run) form(ctx context.Context, t team, staff []colleague) (id string) {
	const filled, changed = "groups filled", "groups change"
	pusher := r.provider.dialect.(groupPusher) // Validate has checked it
	g := group{name: t.name}
	for _, i := range t.members {
		if c := staff[i]; c.id != "" {
			g.members = append(g.members, member{c.id, c.display()})
		}
	}
	var found any
	g.id, found = r.settle(ctx, filled, pusher.findTeam(t.name), pusher.createTeam(t.name), "displayName", t.name)
	if g.id == "" {
		return ""
	}
	join, leave := g.members, []member(nil)
	if found != nil {
		join, leave = r.compare(ctx, g)
	}
	if len(join)+len(leave) > 0 {
		changes := pusher.changeMembers(g, join, leave)
		if _, ok := r.ask(ctx, filled, changes...); !ok && r.cannot(changes) {
			return "" // it has no members: nothing else of it can be right
		}
	}
	if len(g.members) < 2 {
		return g.id
	}
	without := g
	without.members = g.members[:len(g.members)-1]
	last := g.members[len(g.members)-1:]
	leaves := pusher.changeMembers(without, nil, last)
	r.ask(ctx, changed, leaves...)
	r.ask(ctx, changed, get(at("Groups", g.id),
		check(Path{"members"}, "len", float64(len(without.members)))).as(leaves[len(leaves)-1].habit()))
	back := pusher.changeMembers(g, last, nil)
	r.ask(ctx, changed, back...)
	r.ask(ctx, changed, back...) // a retry after a lost answer
	return g.id
}

// cannot reports whether the server declares that it does not support a step.
func (r *run) cannot(steps []Step) bool {
	return slices.ContainsFunc(steps, func(s Step) bool { return s.needs(r.Player.declared) != "" })
}

// compare reads the members of a group that existed already: an earlier run may
// have had more people, or fewer.
func (r *run) compare(ctx context.Context, g group) (join, leave []member) {
	answer, _ := r.ask(ctx, "groups matched", get(at("Groups", g.id)))
	listed, _ := Path{"members"}.in(answer)
	elements, _ := listed.([]any)
	there := make(map[string]bool, len(elements))
	wanted := make(map[string]bool, len(g.members))
	for _, m := range g.members {
		wanted[m.id] = true
	}
	for _, e := range elements {
		id := stringAt(e, "value")
		there[id] = true
		if !wanted[id] {
			leave = append(leave, member{id, stringAt(e, "display")})
		}
	}
	join = slices.DeleteFunc(slices.Clone(g.members), func(m member) bool { return there[m.id] })
	return join, leave
}

// changes promotes every tenth person.
func (r *run) changes(ctx context.Context, staff []colleague) {
	boss := staff[0].id
	r.concurrently(ctx, (len(staff)+9)/10, func(i int) {
		c := &staff[i*10]
		if c.id == "" {
			return
		}
		before, ok := r.ask(ctx, "people change", get(at("Users", c.id)))
		if !ok {
			return
		}
		c.title = "Head of " + c.department
		if boss != c.id {
			c.manager = boss
		}
		changes := r.provider.dialect.updatePerson(c.id, before, c.person)
		if _, ok := r.ask(ctx, "people change", changes...); len(changes) == 0 || !ok && r.cannot(changes) {
			return
		}
		r.ask(ctx, "people change",
			get(at("Users", c.id), check(Path{"title"}, "eq", c.title)).as(changes[len(changes)-1].habit()))
	})
}

// leavers deprovisions every twentieth person, the last of each score, and
// takes the first of them back.
func (r *run) leavers(ctx context.Context, staff []colleague) {
	const comeBack = "people return"
	d := r.provider.dialect
	suspends, _ := d.(suspender)
	r.concurrently(ctx, len(staff)/20, func(i int) {
		c := &staff[i*20+19]
		if c.id == "" {
			return
		}
		if !r.leave(ctx, "people leave", c) || i > 0 {
			return
		}
		if suspends == nil {
			made, _ := r.ask(ctx, comeBack, d.createPerson(c.person))
			c.id = stringAt(made, "id")
			return
		}
		if _, ok := r.ask(ctx, comeBack, suspends.comeBack(c.id, c.person)); ok {
			c.active = true
		}
	})
}

// readings is how often all people are read before something is said to be wrong with the pages. They are not those of
// one moment: while another client deletes somebody, the first of the next page is passed over (RFC 7644, 3.4.2.4).
const readings = 3

// readBack imports all people as a provider does, and compares. What is wrong must be so in each reading.
func (r *run) readBack(ctx context.Context, staff []colleague) {
	const phase = "people read back"
	var faults []string
	for reading := range readings {
		now, ok := r.readPages(ctx, phase, staff)
		if !ok || ctx.Err() != nil {
			return
		}
		if reading == 0 {
			faults = now
		}
		faults = slices.DeleteFunc(faults, func(fault string) bool { return !slices.Contains(now, fault) })
		if len(faults) == 0 {
			break
		}
	}
	r.say(phase, habitPages, "the pages together", shorten(strings.Join(faults, "; "), mostShown))
}

// readPages reads all people page by page, and returns what is wrong with them; ok is false if a page was wrong.
func (r *run) readPages(ctx context.Context, phase string, staff []colleague) (faults []string, ok bool) {
	const size = 100
	seen := make(map[string]any, len(staff)) // id: active
	for start := 1; ctx.Err() == nil; {
		page, ok := r.ask(ctx, phase, get(fmt.Sprintf("/Users?startIndex=%d&count=%d", start, size),
			check(Path{"itemsPerPage"}, "pagelen", nil)))
		if !ok {
			return nil, false
		}
		resources, _ := Path{"Resources"}.in(page)
		list, _ := resources.([]any)
		for _, person := range list {
			id := stringAt(person, "id")
			if _, twice := seen[id]; twice {
				faults = append(faults, fmt.Sprintf("%s is on two pages", id))
			}
			seen[id], _ = Path{"active"}.in(person)
		}
		total, _ := Path{"totalResults"}.in(page)
		all, _ := total.(float64)
		if start += len(list); len(list) == 0 || start > int(all) {
			break
		}
	}
	for _, c := range staff {
		switch active, ok := seen[c.id]; {
		case c.id == "": // deleted, or reported when creating failed
		case !ok:
			faults = append(faults, c.userName+" is missing")
		case active != c.active:
			faults = append(faults, fmt.Sprintf("%s has active=%v, want %v", c.userName, active, c.active))
		}
	}
	return faults, true
}
