package explain

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// An Explainer gathers what is known of people and groups. It only reads.
type Explainer struct {
	// Account is nil if it cannot be asked; then Away says why, as a clause.
	Account Account
	Away    string
	// Journal searches the journal. Log may be nil.
	Journal func(context.Context, journal.Search) (journal.Found, error)
	Log     func(requests []string) map[string]LogLine
	Now     func() time.Time
	// SignInAddress returns the address that the bridge chooses for a SCIM resource; for previews.
	SignInAddress func(resource json.RawMessage) string
	// DataDir is the bridge's data folder, for commands on its machine; empty if it is not known.
	DataDir string
	// Instance returns the bridge's, by which the account's changes name it; nil if it is not known.
	Instance func() string

	turn     chan struct{} // one question at a time reads the journal: each is a second of work where that is full
	makeTurn sync.Once
}

// An Account is what an Explainer asks.
type Account interface {
	Person(ctx context.Context, id string) (bridge.Person, error)
	SearchPeople(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Person], error)
	Group(ctx context.Context, id string, withMembers bool) (bridge.Group, error)
	SearchGroups(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Group], error)
	bridge.Members
	Holds(ctx context.Context, cursor string, limit int) (bridge.HoldPage, error)
}

const (
	// maxFound is how many people or groups are explained.
	maxFound = 10
	// accountTimeout is how long the account may take: what the journal knows is told then.
	accountTimeout = 15 * time.Second
	// eventsRead is how many events are looked at for each id, and eventsLogged of how many the log is.
	eventsRead   = 300
	eventsLogged = 50
)

// Explain answers a question. The error is a *QuestionError, or that of the journal or of ctx.
func (x *Explainer) Explain(ctx context.Context, q Question) (Answer, error) {
	if err := q.check(); err != nil {
		return Answer{}, err
	}
	end, err := x.begin(ctx)
	if err != nil {
		return Answer{}, err
	}
	defer end()
	if q.Group != "" {
		return x.group(ctx, inputtext.TrimBlanks(q.Group))
	}
	return x.person(ctx, inputtext.TrimBlanks(q.Person))
}

// begin waits for the questions before. The caller must call end.
func (x *Explainer) begin(ctx context.Context) (end func(), err error) {
	x.makeTurn.Do(func() { x.turn = make(chan struct{}, 1) })
	select {
	case x.turn <- struct{}{}:
		return func() { <-x.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// people are those whom the account has under a name.
type people struct {
	facts   []PersonFacts // with person and member
	more    bool
	away    string // why the account cannot be asked
	hidden  bool   // the account does not tell of unmanaged members
	members bridge.MembersFound
}

func (x *Explainer) person(ctx context.Context, asked string) (Answer, error) {
	a := Answer{Asked: asked, Time: x.Now().UTC()}
	found, err := x.find(ctx, asked)
	if err != nil {
		return a, err
	}
	a.More = found.more
	if len(found.facts) == 0 {
		found.facts = []PersonFacts{{}}
	}
	for i := range found.facts {
		f := &found.facts[i]
		f.Asked, f.Now, f.AccountAway, f.MembersHidden = asked, a.Time, found.away, found.hidden
		f.Offline = x.Account == nil
		f.AllowedDomains, f.Database, f.DataDir = found.members.AllowedDomains, found.members.Database, x.DataDir
		if x.Instance != nil {
			f.Bridge = "bridge:" + x.Instance()
		}
	}
	if err := x.addEvents(ctx, found.facts); err != nil {
		return a, err
	}
	for _, f := range found.facts {
		a.JournalSince = f.JournalSince
		a.Found = append(a.Found, Person(f))
	}
	a.tellUnknown(found.away, found.hidden)
	return a, nil
}

func (a *Answer) tellUnknown(away string, hidden bool) {
	if away != "" {
		a.Unknown = append(a.Unknown, sentence("What the account has is not known: %s.", []any{away}))
	}
	if hidden {
		a.Unknown = append(a.Unknown, "This account does not tell of members that are not provisioned, nor since "+
			"when a member is in its state.")
	}
}

// find asks the account for everybody under a name.
func (x *Explainer) find(ctx context.Context, asked string) (found people, err error) {
	if x.Account == nil {
		found.away = x.Away
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	persons, more, err := x.persons(ctx, asked)
	if err == nil {
		found, err = x.withMembers(ctx, asked, persons)
		found.more = found.more || more
	}
	if err == nil && len(found.facts) == 0 {
		found, err = x.renamed(ctx, asked, found)
	}
	if errors.Is(err, bridge.ErrUnavailable) {
		return people{away: whyAway(err)}, nil
	}
	return found, err
}

// renamed finds those who had the name as their userName before, by the journal.
func (x *Explainer) renamed(ctx context.Context, asked string, found people) (people, error) {
	ids, err := x.hadName(ctx, journal.Search{Names: []string{asked}}, personOf)
	if err != nil {
		return found, err
	}
	var persons []bridge.Person
	for _, id := range ids {
		p, err := x.Account.Person(ctx, id)
		if bridge.CodeOf(err) == bridge.NotFound { // deleted
			continue
		}
		if err != nil {
			return found, err
		}
		persons = append(persons, p)
	}
	if len(persons) == 0 {
		return found, nil
	}
	found, err = x.withMembers(ctx, asked, persons)
	for i := range found.facts {
		found.facts[i].Renamed = true
	}
	return found, err
}

// hadName returns the ids of those that had the name of a search at some time, by the journal.
func (x *Explainer) hadName(
	ctx context.Context, q journal.Search, idOf func(journal.Event) string,
) (ids []string, err error) {
	found, err := x.Journal(ctx, q)
	for _, e := range found.Events {
		id := idOf(e)
		if gaveName(e) && found.Named(e, q.Names[0]) && id != "" && !slices.Contains(ids, id) && len(ids) < maxFound {
			ids = append(ids, id)
		}
	}
	return ids, err
}

func personOf(e journal.Event) string { return e.Person }

func groupOf(e journal.Event) string { return e.Group }

// whyAway is why the account cannot be asked, as a clause.
func whyAway(err error) string {
	if u, ok := errors.AsType[*bridge.UnavailableError](err); ok && u.Detail != "" {
		return u.Detail
	}
	return "the account did not answer in time"
}

// persons are those that provisioning has under a name: by SCIM id, userName, e-mail address or externalId.
func (x *Explainer) persons(ctx context.Context, asked string) (all []bridge.Person, more bool, err error) {
	add := func(p bridge.Person) {
		if !slices.ContainsFunc(all, func(known bridge.Person) bool { return known.ID == p.ID }) {
			all = append(all, p)
		}
	}
	if id := strings.ToLower(asked); inputtext.IsOpaqueID(id) {
		switch p, err := x.Account.Person(ctx, id); {
		case err == nil:
			add(p)
		case bridge.CodeOf(err) != bridge.NotFound:
			return nil, false, err
		}
	}
	for _, filter := range []bridge.Predicate{
		equals("userName", asked, false),
		{Op: "any", Path: []string{"emails"}, Terms: []bridge.Predicate{equals("value", asked, false)}},
		equals("externalId", asked, true),
	} {
		page, err := x.Account.SearchPeople(ctx, bridge.Query{Filter: &filter, Limit: maxFound})
		if err != nil {
			return nil, false, err
		}
		for _, p := range page.Items {
			add(p)
		}
		more = more || page.Total > int64(len(page.Items))
	}
	if len(all) > maxFound {
		all, more = all[:maxFound], true
	}
	return all, more, nil
}

func equals(attribute, value string, exact bool) bridge.Predicate {
	return bridge.Predicate{Op: "eq", Path: []string{attribute}, Value: value, CaseExact: exact}
}

// withMembers adds what the account has of people, and the members that it has under the name beside them.
func (x *Explainer) withMembers(ctx context.Context, asked string, persons []bridge.Person) (found people, err error) {
	names := []string{asked}
	for _, p := range persons {
		names = append(names, p.ID)
	}
	found.members, err = x.Account.LookUpMembers(ctx, names, true)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		found.hidden = true
	case err != nil:
		return found, err
	}
	for _, m := range found.members.Items {
		f := PersonFacts{Member: &m}
		i := slices.IndexFunc(persons, func(p bridge.Person) bool { return p.ID == m.PersonID })
		switch {
		case i >= 0:
			f.Person = &persons[i]
		case m.PersonID != "": // found by an address that provisioning does not show
			p, err := x.Account.Person(ctx, m.PersonID)
			if bridge.CodeOf(err) == bridge.NotFound { // deleted in between
				continue
			}
			if err != nil {
				return found, err
			}
			f.Person = &p
		}
		found.facts = append(found.facts, f)
	}
	for i := range persons {
		if !slices.ContainsFunc(found.facts, func(f PersonFacts) bool {
			return f.Person != nil && f.Person.ID == persons[i].ID
		}) {
			found.facts = append(found.facts, PersonFacts{Person: &persons[i]})
		}
	}
	if len(found.facts) > maxFound {
		found.facts, found.more = found.facts[:maxFound], true
	}
	return found, nil
}

// addEvents adds what the journal has, of all of them at once.
func (x *Explainer) addEvents(ctx context.Context, facts []PersonFacts) error {
	q := journal.Search{Limit: eventsRead}
	for _, f := range facts {
		q.IDs, q.Names = append(q.IDs, f.id()), append(q.Names, f.journalNames()...)
	}
	found, err := x.Journal(ctx, q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	others := x.others(found, q, personOf, func(id string) error {
		if facts[0].AccountAway != "" {
			return errNotAsked
		}
		_, err := x.Account.Person(ctx, id)
		return err
	})
	for i := range facts {
		f := &facts[i]
		f.JournalSince = found.Oldest
		if l, read := found.Lookups[f.id()]; read && f.id() != "" {
			f.Lookups = &l
		}
		f.Events = about(found, f.id(), f.journalNames(), others, personOf)
	}
	events := make([][]journal.Event, len(facts))
	for i := range facts {
		events[i] = facts[i].Events
	}
	log := x.log(events)
	for i := range facts {
		facts[i].Log = log
	}
	return nil
}

// log returns what the log has of the latest requests of each: it is read once for all of them.
func (x *Explainer) log(of [][]journal.Event) map[string]LogLine {
	var ids []string
	for _, events := range of {
		for _, e := range events[:min(len(events), eventsLogged)] {
			if e.Request != "" {
				ids = append(ids, e.Request)
			}
		}
	}
	if x.Log == nil || len(ids) == 0 {
		return nil
	}
	return x.Log(ids)
}

func (x *Explainer) group(ctx context.Context, asked string) (Answer, error) {
	a := Answer{Asked: asked, Time: x.Now().UTC()}
	groups, away, err := x.groups(ctx, asked)
	if err != nil {
		return a, err
	}
	if len(groups) == 0 {
		groups = []GroupFacts{{}}
	}
	for i := range groups {
		f := &groups[i]
		f.Asked, f.Now, f.AccountAway, f.DataDir = asked, a.Time, away, x.DataDir
		f.Offline = x.Account == nil
	}
	if err := x.addGroupEvents(ctx, groups); err != nil {
		return a, err
	}
	for _, f := range groups {
		a.JournalSince = f.JournalSince
		a.Found = append(a.Found, Group(f))
	}
	a.tellUnknown(away, false)
	return a, nil
}

// addGroupEvents is addEvents for groups.
func (x *Explainer) addGroupEvents(ctx context.Context, groups []GroupFacts) error {
	q := journal.Search{Groups: true, Limit: eventsRead}
	for _, f := range groups {
		q.IDs, q.Names = append(q.IDs, f.id()), append(q.Names, f.journalNames()...)
	}
	found, err := x.Journal(ctx, q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	others := x.others(found, q, groupOf, func(id string) error {
		if groups[0].AccountAway != "" {
			return errNotAsked
		}
		_, err := x.Account.Group(ctx, id, false)
		return err
	})
	for i := range groups {
		f := &groups[i]
		f.JournalSince = found.Oldest
		f.Events = about(found, f.id(), f.journalNames(), others, groupOf)
		f.Log = x.log([][]journal.Event{f.Events})
	}
	return nil
}

// groups are those under a name, with their held removals.
func (x *Explainer) groups(ctx context.Context, asked string) (all []GroupFacts, away string, err error) {
	if x.Account == nil {
		return nil, x.Away, nil
	}
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	all, err = x.findGroups(ctx, asked)
	if errors.Is(err, bridge.ErrUnavailable) {
		return nil, whyAway(err), nil
	}
	return all, "", err
}

func (x *Explainer) findGroups(ctx context.Context, asked string) (all []GroupFacts, err error) {
	add := func(g bridge.Group) {
		if !slices.ContainsFunc(all, func(f GroupFacts) bool { return f.Group.ID == g.ID }) {
			all = append(all, GroupFacts{Group: &g})
		}
	}
	if id := strings.ToLower(asked); inputtext.IsOpaqueID(id) {
		switch g, err := x.Account.Group(ctx, id, false); {
		case err == nil:
			add(g)
		case bridge.CodeOf(err) != bridge.NotFound:
			return nil, err
		}
	}
	for _, filter := range []bridge.Predicate{equals("displayName", asked, false), equals("externalId", asked, true)} {
		page, err := x.Account.SearchGroups(ctx, bridge.Query{Filter: &filter, Limit: maxFound})
		if err != nil {
			return nil, err
		}
		for _, g := range page.Items {
			add(g)
		}
	}
	if len(all) == 0 {
		if all, err = x.renamedGroups(ctx, asked); err != nil {
			return nil, err
		}
	}
	for i := range all {
		if all[i].Members, err = x.countMembers(ctx, all[i].Group.ID); err != nil {
			return nil, err
		}
	}
	return all, x.addRemovals(ctx, asked, &all)
}

// renamedGroups finds those that had the name before, by the journal.
func (x *Explainer) renamedGroups(ctx context.Context, asked string) (all []GroupFacts, err error) {
	ids, err := x.hadName(ctx, journal.Search{Groups: true, Names: []string{asked}}, groupOf)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		switch g, err := x.Account.Group(ctx, id, false); {
		case err == nil:
			all = append(all, GroupFacts{Group: &g, Renamed: true})
		case bridge.CodeOf(err) != bridge.NotFound:
			return nil, err
		}
	}
	return all, nil
}

// countMembers returns how many people are in a group.
func (x *Explainer) countMembers(ctx context.Context, id string) (int64, error) {
	in := bridge.Predicate{Op: "any", Path: []string{"groups"}, Terms: []bridge.Predicate{equals("value", id, true)}}
	page, err := x.Account.SearchPeople(ctx, bridge.Query{Filter: &in})
	return page.Total, err
}

// The bounds of the search for held removals of a group.
const (
	holdsPage  = 1000
	holdsPages = 5
)

// addRemovals adds the held removals from the groups, or from a group of the name that is not provisioned any more.
func (x *Explainer) addRemovals(ctx context.Context, asked string, all *[]GroupFacts) error {
	cursor := ""
	var held []bridge.Hold
	for range holdsPages {
		page, err := x.Account.Holds(ctx, cursor, holdsPage)
		if err != nil {
			return err
		}
		held = append(held, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(*all) == 0 {
		if removals := removalsFrom(held, asked); len(removals) > 0 {
			*all = []GroupFacts{{Removals: removals, MoreRemovals: cursor != ""}}
		}
		return nil
	}
	for i := range *all {
		f := &(*all)[i]
		f.Removals, f.MoreRemovals = removalsFrom(held, attributesOf(f.Group.Attributes).DisplayName), cursor != ""
		for _, h := range held {
			if !h.Removal {
				f.Suspensions++
			}
		}
	}
	return nil
}

// removalsFrom are the held removals from the group of a name.
func removalsFrom(held []bridge.Hold, name string) (from []bridge.Hold) {
	for _, h := range held {
		if h.Removal && inputtext.Fold(h.GroupName) == inputtext.Fold(name) {
			from = append(from, h)
		}
	}
	return from
}
