package scim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
)

// add puts people on the far side behind the front's back.
func (s *standIn) add(userNames ...string) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range userNames {
		s.next++
		id := fmt.Sprintf("%06d", s.next)
		s.people = append(s.people, map[string]any{"id": id, "userName": name, "externalId": "e-" + name, "revision": 1,
			"active": true, "created": time.Unix(1_800_000_000, 0),
			"emails": []any{map[string]any{"value": name, "type": "work", "primary": true}}})
		ids = append(ids, id)
	}
	return ids
}

func (s *standIn) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people = slices.DeleteFunc(s.people, func(o map[string]any) bool { return o["id"] == id })
}

func (s *standIn) rename(id, userName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.people {
		if o["id"] == id {
			o["userName"] = userName
		}
	}
}

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("p%d@example.com", i)
	}
	return list
}

var filterHabits = map[string]habits{
	"filters":               {},
	"case-sensitive":        {caseSensitive: true},
	"none":                  {filters: none},
	"ignored":               {ignores: true},
	"userName eq alone":     {filters: userNameAlone},
	"none, and small pages": {filters: none, mostOnAPage: 3},
	"none, and no totals":   {filters: none, mostOnAPage: 3, totalsOfPage: true},
}

func TestWhoIsThereIsFound(t *testing.T) {
	t.Parallel()
	for name, h := range filterHabits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, h)
			ids := far.add(names(20)...)
			front := far.front(t)
			expect := func(what string, filter bridge.Predicate, want ...string) {
				t.Helper()
				page, err := front.SearchPeople(t.Context(), bridge.Query{Filter: &filter, Limit: 10})
				var got []string
				for _, p := range page.Items {
					got = append(got, p.ID)
				}
				if err != nil || !slices.Equal(got, want) || page.Total != int64(len(want)) {
					t.Errorf("%s: %v of %d, want %v: %v", what, got, page.Total, want, err)
				}
			}
			eq := func(name string, value any) bridge.Predicate {
				return bridge.Predicate{Op: "eq", Path: []string{name}, Value: value}
			}
			expect("nobody", eq("userName", "nobody@example.com"))
			expect("in another case", eq("userName", "P7@Example.COM"), ids[7])
			expect("with blanks", eq("userName", " p7@example.com "), ids[7])
			expect("by externalId", bridge.Predicate{Op: "eq", Path: []string{"externalId"}, Value: "e-p3@example.com",
				CaseExact: true}, ids[3])
			expect("by externalId in another case", bridge.Predicate{Op: "eq", Path: []string{"externalId"},
				Value: "E-p3@example.com", CaseExact: true})
			expect("by address", bridge.Predicate{Op: "any", Path: []string{"emails"}, Terms: []bridge.Predicate{
				{Op: "and", Terms: []bridge.Predicate{eq("type", "work"), eq("value", "p4@EXAMPLE.com")}}}}, ids[4])
			expect("by id", bridge.Predicate{Op: "eq", Path: []string{"id"}, Value: ids[5], CaseExact: true}, ids[5])
			expect("by two", bridge.Predicate{Op: "and", Terms: []bridge.Predicate{eq("active", true),
				eq("userName", "p6@example.com")}}, ids[6])
			expect("by one of two", bridge.Predicate{Op: "or", Terms: []bridge.Predicate{
				eq("userName", "p8@example.com"), eq("userName", "p9@example.com")}}, ids[8], ids[9])
			expect("by a beginning", bridge.Predicate{Op: "sw", Path: []string{"userName"}, Value: "p1@"}, ids[1])

			late := far.add("late@example.com")
			expect("who was added there", eq("userName", "late@example.com"), late...)
			far.remove(ids[7])
			expect("who is gone there", eq("userName", "p7@example.com"))
			mustCreate(t, front, "new@example.com")
			expect("who was renamed", eq("userName", "renamed@example.com"))
			if _, err := front.ReplacePerson(t.Context(), ids[8], input("renamed@example.com"), ""); err != nil {
				t.Fatal(err)
			}
			expect("by the new name", eq("userName", "renamed@example.com"), ids[8])
			expect("by the old name", eq("userName", "p8@example.com"))
			_, err := front.ReplacePerson(t.Context(), ids[9], input("Renamed@example.com"), "")
			if bridge.CodeOf(err) != bridge.UserNameTaken {
				t.Errorf("a name that is taken: %v", err)
			}
		})
	}
}

// The number of people does not show that one was renamed: the list is read again before it is older than a minute.
func TestTheIndexIsNoOlderThanItMayBe(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{filters: none})
	ids := far.add(names(250)...)
	var mu sync.Mutex
	now := time.Now()
	front := far.front(t, func(c *connector.Config) {
		c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	if got := find(t, front, "p7@example.com"); !slices.Equal(got, ids[7:8]) {
		t.Fatalf("found %v", got)
	}
	far.rename(ids[7], "other@example.com")
	mu.Lock()
	now = now.Add(61 * time.Second)
	mu.Unlock()
	if got := find(t, front, "other@example.com"); !slices.Equal(got, ids[7:8]) {
		t.Errorf("found %v", got)
	}
}

// Somebody who is deleted on a page that was read would make another one be passed over.
// The list is read beside the request, and has more time to wait.
func TestAListThatWaitsForALimitIsToldOf(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{filters: none})
	front := far.front(t, func(c *connector.Config) { c.IndexAge = time.Nanosecond })
	mustCreate(t, front, "a@example.com")
	find(t, front, "none@example.com")
	far.intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "120")
		refuse(w, http.StatusTooManyRequests, "", "slower")
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := front.SearchPeople(ctx, named("none@example.com")); bridge.CodeOf(err) != bridge.TooMany {
		t.Errorf("got %v", err)
	}
}

func TestAListThatMovesIsReadAgain(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{filters: none})
	ids := far.add(names(250)...)
	front := far.front(t)
	var once sync.Once
	far.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("startIndex") == "100" {
			once.Do(func() { far.remove(ids[3]); far.add("new@example.com") })
		}
		return false
	})
	if got := find(t, front, "p100@example.com"); !slices.Equal(got, ids[100:101]) {
		t.Errorf("found %v", got)
	}
	far.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if start := r.URL.Query().Get("startIndex"); start != "1" && start != "" {
			far.mu.Lock()
			first := far.people[0]["id"].(string)
			far.mu.Unlock()
			far.remove(first)
		}
		return false
	})
	far.add("another@example.com")
	_, err := front.SearchPeople(t.Context(), named("nobody@example.com"))
	if !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("a list that never stands still: %v", err)
	}
}

func TestAListWithoutPagesIsNotTakenForAll(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{filters: none, noPages: true, mostOnAPage: 50})
	far.add(names(60)...)
	front := far.front(t)
	_, err := front.SearchPeople(t.Context(), named("p55@example.com"))
	if connector.CauseOf(err) != connector.CapabilityMissing {
		t.Errorf("got %v", err)
	}
	if _, err := front.CreatePerson(t.Context(), input("p55@example.com")); connector.CauseOf(err) !=
		connector.CapabilityMissing || len(far.people) != 60 {
		t.Errorf("creating one of them: %v", err)
	}
}

func TestPagesAreWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]habits{
		"a good server": {}, "small pages": {mostOnAPage: 7}, "no sort": {noSort: true},
		"totals of the page": {mostOnAPage: 7, totalsOfPage: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, h)
			ids := far.add(names(45)...)
			front := far.front(t)
			var got []string
			for q := (bridge.Query{Limit: 20}); ; {
				page, err := front.SearchPeople(t.Context(), q)
				if err != nil || page.Total != 45 {
					t.Fatalf("%d in all, %v", page.Total, err)
				}
				for _, p := range page.Items {
					got = append(got, p.ID)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if !slices.Equal(got, ids) {
				t.Errorf("by cursor: %v", got)
			}
			page, err := front.SearchPeople(t.Context(), bridge.Query{Limit: 3, Offset: 1, SortBy: []string{"userName"},
				Descending: true})
			if err != nil || page.Total != 45 || len(page.Items) != 3 || page.Items[0].ID != ids[8] {
				t.Errorf("sorted: %+v, %v", page, err)
			}
			page, err = front.SearchPeople(t.Context(), bridge.Query{})
			if err != nil || page.Total != 45 || len(page.Items) != 0 {
				t.Errorf("counted: %+v, %v", page, err)
			}
			page, err = front.SearchPeople(t.Context(), bridge.Query{Limit: 5, Offset: 100})
			if err != nil || page.Total != 45 || len(page.Items) != 0 {
				t.Errorf("beyond the end: %+v, %v", page, err)
			}
			if _, err := front.SearchPeople(t.Context(), bridge.Query{Cursor: "x"}); bridge.CodeOf(err) !=
				bridge.InvalidCursor {
				t.Errorf("a cursor that is none: %v", err)
			}
		})
	}
}

func TestAFilterThatFindsIsTrusted(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	far.add(names(300)...)
	front := far.front(t)
	find(t, front, "nobody@example.com")
	far.forgetCounts()
	for i := range 10 {
		find(t, front, fmt.Sprintf("nobody%d@example.com", i))
	}
	if n := far.count(""); n != 10 {
		t.Errorf("10 searches cost %d requests", n)
	}
	if s := front.State().Capabilities.Filter; s != connector.Yes {
		t.Errorf("filters: %s", s)
	}
}

// Identity providers delete people while others are looked up.
func TestADeletionProvesNothingOfAFilter(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, asked string
		found       int
	}{
		{"of somebody who was found", "P7@example.com", 1},
		{"of somebody who was seen", "nobody@example.com", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, habits{})
			all := names(300)
			ids := far.add(all...)
			front := far.front(t)
			searches, deleted := 0, false
			far.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
				text := strings.ToLower(r.URL.Query().Get("filter"))
				if text != "" {
					searches++
				}
				tried := slices.IndexFunc(all, func(name string) bool { return strings.Contains(text, `"`+name+`"`) })
				if searches > 1 && tried >= 0 && !deleted { // the first one is what was asked
					far.remove(ids[tried])
					deleted = true
				}
				return false
			})
			if got := find(t, front, row.asked); len(got) != row.found {
				t.Errorf("found %v", got)
			}
			if !deleted {
				t.Error("the filter was not tried")
			}
			far.intercept(nil)
			for range 2 { // the first one may only learn that the person is gone
				find(t, front, "nobody@example.com")
			}
			far.forgetCounts()
			for i := range 10 {
				find(t, front, fmt.Sprintf("nobody%d@example.com", i))
			}
			if n := far.count(""); n != 10 || front.State().Capabilities.Filter != connector.Yes {
				t.Errorf("10 searches cost %d requests; filters: %s", n, front.State().Capabilities.Filter)
			}
		})
	}
}

// 10,000 people and a group of 5,000 behind a server without filters.
func TestLookUpsAreFlatOnceThereIsAnIndex(t *testing.T) {
	t.Parallel()
	const people, members = 10_000, 5_000
	far := newStandIn(t, habits{filters: none, noVersions: true})
	ids := far.add(names(people)...)
	front := far.front(t, func(c *connector.Config) { c.IndexAge = time.Hour })
	find(t, front, "nobody@example.com")
	if n := far.count("GET /Users"); n < people/100 || n > people/100+10 {
		t.Errorf("the index took %d requests", n)
	}
	far.forgetCounts()
	for _, i := range []int{0, 17, people / 2, people - 1} {
		if got := find(t, front, strings.ToUpper(fmt.Sprintf("p%d@example.com", i))); !slices.Equal(got, ids[i:i+1]) {
			t.Errorf("found %v", got)
		}
	}
	if n := far.count(""); n != 4 {
		t.Errorf("4 who are there cost %d requests", n)
	}
	far.forgetCounts()
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() { mustCreate(t, front, fmt.Sprintf("new%d@example.com", i)) })
	}
	group.Wait()
	if n := far.count(""); n > 3*40 || len(far.people) != people+40 {
		t.Errorf("40 creations at once cost %d requests and made %d people", n, len(far.people)-people)
	}
	g, err := front.CreateGroup(t.Context(), groupInput("All", ids[:members]...))
	if err != nil || len(far.inGroup(g.ID)) != members {
		t.Fatalf("%d members, %v", len(far.inGroup(g.ID)), err)
	}
	far.forgetCounts()
	if _, err := front.UpdateGroup(t.Context(), g.ID, bridge.GroupChange{Add: ids[members : members+100]}, "",
		false); err != nil || far.count("") > 4 {
		t.Errorf("adding 100 to %d cost %d requests, %v", members, far.count(""), err)
	}
	list := ids[50 : members+150]
	if _, err := front.UpdateGroup(t.Context(), g.ID, bridge.GroupChange{Replace: &list}, "", false); err != nil ||
		!slices.Equal(far.inGroup(g.ID), list) {
		t.Errorf("replaced: %d members, %v", len(far.inGroup(g.ID)), err)
	}
}

// It is not parallel: other tests' memory would be counted.
func TestLookUpsTakeNoMemoryOnceThereIsAnIndex(t *testing.T) {
	const people, lookUps = 10_000, 1_000
	far := newStandIn(t, habits{filters: none, noVersions: true})
	far.add(names(people)...)
	front := far.front(t, func(c *connector.Config) { c.IndexAge = time.Hour })
	look := func(from int) {
		for i := from; i < from+lookUps; i++ {
			if got := find(t, front, fmt.Sprintf("p%d@example.com", i)); len(got) != 1 {
				t.Fatalf("found %v", got)
			}
			if got := find(t, front, fmt.Sprintf("nobody%d@example.com", i)); got != nil {
				t.Fatalf("found %v", got)
			}
		}
	}
	look(0)
	far.forgetCounts()
	before := heap()
	look(lookUps)
	requests := far.count("")
	far.forgetCounts()
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d look-ups left %d KiB", 2*lookUps, grown>>10)
	}
	if requests != 2*lookUps {
		t.Errorf("%d look-ups took %d requests", 2*lookUps, requests)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The same people are created by many requests at once, of which some are not answered, by one bridge after another,
// at a server that has no filters and refuses no name.
func TestNobodyIsCreatedTwiceUnderRestarts(t *testing.T) {
	t.Parallel()
	const people, each = 1_000, 4
	far := newStandIn(t, habits{filters: none, notUnique: true})
	far.add(names(people)...)
	joining := []string{"ann@example.com", "Ann.B@example.com", "cy@example.com", "p77@example.com"}
	var lost atomic.Int64
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || lost.Add(1)%2 == 0 {
			return false
		}
		far.mu.Lock()
		far.serve(httptest.NewRecorder(), r, "/Users")
		far.mu.Unlock()
		refuse(w, http.StatusInternalServerError, "", "it was written all the same")
		return true
	})
	var made atomic.Int64
	for round := range 3 {
		front := far.front(t)
		var group sync.WaitGroup
		for _, name := range joining[:round+2] {
			for i := range each {
				group.Go(func() {
					_, err := front.CreatePerson(t.Context(), input([]string{name, strings.ToUpper(name)}[i%2]))
					switch {
					case err == nil:
						made.Add(1)
					case bridge.CodeOf(err) != bridge.UserNameTaken:
						t.Error(err)
					}
				})
			}
		}
		group.Wait()
	}
	if n := len(far.people) - people; n != 3 || made.Load() != 3 {
		t.Errorf("%d were created, of whom %d are told of", n, made.Load())
	}
}

func TestAnIndexIsBounded(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{filters: none})
	ids := far.add(names(30)...)
	front := far.front(t, func(c *connector.Config) { c.IndexSize = 10 })
	for range 2 {
		_, err := front.SearchPeople(t.Context(), named("p20@example.com"))
		if err != nil && connector.CauseOf(err) != connector.CapabilityMissing {
			t.Errorf("got %v", err)
		}
	}
	if got := find(t, front, "p20@example.com"); !slices.Equal(got, ids[20:21]) {
		t.Errorf("found %v", got)
	}
	if got := find(t, front, "nobody@example.com"); got != nil {
		t.Errorf("found %v", got)
	}
}

func TestWhatComesBackIsCompared(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{keeps: []string{"schemas", "userName", "active", "name", "externalId"}})
	front := far.front(t)
	in := bridge.PersonInput{Attributes: json.RawMessage(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
		"userName":"a@example.com","active":true,"name":{"givenName":"A"},"nickName":"Al",
		"emails":[{"value":"a@example.com","type":"work"}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Art"}}`)}
	for range 2 {
		if _, err := front.CreatePerson(t.Context(), in); err != nil && bridge.CodeOf(err) != bridge.UserNameTaken {
			t.Fatal(err)
		}
	}
	var lost []string
	for _, n := range front.State().NotKept {
		lost = append(lost, n.Resource+" "+n.Attribute)
	}
	if want := []string{"User emails", "User nickName",
		"User urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"}; !slices.Equal(lost, want) {
		t.Errorf("not kept: %q", lost)
	}
}

// BenchmarkLookUp is what it costs to find somebody, or nobody, among 10,000 people.
func BenchmarkLookUp(b *testing.B) {
	for _, row := range []struct {
		name   string
		habits habits
	}{{"by the far side's filter", habits{}}, {"by the index", habits{filters: none}}} {
		far := newStandIn(b, row.habits)
		far.add(names(10_000)...)
		front := far.front(b, func(c *connector.Config) { c.IndexAge, c.Rate = time.Hour, 1_000_000 })
		for what, name := range map[string]string{"somebody": "p5000@example.com", "nobody": "nobody@example.com"} {
			find(b, front, name)
			far.forgetCounts()
			b.Run(row.name+"/"+what, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					find(b, front, name)
				}
				b.ReportMetric(float64(far.count(""))/float64(b.N), "requests/op")
				far.forgetCounts()
			})
		}
	}
}
