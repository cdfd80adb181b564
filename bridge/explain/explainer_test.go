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
	people map[string][]bridge.Person // by "attribute=value"
	ids    map[string]bridge.Person
	found  bridge.MembersFound
	err    error // of everything
	lookUp error // of the lookup
	groups map[string][]bridge.Group
	holds  []bridge.Hold
	size   int64
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

func (a *fakeAccount) Group(context.Context, string, bool) (bridge.Group, error) {
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
	return found, a.lookUp
}

func (a *fakeAccount) Holds(context.Context, string, int) (bridge.HoldPage, error) {
	return bridge.HoldPage{Items: a.holds}, a.err
}

func named(id, userName string) bridge.Person {
	text, _ := json.Marshal(map[string]string{"userName": userName})
	return bridge.Person{ID: id, State: bridge.Active, Attributes: text, Created: at(1)}
}

func explainer(a explain.Account, events ...journal.Event) *explain.Explainer {
	return &explain.Explainer{
		Account: a, Now: func() time.Time { return now },
		Journal: func(_ context.Context, f journal.Filter) (p journal.Page, err error) {
			p.Oldest = at(0)
			for _, e := range events {
				if f.Person == e.Person || f.Group == e.Group && f.Group != "" || f.Person == "ann@example.com" {
					p.Events = append(p.Events, e)
				}
			}
			return p, nil
		},
	}
}

// Whatever of a person is asked for, the person is found once.
func TestAPersonIsFoundUnderEachOfItsNames(t *testing.T) {
	t.Parallel()
	ann, bob := named(annID, "ann@example.com"), named("bob", "bob")
	a := &fakeAccount{
		people: map[string][]bridge.Person{
			"userName=ann@example.com": {ann}, "value=ann@example.com": {ann}, "externalId=00u1": {ann},
			"value=both": {ann, bob},
		},
		ids: map[string]bridge.Person{annID: ann},
		found: bridge.MembersFound{Items: []bridge.Member{{ID: "m", PersonID: annID, State: bridge.Active,
			Address: "old@example.com", Role: bridge.RoleMember, StateSince: at(2)}}},
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
		{"a name of two", "both", []string{annID, "bob"}},
		{"an address that the account alone knows", "old@example.com", []string{annID}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			answer, err := explainer(a).Explain(t.Context(), explain.Question{Person: row.asked})
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
	a := &fakeAccount{ids: map[string]bridge.Person{annID: named(annID, "anna"), "other": named("other", "other")}}
	renamed := write(3, journal.PersonCreated, func(e *journal.Event) { e.Subject = "s_ann" })
	refused := write(4, journal.PersonRefused, func(e *journal.Event) { e.Subject, e.Person = "s_ann", "other" })
	deleted := write(5, journal.PersonCreated, func(e *journal.Event) { e.Subject, e.Person = "s_ann", "deleted" })
	answer, err := explainer(a, renamed, refused, deleted).Explain(t.Context(),
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
	answer, err := explainer(a, write(3, journal.PersonCreated, nil), write(5, journal.PersonUpdated, nil)).
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
			x := explainer(row.account)
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
	_, err := explainer(&fakeAccount{err: fault}).Explain(t.Context(), explain.Question{Person: "eve"})
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
			_, err := explainer(&fakeAccount{}).Explain(t.Context(), row.q)
			if _, ok := errors.AsType[*explain.QuestionError](err); !ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAGroupIsExplained(t *testing.T) {
	t.Parallel()
	engineering := bridge.Group{ID: "g1", Attributes: json.RawMessage(`{"displayName":"Engineering"}`), Created: at(1)}
	there := map[string][]bridge.Group{"displayName=Engineering": {engineering}}
	held := []bridge.Hold{
		{UserName: "ann", GroupName: "Engineering", Removal: true, Since: at(4)}, {UserName: "bob", Since: at(4)},
		{UserName: "eve", GroupName: "Sales", Removal: true, Since: at(4)},
	}
	of := func(kind journal.Kind, change func(*journal.Event)) journal.Event {
		e := journal.Event{Time: at(3), Kind: kind, Group: "Engineering", Request: requestID, Status: 200}
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
			[]string{"The group Engineering is provisioned, and has 3 members.", "SCIM id g1"}},
		{"one with held removals", &fakeAccount{groups: there, size: 3, holds: held}, nil, explain.RemovalsHeld,
			[]string{"one removal is held", "ann is still in it"}},
		{"one whose last push named unknown ids", &fakeAccount{groups: there},
			[]journal.Event{of(journal.GroupUpdated, func(e *journal.Event) { e.Unknown = 2 })}, explain.Provisioned,
			[]string{"2 unknown ids", "push the group again"}},
		{"one that was refused", &fakeAccount{}, []journal.Event{of(journal.GroupRefused, func(e *journal.Event) {
			e.Method, e.Status, e.Code = "POST", 409, "protected"
		})}, explain.Refused, []string{"POST 409 protected", "built-in groups"}},
		{"one that was deleted", &fakeAccount{}, []journal.Event{of(journal.GroupDeleted, nil)}, explain.Deleted,
			[]string{"deleted it at 2026-11-29 03:00:00 UTC", "adopts the group by its name"}},
		{"one that was deleted, with held removals", &fakeAccount{holds: held},
			[]journal.Event{of(journal.GroupDeleted, nil)}, explain.Deleted, []string{"ann is still in it"}},
		{"one that is gone", &fakeAccount{}, []journal.Event{of(journal.GroupCreated, nil)}, explain.Gone,
			[]string{"it is not there any more"}},
		{"one that never was", &fakeAccount{}, nil, explain.NeverSeen,
			[]string{"has not sent it since 2026-11-29 00:00:00"}},
		{"one while the account is away", &fakeAccount{err: &bridge.UnavailableError{Detail: "the bridge is sealed"}},
			nil,
			explain.Undetermined, []string{"is not known now: the bridge is sealed"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			answer, err := explainer(row.account, row.events...).Explain(t.Context(),
				explain.Question{Group: " Engineering "})
			if err != nil || len(answer.Found) != 1 || answer.Found[0].Verdict != row.verdict {
				t.Fatalf("the answer is %+v, %v; want %s", answer, err, row.verdict)
			}
			contains(t, everything(answer.Found[0]), row.wants)
		})
	}
}
