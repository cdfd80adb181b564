package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Watcher confirms members that accepted their invitation, and finds people that need an
// operator.
type Watcher struct {
	Room  bridge.WaitingRoom
	Every time.Duration // the confirmation interval
	Log   hclog.Logger
	Now   func() time.Time
	// OnChange is called when a round has found other problems than the one before.
	OnChange func()
	// OnConfirmed is called with the id of each person that was confirmed; it may be nil.
	OnConfirmed func(person string)

	once sync.Once
	wake chan struct{}

	mu     sync.Mutex
	tried  time.Time // of the last round, successful or not
	looked bool      // the last round was successful
	// succeeded is when the last successful one ended.
	succeeded time.Time
	waiting   []bridge.Attention
	problems  []problem.Problem
}

// Run makes a round immediately and then at every interval, until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.waker():
			// Triggers within a second are coalesced.
			if rest := leastPause - w.Now().Sub(w.lastTried()); rest > 0 {
				timer.Reset(rest)
				continue
			}
		case <-timer.C:
		}
		waiting, problems, err := w.round(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, bridge.ErrUnavailable):
			w.Log.Debug("no member could be confirmed: the account is not open to the bridge", "error", err)
		case err != nil:
			w.Log.Warn("no member could be confirmed", "error", err)
		}
		w.keep(waiting, problems, err)
		timer.Reset(w.pause())
	}
}

const (
	// problemInterval is the interval of rounds while there are problems, so that an operator
	// soon sees the effect of a remedy.
	problemInterval = 5 * time.Second
	// leastPause is the minimum pause between two rounds, regardless of Trigger.
	leastPause = time.Second
)

func (w *Watcher) lastTried() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tried
}

func (w *Watcher) pause() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.problems) > 0 {
		return min(w.Every, problemInterval)
	}
	return w.Every
}

// Trigger makes the next round immediately, because the account has become reachable or an
// operator asked.
func (w *Watcher) Trigger() {
	select {
	case w.waker() <- struct{}{}:
	default:
	}
}

func (w *Watcher) waker() chan struct{} {
	w.once.Do(func() { w.wake = make(chan struct{}, 1) })
	return w.wake
}

// keep records the result of a round, or only that it was tried.
func (w *Watcher) keep(waiting []bridge.Attention, problems []problem.Problem, err error) {
	w.mu.Lock()
	w.tried = w.Now()
	changed := false
	w.looked = err == nil
	before := w.problems
	if err == nil {
		changed = !slices.EqualFunc(problems, w.problems, func(a, b problem.Problem) bool {
			return a.Code == b.Code && a.Cause == b.Cause
		})
		w.waiting, w.problems, w.succeeded = waiting, problems, w.tried
	}
	w.mu.Unlock()
	if changed {
		w.logNews(before, problems)
		w.OnChange()
	}
}

// mostLogged is the maximum number of lines in one round: the addresses of a thousand people
// can change to as many domains in one round.
const mostLogged = 20

// logNews logs a line for each new problem, which scim-bridge diagnose understands, and one
// for each solved one. People are named by their ids: the log has no e-mail addresses.
func (w *Watcher) logNews(before, now []problem.Problem) {
	logged := 0
	for _, p := range without(now, before) {
		if logged++; logged > mostLogged {
			continue
		}
		fields := []any{problem.LogKey, string(p.Code)}
		for _, fact := range []string{problem.FactDomain, problem.FactReason, problem.FactCount, problem.FactPeople} {
			if value := p.Details[fact]; value != "" {
				fields = append(fields, fact, value)
			}
		}
		w.Log.Warn(strings.ToLower(p.Title[:1])+p.Title[1:], fields...)
	}
	if more := logged - mostLogged; more > 0 {
		w.Log.Warn("more people wait for something that an operator must do; the status page lists them",
			"more_problems", more)
	}
	for i, p := range without(before, now) {
		if i == mostLogged {
			return
		}
		w.Log.Info("a problem has passed", "passed", string(p.Code), problem.FactDomain, p.Details[problem.FactDomain])
	}
}

// without returns the problems of a whose cause is not in b. The affected people are not
// compared.
func without(a, b []problem.Problem) []problem.Problem {
	type cause struct{ code, domain, email, reason string }
	causeOf := func(p problem.Problem) cause {
		return cause{string(p.Code), p.Details[problem.FactDomain], p.Details[problem.FactEmail],
			p.Details[problem.FactReason]}
	}
	known := make(map[cause]bool, len(b))
	for _, p := range b {
		known[causeOf(p)] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(p problem.Problem) bool { return known[causeOf(p)] })
}

// Waiting returns the pending people of the last round.
func (w *Watcher) Waiting() []bridge.Attention {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

// LastRound returns when the last successful round was; zero if there was none.
func (w *Watcher) LastRound() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.succeeded
}

// Report reports whether people need an operator.
func (w *Watcher) Report() health.Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := health.Report{Source: "confirmation", State: health.Healthy, Time: w.tried, Problems: w.problems}
	if w.tried.IsZero() {
		r.Time = w.Now()
	}
	r.Expires = r.Time.Add(2*w.Every + time.Minute)
	switch {
	case len(w.problems) > 0:
		r.State = health.Degraded
	case !w.looked:
		r.State = health.Unknown // no round has succeeded yet
	}
	return r
}

// round confirms the members that can be confirmed and returns the people that are still
// pending. The account lists a limited number at a time, so it is asked again until the list
// has only members that were tried.
func (w *Watcher) round(ctx context.Context) (waiting []bridge.Attention, _ []problem.Problem, _ error) {
	tried := map[string]error{} // by person
	for {
		people, err := w.Room.Attention(ctx)
		if err != nil {
			return nil, nil, err
		}
		waiting = people[:0]
		again := false
		for _, p := range people {
			if p.Kind == bridge.ConfirmationDue {
				err, known := tried[p.PersonID]
				if !known {
					if err = w.confirm(ctx, p.PersonID); errors.Is(err, bridge.ErrUnavailable) {
						return nil, nil, err
					}
					tried[p.PersonID], again = err, true
				}
				if err == nil {
					continue
				}
			}
			waiting = append(waiting, p)
		}
		if !again {
			return waiting, problems(waiting, tried), nil
		}
	}
}

func (w *Watcher) confirm(ctx context.Context, person string) error {
	err := w.Room.ConfirmPerson(ctx, person)
	switch {
	case err == nil:
		w.Log.Info("confirmed a member", "person", person)
		if w.OnConfirmed != nil {
			w.OnConfirmed(person)
		}
	case bridge.CodeOf(err) == bridge.NotFound:
		return nil // deprovisioned meanwhile
	case !errors.Is(err, bridge.ErrUnavailable):
		w.Log.Debug("a member could not be confirmed", "person", person, "error", err) // the problem is logged once
	}
	return err
}

// problems returns one problem for each remedy, not for each person, since a thousand people
// can wait for one domain.
func problems(waiting []bridge.Attention, stuck map[string]error) []problem.Problem {
	type cause struct {
		code          problem.Code
		domain, email string
		reason        string
	}
	people := map[cause][]bridge.Attention{}
	var order []cause
	for _, p := range waiting {
		var c cause
		switch p.Kind {
		case bridge.SignupDomainMissing:
			c = cause{code: problem.SignupDomainMissing, domain: p.Domain}
		case bridge.AddressMissing:
			c = cause{code: problem.AddressMissing}
		case bridge.AddressTaken:
			c = cause{code: problem.AddressMissing, email: p.Address, reason: string(bridge.AddressTaken)}
		case bridge.ConfirmationDue:
			c = cause{code: problem.ConfirmationStuck, reason: stuck[p.PersonID].Error()}
		default:
			continue // waits for the person, not for an operator
		}
		if people[c] == nil {
			order = append(order, c)
		}
		people[c] = append(people[c], p)
	}
	found := make([]problem.Problem, 0, len(order))
	for _, c := range order {
		since := slices.MinFunc(people[c], func(a, b bridge.Attention) int { return a.Since.Compare(b.Since) }).Since
		facts := problem.Facts{
			problem.FactUserName: names(people[c]),
			problem.FactDomain:   c.domain,
			problem.FactEmail:    c.email,
			problem.FactReason:   c.reason,
			problem.FactCount:    strconv.Itoa(len(people[c])),
			problem.FactPeople:   ids(people[c]),
		}
		found = append(found, problem.New(c.code, since, facts))
	}
	return found
}

// ids lists the ids of the first people.
func ids(people []bridge.Attention) string {
	shown := make([]string, 0, maxNames)
	for _, p := range people[:min(len(people), maxNames)] {
		shown = append(shown, p.PersonID)
	}
	return strings.Join(shown, ", ")
}

// maxNames is the maximum number of people that a problem names.
const maxNames = 5

// names lists people for a sentence: "a, b and 3 others".
func names(people []bridge.Attention) string {
	shown := make([]string, 0, maxNames)
	for _, p := range people[:min(len(people), maxNames)] {
		shown = append(shown, p.UserName)
	}
	switch rest := len(people) - len(shown); {
	case rest > 1:
		return fmt.Sprintf("%s and %d others", strings.Join(shown, ", "), rest)
	case rest == 1:
		return strings.Join(shown, ", ") + " and one other"
	case len(shown) > 1:
		last := len(shown) - 1
		return strings.Join(shown[:last], ", ") + " and " + shown[last]
	default:
		return strings.Join(shown, "")
	}
}
