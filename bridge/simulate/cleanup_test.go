package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A shelf is a server that keeps names by their paths, and counts requests. Its faults are a test's.
type shelf struct {
	mu     sync.Mutex
	next   int
	names  map[string]string // by path
	asked  []string
	before func(w http.ResponseWriter, r *http.Request, made string) (done bool)
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/scim/v2")
	s.asked = append(s.asked, r.Method+" "+path)
	made := ""
	if r.Method == http.MethodPost {
		s.next++
		made = fmt.Sprintf("%s/a%%2F%d", path, s.next)
		s.names[made] = nameIn(body)
	}
	if s.before != nil && s.before(w, r, made) {
		return
	}
	_, there := s.names[path]
	switch {
	case made != "":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id":"a/%d"}`, s.next)
	case r.URL.RawQuery != "":
		s.list(w, path, r.URL.Query())
	case !there:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(s.names, path)
		w.WriteHeader(http.StatusNoContent)
	default:
		_, _ = io.WriteString(w, `{"id":"a"}`)
	}
}

// all returns what is there. A request whose connection broke may still be served.
func (s *shelf) all() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.names)
}

func (s *shelf) list(w http.ResponseWriter, kind string, query url.Values) {
	filter := query.Get("filter")
	found := []object{}
	for _, path := range slices.Sorted(maps.Keys(s.names)) {
		name := s.names[path]
		if strings.HasPrefix(path, kind) && (filter == "" || strings.Contains(filter, `"`+name+`"`)) {
			id, _ := url.PathUnescape(strings.TrimPrefix(path, kind+"/"))
			found = append(found, object{"id": id, "userName": name, "displayName": name})
		}
	}
	total := len(found)
	if start, _ := strconv.Atoi(query.Get("startIndex")); start > 1 {
		found = found[min(start-1, total):]
	}
	_ = json.NewEncoder(w).Encode(object{"totalResults": total, "Resources": found[:min(len(found), 100)]})
}

// makes is a scenario that makes two people and a group.
func makes() Scenario {
	return Scenario{ID: "s", Steps: []Step{
		post("/Users", object{"userName": "u1-{{R}}"}), post("/Users", object{"userName": "u2-{{R}}"}),
		post("/Groups", object{"displayName": "g-{{R}}"}),
	}}
}

func TestWhatWasMadeIsRemovedGroupsFirst(t *testing.T) {
	t.Parallel()
	s := &shelf{names: map[string]string{"/Users/real": "ann@example.com"}}
	p := player(t, s.ServeHTTP)
	p.Play(t.Context(), makes(), false)
	s.asked = nil
	told := 0
	left := p.CleanUp(t.Context(), 1, func(done, total int) { told = 10*done + total })
	want := []string{
		"DELETE /Groups/a%2F3", "GET /Groups/a%2F3", "DELETE /Users/a%2F2", "GET /Users/a%2F2",
		"DELETE /Users/a%2F1", "GET /Users/a%2F1",
	}
	if len(left) != 0 || !slices.Equal(s.asked, want) || told != 33 || len(s.all()) != 1 {
		t.Errorf("left %v, told %d, asked\n%s", left, told, strings.Join(s.asked, "\n"))
	}
	if again := p.CleanUp(t.Context(), 1, nil); len(again) != 0 || len(s.asked) != len(want) {
		t.Errorf("a second clean-up did something: %v", s.asked)
	}
}

// A filter that misses a name is no reason to leave it.
func TestWhatAFilterDoesNotFindIsRemoved(t *testing.T) {
	t.Parallel()
	s := &shelf{names: map[string]string{}}
	for i := range 150 {
		s.names[fmt.Sprintf("/Users/real%d", i)] = fmt.Sprintf("ann%d", i)
	}
	s.before = func(w http.ResponseWriter, r *http.Request, made string) bool {
		switch filtered := r.URL.Query().Has("filter"); {
		case made != "":
			w.WriteHeader(http.StatusCreated)
		case filtered:
			_, _ = io.WriteString(w, `{"totalResults":0,"Resources":[]}`)
		default:
			return false
		}
		return true
	}
	p := player(t, s.ServeHTTP)
	p.Play(t.Context(), makes(), false)
	if made := len(s.all()) - 150; made != 3 {
		t.Fatalf("%d were made", made)
	}
	if left := p.CleanUp(t.Context(), 1, nil); len(left) != 0 || len(s.all()) != 150 {
		t.Errorf("left %v, there are %d", left, len(s.all()))
	}
}

// What a creation made whose answer was lost is found by its name.
func TestWhatWasMadeInSilenceIsRemoved(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		answer func(w http.ResponseWriter, made string)
	}{
		{"an error after it was written", func(w http.ResponseWriter, _ string) {
			w.WriteHeader(http.StatusBadGateway)
		}},
		{"no id in the answer", func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusCreated) }},
		{"a Location and no body", func(w http.ResponseWriter, made string) {
			w.Header().Set("Location", "https://scim.example.com/other"+made)
			w.WriteHeader(http.StatusCreated)
		}},
		{"a Location that is wrong", func(w http.ResponseWriter, made string) {
			w.Header().Set("Location", "https://scim.example.com"+made[:strings.LastIndex(made, "/")]+"/undefined")
			w.WriteHeader(http.StatusCreated)
		}},
		{"a connection that breaks", func(_ http.ResponseWriter, _ string) { panic(http.ErrAbortHandler) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{names: map[string]string{"/Users/real": "ann@example.com"}}
			s.before = func(w http.ResponseWriter, _ *http.Request, made string) bool {
				if made != "" {
					row.answer(w, made)
				}
				return made != ""
			}
			p := player(t, s.ServeHTTP)
			p.Play(t.Context(), makes(), false)
			if len(s.all()) < 4 {
				t.Fatalf("made is %v", s.all())
			}
			if left := p.CleanUp(t.Context(), 2, nil); len(left) != 0 || len(s.all()) != 1 {
				t.Errorf("left %v, there is %v", left, s.all())
			}
		})
	}
}

func TestWhatCannotBeRemovedIsNamed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		before func(w http.ResponseWriter, r *http.Request, made string) bool
		want   string
	}{
		{"a server without DELETE", func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.Method == http.MethodDelete {
				http.Error(w, "no\x1b[2Jsuch method", http.StatusMethodNotAllowed)
			}
			return r.Method == http.MethodDelete
		}, "DELETE was answered 405 no [2Jsuch method"},
		{"a server that only switches people off", func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.Method == http.MethodDelete {
				w.WriteHeader(http.StatusNoContent)
			}
			return r.Method == http.MethodDelete
		}, "it is still there after DELETE was answered 204"},
		{"a server that passes over filters", func(w http.ResponseWriter, r *http.Request, made string) bool {
			if made != "" {
				w.WriteHeader(http.StatusCreated)
			} else if r.URL.RawQuery != "" {
				_, _ = io.WriteString(w, `{"Resources":[{"id":"real","userName":"ann","displayName":"Staff"}]}`)
			}
			return made != "" || r.URL.RawQuery != ""
		}, "is not found by its name"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{names: map[string]string{"/Users/real": "ann"}, before: row.before}
			p := player(t, s.ServeHTTP)
			p.Run = "simulate-x"
			p.Play(t.Context(), makes(), false)
			left := p.CleanUp(t.Context(), 1, nil)
			if len(left) != 3 || !strings.Contains(left[0].Reason, row.want) ||
				!strings.Contains(left[0].Name, "-simulate-x-1") {
				t.Errorf("left is %+v, want three with %q", left, row.want)
			}
			if s.all()["/Users/real"] == "" {
				t.Error("somebody else was deleted")
			}
			s.before = nil // it is repaired
			if row.name != "a server that passes over filters" {
				if left := p.CleanUp(t.Context(), 1, nil); len(left) != 0 {
					t.Errorf("a second clean-up left %+v", left)
				}
			}
		})
	}
}

// A server that answers every search with everybody must not get somebody else changed.
func TestACompanyChangesNobodyElse(t *testing.T) {
	t.Parallel()
	s := &shelf{names: map[string]string{"/Users/real": "ann@example.com", "/Groups/real": "Staff"}}
	var touched []string
	s.before = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if strings.HasSuffix(r.URL.Path, "/real") && r.Method != http.MethodGet {
			touched = append(touched, r.Method+" "+r.URL.Path)
		}
		if strings.Contains(r.URL.RawQuery, "filter") {
			s.list(w, strings.TrimPrefix(r.URL.Path, "/scim/v2"), nil)
			return true
		}
		return false
	}
	p := player(t, s.ServeHTTP)
	simulation := &Simulation{Player: p, IdP: All, People: 3, Groups: 1, Domain: "example.com", Concurrency: 1}
	report, err := simulation.Run(t.Context())
	if err != nil || report.OK() {
		t.Fatalf("%v, right: %v", err, report.OK())
	}
	if s.all()["/Users/real"] == "" {
		t.Error("somebody else was deleted")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(touched) > 0 {
		t.Errorf("somebody else was changed: %v", touched)
	}
}

func TestAnInterruptedRunSaysNothingWrongAndCanBeCleanedUp(t *testing.T) {
	t.Parallel()
	s := &shelf{names: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	s.before = func(http.ResponseWriter, *http.Request, string) bool {
		if s.next == 7 {
			cancel()
			time.Sleep(10 * time.Millisecond) // the answer is lost, or not
		}
		return false
	}
	p := player(t, s.ServeHTTP)
	simulation := &Simulation{Player: p, IdP: "okta", People: 50, Domain: "example.com"}
	report, err := simulation.Run(ctx)
	if err == nil || report == nil {
		t.Fatalf("got %v, %v", report, err)
	}
	for _, h := range report.Document().Habits {
		if h.First != nil && strings.Contains(h.First.Problem, "cancel") {
			t.Errorf("the interruption is the server's fault: %+v", h.First)
		}
	}
	s.mu.Lock()
	s.next = 100
	made := len(s.names)
	s.mu.Unlock()
	if left := p.CleanUp(t.Context(), 8, nil); made == 0 || len(left) != 0 || len(s.all()) != 0 {
		t.Errorf("of %d left %+v, there is %v", made, left, s.all())
	}
}
