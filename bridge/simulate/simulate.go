package simulate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Simulation is one run of one identity provider.
type Simulation struct {
	Player *Player
	IdP    string // one of IdPs
	// People and Groups are the size of the generated company. Zero people
	// generate nothing, and only the recorded exchanges are played.
	People, Groups int
	Domain         string // of the people's addresses
	// Progress is told after each outcome; total is an estimate that only
	// grows. It may be nil, and is called by one goroutine at a time.
	Progress func(done, total int)
}

// idps are the providers by the name of the command line: the prefix of their
// recorded scenarios, and their dialect where one is known.
var idps = []struct {
	name    string
	dialect dialect
}{
	{"entra", entra{}}, {"okta", okta{}}, {"onelogin", nil}, {"ping", nil}, {"authentik", nil}, {"google", nil},
}

// IdPs returns the names of the providers that can be played.
func IdPs() []string {
	names := make([]string, len(idps))
	for i, p := range idps {
		names[i] = p.name
	}
	return names
}

// Validate reports what is wrong with the simulation before anything is sent.
func (s *Simulation) Validate() error {
	i := slices.IndexFunc(IdPs(), func(name string) bool { return name == s.IdP })
	switch {
	case i < 0:
		return fmt.Errorf("%q is not a known identity provider; choose one of %s", s.IdP, strings.Join(IdPs(), ", "))
	case s.People < 0 || s.Groups < 0:
		return fmt.Errorf("the number of people and groups cannot be negative")
	case idps[i].dialect == nil && s.People > 0:
		return fmt.Errorf("for %s only recorded exchanges are known; people can be generated for entra and okta", s.IdP)
	case s.Groups > 0 && s.People == 0:
		return fmt.Errorf("%d groups need people to fill them", s.Groups)
	}
	return nil
}

// Run plays the recorded exchanges, deletes what they left behind, and then
// plays the generated company, whose people and groups stay. It ends early,
// with an error, only when ctx does.
func (s *Simulation) Run(ctx context.Context) (*Report, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	r := &run{Simulation: s, report: &Report{}}
	var scenarios []Scenario
	for _, scenario := range Exchanges() {
		if scenario.ID == s.IdP || strings.HasPrefix(scenario.ID, s.IdP+"-") {
			scenarios = append(scenarios, scenario)
			r.total += len(scenario.Steps)
		}
	}
	r.total += s.People*13/5 + s.Groups*6
	for _, scenario := range scenarios {
		for _, o := range s.Player.Play(ctx, scenario, true) {
			r.add(o)
		}
	}
	if s.People > 0 && ctx.Err() == nil {
		i := slices.Index(IdPs(), s.IdP)
		r.dialect = idps[i].dialect
		r.company(ctx)
	}
	return r.report, ctx.Err()
}

// A run is a simulation under way.
type run struct {
	*Simulation
	dialect dialect
	mu      sync.Mutex
	report  *Report
	total   int
}

func (r *run) add(o Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.add(o)
	if r.Progress != nil {
		done := len(r.report.outcomes)
		r.total = max(r.total, done)
		r.Progress(done, r.total)
	}
}

// ask sends generated steps in order and returns the last answer; ok is false
// once one was wrong.
func (r *run) ask(ctx context.Context, phase string, steps ...Step) (answer any, ok bool) {
	for _, step := range steps {
		var o Outcome
		answer, o = r.Player.do(ctx, phase, step)
		r.add(o)
		if o.Verdict == Wrong {
			return answer, false
		}
	}
	return answer, true
}

// say records something that no single request shows.
func (r *run) say(phase, what, problem string) {
	o := Outcome{Phase: phase, Request: what}
	if problem != "" {
		o.Verdict, o.Problem = Wrong, problem
	}
	r.add(o)
}

// A colleague is a person and what the server calls him.
type colleague struct {
	person
	id string // empty if he could not be made
}

// atOnce is how many requests are under way; providers send a few in parallel.
const atOnce = 8

// each calls f for 0 to n-1, a few at a time.
func each(ctx context.Context, n int, f func(i int)) {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { f(i); return nil })
	}
	_ = g.Wait() // f returns no error
}

// company plays the life of a company: the connection test, everybody joins,
// teams are formed, some change and some leave, and all is read back.
func (r *run) company(ctx context.Context) {
	r.ask(ctx, "connection test", r.dialect.connectionTest(randomGUID(r.Player.random()))...)
	people, teams := company(r.People, r.Groups, r.Domain)
	staff := make([]colleague, len(people))
	each(ctx, len(people), func(i int) { staff[i] = r.join(ctx, people[i]) })

	ids := make([]string, len(teams))
	sizes := make([]int, len(teams))
	for i, t := range teams {
		ids[i], sizes[i] = r.form(ctx, t, staff)
	}
	r.changes(ctx, staff)
	r.leavers(ctx, staff)
	r.readBack(ctx, staff)
	for i, t := range teams {
		if ids[i] == "" {
			continue
		}
		r.ask(ctx, "groups read back", get(at("Groups", ids[i]), check(Path{"displayName"}, "eq", t.name), check(Path{"members"}, "len", float64(sizes[i]))))
	}
}

// join matches a person and makes him, or brings the one who is there up to date.
func (r *run) join(ctx context.Context, p person) colleague {
	const phase = "people join"
	found, ok := r.ask(ctx, phase, r.dialect.findPerson(p))
	if !ok {
		return colleague{person: p}
	}
	if id := text(found, "Resources", "0", "id"); id != "" {
		has, _ := Path{"Resources", "0"}.in(found)
		r.ask(ctx, "people matched", r.dialect.updatePerson(id, has, p)...)
		return colleague{p, id}
	}
	made, _ := r.ask(ctx, phase, r.dialect.createPerson(p))
	return colleague{p, text(made, "id")}
}

// batch is how many members travel in one request.
const batch = 100

// form makes a team and fills it, and lets its last member change his mind.
// It returns the team's id and how many members it must have.
func (r *run) form(ctx context.Context, t team, staff []colleague) (id string, size int) {
	const phase = "groups filled"
	found, ok := r.ask(ctx, phase, r.dialect.findTeam(t.name))
	if !ok {
		return "", 0
	}
	var members []member
	for _, i := range t.members {
		if c := staff[i]; c.id != "" {
			members = append(members, member{c.id, c.display()})
		}
	}
	if id = text(found, "Resources", "0", "id"); id != "" {
		r.clear(ctx, id, t.name, members)
	} else {
		made, _ := r.ask(ctx, phase, r.dialect.createTeam(t.name))
		if id = text(made, "id"); id == "" {
			return "", 0
		}
	}
	for some := range slices.Chunk(members, batch) {
		r.ask(ctx, phase, r.dialect.addMembers(id, t.name, some)...)
	}
	if len(members) < 2 {
		return id, len(members)
	}
	last := members[len(members)-1:]
	r.ask(ctx, "groups change", r.dialect.removeMembers(id, t.name, last)...)
	r.ask(ctx, "groups change", get(at("Groups", id), check(Path{"members"}, "len", float64(len(members)-1))))
	r.ask(ctx, "groups change", r.dialect.addMembers(id, t.name, last)...)
	r.ask(ctx, "groups change", r.dialect.addMembers(id, t.name, last)...) // a retry after a lost answer
	return id, len(members)
}

// clear removes from a group that was there already whoever does not belong:
// members from an earlier run with more people.
func (r *run) clear(ctx context.Context, id, name string, keep []member) {
	const phase = "groups matched"
	group, _ := r.ask(ctx, phase, get(at("Groups", id)))
	list, _ := Path{"members"}.in(group)
	values, _ := list.([]any)
	var strangers []member
	for _, v := range values {
		m := member{text(v, "value"), text(v, "display")}
		if !slices.ContainsFunc(keep, func(k member) bool { return k.id == m.id }) {
			strangers = append(strangers, m)
		}
	}
	for some := range slices.Chunk(strangers, batch) {
		r.ask(ctx, phase, r.dialect.removeMembers(id, name, some)...)
	}
}

// changes promotes every tenth person.
func (r *run) changes(ctx context.Context, staff []colleague) {
	each(ctx, (len(staff)+9)/10, func(i int) {
		c := &staff[i*10]
		if c.id == "" {
			return
		}
		before, ok := r.ask(ctx, "people change", get(at("Users", c.id)))
		if !ok {
			return
		}
		c.title = "Head of " + c.department
		if boss := staff[0]; boss.id != c.id {
			c.manager = boss.id
		}
		r.ask(ctx, "people change", r.dialect.updatePerson(c.id, before, c.person)...)
		r.ask(ctx, "people change", get(at("Users", c.id), check(Path{"title"}, "eq", c.title)))
	})
}

// leavers switches off every twentieth person, the last of each score, and
// switches one of them on again.
func (r *run) leavers(ctx context.Context, staff []colleague) {
	each(ctx, len(staff)/20, func(i int) {
		c := &staff[i*20+19]
		if c.id == "" {
			return
		}
		if _, ok := r.ask(ctx, "people leave", r.dialect.setActive(c.id, c.person, false)); ok {
			c.active = false
		}
		found, _ := r.ask(ctx, "people leave", r.dialect.findPerson(c.person)) // who left is still shown
		if active, ok := (Path{"Resources", "0", "active"}).in(found); !ok || active != c.active {
			r.say("people leave", "the search after leaving", fmt.Sprintf("%s has active=%v, want %v", c.userName, active, c.active))
		}
		if i == 0 {
			if _, ok := r.ask(ctx, "people return", r.dialect.setActive(c.id, c.person, true)); ok {
				c.active = true
			}
		}
	})
}

// readBack imports all people as a provider does, page by page, and compares.
func (r *run) readBack(ctx context.Context, staff []colleague) {
	const phase, size = "people read back", 100
	seen := make(map[string]any, len(staff)) // id: active
	for start := 1; ctx.Err() == nil; {
		page, ok := r.ask(ctx, phase, get(fmt.Sprintf("/Users?startIndex=%d&count=%d", start, size), check(Path{"itemsPerPage"}, "pagelen", nil)))
		if !ok {
			return
		}
		resources, _ := Path{"Resources"}.in(page)
		list, _ := resources.([]any)
		for _, person := range list {
			id := text(person, "id")
			if _, twice := seen[id]; twice {
				r.say(phase, "the pages together", fmt.Sprintf("%s is on two pages", id))
			}
			seen[id], _ = Path{"active"}.in(person)
		}
		total, _ := Path{"totalResults"}.in(page)
		all, _ := total.(float64)
		if start += len(list); len(list) == 0 || start > int(all) {
			break
		}
	}
	var faults []string
	for _, c := range staff {
		switch active, ok := seen[c.id]; {
		case c.id == "": // told when it happened
		case !ok:
			faults = append(faults, c.userName+" is missing")
		case active != c.active:
			faults = append(faults, fmt.Sprintf("%s has active=%v, want %v", c.userName, active, c.active))
		}
	}
	r.say(phase, "the pages together", shorten(strings.Join(faults, "; ")))
}

// DefaultPatience is how long a busy or sealed server is waited for.
const DefaultPatience = 30 * time.Second
