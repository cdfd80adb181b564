package simulate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A FirstSync finds out what the first synchronisation of a provider would do. It only reads.
type FirstSync struct {
	*Simulation
	// Listed is a list of people, instead of the generated company; nil for that.
	Listed []Listed
	// Preview returns what creating some people, as SCIM resources, would do; errors.ErrUnsupported from a server that
	// does not tell.
	Preview func(ctx context.Context, resources []json.RawMessage) ([]Foreseen, error)
	// MaxPreviewed is how many people one call of Preview takes.
	MaxPreviewed int
	// Fold maps names that count as one to one text.
	Fold func(string) string
}

// A Listed is a person in a list.
type Listed struct {
	UserName, Given, Family string
	// Email is the address that the provider sends beside the userName; empty if it sends none, or if NoEmail is set.
	Email string
	// NoEmail is set if the list does not say.
	NoEmail bool
	Active  bool
	Groups  []string
}

// A Foreseen is what creating one person would do.
type Foreseen struct {
	UserName string `json:"user_name"`
	Address  string `json:"address,omitempty"`
	Outcome  Action `json:"outcome"`
	Why      string `json:"why,omitempty"`
	// Member is the one that would be adopted, and By how it is found: "address" or "last_user_name".
	Member string `json:"member,omitempty"`
	By     string `json:"by,omitempty"`
	// Suspends is set if somebody who has access would lose it, and Reserves are addresses that nobody else gets then.
	Suspends bool     `json:"suspends,omitempty"`
	Reserves []string `json:"reserves,omitempty"`
}

// An Action is what would be done with a person or a group.
type Action string

// The actions. The first ones are a server's word for a person that it does not have; create is for one that does not
// say which of them.
const (
	Refuse     Action = "refuse"
	Adopt      Action = "adopt"
	Invite     Action = "invite"
	Store      Action = "store" // and not invite
	Create     Action = "create"
	Suspend    Action = "suspend"
	Reactivate Action = "reactivate"
	Update     Action = "update"
	Change     Action = "change" // the members of a group
	Keep       Action = "keep"
)

// actions is the order in which a plan counts and lists them: what needs somebody's eye first.
var actions = []Action{Refuse, Suspend, Store, Adopt, Reactivate, Create, Invite, Update, Change, Keep}

// A Plan is what a first synchronisation would do.
type Plan struct {
	IdP    string          `json:"idp"`
	People []PlannedPerson `json:"people"`
	Groups []PlannedGroup  `json:"groups"`
	// Untouched is how many other people are provisioned: a first synchronisation does nothing to them.
	Untouched int `json:"untouched"`
	// Unknown is what cannot be known without doing it; each is a sentence.
	Unknown []string `json:"unknown"`
}

// A PlannedPerson is what would be done with a person.
type PlannedPerson struct {
	UserName string `json:"user_name"`
	Action   Action `json:"action"`
	Why      string `json:"why,omitempty"`
	suspends bool   // somebody who has access
}

// A PlannedGroup is what would be done with a group.
type PlannedGroup struct {
	Name   string `json:"name"`
	Action Action `json:"action"`
	// Joining and Leaving are how many members would be added and removed.
	Joining int    `json:"joining"`
	Leaving int    `json:"leaving"`
	Why     string `json:"why,omitempty"`
}

// Plan asks the server, and returns what would be done. It ends with an error if an answer was wrong.
func (f *FirstSync) Plan(ctx context.Context) (*Plan, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	r := &run{Simulation: f.Simulation, provider: providers[slices.Index(IdPs(), f.IdP)], report: newReport()}
	people, teams, err := f.wanted()
	if _, pushes := r.provider.dialect.(groupPusher); err == nil && !pushes && len(teams) > 0 {
		err = fmt.Errorf("%s provisions people and no groups; leave the groups out", f.IdP)
	}
	if err != nil {
		return nil, err
	}
	r.total = len(people) + 2*len(teams) + 1
	p := &Plan{IdP: f.IdP, People: make([]PlannedPerson, len(people)), Groups: []PlannedGroup{}, Unknown: []string{}}
	found := make([]string, len(people)) // ids
	r.concurrently(ctx, len(people), func(i int) { p.People[i], found[i] = r.match(ctx, people[i], f.Listed == nil) })
	if err := r.failure(ctx); err != nil {
		return nil, err
	}
	if err := f.foresee(ctx, p, r.provider.dialect, people, found); err != nil {
		return nil, err
	}
	for _, t := range teams {
		p.Groups = append(p.Groups, r.matchTeam(ctx, t, p, found))
	}
	p.Untouched = r.untouched(ctx, found)
	p.tellUnknown(len(teams) > 0)
	return p, r.failure(ctx)
}

// wanted are the people and teams of the provider's directory.
func (f *FirstSync) wanted() (people []person, teams []team, err error) {
	if f.Listed == nil {
		people, teams = company(f.People, f.Groups, f.Domain, keptTag(f.IdP))
		return people, teams, nil
	}
	seen, byName := map[string]bool{}, map[string]int{}
	for i, l := range f.Listed {
		name := f.Fold(l.UserName)
		if seen[name] {
			return nil, nil, fmt.Errorf("%q is in the list twice; a userName is one person's, whatever its case",
				l.UserName)
		}
		seen[name] = true
		people = append(people, person{
			given: l.Given, family: l.Family, userName: l.UserName, number: 10001 + i, active: l.Active,
		})
		for _, g := range l.Groups {
			at, known := byName[f.Fold(g)]
			if !known {
				at = len(teams)
				byName[f.Fold(g)], teams = at, append(teams, team{name: g})
			}
			if l.Active {
				teams[at].members = append(teams[at].members, i)
			}
		}
	}
	return people, teams, nil
}

// failure is the first wrong answer: what would be done is not known then.
func (r *run) failure(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.report.first; o != nil {
		return fmt.Errorf("%s: %s", o.Request, o.Problem)
	}
	return nil
}

const dryRun = "dry run"

// match looks a person up as the provider does, and returns the action if the server has it. A list does not have all
// attributes to compare.
func (r *run) match(ctx context.Context, p person, compare bool) (planned PlannedPerson, id string) {
	planned = PlannedPerson{UserName: p.userName, Action: Create}
	page, ok := r.ask(ctx, dryRun, quoted(r.provider.dialect.findPerson(p), p.userName))
	has, there := (Path{"Resources", "0"}).in(page)
	if !ok || !there {
		return planned, ""
	}
	active, _ := Path{"active"}.in(has)
	switch {
	case active == true && !p.active:
		planned.Action, planned.Why = Suspend, "it is provisioned and active, and inactive in the list"
	case active == false && p.active:
		planned.Action, planned.Why = Reactivate, "it is provisioned and suspended"
	case compare && len(r.provider.dialect.updatePerson(stringAt(has, "id"), has, p)) > 0:
		planned.Action, planned.Why = Update, "it is provisioned with other attributes"
	default:
		planned.Action = Keep
	}
	return planned, stringAt(has, "id")
}

// quoted encodes a name in the query of a step, if it has characters that would end the query's value: a group may be
// called R&D.
func quoted(s Step, name string) Step {
	if strings.ContainsAny(name, "&%+#;") {
		escaped := strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
		s.Path = strings.ReplaceAll(strings.ReplaceAll(s.Path, name, escaped), `"`, "%22")
	}
	return s
}

// foresee asks what creating those would do whom the server does not have.
func (f *FirstSync) foresee(ctx context.Context, p *Plan, d dialect, people []person, found []string) error {
	var missing []int
	unsaid := false
	for i, id := range found {
		switch {
		case id != "":
		case f.Listed != nil && f.Listed[i].NoEmail:
			p.People[i].Why = "the list does not say its e-mail address"
			unsaid = true
		default:
			missing = append(missing, i)
		}
	}
	if unsaid {
		p.Unknown = append(p.Unknown, "The list has userNames that are no e-mail addresses, and no column email: "+
			"those people may be adopted, invited, stored or refused.")
	}
	c := claims{f.Fold, map[string]string{}, map[string]string{}}
	for some := range slices.Chunk(missing, max(1, f.MaxPreviewed)) {
		var resources []json.RawMessage
		for _, i := range some {
			resource := withActive(d.createPerson(people[i]).Body, people[i].active)
			if f.Listed != nil {
				resource = withEmail(resource, f.Listed[i].Email)
			}
			resources = append(resources, resource)
		}
		foreseen, err := f.Preview(ctx, resources)
		if errors.Is(err, errors.ErrUnsupported) {
			p.Unknown = append(p.Unknown, "What answers does not tell what creating a person would do: those with "+
				"the action \"create\" may be adopted, invited or refused.")
			return nil
		}
		if err != nil {
			return err
		}
		if len(foreseen) != len(some) {
			return fmt.Errorf("the bridge told of %d people instead of %d", len(foreseen), len(some))
		}
		for at, i := range some {
			if !slices.Contains(outcomes, foreseen[at].Outcome) {
				return errors.New("the bridge told of an outcome that this version does not know: update this command")
			}
			c.plan(&p.People[i], foreseen[at])
		}
	}
	return nil
}

// outcomes are a server's words for a person that it does not have.
var outcomes = []Action{Refuse, Adopt, Invite, Store, Create}

// claims are what people of a plan have taken, by their userNames: the server foresees each by itself.
type claims struct {
	fold               func(string) string
	addresses, members map[string]string
}

// plan takes over what is foreseen of a person, if nobody before in the list is in its way.
func (c claims) plan(planned *PlannedPerson, seen Foreseen) {
	planned.Action, planned.Why, planned.suspends = seen.Outcome, seen.Why, seen.Suspends
	holder := c.addresses[c.fold(seen.Address)]
	if seen.Address == "" {
		holder = ""
	}
	first := c.members[seen.Member]
	if seen.Member == "" {
		first = ""
	}
	switch {
	case first != "" && seen.By == "address":
		planned.Action, planned.suspends = Store, false
		planned.Why = first + " of this list adopts the member that has the address " + seen.Address
		return
	case first != "":
		planned.Action, planned.suspends = Create, false
		planned.Why = first + " of this list adopts the member that had this userName"
		return
	case seen.Outcome == Invite && holder != "":
		planned.Action, planned.Why = Store, holder+" of this list has the address "+seen.Address
		return
	case seen.Outcome == Adopt && holder != "" && seen.By != "address":
		planned.Why += "; " + holder + " of this list has the address " + seen.Address
	}
	if seen.Member != "" {
		c.members[seen.Member] = planned.UserName
	}
	for _, address := range seen.Reserves {
		if at := c.fold(address); c.addresses[at] == "" {
			c.addresses[at] = planned.UserName
		}
	}
}

// withEmail sets the only e-mail address in the resource of a person; the providers' resources have the userName there.
func withEmail(resource json.RawMessage, email string) json.RawMessage {
	var members object
	if err := json.Unmarshal(resource, &members); err != nil {
		return resource
	}
	delete(members, "emails")
	if email != "" {
		members["emails"] = []object{{"value": email, "type": "work", "primary": true}}
	}
	return encode(members)
}

// withActive sets active in the resource of a person: some providers create people as active only.
func withActive(resource json.RawMessage, active bool) json.RawMessage {
	var members object
	if err := json.Unmarshal(resource, &members); err != nil || active {
		return resource
	}
	members["active"] = false
	return encode(members)
}

// matchTeam looks a team up as the provider does, and compares the members.
func (r *run) matchTeam(ctx context.Context, t team, p *Plan, found []string) PlannedGroup {
	g := PlannedGroup{Name: t.name, Action: Create}
	wanted := map[string]bool{}
	for _, i := range t.members {
		if refused := p.People[i].Action == Refuse; refused {
			continue
		}
		if found[i] == "" {
			g.Joining++
		} else {
			wanted[found[i]] = true
		}
	}
	page, _ := r.ask(ctx, dryRun, quoted(r.provider.dialect.(groupPusher).findTeam(t.name), t.name))
	has, there := (Path{"Resources", "0"}).in(page)
	if !there {
		g.Joining += len(wanted)
		g.Why = "or adopt it, if the account has a group of this name that is not provisioned"
		return g
	}
	answer, _ := r.ask(ctx, dryRun, get(at("Groups", stringAt(has, "id"))))
	listed, _ := Path{"members"}.in(answer)
	members, _ := listed.([]any)
	for _, m := range members {
		if id := stringAt(m, "value"); wanted[id] {
			delete(wanted, id)
		} else {
			g.Leaving++
		}
	}
	g.Joining += len(wanted)
	if g.Action = Keep; g.Joining+g.Leaving > 0 {
		g.Action = Change
	}
	return g
}

// untouched returns how many people are provisioned that the provider does not have.
func (r *run) untouched(ctx context.Context, found []string) int {
	page, _ := r.ask(ctx, dryRun, get("/Users?startIndex=1&count=0", listed()))
	total, _ := Path{"totalResults"}.in(page)
	all, _ := total.(float64)
	ids := map[string]bool{}
	for _, id := range found {
		if id != "" {
			ids[id] = true
		}
	}
	return max(0, int(all)-len(ids))
}

func (p *Plan) tellUnknown(groups bool) {
	if groups {
		p.Unknown = append(p.Unknown, "Groups that are not provisioned are not shown to a client: whether one is "+
			"created, adopted by its name, or refused because it is built in, is not known.")
	}
	if p.Count(Suspend) > 0 {
		p.Unknown = append(p.Unknown, "Whether a provisioned person is an owner, an administrator or the Provision "+
			"Manager is not shown to a client: suspending one of them is refused with 409.")
	}
	suspends := slices.ContainsFunc(p.People, func(one PlannedPerson) bool {
		return one.Action == Suspend || one.suspends
	})
	if suspends || slices.ContainsFunc(p.Groups, func(g PlannedGroup) bool { return g.Leaving > 0 }) {
		p.Unknown = append(p.Unknown, "Suspensions and removals beyond the account's suspension_limit would be held.")
	}
}

// Count returns with how many people an action would be done.
func (p *Plan) Count(a Action) (n int) {
	for _, one := range p.People {
		if one.Action == a {
			n++
		}
	}
	return n
}

// Attention returns the people with whom something else would be done than to invite or to keep them, what needs
// somebody's eye first.
func (p *Plan) Attention() []PlannedPerson {
	some := slices.DeleteFunc(slices.Clone(p.People), func(one PlannedPerson) bool {
		return one.Action == Invite || one.Action == Create || one.Action == Keep
	})
	slices.SortStableFunc(some, func(a, b PlannedPerson) int {
		return cmp.Compare(slices.Index(actions, a.Action), slices.Index(actions, b.Action))
	})
	return some
}

// Summary says in one line what would be done with how many people.
func (p *Plan) Summary() string {
	var parts []string
	for _, a := range actions {
		if n := p.Count(a); n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, a))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nobody"}
	}
	return strings.Join(parts, ", ")
}
