package scim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

// A slowFarSide serves a stand-in without a network, in the time of the test: it holds each request for as long as the
// method takes.
type slowFarSide struct {
	*standIn
	takes map[string]time.Duration

	mu    sync.Mutex
	began []string // methods and times of what was held
}

func (s *slowFarSide) RoundTrip(r *http.Request) (*http.Response, error) {
	if takes := s.takes[r.Method]; takes > 0 {
		s.mu.Lock()
		s.began = append(s.began, fmt.Sprint(r.Method, " ", since(r.Context())))
		s.mu.Unlock()
		timer := time.NewTimer(takes)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	served := r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	recorded := httptest.NewRecorder()
	s.ServeHTTP(recorded, served)
	return recorded.Result(), nil
}

type beginning struct{}

// since is how long ago the method of the Directory was called.
func since(ctx context.Context) time.Duration {
	began, _ := ctx.Value(beginning{}).(time.Time)
	return time.Since(began).Round(time.Millisecond)
}

// before is a Directory before a slow far side, in a bubble of synctest.
func before(t *testing.T, h habits, takes map[string]time.Duration) (*connector.Directory, *slowFarSide) {
	t.Helper()
	far := &slowFarSide{standIn: &standIn{habits: h, Server: &httptest.Server{URL: "https://scim.example.com"},
		counts: make(map[string]int)}}
	d, err := connector.New(connector.Config{URL: far.URL + "/scim/v2", Transport: far, Rate: 100_000,
		Token: func() secret.String { return secret.New(farToken) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	mustCreate(t, d, "first@example.com") // it has learned what the far side can do
	far.takes = takes
	return d, far
}

// timed calls a method of the Directory and returns how long it took.
func timed(t *testing.T, call func(context.Context) error) (time.Duration, error) {
	t.Helper()
	began := time.Now()
	err := call(context.WithValue(t.Context(), beginning{}, began))
	return time.Since(began), err
}

// An identity provider gives up after half a minute: it gets an answer before.
func TestNothingTakesLongerThanAnIdentityProviderWaits(t *testing.T) {
	t.Parallel()
	const never = time.Hour
	for _, row := range []struct {
		name  string
		takes map[string]time.Duration
		call  func(context.Context, *connector.Directory) error
		took  time.Duration
		began string // what was asked, and when
	}{
		{"reading", map[string]time.Duration{"GET": never}, func(ctx context.Context, d *connector.Directory) error {
			_, err := d.Person(ctx, "000001")
			return err
		}, 25 * time.Second, "GET 0s, GET 18.1s"},
		{"searching", map[string]time.Duration{"GET": never}, func(ctx context.Context, d *connector.Directory) error {
			_, err := d.SearchPeople(ctx, named("first@example.com"))
			return err
		}, 25 * time.Second, "GET 0s, GET 18.1s"},
		{"replacing", map[string]time.Duration{"PUT": never}, func(ctx context.Context, d *connector.Directory) error {
			_, err := d.ReplacePerson(ctx, "000001", input("first@example.com"), "")
			return err
		}, 25 * time.Second, "PUT 0s, PUT 18.1s"},
		// A creation whose answer is late is not sent again: the far side may still be at it.
		{"creating", map[string]time.Duration{"POST": never}, func(ctx context.Context, d *connector.Directory) error {
			_, err := d.CreatePerson(ctx, input("a@example.com"))
			return err
		}, 20 * time.Second, "POST 0s"},
		{"deleting", map[string]time.Duration{"DELETE": never},
			func(ctx context.Context, d *connector.Directory) error { return d.DeletePerson(ctx, "000001", "") },
			25 * time.Second, "DELETE 0s, DELETE 18.1s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, far := before(t, habits{}, row.takes)
				took, err := timed(t, func(ctx context.Context) error { return row.call(ctx, d) })
				if took != row.took || connector.CauseOf(err) != connector.Unreachable {
					t.Errorf("it took %s, %v", took, err)
				}
				if u, ok := errors.AsType[*bridge.UnavailableError](err); !ok ||
					!strings.Contains(u.Detail, "did not answer in time") {
					t.Errorf("it says %v", err)
				}
				if began := strings.Join(far.began, ", "); began != row.began {
					t.Errorf("asked: %s", began)
				}
			})
		})
	}
}

// A far side that is slow, and answers within the time of one attempt, is waited for.
func TestASlowAnswerIsAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, far := before(t, habits{}, map[string]time.Duration{"GET": 17 * time.Second})
		took, err := timed(t, func(ctx context.Context) error {
			_, err := d.Person(ctx, "000001")
			return err
		})
		if err != nil || took != 17*time.Second || len(far.began) != 1 {
			t.Errorf("it took %s and %d requests, %v", took, len(far.began), err)
		}
	})
}

// The more members, the longer the change may take.
func TestAChangeOfManyMembersHasMoreTime(t *testing.T) {
	t.Parallel()
	for members, want := range map[int]time.Duration{
		100: 10 * time.Second, // one request
		500: 35 * time.Second,
	} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, far := before(t, habits{}, nil)
				g, err := d.CreateGroup(t.Context(), groupInput("Everyone"))
				if err != nil {
					t.Fatal(err)
				}
				change := bridge.GroupChange{Add: far.add(names(members)...)}
				far.takes = map[string]time.Duration{"PATCH": 10 * time.Second}
				took, err := timed(t, func(ctx context.Context) error {
					_, err := d.UpdateGroup(ctx, g.ID, change, "", false)
					return err
				})
				if took != want || (err == nil) != (members == 100) {
					t.Errorf("it took %s, %v", took, err)
				}
			})
		})
	}
}
