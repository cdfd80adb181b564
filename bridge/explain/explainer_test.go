package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// fakeAccount has people by the names that find them.
type fakeAccount struct {
	people   map[string][]bridge.Person // by "attribute=value"
	ids      map[string]bridge.Person
	found    bridge.MembersFound
	err      error // of everything
	lookUp   error // of the lookup
	groups   map[string][]bridge.Group
	groupIDs map[string]bridge.Group
	holds    []bridge.Hold
	size     int64
}

func (a *fakeAccount) Person(_ context.Context, id string) (bridge.Person, error) {
	if p, there := a.ids[id]; there || a.err != nil {
		return p, a.err
	}
	return bridge.Person{}, &bridge.Error{Code: bridge.NotFound}
}

func key(p *bridge.Predicate) string {
	if p.Op == "any" {
		p = &p.Terms[0]
	}
	return fmt.Sprintf("%s=%v", strings.Join(p.Path, "."), p.Value)
}

func (a *fakeAccount) SearchPeople(_ context.Context, q bridge.Query) (bridge.Page[bridge.Person], error) {
	if q.Filter.Path[0] == "groups" {
		return bridge.Page[bridge.Person]{Total: a.size}, a.err
	}
	items := a.people[key(q.Filter)]
	return bridge.Page[bridge.Person]{Total: int64(len(items)), Items: items[:min(len(items), q.Limit)]}, a.err
}

func (a *fakeAccount) Group(_ context.Context, id string, _ bool) (bridge.Group, error) {
	if g, there := a.groupIDs[id]; there {
		return g, a.err
	}
	return bridge.Group{}, &bridge.Error{Code: bridge.NotFound}
}

func (a *fakeAccount) SearchGroups(_ context.Context, q bridge.Query) (bridge.Page[bridge.Group], error) {
	items := a.groups[key(q.Filter)]
	return bridge.Page[bridge.Group]{Total: int64(len(items)), Items: items}, a.err
}

func (a *fakeAccount) LookUpMembers(_ context.Context, names []string, _ bool) (bridge.MembersFound, error) {
	found := a.found
	found.Items = slices.DeleteFunc(slices.Clone(found.Items), func(m bridge.Member) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			return strings.EqualFold(name, m.Address) || name == m.PersonID
		})
	})
	found.Items = findable(found.Items, names...)
	return found, a.lookUp
}

func (a *fakeAccount) Holds(context.Context, string, int) (bridge.HoldPage, error) {
	return bridge.HoldPage{Items: a.holds}, a.err
}

func named(id, userName string) bridge.Person {
	text, _ := json.Marshal(map[string]string{"userName": userName})
	return bridge.Person{ID: id, State: bridge.Active, Attributes: text, Created: at(1)}
}

// explainer has a real journal with events. An event's Subject is a name here: a userName, or a group's.
func explainer(t *testing.T, a explain.Account, events ...journal.Event) *explain.Explainer {
	t.Helper()
	clock := at(0)
	j := journal.Open(journal.Config{DataDir: t.TempDir(), Now: func() time.Time { return clock }})
	t.Cleanup(j.Close)
	slices.SortStableFunc(events, func(a, b journal.Event) int { return a.Time.Compare(b.Time) })
	j.Append(journal.Event{Kind: journal.Started})
	for _, e := range events {
		clock = e.Time
		switch name := e.Subject; {
		case name != "" && strings.HasPrefix(string(e.Kind), "group"):
			e.Subject = j.Group(name)
		case name != "":
			e.Subject = j.Person(name)
		}
		j.Append(e)
	}
	clock = now
	return &explain.Explainer{Account: a, Now: func() time.Time { return now }, Journal: j.Search}
}

const (
	bobID  = "bbbbbbbbbbbbbbbbbbbbbbbbbb"
	goneID = "gggggggggggggggggggggggggg"
)

func subject(name string) func(*journal.Event) { return func(e *journal.Event) { e.Subject = name } }

// of makes an event of a person under a name.
func of(id, name string) func(*journal.Event) {
	return func(e *journal.Event) { e.Person, e.Subject = id, name }
}

// refusal makes an event of a request that failed with 409.
func refusal(method, id, name string) func(*journal.Event) {
	return func(e *journal.Event) {
		e.Method, e.Status, e.Code, e.Person, e.Subject = method, 409, "user_name_taken", id, name
	}
}

// What was asked of another person is never this person's, whatever names the two have had.
func TestEventsOfOthersAreNotToldOfAPerson(t *testing.T) {
	t.Parallel()
	const name = "john@example.com"
	john := named(annID, name)
	for _, row := range []struct {
		name   string
		events []journal.Event
		there  []bridge.Person // beside john
		want   []int           // hours of the requests that are told
	}{
		{"somebody had the userName before and goes on under another", []journal.Event{
			write(1, journal.PersonCreated, of(bobID, name)), write(2, journal.PersonUpdated, of(bobID, "john.old")),
			write(3, journal.PersonCreated, subject(name)),
			write(4, journal.PersonUpdated, func(e *journal.Event) { of(bobID, "john.old")(e); inactive(e) }),
			write(5, journal.PersonUpdated, of(bobID, "")),
		}, []bridge.Person{named(bobID, "john.old")}, []int{3}},
		{"somebody was refused the userName", []journal.Event{
			write(1, journal.PersonCreated, subject(name)), write(2, journal.PersonCreated, of(bobID, "eliza")),
			write(3, journal.PersonRefused, refusal("PATCH", bobID, name)),
		}, []bridge.Person{named(bobID, "eliza")}, []int{1}},
		{"somebody who was refused the userName was deleted", []journal.Event{
			write(1, journal.PersonCreated, subject(name)), write(2, journal.PersonCreated, of(goneID, "eliza")),
			write(3, journal.PersonRefused, refusal("PATCH", goneID, name)),
			write(4, journal.PersonDeleted, of(goneID, "")),
		}, nil, []int{1}},
		{"its creation was refused, and it was created then", []journal.Event{
			write(1, journal.PersonRefused, refusal("POST", "", name)), write(3, journal.PersonCreated, subject(name)),
		}, nil, []int{3, 1}},
		{"it was deleted and created again", []journal.Event{
			write(1, journal.PersonCreated, of(goneID, name)), write(2, journal.PersonDeleted, of(goneID, "")),
			write(3, journal.PersonCreated, subject(name)),
		}, nil, []int{3, 2, 1}},
		{"somebody had the userName, got another, and was deleted", []journal.Event{
			write(1, journal.PersonCreated, of(goneID, name)), write(2, journal.PersonUpdated, of(goneID, "john.old")),
			write(3, journal.PersonDeleted, of(goneID, "")), write(4, journal.PersonCreated, subject(name)),
		}, nil, []int{4, 1}},
		{"it had another userName before", []journal.Event{
			write(1, journal.PersonCreated, subject("j")), write(2, journal.PersonUpdated, subject(name)),
		}, nil, []int{2, 1}},
		{"an id of nobody was used with its userName", []journal.Event{
			write(1, journal.PersonCreated, subject(name)),
			write(2, journal.PersonRefused, refusal("PUT", goneID, name)),
		}, nil, []int{2, 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := &fakeAccount{people: map[string][]bridge.Person{"userName=" + name: {john}},
				ids: map[string]bridge.Person{annID: john}}
			for _, p := range row.there {
				a.ids[p.ID] = p
			}
			answer, err := explainer(t, a, row.events...).Explain(t.Context(), explain.Question{Person: name})
			if err != nil || len(answer.Found) != 1 {
				t.Fatalf("the answer is %+v, %v", answer, err)
			}
			var got []int
			for _, r := range answer.Found[0].Requests {
				got = append(got, r.Time.Hour())
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("the requests of %v are told, want %v", got, row.want)
			}
		})
	}
}

// A name that somebody was refused is nobody's, and not that one's earlier one.
func TestARefusedNameFindsNobody(t *testing.T) {
	t.Parallel()
	a := &fakeAccount{ids: map[string]bridge.Person{bobID: named(bobID, "eliza")}}
	answer, err := explainer(t, a, write(2, journal.PersonCreated, of(bobID, "eliza")),
		write(3, journal.PersonRefused, refusal("PATCH", bobID, "ann"))).
		Explain(t.Context(), explain.Question{Person: "ann"})
	if err != nil || len(answer.Found) != 1 || answer.Found[0].Verdict != explain.NeverSeen {
		t.Errorf("the answer is %+v, %v", answer, err)
	}
}

// Two who are found under one name have their own requests each.
func TestEachOfSeveralHasItsOwnEvents(t *testing.T) {
	t.Parallel()
	ann, bob := named(annID, "ann"), named(bobID, "bob")
	a := &fakeAccount{people: map[string][]bridge.Person{"value=both": {ann, bob}},
		ids: map[string]bridge.Person{annID: ann, bobID: bob}}
	answer, err := explainer(t, a, write(2, journal.PersonCreated, subject("ann")),
		write(3, journal.PersonCreated, of(bobID, "bob")), write(4, journal.PersonUpdated, of(bobID, "bob"))).
		Explain(t.Context(), explain.Question{Person: "both"})
	if err != nil || len(answer.Found) != 2 || len(answer.Found[0].Requests) != 1 ||
		len(answer.Found[1].Requests) != 2 {
		t.Errorf("the answer is %+v, %v", answer, err)
	}
}

// A group that was renamed is not explained by the requests of the one that has its name now, nor the other way round.
func TestEventsOfOthersAreNotToldOfAGroup(t *testing.T) {
	t.Parallel()
	staff := bridge.Group{ID: annID, Attributes: json.RawMessage(`{"displayName":"Staff"}`), Created: at(1)}
	event := func(hour int, kind journal.Kind, id, name string) journal.Event {
		return journal.Event{Time: at(hour), Kind: kind, Group: id, Subject: name, Request: requestID}
	}
	a := &fakeAccount{groups: map[string][]bridge.Group{"displayName=Staff": {staff}},
		groupIDs: map[string]bridge.Group{bobID: {ID: bobID}}}
	answer, err := explainer(t, a, event(1, journal.GroupCreated, bobID, "Staff"),
		event(2, journal.GroupUpdated, bobID, "Former staff"), event(3, journal.GroupCreated, annID, "Staff"),
		event(4, journal.GroupUpdated, bobID, "")).Explain(t.Context(), explain.Question{Group: "Staff"})
	if err != nil || len(answer.Found) != 1 || len(answer.Found[0].Requests) != 1 ||
		!answer.Found[0].Requests[0].Time.Equal(at(3)) {
		t.Errorf("the answer is %+v, %v", answer, err)
	}
}

// The journal alone knows which group had a name before; one that was refused the name had it never.
func TestAGroupIsFoundUnderItsEarlierName(t *testing.T) {
	t.Parallel()
	event := func(hour int, kind journal.Kind, id, name string) journal.Event {
		return journal.Event{Time: at(hour), Kind: kind, Group: id, Subject: name, Request: requestID}
	}
	group := func(id, name string) bridge.Group {
		return bridge.Group{ID: id, Attributes: json.RawMessage(`{"displayName":"` + name + `"}`)}
	}
	a := &fakeAccount{groupIDs: map[string]bridge.Group{annID: group(annID, "Crew"), bobID: group(bobID, "Sales")}}
	answer, err := explainer(t, a, event(1, journal.GroupCreated, annID, "Staff"),
		event(2, journal.GroupUpdated, annID, "Crew"), event(3, journal.GroupRefused, bobID, "Staff"),
		event(4, journal.GroupCreated, goneID, "Staff")).Explain(t.Context(), explain.Question{Group: "STAFF"})
	if err != nil || len(answer.Found) != 1 || answer.Found[0].ID != annID ||
		answer.Found[0].Verdict != explain.Provisioned {
		t.Fatalf("the answer is %+v, %v", answer, err)
	}
	contains(t, everything(answer.Found[0]), []string{"It has renamed STAFF to Crew."})
}

// Whatever of a person is asked for, the person is found once.
func TestAPersonIsFoundUnderEachOfItsNames(t *testing.T) {
	t.Parallel()
	ann, bob := named(annID, "ann@example.com"), named(bobID, "bob")
	a := &fakeAccount{
		people: map[string][]bridge.Person{
			"userName=ann@example.com": {ann}, "value=ann@example.com": {ann}, "externalId=00u1": {ann},
			"value=both": {ann, bob},
		},
		ids: map[string]bridge.Person{annID: ann},
		found: bridge.MembersFound{Items: []bridge.Member{{ID: "m", PersonID: annID, State: bridge.Active,
			Address: "old@example.com", StateSince: at(2)}}},
	}
	for _, row := range []struct {
		name, asked string
		want        []string
	}{
		{"its userName", "ann@example.com", []string{annID}},
		{"blanks around it", " \u00a0ann@example.com\t", []string{annID}},
		{"its id", annID, []string{annID}},
		{"its id in upper case", strings.ToUpper(annID), []string{annID}},
		{"its externalId", "00u1", []string{annID}},
		{"a name of two", "both", []string{annID, bobID}},
		{"an address that the account alone knows", "old@example.com", []string{annID}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			answer, err := explainer(t, a).Explain(t.Context(), explain.Question{Person: row.asked})
			var ids []string
			for _, e := range answer.Found {
				ids = append(ids, e.ID)
			}
			if err != nil || !slices.Equal(ids, row.want) {
				t.Errorf("found are %v, %v; want %v", ids, err, row.want)
			}
		})
	}
}

// The journal alone knows who had a userName before.
func TestAPersonIsFoundUnderItsEarlierUserName(t *testing.T) {
	t.Parallel()
	a := &fakeAccount{ids: map[string]bridge.Person{annID: named(annID, "anna"), bobID: named(bobID, "other")}}
	renamed := write(3, journal.PersonCreated, subject("ann@example.com"))
	refused := write(4, journal.PersonRefused, refusal("PATCH", bobID, "ann@example.com"))
	deleted := write(5, journal.PersonCreated, of(goneID, "ann@example.com"))
	answer, err := explainer(t, a, renamed, refused, deleted).Explain(t.Context(),
		explain.Question{Person: "ann@example.com"})
	if err != nil || len(answer.Found) != 1 || answer.Found[0].Name != "anna" {
		t.Fatalf("the answer is %+v, %v", answer, err)
	}
	contains(t, everything(answer.Found[0]), []string{"It has renamed ann@example.com to anna."})
}

func TestEventsOfAPersonAreToldOnceAndNewestFirst(t *testing.T) {
	t.Parallel()
	ann := named(annID, "ann@example.com")
	a := &fakeAccount{people: map[string][]bridge.Person{"userName=ann@example.com": {ann}}}
	answer, err := explainer(t, a, write(3, journal.PersonCreated, nil), write(5, journal.PersonUpdated, nil)).
		Explain(t.Context(), explain.Question{Person: "ann@example.com"})
	if err != nil || len(answer.Found) != 1 || len(answer.Found[0].Requests) != 2 ||
		!answer.Found[0].Requests[0].Time.Equal(at(5)) || !answer.JournalSince.Equal(at(0)) {
		t.Errorf("the answer is %+v, %v", answer, err)
	}
}

func TestWhatCannotBeFoundOutIsSaid(t *testing.T) {
	t.Parallel()
	away := &bridge.UnavailableError{Detail: "the account's firewall blocks the bridge", Err: errors.New("403")}
	for _, row := range []struct {
		name    string
		account explain.Account
		verdict explain.Verdict
		want    string
	}{
		{"the account refuses the bridge", &fakeAccount{err: away}, explain.Undetermined,
			"the account's firewall blocks the bridge"},
		{"the account goes away in between", &fakeAccount{lookUp: away}, explain.Undetermined,
			"the account's firewall blocks the bridge"},
		{"the account does not answer in time", &fakeAccount{err: fmt.Errorf("%w: %w", bridge.ErrUnavailable,
			context.DeadlineExceeded)}, explain.Undetermined, "did not answer in time"},
		{"no bridge runs", nil, explain.Undetermined, "no bridge is running"},
		{"the account hides members", &fakeAccount{lookUp: fmt.Errorf("x: %w", errors.ErrUnsupported)},
			explain.NeverSeen,
			"does not tell of members"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			x := explainer(t, row.account)
			if row.account == nil {
				x.Account, x.Away = nil, "no bridge is running in /data"
			}
			answer, err := x.Explain(t.Context(), explain.Question{Person: "eve@example.com"})
			if err != nil || len(answer.Found) != 1 || answer.Found[0].Verdict != row.verdict ||
				!strings.Contains(strings.Join(answer.Unknown, " "), row.want) {
				t.Errorf("the answer is %+v, %v", answer, err)
			}
		})
	}
}

func TestAFaultOfTheAccountIsAnError(t *testing.T) {
	t.Parallel()
	fault := &bridge.Error{Code: bridge.TooMany}
	_, err := explainer(t, &fakeAccount{err: fault}).Explain(t.Context(), explain.Question{Person: "eve"})
	if !errors.Is(err, fault) {
		t.Errorf("got %v", err)
	}
}

func TestAQuestionNamesOne(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		q    explain.Question
	}{
		{"nobody", explain.Question{}},
		{"blanks", explain.Question{Person: " \t"}},
		{"both", explain.Question{Person: "a", Group: "b"}},
		{"a book", explain.Question{Person: strings.Repeat("x", 2000)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := explainer(t, &fakeAccount{}).Explain(t.Context(), row.q)
			if _, ok := errors.AsType[*explain.QuestionError](err); !ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAGroupIsExplained(t *testing.T) {
	t.Parallel()
	const staffID = "eeeeeeeeeeeeeeeeeeeeeeeeee"
	engineering := bridge.Group{
		ID: staffID, Attributes: json.RawMessage(`{"displayName":"Engineering"}`), Created: at(1),
	}
	there := map[string][]bridge.Group{"displayName=Engineering": {engineering}}
	held := []bridge.Hold{
		{UserName: "ann", GroupName: "Engineering", Removal: true, Since: at(4)}, {UserName: "bob", Since: at(4)},
		{UserName: "eve", GroupName: "Sales", Removal: true, Since: at(4)},
	}
	event := func(kind journal.Kind, change func(*journal.Event)) journal.Event {
		e := journal.Event{
			Time: at(3), Kind: kind, Group: goneID, Subject: "Engineering", Request: requestID, Status: 200,
		}
		if change != nil {
			change(&e)
		}
		return e
	}
	for _, row := range []struct {
		name    string
		account *fakeAccount
		events  []journal.Event
		verdict explain.Verdict
		wants   []string
	}{
		{"one that is there", &fakeAccount{groups: there, size: 3}, nil, explain.Provisioned,
			[]string{"The group Engineering is provisioned, and has 3 members.", "SCIM id " + staffID}},
		{"one with held removals", &fakeAccount{groups: there, size: 3, holds: held}, nil, explain.RemovalsHeld,
			[]string{"one removal is held", "ann is still in it", "The account holds one suspension: whoever"}},
		{"one whose last push named unknown ids", &fakeAccount{groups: there},
			[]journal.Event{event(journal.GroupUpdated, func(e *journal.Event) { e.Unknown, e.Group = 2, staffID })},
			explain.Provisioned, []string{"2 unknown ids", "push the group again"}},
		{"one that the identity provider tried to create again", &fakeAccount{groups: there},
			[]journal.Event{event(journal.GroupRefused, func(e *journal.Event) {
				e.Method, e.Status, e.Code, e.Group = "POST", 409, "group_name_taken", ""
			})}, explain.Provisioned, []string{"tried to create this group again", "link it to the group"}},
		{"one that was refused", &fakeAccount{}, []journal.Event{event(journal.GroupRefused, func(e *journal.Event) {
			e.Method, e.Status, e.Code = "POST", 409, "protected"
		})}, explain.Refused, []string{"POST 409 protected", "built-in groups"}},
		{"one that was deleted", &fakeAccount{}, []journal.Event{event(journal.GroupDeleted, nil)}, explain.Deleted,
			[]string{"deleted it at 2026-11-29 03:00:00 UTC", "adopts the group by its name"}},
		{"one that was deleted, with held removals", &fakeAccount{holds: held},
			[]journal.Event{event(journal.GroupDeleted, nil)}, explain.Deleted, []string{"ann is still in it"}},
		{"one that is gone", &fakeAccount{}, []journal.Event{event(journal.GroupCreated, nil)}, explain.Gone,
			[]string{"it is not there any more"}},
		{"one that never was", &fakeAccount{}, nil, explain.NeverSeen,
			[]string{"has not sent it since 2026-11-29 00:00:00"}},
		{"one while the account is away", &fakeAccount{err: &bridge.UnavailableError{Detail: "the bridge is sealed"}},
			nil, explain.Undetermined, []string{"is not known now: the bridge is sealed"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			answer, err := explainer(t, row.account, row.events...).Explain(t.Context(),
				explain.Question{Group: " Engineering "})
			if err != nil || len(answer.Found) != 1 || answer.Found[0].Verdict != row.verdict {
				t.Fatalf("the answer is %+v, %v; want %s", answer, err, row.verdict)
			}
			contains(t, everything(answer.Found[0]), row.wants)
		})
	}
}

// Each question reads the whole journal, so a second one waits, and goes when nobody waits for its answer.
func TestOneQuestionAtATimeReadsTheJournal(t *testing.T) {
	t.Parallel()
	reads := make(chan struct{})
	x := &explain.Explainer{Account: &fakeAccount{}, Now: func() time.Time { return now },
		Journal: func(context.Context, journal.Search) (journal.Found, error) {
			reads <- struct{}{}
			return journal.Found{}, nil
		}}
	first := make(chan error)
	go func() {
		_, err := x.Explain(context.WithoutCancel(t.Context()), explain.Question{Person: "ann"})
		first <- err
	}()
	<-reads // the first one looks for earlier names, and reads again then
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Explain(gone, explain.Question{Person: "bob"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a second question: %v", err)
	}
	<-reads
	if err := <-first; err != nil {
		t.Errorf("the first question: %v", err)
	}
}
