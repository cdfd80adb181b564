package scim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
)

// A spoiler changes the answer to a creation.
type spoiler func(h http.Header, body map[string]any)

// spoilCreations lets the far side create, and answer something else.
func (s *standIn) spoilCreations(spoil spoiler) {
	s.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		recorded := httptest.NewRecorder()
		s.mu.Lock()
		s.serve(recorded, r, strings.TrimPrefix(r.URL.Path, "/scim/v2"))
		s.mu.Unlock()
		var body map[string]any
		_ = json.Unmarshal(recorded.Body.Bytes(), &body)
		if recorded.Code == http.StatusCreated {
			spoil(recorded.Header(), body)
		}
		for name, values := range recorded.Header() {
			w.Header()[name] = values
		}
		answer(w, recorded.Code, body)
		return true
	})
}

// id answers an id of another kind, and no Location that could tell the right one.
func id(value any) spoiler {
	return func(h http.Header, body map[string]any) {
		h.Del("Location")
		body["id"] = value
	}
}

// strangeAnswers are what is answered to creations, at a far side that has a person of the id 000001.
var strangeAnswers = map[string]spoiler{
	"none, and a Location of undefined": func(h http.Header, body map[string]any) { // scimgateway
		delete(body, "id")
		h.Set("Location", "https://scim.example.com/Users/undefined")
		body["meta"] = map[string]any{"location": "https://scim.example.com/Users/undefined"}
	},
	"none":                   func(h http.Header, body map[string]any) { h.Del("Location"); delete(body, "id") },
	"an empty text":          id(""),
	"blanks":                 id("  "),
	"undefined":              id("undefined"),
	"null as a text":         id("null"),
	"null":                   id(nil),
	"an object":              id(map[string]any{"value": "000002"}),
	"an object as a text":    id("[object Object]"),
	"true":                   id(true),
	"a list":                 id([]any{"000002"}),
	"the UUID of nothing":    id("00000000-0000-0000-0000-000000000000"),
	"another resource's":     id("000001"),
	"one in another case":    func(_ http.Header, body map[string]any) { body["id"] = strings.Repeat("0", 5) + "²" },
	"that of a transaction":  func(_ http.Header, body map[string]any) { body["id"] = "tx-1" },
	"and a Location of none": func(h http.Header, _ map[string]any) { h.Set("Location", "/scim/v2/Users/undefined") },
	"and a Location of another": func(h http.Header, _ map[string]any) {
		h.Set("Location", "https://scim.example.com/scim/v2/Users/000001")
	},
	"and an address of another inside": func(_ http.Header, body map[string]any) {
		body["meta"] = map[string]any{"location": "https://scim.example.com/scim/v2/Users/000001"}
	},
	"and an address that is none": func(h http.Header, _ map[string]any) { h.Set("Location", ":") },
}

// Whatever a creation is answered, the id that is handed on is one by which the far side answers, whether it can find
// by a filter or not, and whatever it answered before.
func TestAnIDThatIsHandedOnIsTheResources(t *testing.T) {
	t.Parallel()
	for name, spoil := range strangeAnswers {
		for kind, h := range map[string]habits{"with filters": {}, "without filters": {filters: none}} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				far := newStandIn(t, h)
				front := far.front(t)
				mustCreate(t, front, "first@example.com")
				far.spoilCreations(spoil)
				p := mustCreate(t, front, "a@example.com")
				if p.ID != "000002" {
					t.Errorf("created with the id %q", p.ID)
				}
				if _, err := front.ReplacePerson(t.Context(), p.ID, input("b@example.com"), p.Version); err != nil {
					t.Errorf("changing it: %v", err)
				}
				if len(far.people) != 2 || far.people[0]["userName"] != "first@example.com" {
					t.Errorf("there are %v", far.people)
				}
			})
		}
	}
}

// A wrong id that looks like one is noticed for what is created first, and then for all.
func TestTheFirstIDsAreProved(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]any{"a text": "3f1c", "a number": 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, habits{})
			front := far.front(t)
			far.spoilCreations(id(wrong))
			for i, name := range names(3) {
				if p := mustCreate(t, front, name); p.ID != fmt.Sprintf("%06d", i+1) {
					t.Errorf("created with the id %q", p.ID)
				}
			}
		})
	}
}

func TestIDsThatAreRightCostOneRequest(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	now := time.Now()
	later := far.front(t, func(c *connector.Config) { c.Now = func() time.Time { return now } })
	for d, want := range map[*connector.Directory]int{front: 1, later: 2} {
		prefix := map[int]string{1: "now", 2: "later"}[want]
		mustCreate(t, d, prefix+"@example.com")  // read back
		mustCreate(t, d, prefix+"2@example.com") // which proves the filter
		far.forgetCounts()
		for _, name := range names(10) {
			mustCreate(t, d, prefix+name)
		}
		far.mu.Lock()
		if n := far.counts["POST /Users"]; n != 10 || len(far.counts) != 2 { // and the search for the name
			t.Errorf("10 creations cost %v", far.counts)
		}
		far.mu.Unlock()
		if want == 1 {
			continue
		}
		now = now.Add(2 * time.Hour) // a server may be another one by now
		far.forgetCounts()
		p := mustCreate(t, d, "after@example.com")
		if n := far.count("GET /Users/" + p.ID); n != 1 {
			t.Errorf("an hour later it was read back %d times", n)
		}
	}
}

// What a server lists late is not taken for a wrong id: nothing says that it is one.
func TestWhatIsNotToBeSeenYetIsCreated(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.Header().Set("Location", "https://scim.example.com/scim/v2/Users/late")
			answer(w, http.StatusCreated, map[string]any{"id": "late", "userName": "a@example.com"})
			return true
		}
		return false
	})
	if p := mustCreate(t, front, "a@example.com"); p.ID != "late" {
		t.Errorf("created with the id %q", p.ID)
	}
	if s := front.State(); len(s.Lacks) > 0 {
		t.Errorf("it lacks %+v", s.Lacks)
	}
}

// An identity provider that is given a wrong id keeps it: an error is better, and says what is wrong.
func TestWithoutAnIDThereIsAnErrorAndAProblem(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]map[string]any{
		"undefined":          {"id": "undefined", "userName": "a@example.com"},
		"none":               {"userName": "a@example.com"},
		"another resource's": {"id": "000001", "userName": "a@example.com"},
		"nothing at all":     {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, habits{})
			front := far.front(t)
			mustCreate(t, front, "first@example.com")
			far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				isCreation := r.Method == http.MethodPost
				if isCreation {
					answer(w, http.StatusCreated, body)
				}
				return isCreation
			})
			p, err := front.CreatePerson(t.Context(), input("a@example.com"))
			if !errors.Is(err, bridge.ErrUnavailable) || connector.CauseOf(err) != connector.CapabilityMissing {
				t.Errorf("created %q, %v", p.ID, err)
			}
			s := front.State()
			if len(s.Lacks) != 1 || !strings.Contains(s.Lacks[0].Detail, "without an id") ||
				strings.Contains(s.Lacks[0].Detail, "example.com") {
				t.Errorf("it lacks %+v", s.Lacks)
			}
		})
	}
}

// scimgateway takes brackets and " and " in a text for a part of the filter: it finds nothing, says so with 200, and
// answers the creation of such a group without its id.
func TestNamesThatAFilterStumblesOver(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{notUnique: true})
	stumbles := func(text string) bool {
		return strings.ContainsAny(text, "()[]") || strings.Contains(text, " and ")
	}
	hit := func(w http.ResponseWriter, r *http.Request) bool {
		filter := r.URL.Query().Get("filter")
		if stumbles(filter) {
			answer(w, http.StatusOK, map[string]any{"totalResults": 0, "Resources": []any{}})
		}
		return stumbles(filter)
	}
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return hit(w, r)
		}
		recorded := httptest.NewRecorder()
		far.mu.Lock()
		far.serve(recorded, r, "/Groups")
		far.mu.Unlock()
		var body map[string]any
		_ = json.Unmarshal(recorded.Body.Bytes(), &body)
		if name, _ := body["displayName"].(string); stumbles(name) {
			delete(body, "id")
			w.Header().Set("Location", far.URL+"/scim/v2/Groups/undefined")
		}
		answer(w, recorded.Code, body)
		return true
	})
	names := []string{"Plain", "Team [A]", "Design (EU), fr", "Research and development", `The \"A\" team`}
	front := far.front(t)
	var ids []string
	for _, name := range names {
		g, err := front.CreateGroup(t.Context(), groupInput(name))
		if err != nil || slices.Contains(ids, g.ID) || g.ID == "undefined" {
			t.Fatalf("%s: created with the id %q, %v", name, g.ID, err)
		}
		ids = append(ids, g.ID)
	}
	for _, d := range []*connector.Directory{front, far.front(t)} { // and after a restart
		for i, name := range names {
			var in struct{ DisplayName string }
			if err := json.Unmarshal([]byte(`{"displayName":"`+name+`"}`), &in); err != nil {
				t.Fatal(err)
			}
			page, err := d.SearchGroups(t.Context(), bridge.Query{Limit: 10, Filter: &bridge.Predicate{Op: "eq",
				Path: []string{"displayName"}, Value: strings.ToUpper(in.DisplayName)}})
			if err != nil || len(page.Items) != 1 || page.Items[0].ID != ids[i] {
				t.Errorf("%s: found %+v, %v", name, page, err)
			}
			if _, err := d.CreateGroup(t.Context(), groupInput(name)); bridge.CodeOf(err) != bridge.GroupNameTaken {
				t.Errorf("%s again: %v", name, err)
			}
		}
	}
	if len(far.groups) != len(names) {
		t.Errorf("there are %d groups", len(far.groups))
	}
}

// Creations at once, of a far side whose answers are all wrong.
func TestCreationsAtOnceKeepTheirOwnIDs(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{notUnique: true, filters: none})
	front := far.front(t)
	mustCreate(t, front, "first@example.com")
	far.spoilCreations(id("000001"))
	var mu sync.Mutex
	got := make(map[string]string)
	var group sync.WaitGroup
	for _, name := range names(20) {
		group.Go(func() {
			p, err := front.CreatePerson(t.Context(), input(name))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got[name] = p.ID
		})
	}
	group.Wait()
	for _, o := range far.people[1:] {
		if name, _ := o["userName"].(string); got[name] != o["id"] {
			t.Errorf("%s was created as %s, and is %s", name, got[name], o["id"])
		}
	}
	if len(got) != 20 || len(far.people) != 21 {
		t.Errorf("%d were created, %d are there", len(got), len(far.people))
	}
}

// The id in an address may be escaped, and the address relative: that is no contradiction.
func TestALocationThatAgreesCostsNothing(t *testing.T) {
	t.Parallel()
	const odd = "a/b c%"
	far := newStandIn(t, habits{ids: func(n int) string { return odd + strings.Repeat("x", n) }})
	front := far.front(t)
	mustCreate(t, front, "first@example.com")
	mustCreate(t, front, "second@example.com") // which proves the filter
	far.forgetCounts()
	far.spoilCreations(func(h http.Header, body map[string]any) {
		name, _ := body["id"].(string)
		h.Set("Location", "/proxy/users/"+url.PathEscape(name)+"/")
	})
	p := mustCreate(t, front, "a@example.com")
	if p.ID != odd+"xxx" || far.count("GET /Users/") > 0 {
		t.Errorf("created %q, read back %d times", p.ID, far.count("GET /Users/"))
	}
}

// scimgateway answers 500 to writes to what is gone.
func TestWhatIsGoneIsGoneThoughTheFarSideFails(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	ids, group := crew(t, front, 2, 1)
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		isWrite := r.Method != http.MethodGet
		if isWrite {
			refuse(w, http.StatusInternalServerError, "", "failed for id")
		}
		return isWrite
	})
	if err := front.DeletePerson(t.Context(), ids[0], ""); connector.CauseOf(err) != connector.Unreachable {
		t.Errorf("deleting what is there: %v", err)
	}
	_, err := front.ReplacePerson(t.Context(), ids[0], input("p0@example.com"), "")
	if connector.CauseOf(err) != connector.Unreachable {
		t.Errorf("replacing what is there: %v", err)
	}
	far.remove(ids[0])
	far.remove(ids[1])
	far.mu.Lock()
	far.groups = nil
	far.mu.Unlock()
	if err := front.DeletePerson(t.Context(), ids[0], ""); err != nil {
		t.Errorf("deleting who was there: %v", err)
	}
	if err := front.DeletePerson(t.Context(), ids[0], ""); bridge.CodeOf(err) != bridge.NotFound {
		t.Errorf("deleting who is gone: %v", err)
	}
	_, err = front.ReplacePerson(t.Context(), ids[1], input("p1@example.com"), "")
	if bridge.CodeOf(err) != bridge.NotFound {
		t.Errorf("replacing who is gone: %v", err)
	}
	for _, change := range []bridge.GroupChange{{Add: ids[1:]}, {Attributes: groupInput("Other").Attributes}} {
		if _, err := front.UpdateGroup(t.Context(), group, change, "", false); bridge.CodeOf(err) != bridge.NotFound {
			t.Errorf("changing a group that is gone: %v", err)
		}
	}
}

func TestAnEmptyExternalIDIsNone(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		isPerson := strings.HasSuffix(r.URL.Path, "/Users/1")
		if isPerson {
			answer(w, http.StatusOK, map[string]any{"id": "1", "userName": "a@example.com", "externalId": "",
				"nickName": ""})
		}
		return isPerson
	})
	p, err := front.Person(t.Context(), "1")
	if attributes := string(p.Attributes); err != nil || strings.Contains(attributes, "externalId") ||
		!strings.Contains(attributes, `"nickName":""`) {
		t.Errorf("read %s, %v", attributes, err)
	}
}

// Some servers make names of their own, such as the address of the person.
func TestAServerMayChangeTheName(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	far.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			body = bytes.ReplaceAll(body, []byte("example.com"), []byte("corp.example"))
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		return false
	})
	for i, name := range []string{"a@example.com", "b@example.com"} {
		in := bridge.PersonInput{Attributes: json.RawMessage(`{"userName":"` + name + `"}`)}
		p, err := front.CreatePerson(t.Context(), in)
		if err != nil || p.ID != fmt.Sprintf("%06d", i+1) || !strings.Contains(string(p.Attributes), "corp.example") {
			t.Errorf("created %+v, %v", p, err)
		}
	}
	if s := front.State(); len(s.Lacks) > 0 {
		t.Errorf("it lacks %+v", s.Lacks)
	}
}
