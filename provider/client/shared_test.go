package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// firewalled is an account whose policy changes with every write.
type firewalled struct {
	version atomic.Int64
	asked   atomic.Int64 // for the policy
	sent    atomic.Int64 // with its body
	writing atomic.Int64 // writes on their way
	most    atomic.Int64 // at the same time
}

func (f *firewalled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		now := f.writing.Add(1)
		defer f.writing.Add(-1)
		for most := f.most.Load(); now > most && !f.most.CompareAndSwap(most, now); most = f.most.Load() {
		}
		f.version.Add(1)
		answer(w, http.StatusCreated, api.FirewallRule{Id: "new"})
		return
	}
	f.asked.Add(1)
	etag := fmt.Sprintf(`"%d"`, f.version.Load())
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	f.sent.Add(1)
	answer(w, http.StatusOK, api.Firewall{Etag: etag, Rules: []api.FirewallRule{{Id: "rule" + etag}}})
}

func (f *firewalled) expect(t *testing.T, what string, asked, sent int64) {
	t.Helper()
	if f.asked.Load() != asked || f.sent.Load() != sent {
		t.Errorf("%s: asked %d times and answered %d times, want %d and %d", what,
			f.asked.Load(), f.sent.Load(), asked, sent)
	}
}

func write(ctx context.Context, c *Client) error {
	_, err := Call[api.FirewallRule](c.API.CreateFirewallRule(ctx, nil, api.FirewallRuleInput{}))
	return err
}

func TestTheListIsSharedByTheResourcesOfARun(t *testing.T) {
	t.Parallel()
	var account firewalled
	c := faulty(t, account.ServeHTTP)
	read := func() *Firewall {
		t.Helper()
		f, err := c.Firewall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := c.Firewall(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	account.expect(t, "fifty resources", 1, 1)
	if c.Applying() {
		t.Error("a run that only read is applying")
	}
	if err := write(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if !c.Applying() {
		t.Error("a run that wrote is not applying")
	}
	if _, ok := read().ByID[`rule"1"`]; !ok {
		t.Error("after a write, what was there before is read")
	}
	account.expect(t, "after a write", 2, 2)

	// What may have changed without our doing is asked for by its version.
	c.firewall.mu.Lock()
	c.firewall.at = time.Now().Add(-freshFor)
	c.firewall.mu.Unlock()
	if _, ok := read().ByID[`rule"1"`]; !ok {
		t.Error("the same version is another policy")
	}
	account.expect(t, "after a while", 3, 2)
}

func TestAListThatWasBeingReadDuringAWriteIsReadAgain(t *testing.T) {
	t.Parallel()
	var s shared[int]
	fetch := func(value int) func(context.Context, string) (int, string, bool, error) {
		return func(context.Context, string) (int, string, bool, error) {
			s.writes.Add(1) // another client writes while the answer is on its way
			return value, "", false, nil
		}
	}
	for want := range 3 {
		if got, err := s.get(t.Context(), fetch(want)); got != want || err != nil {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
	}
}

func TestAListThatFailedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	var s shared[int]
	boom := errors.New("boom")
	_, err := s.get(t.Context(), func(context.Context, string) (int, string, bool, error) { return 0, "", false, boom })
	if !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
	if got, err := s.get(t.Context(), func(context.Context, string) (int, string, bool, error) {
		return 7, "", false, nil
	}); got != 7 || err != nil {
		t.Errorf("got %d, %v; want 7", got, err)
	}
}

func TestWritesAreBounded(t *testing.T) {
	t.Parallel()
	var account firewalled
	c := faulty(t, account.ServeHTTP)
	var all sync.WaitGroup
	for range 20 * maxWrites {
		all.Go(func() {
			if err := write(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most := account.most.Load(); most > maxWrites {
		t.Errorf("%d writes were on their way at once, want at most %d", most, maxWrites)
	}
}

func TestARefusalThatMayPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	lockedOut := &Error{Status: http.StatusConflict, Problem: api.Problem{Code: "would_lock_out"}}
	exists := &Error{Status: http.StatusConflict, Problem: api.Problem{Code: "firewall_rule_exists"}}
	for _, row := range []struct {
		name    string
		refused int // times, before it succeeds
		err     error
		want    int // tries
		ok      bool
	}{
		{"the first time it succeeds", 0, nil, 1, true},
		{"until it succeeds", 3, lockedOut, 4, true},
		{"for no longer than the timeout", 1000, lockedOut, 63, false},
		{"until what exists is gone", 3, exists, 4, true},
		{"for a few seconds, if it stays", 1000, exists, 9, false},
		{"but for nothing else", 1000, errors.New("boom"), 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				_, err := RetryConflicts(t.Context(), &Client{conflictTimeout: DefaultConflictTimeout},
					func() (Nothing, error) {
						if tries++; tries <= row.refused {
							return Nothing{}, row.err
						}
						return Nothing{}, nil
					})
				if tries != row.want || (err == nil) != row.ok {
					t.Errorf("%d tries, error %v; want %d", tries, err, row.want)
				}
			})
		})
	}
	t.Run("until Terraform is interrupted", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := RetryConflicts(ctx, &Client{conflictTimeout: DefaultConflictTimeout}, func() (Nothing, error) {
				return Nothing{}, lockedOut
			})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want the context's", err)
			}
		})
	})
}

func TestSignupDomainsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	next := "more"
	var asked atomic.Int64
	c := faulty(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Query().Get("limit") != "1000" {
			t.Errorf("asked with %q", r.URL.RawQuery)
		}
		if strings.Contains(r.URL.RawQuery, next) {
			answer(w, http.StatusOK, api.SignupDomainPage{Items: []api.SignupDomain{{Domain: "b.example"}}})
			return
		}
		answer(w, http.StatusOK,
			api.SignupDomainPage{Items: []api.SignupDomain{{Domain: "a.example"}}, NextCursor: &next})
	})
	for range 2 {
		all, err := c.SignupDomains(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatalf("got %v, %v; want both", all, err)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("asked %d times, want once a page", asked.Load())
	}
}

func TestThingsOfARun(t *testing.T) {
	t.Parallel()
	c := faulty(t, http.NotFound)
	type counter struct{ atomic.Int64 }
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { PerRun[counter](c).Add(1) })
	}
	all.Wait()
	if n := PerRun[counter](c).Load(); n != 20 {
		t.Errorf("counted %d, want 20: there were several", n)
	}
	c.Note("it")
	if !c.Noted("it") || c.Noted("other") {
		t.Error("notes are mixed up")
	}
}
