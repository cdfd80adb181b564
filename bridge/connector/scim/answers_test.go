package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

func input(userName string) bridge.PersonInput {
	return bridge.PersonInput{Attributes: json.RawMessage(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],` +
		`"userName":"` + userName + `","externalId":"e-` + userName + `","active":true}`)}
}

func groupInput(name string, members ...string) bridge.GroupInput {
	return bridge.GroupInput{Members: members, Attributes: json.RawMessage(
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"` + name + `"}`)}
}

func mustCreate(t testing.TB, d *connector.Directory, userName string) bridge.Person {
	t.Helper()
	p, err := d.CreatePerson(t.Context(), input(userName))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func named(userName string) bridge.Query {
	return bridge.Query{Limit: 10, Filter: &bridge.Predicate{Op: "eq", Path: []string{"userName"}, Value: userName}}
}

func find(t testing.TB, d *connector.Directory, userName string) []string {
	t.Helper()
	page, err := d.SearchPeople(t.Context(), named(userName))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range page.Items {
		ids = append(ids, p.ID)
	}
	if int(page.Total) != len(ids) {
		t.Errorf("%d people are counted, %d shown", page.Total, len(ids))
	}
	return ids
}

func html(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><body>Not here</body></html>")
	}
}

// To an identity provider 404 means that somebody is gone and has to be created again.
func TestWhatIsNoSCIMAnswerSaysNothingOfAPerson(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	for name, serve := range map[string]http.HandlerFunc{
		"a 404 page":         html(http.StatusNotFound),
		"a page":             html(http.StatusOK),
		"a page for a fault": html(http.StatusBadRequest),
		"an answer cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/scim+json")
			_, _ = io.WriteString(w, `{"id":"000001","userName":"a`)
		},
		"a connection cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"id":"000001"}`)
		},
		"a redirect elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		},
		"a list": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, map[string]any{"totalResults": 0, "Resources": []any{}})
		},
		"somebody else": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, map[string]any{"id": "000002", "userName": "b@example.com"})
		},
		"a fault": func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusInternalServerError, "", "no") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, habits{})
			front := far.front(t)
			p := mustCreate(t, front, "a@example.com")
			far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				isPerson := strings.HasSuffix(r.URL.Path, "/Users/"+p.ID)
				if isPerson {
					serve(w, r)
				}
				return isPerson
			})
			wholeList := name == "a 404 page" // a page for all that is not there says it of nobody
			if wholeList {
				far.intercept(func(w http.ResponseWriter, r *http.Request) bool { serve(w, r); return true })
			}
			_, err := front.Person(t.Context(), p.ID)
			if !errors.Is(err, bridge.ErrUnavailable) || connector.CauseOf(err) != connector.Unreachable {
				t.Errorf("reading: %v, cause %q", err, connector.CauseOf(err))
			}
			err = front.DeletePerson(t.Context(), p.ID, "")
			if bridge.CodeOf(err) == bridge.NotFound || err == nil && name != "a page" && name != "a list" &&
				name != "somebody else" {
				t.Errorf("deleting: %v", err)
			}
			if wholeList {
				if page, err := front.SearchPeople(t.Context(), named("a@example.com")); err == nil {
					t.Errorf("a search finds %d", page.Total)
				}
			}
		})
	}
}

func TestA404PageOfAServersOwnIsBelieved(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		isPerson := strings.HasSuffix(r.URL.Path, "/Users/gone")
		if isPerson {
			html(http.StatusNotFound)(w, r)
		}
		return isPerson
	})
	if _, err := front.Person(t.Context(), "gone"); bridge.CodeOf(err) != bridge.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestACreationCountsWhateverItsAnswerSays(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(status int, h http.Header, body map[string]any) (int, map[string]any){
		"200": func(_ int, _ http.Header, body map[string]any) (int, map[string]any) { return http.StatusOK, body },
		"no id": func(status int, h http.Header, body map[string]any) (int, map[string]any) {
			delete(body, "id")
			return status, body
		},
		"no id, and a Location elsewhere": func(status int, h http.Header, body map[string]any) (int, map[string]any) {
			delete(body, "id")
			h.Set("Location", "https://internal.example:8443/api/Users/000001")
			return status, body
		},
		"neither id nor Location": func(status int, h http.Header, body map[string]any) (int, map[string]any) {
			delete(body, "id")
			h.Del("Location")
			return status, body
		},
		"an id alone": func(status int, _ http.Header, body map[string]any) (int, map[string]any) {
			return status, map[string]any{"id": body["id"]}
		},
		"nothing": func(_ int, h http.Header, _ map[string]any) (int, map[string]any) {
			h.Del("Location")
			return http.StatusNoContent, nil
		},
		"a Location that is somebody else's": func(status int, h http.Header, _ map[string]any) (int, map[string]any) {
			h.Set("Location", "/scim/v2/Users/none")
			return status, map[string]any{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, habits{filters: none})
			front := far.front(t)
			far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				recorded := httptest.NewRecorder()
				far.mu.Lock()
				far.serve(recorded, r, "/Users")
				far.mu.Unlock()
				var body map[string]any
				_ = json.Unmarshal(recorded.Body.Bytes(), &body)
				status, body := spoil(recorded.Code, recorded.Header(), body)
				for name, values := range recorded.Header() {
					w.Header()[name] = values
				}
				if body == nil {
					w.WriteHeader(status)
				} else {
					answer(w, status, body)
				}
				return true
			})
			p := mustCreate(t, front, "a@example.com")
			if p.ID != "000001" || !strings.Contains(string(p.Attributes), "e-a@example.com") {
				t.Errorf("created %+v", p)
			}
			if n := far.count("POST"); n != 1 || len(far.people) != 1 {
				t.Errorf("%d creations made %d people", n, len(far.people))
			}
		})
	}
}

// None of the servers here refuses a name that is taken.
func TestALostAnswerToACreationMakesNobodyTwice(t *testing.T) {
	t.Parallel()
	written := func(far *standIn, r *http.Request) {
		far.mu.Lock()
		defer far.mu.Unlock()
		far.serve(httptest.NewRecorder(), r, "/Users")
	}
	for name, row := range map[string]struct {
		habits habits
		hit    func(far *standIn) http.HandlerFunc
		posts  int
	}{
		"the connection breaks": {habits{notUnique: true}, func(far *standIn) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { written(far, r); panic(http.ErrAbortHandler) }
		}, 1},
		"500 after it was written": {habits{notUnique: true, filters: none}, func(far *standIn) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { written(far, r); refuse(w, 500, "", "no") }
		}, 1},
		"500 before it was written": {habits{notUnique: true, filters: none}, func(*standIn) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { refuse(w, 500, "", "no") }
		}, 2},
		"504 while it is being written": {habits{notUnique: true}, func(far *standIn) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				time.AfterFunc(300*time.Millisecond, func() {
					late := context.WithoutCancel(r.Context())
					written(far, httptest.NewRequestWithContext(late, http.MethodPost, "/", bytes.NewReader(body)))
				})
				refuse(w, http.StatusGatewayTimeout, "", "late")
			}
		}, 1},
		"429": {habits{notUnique: true}, func(*standIn) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "1")
				refuse(w, http.StatusTooManyRequests, "", "slower")
			}
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, row.habits)
			front := far.front(t)
			mustCreate(t, front, "first@example.com")
			far.forgetCounts()
			far.intercept(once(http.MethodPost, "/Users", row.hit(far)))
			p := mustCreate(t, front, "a@example.com")
			if ids := find(t, front, "A@EXAMPLE.COM"); !slices.Equal(ids, []string{p.ID}) {
				t.Errorf("created %s, found %v", p.ID, ids)
			}
			far.mu.Lock()
			defer far.mu.Unlock()
			if len(far.people) != 2 || far.counts["POST /Users"] != row.posts {
				t.Errorf("%d creations, want %d, made %d people", far.counts["POST /Users"], row.posts,
					len(far.people)-1)
			}
		})
	}
}

func TestManyCreationsOfOneNameMakeOnePerson(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]habits{
		"with filters":    {notUnique: true},
		"without filters": {notUnique: true, filters: none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, h)
			front := far.front(t)
			var made, taken atomic.Int64
			var group sync.WaitGroup
			for i := range 12 {
				group.Go(func() {
					name := []string{"ann@example.com", "ANN@example.com"}[i%2]
					_, err := front.CreatePerson(t.Context(), input(name))
					switch {
					case err == nil:
						made.Add(1)
					case bridge.CodeOf(err) == bridge.UserNameTaken:
						taken.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			group.Wait()
			if made.Load() != 1 || taken.Load() != 11 || len(far.people) != 1 {
				t.Errorf("%d were created, %d refused, %d are there", made.Load(), taken.Load(), len(far.people))
			}
		})
	}
	t.Run("after a restart", func(t *testing.T) {
		t.Parallel()
		far := newStandIn(t, habits{notUnique: true, filters: none})
		mustCreate(t, far.front(t), "ann@example.com")
		if _, err := far.front(t).CreatePerson(t.Context(), input("Ann@example.com")); bridge.CodeOf(err) !=
			bridge.UserNameTaken {
			t.Errorf("got %v", err)
		}
	})
}

func TestIDsAreNoPaths(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a/b", "../Groups/1", "..", ".", "a b?c#d", "100%", "ü;=&+", `DOMAIN\ann`} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, habits{ids: func(n int) string { return id + strings.Repeat(".", n-1) }})
			front := far.front(t)
			p := mustCreate(t, front, "a@example.com")
			if got, err := front.Person(t.Context(), p.ID); err != nil || got.ID != id {
				t.Fatalf("read %q: %v", got.ID, err)
			}
			if _, err := front.ReplacePerson(t.Context(), p.ID, input("b@example.com"), p.Version); err != nil {
				t.Error(err)
			}
			if err := front.DeletePerson(t.Context(), p.ID, ""); err != nil || len(far.people) != 0 {
				t.Errorf("deleting: %v, %d are left", err, len(far.people))
			}
			if _, err := front.Person(t.Context(), p.ID); bridge.CodeOf(err) != bridge.NotFound {
				t.Errorf("it is gone: %v", err)
			}
		})
	}
	far := newStandIn(t, habits{})
	if _, err := far.front(t).Person(t.Context(), ""); bridge.CodeOf(err) != bridge.NotFound {
		t.Errorf("no id: %v", err)
	}
}

func TestErrorsTellTheirCause(t *testing.T) {
	t.Parallel()
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			refuse(w, status, "", "not with "+r.Header.Get("Authorization"))
		}
	}
	for name, row := range map[string]struct {
		serve http.HandlerFunc
		cause connector.Cause
		code  bridge.Code
	}{
		"401":                {status(401), connector.TokenRefused, ""},
		"403":                {status(403), connector.TokenRefused, ""},
		"429":                {status(429), connector.RateLimited, bridge.TooMany},
		"500":                {status(500), connector.Unreachable, ""},
		"503":                {status(503), connector.Unreachable, ""},
		"501":                {status(501), connector.CapabilityMissing, ""},
		"a page":             {html(200), connector.Unreachable, ""},
		"a page for a fault": {html(502), connector.Unreachable, ""},
		"404":                {status(404), "", bridge.NotFound},
		"400":                {status(400), "", bridge.InvalidValue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := newStandIn(t, habits{})
			front := far.front(t)
			p := mustCreate(t, front, "a@example.com")
			far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if name == "429" {
					w.Header().Set("Retry-After", "300")
				}
				row.serve(w, r)
				return true
			})
			_, err := front.Person(t.Context(), p.ID)
			if connector.CauseOf(err) != row.cause || bridge.CodeOf(err) != row.code {
				t.Errorf("%v: cause %q, code %q", err, connector.CauseOf(err), bridge.CodeOf(err))
			}
			if errors.Is(err, bridge.ErrUnavailable) != (row.code == "") {
				t.Errorf("%v: unavailable %t", err, errors.Is(err, bridge.ErrUnavailable))
			}
			shown := fmt.Sprintf("%v %+v %+v", err, err, front.State())
			if u, ok := errors.AsType[*bridge.UnavailableError](err); ok {
				shown += u.Detail
			}
			if strings.Contains(shown, farToken) {
				t.Errorf("the token is in %s", shown)
			}
			s := front.State()
			isTrouble := row.cause != "" && row.cause != connector.CapabilityMissing
			if (s.Trouble != nil) != isTrouble || isTrouble && s.Trouble.Cause != row.cause {
				t.Errorf("the state tells of %+v", s.Trouble)
			}
			if (len(s.Lacks) > 0) != (row.cause == connector.CapabilityMissing) {
				t.Errorf("it lacks %+v", s.Lacks)
			}
			far.intercept(nil)
			_, err = front.Person(t.Context(), p.ID)
			if s := front.State(); name != "429" && (err != nil || s.Trouble != nil) {
				t.Errorf("it is well again: %v, %+v", err, s.Trouble)
			}
		})
	}
}

func TestAnAddressThatIsNotSafeIsRefused(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://scim.example.com/scim/v2", "https://hunter2@scim.example.com", ""} {
		_, err := connector.New(connector.Config{URL: address, Transport: newTransport(t),
			Token: func() secret.String { return secret.New(farToken) }})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestAFarSideThatIsAway(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	far.Close()
	_, err := front.CreatePerson(t.Context(), input("a@example.com"))
	if connector.CauseOf(err) != connector.Unreachable || front.State().Trouble == nil {
		t.Errorf("%v, %+v", err, front.State())
	}
}

func TestTheTokenIsAskedForEachTime(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	var token atomic.Value
	token.Store(farToken)
	front := far.front(t, func(c *connector.Config) {
		c.Token = func() secret.String { return secret.New(token.Load().(string)) }
	})
	mustCreate(t, front, "a@example.com")
	token.Store("revoked")
	_, err := front.CreatePerson(t.Context(), input("b@example.com"))
	if connector.CauseOf(err) != connector.TokenRefused {
		t.Errorf("with a revoked token: %v", err)
	}
	token.Store("")
	far.forgetCounts()
	if _, err := front.Person(t.Context(), "x"); !errors.Is(err, bridge.ErrUnavailable) || far.count("") > 0 {
		t.Errorf("without a token: %v, and %d requests", err, far.count(""))
	}
	token.Store(farToken)
	mustCreate(t, front, "b@example.com")
}

func TestTheFarSideIsLeftAloneAsItAsks(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	p := mustCreate(t, front, "a@example.com")
	limit := func(seconds string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", seconds)
			refuse(w, http.StatusTooManyRequests, "", "slower")
		}
	}
	far.intercept(once(http.MethodGet, "/Users/", limit("1")))
	began := time.Now()
	if _, err := front.Person(t.Context(), p.ID); err != nil || time.Since(began) < time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
	defer cancel()
	far.intercept(once(http.MethodGet, "/Users/", limit("3")))
	if _, err := front.Person(ctx, p.ID); bridge.CodeOf(err) != bridge.TooMany {
		t.Errorf("a wait that leaves too little time for the answer: %v", err)
	}
	far.intercept(once(http.MethodGet, "/Users/", limit("120")))
	if _, err := front.Person(t.Context(), p.ID); bridge.CodeOf(err) != bridge.TooMany {
		t.Errorf("a wait that is too long: %v", err)
	}
	far.forgetCounts()
	err := front.DeletePerson(t.Context(), p.ID, "")
	e, ok := errors.AsType[*bridge.Error](err)
	if !ok || e.Code != bridge.TooMany || e.RetryAfter < time.Minute || far.count("") > 0 {
		t.Errorf("meanwhile: %v, and %d requests", err, far.count(""))
	}
}

// Requests that were under way when the far side asked to be left alone go well, and those that come do not.
func TestALimitIsATroubleUntilItIsOver(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	p := mustCreate(t, front, "a@example.com")
	begun, limited := make(chan struct{}), make(chan struct{})
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			close(begun)
			<-limited
			return false
		}
		w.Header().Set("Retry-After", "120")
		refuse(w, http.StatusTooManyRequests, "", "slower")
		return true
	})
	read := make(chan error)
	go func() {
		_, err := front.Person(t.Context(), p.ID)
		read <- err
	}()
	<-begun
	if err := front.DeletePerson(t.Context(), p.ID, ""); bridge.CodeOf(err) != bridge.TooMany {
		t.Errorf("deleting: %v", err)
	}
	close(limited)
	if err := <-read; err != nil {
		t.Errorf("reading: %v", err)
	}
	if trouble := front.State().Trouble; trouble == nil || trouble.Cause != connector.RateLimited {
		t.Errorf("the trouble is %+v", trouble)
	}
}

func TestTheFarSideGetsNoMoreAtOnceThanItMay(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t, func(c *connector.Config) { c.Concurrency = 2 })
	p := mustCreate(t, front, "a@example.com")
	var now, most atomic.Int64
	both := make(chan struct{})
	far.intercept(func(http.ResponseWriter, *http.Request) bool {
		n := now.Add(1)
		for before := most.Load(); n > before && !most.CompareAndSwap(before, n); before = most.Load() {
		}
		if n == 2 && most.Load() == 2 {
			select {
			case <-both:
			default:
				close(both)
			}
		}
		select {
		case <-both:
		case <-time.After(time.Minute):
		}
		now.Add(-1)
		return false
	})
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if _, err := front.Person(t.Context(), p.ID); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most.Load() != 2 {
		t.Errorf("%d were under way at once", most.Load())
	}
}

func TestTheRateIsLimited(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t, func(c *connector.Config) { c.Rate = 20 })
	began := time.Now()
	for range 40 {
		if _, err := front.Person(t.Context(), "none"); bridge.CodeOf(err) != bridge.NotFound {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("40 requests at 20 a second, of which 20 at once, took %s", took)
	}
}

// Reading goes well all the time, and no identity provider can change anything.
func TestATokenThatMayOnlyReadStaysATrouble(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	p := mustCreate(t, front, "a@example.com")
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			refuse(w, http.StatusForbidden, "", "the token may only read")
		}
		return r.Method == http.MethodPost
	})
	if _, err := front.CreatePerson(t.Context(), input("b@example.com")); connector.CauseOf(err) !=
		connector.TokenRefused {
		t.Errorf("creating: %v", err)
	}
	if _, err := front.Person(t.Context(), p.ID); err != nil {
		t.Error(err)
	}
	if s := front.State(); s.Trouble == nil || s.Trouble.Cause != connector.TokenRefused {
		t.Errorf("the state tells of %+v", s.Trouble)
	}
	far.intercept(nil)
	mustCreate(t, front, "b@example.com")
	if s := front.State(); s.Trouble != nil {
		t.Errorf("the state tells of %+v", s.Trouble)
	}
}

// A resource that must not be changed is no token that may do nothing.
func TestAProtectedPersonIsNoTrouble(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{})
	front := far.front(t)
	p := mustCreate(t, front, "owner@example.com")
	far.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			refuse(w, http.StatusForbidden, "", "the owner stays")
		}
		return r.Method == http.MethodDelete
	})
	if err := front.DeletePerson(t.Context(), p.ID, ""); bridge.CodeOf(err) != bridge.Protected {
		t.Errorf("got %v", err)
	}
	if s := front.State(); s.Trouble != nil {
		t.Errorf("the state tells of %+v", s.Trouble)
	}
}

// The list is read on for those who ask next, when the one who asked first has given up.
func TestAListIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	far := newStandIn(t, habits{filters: none})
	ids := far.add(names(300)...)
	front := far.front(t)
	ctx, cancel := context.WithCancel(t.Context())
	far.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("startIndex") == "100" {
			cancel()
		}
		return false
	})
	if _, err := front.SearchPeople(ctx, named("p250@example.com")); !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("the one who gave up: %v", err)
	}
	if got := find(t, front, "p250@example.com"); !slices.Equal(got, ids[250:251]) {
		t.Errorf("found %v", got)
	}
	if n := far.count("GET /Users"); n > 15 {
		t.Errorf("it took %d requests", n)
	}
}
