package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// room is a waiting room whose faults can be chosen.
type room struct {
	mu        sync.Mutex
	people    []bridge.Attention
	away      error            // of Attention
	refusals  map[string]error // of ConfirmPerson
	confirmed []string
	rounds    int
	shown     int // how many of those who accepted Attention shows at a time; 0 shows them all, also those confirmed
}

func (r *room) Attention(context.Context) ([]bridge.Attention, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rounds++
	if r.shown == 0 {
		return slices.Clone(r.people), r.away
	}
	left := slices.DeleteFunc(slices.Clone(r.people), func(a bridge.Attention) bool {
		return slices.Contains(r.confirmed, a.PersonID)
	})
	return left[:min(r.shown, len(left))], r.away
}

func (r *room) ConfirmPerson(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.refusals[id]; err != nil {
		return err
	}
	r.confirmed = append(r.confirmed, id)
	return nil
}

// watch runs f beside a watcher, in a bubble where time passes at once.
func watch(t *testing.T, r *room, f func(*Watcher)) {
	t.Helper()
	watchWith(t, r, hclog.NewNullLogger(), f)
}

func watchWith(t *testing.T, r *room, log hclog.Logger, f func(*Watcher)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &Watcher{Room: r, Every: 5 * time.Minute, Log: log, Now: time.Now, OnChange: func() {}}
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		synctest.Wait()
		f(w)
		cancel()
		synctest.Wait()
	})
}

// pass lets time go by in the bubble, which takes none.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func due(id string) bridge.Attention {
	return bridge.Attention{PersonID: id, UserName: id + "@x.org", Kind: bridge.ConfirmationDue, Since: time.Now()}
}

func TestAcceptedMembersAreConfirmedAtOnceAndAtEveryInterval(t *testing.T) {
	t.Parallel()
	r := &room{people: []bridge.Attention{due("ann")}}
	watch(t, r, func(w *Watcher) {
		if !slices.Equal(r.confirmed, []string{"ann"}) || len(w.Waiting()) != 0 {
			t.Errorf("at the start: confirmed %v, waiting %v", r.confirmed, w.Waiting())
		}
		r.mu.Lock()
		r.people = []bridge.Attention{due("bob")}
		r.mu.Unlock()
		pass(5*time.Minute + time.Second)
		if !slices.Equal(r.confirmed, []string{"ann", "bob"}) {
			t.Errorf("after the interval: %v", r.confirmed)
		}
	})
}

func TestAllAcceptedMembersAreConfirmedInOneRound(t *testing.T) {
	t.Parallel()
	r := &room{shown: 2, refusals: map[string]error{"ann": errors.New("no such member")}}
	for _, id := range []string{"ann", "bob", "cem", "dan", "eve"} {
		r.people = append(r.people, due(id))
	}
	watch(t, r, func(w *Watcher) {
		if want := []string{"bob", "cem", "dan", "eve"}; !slices.Equal(r.confirmed, want) {
			t.Errorf("confirmed %v, want %v", r.confirmed, want)
		}
		if waiting := w.Waiting(); len(waiting) != 1 || waiting[0].PersonID != "ann" {
			t.Errorf("waiting %v, want ann, who cannot be confirmed", waiting)
		}
	})
}

func TestManyTriggersMakeFewRounds(t *testing.T) {
	t.Parallel()
	r := &room{}
	watch(t, r, func(w *Watcher) {
		for range 100 {
			w.Trigger()
			synctest.Wait()
		}
		pass(2 * time.Second)
		if r.rounds < 2 || r.rounds > 3 {
			t.Errorf("%d rounds, want one at the start and one or two for the looks", r.rounds)
		}
	})
}

func TestWhatIsKnownStaysWhileTheAccountIsAway(t *testing.T) {
	t.Parallel()
	r := &room{
		people: []bridge.Attention{{PersonID: "ann", UserName: "ann", Kind: bridge.AddressMissing, Since: time.Now()}},
	}
	watch(t, r, func(w *Watcher) {
		r.mu.Lock()
		r.away = bridge.ErrUnavailable
		r.mu.Unlock()
		pass(time.Minute)
		if got := w.Report(); got.State != health.Degraded || len(got.Problems) != 1 || len(w.Waiting()) != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

// Health is unknown before anything was read: before the first round,
// and not while rounds fail.
func TestHealthIsUnknownBeforeAGoodRound(t *testing.T) {
	t.Parallel()
	if got := (&Watcher{Now: time.Now, Every: time.Minute}).Report(); got.State != health.Unknown {
		t.Errorf("before the first round: %s", got.State)
	}
	r := &room{away: bridge.ErrUnavailable}
	watch(t, r, func(w *Watcher) {
		pass(time.Second)
		if got := w.Report(); got.State != health.Unknown {
			t.Errorf("after a round that failed: %s", got.State)
		}
		r.mu.Lock()
		r.away = nil
		r.mu.Unlock()
		pass(time.Hour)
		if got := w.Report(); got.State != health.Healthy {
			t.Errorf("after a round without waiting people: %s", got.State)
		}
	})
}

func TestProblemsAreOneForEachRemedy(t *testing.T) {
	t.Parallel()
	wait := func(kind bridge.AttentionKind, user, address, domain string) bridge.Attention {
		return bridge.Attention{PersonID: user, UserName: user, Kind: kind, Address: address, Domain: domain,
			Since: time.Unix(1000, 0)}
	}
	r := &room{
		refusals: map[string]error{"kim": errors.New("no such member")},
		people: []bridge.Attention{
			wait(bridge.SignupDomainMissing, "a@old.org", "a@new.org", "new.org"),
			wait(bridge.SignupDomainMissing, "b@old.org", "b@new.org", "new.org"),
			wait(bridge.SignupDomainMissing, "c@old.org", "c@other.org", "other.org"),
			wait(bridge.AddressMissing, "dan", "", ""),
			wait(bridge.AddressTaken, "eve", "a@old.org", ""),
			wait(bridge.InvitationOpen, "fay", "fay@old.org", ""),
			wait(bridge.AddressUnconfirmed, "gus", "gus@old.org", ""),
			wait(bridge.ConfirmationDue, "kim", "", ""),
		},
	}
	watch(t, r, func(w *Watcher) {
		var got []string
		for _, p := range w.Report().Problems {
			got = append(got, string(p.Code)+" "+p.Details[problem.FactUserName])
		}
		want := []string{
			"signup_domain_missing a@old.org and b@old.org", "signup_domain_missing c@old.org",
			"address_missing dan", "address_missing eve", "confirmation_stuck kim",
		}
		if !slices.Equal(got, want) {
			t.Errorf("problems\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(w.Waiting()) != 8 {
			t.Errorf("%d people wait, want 8", len(w.Waiting()))
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		people string
		want   string
	}{
		{"one", "a", "a"},
		{"two", "a b", "a and b"},
		{"all that are shown", "a b c d e", "a, b, c, d and e"},
		{"one more", "a b c d e f", "a, b, c, d, e and one other"},
		{"many more", "a b c d e f g", "a, b, c, d, e and 2 others"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var people []bridge.Attention
			for _, n := range strings.Fields(row.people) {
				people = append(people, bridge.Attention{UserName: n})
			}
			if got := names(people); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// What an operator must do stands in the log too, once, as diagnose reads it,
// and without the e-mail addresses of the people.
func TestAWaitingPersonIsLoggedOnce(t *testing.T) {
	t.Parallel()
	wait := func(kind bridge.AttentionKind, id, address, domain string) bridge.Attention {
		return bridge.Attention{PersonID: id, UserName: id + "@old.org", Kind: kind, Address: address, Domain: domain,
			Since: time.Unix(1000, 0)}
	}
	r := &room{
		refusals: map[string]error{"kim": errors.New("no such member")},
		people: []bridge.Attention{
			wait(bridge.SignupDomainMissing, "ann", "ann@new.org", "new.org"),
			wait(bridge.SignupDomainMissing, "bob", "bob@new.org", "new.org"),
			wait(bridge.AddressMissing, "dan", "", ""),
			wait(bridge.AddressTaken, "eve", "ann@old.org", ""),
			wait(bridge.InvitationOpen, "fay", "fay@old.org", ""),
			wait(bridge.ConfirmationDue, "kim", "kim@old.org", ""),
		},
	}
	var log bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Info})
	watchWith(t, r, logger, func(*Watcher) {
		pass(time.Hour)
		r.mu.Lock()
		r.people = append(r.people[:2:2], wait(bridge.SignupDomainMissing, "gus", "gus@new.org", "new.org"),
			wait(bridge.SignupDomainMissing, "hal", "hal@other.org", "other.org"))
		r.mu.Unlock()
		pass(time.Hour)
		r.mu.Lock()
		r.people = nil
		r.mu.Unlock()
		pass(time.Hour)
	})
	if strings.Contains(log.String(), "@") {
		t.Errorf("the log has e-mail addresses:\n%s", log.String())
	}
	if n := strings.Count(log.String(), "a problem has passed"); n != 5 {
		t.Errorf("%d problems have passed, want 5:\n%s", n, log.String())
	}
	for _, people := range []string{`people="ann, bob"`, "people=eve", "people=kim"} {
		if !strings.Contains(log.String(), people) {
			t.Errorf("%s is not in the log:\n%s", people, log.String())
		}
	}
	found, err := problem.Diagnose(strings.NewReader(log.String()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found.Problems {
		got = append(got, strings.TrimSpace(fmt.Sprint(p.Code, " ", p.Details[problem.FactDomain],
			p.Details[problem.FactReason], " ", p.Details[problem.FactCount])))
	}
	slices.Sort(got)
	want := []string{
		"address_missing  1", "address_missing address_taken 1", "confirmation_stuck no such member 1",
		"signup_domain_missing new.org 1", "signup_domain_missing other.org 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("diagnose finds\n%s\nwant, each once,\n%s\nin\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"),
			log.String())
	}
}

func TestAThousandDomainsAreNotAThousandLines(t *testing.T) {
	t.Parallel()
	r := &room{}
	for i := range 1000 {
		r.people = append(r.people, bridge.Attention{
			PersonID: fmt.Sprint(i), Kind: bridge.SignupDomainMissing, Domain: fmt.Sprintf("d%d.org", i),
			Since: time.Unix(1000, 0),
		})
	}
	var log bytes.Buffer
	watchWith(t, r, hclog.New(&hclog.LoggerOptions{Output: &log}), func(*Watcher) {
		pass(time.Minute)
		r.mu.Lock()
		r.people = nil
		r.mu.Unlock()
		pass(time.Minute)
	})
	n := strings.Count(log.String(), "\n")
	if n != 2*mostLogged+1 || !strings.Contains(log.String(), "more_problems=980") {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
}
