package simulate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Simulation is one run of one identity provider, or of all in turn.
type Simulation struct {
	Player *Player
	IdP    string // one of IdPs, or All
	// People and Groups are the size of the generated company. Zero people
	// generate nothing, and only the recorded exchanges are played.
	People, Groups int
	Domain         string // of the people's addresses
	// SwitchOff deprovisions everybody in the end, as a provider does that has lost
	// sight of its people. They stay.
	SwitchOff bool
	// Keep leaves the company, or without people what the recorded exchanges made. A company that stays has the same
	// names in every run, so that the next one meets it.
	Keep bool
	// Concurrency is how many requests are under way at once; 0 means
	// DefaultConcurrency. Providers send a few in parallel.
	Concurrency int
	// Progress is told after each outcome; total is an estimate that only
	// grows. It may be nil, and is called by one goroutine at a time.
	Progress func(done, total int)
	// Removing is told the same of what is deleted in the end.
	Removing func(done, total int)
}

// All stands for every provider.
const All = "all"

// Defaults of a simulation.
const (
	DefaultConcurrency = 8
	maxConcurrency     = 256
	// DefaultRetryWindow is how long requests to a busy or sealed server are repeated.
	DefaultRetryWindow = 2 * time.Minute
)

// A provider is an identity provider under the name of the command line, which
// is also the prefix of its recorded scenarios.
type provider struct {
	name    string
	dialect dialect
	headers map[string]string // of every request
	// createsFirst is set for a provider that searches only after creating was
	// refused.
	createsFirst bool
}

var providers = []provider{
	{name: "entra", dialect: entra{}},
	{name: "okta", dialect: okta{}, headers: map[string]string{"User-Agent": "Okta SCIM Client 1.0.0",
		"Content-Type": "application/scim+json; charset=utf-8"}},
	{name: "onelogin", dialect: onelogin{oneloginUser}, headers: map[string]string{"User-Agent": ""}},
	{name: "jumpcloud", dialect: jumpcloud{jumpcloudUser},
		headers: map[string]string{"Content-Type": "application/json"}},
	{name: "ping", dialect: ping{pingUser}},
	{name: "authentik", dialect: authentik{}, createsFirst: true},
	{name: "google", dialect: google{},
		headers: map[string]string{"Content-Type": "application/json", "User-Agent": "Google-Auto-Provisioning"}},
	{name: "keycloak", dialect: keycloak{}, headers: map[string]string{"Content-Type": "application/scim+json; " +
		"charset=UTF-8"}, createsFirst: true},
}

// IdPs returns the names of the providers that can be played.
func IdPs() []string {
	names := make([]string, len(providers))
	for i, p := range providers {
		names[i] = p.name
	}
	return names
}

// Validate reports what is wrong with the simulation before anything is sent.
func (s *Simulation) Validate() error {
	chosen := s.providers()
	switch {
	case len(chosen) == 0:
		return fmt.Errorf("%q is not a known identity provider; choose one of %s, or %s", s.IdP,
			strings.Join(IdPs(), ", "), All)
	case s.People < 0 || s.Groups < 0:
		return fmt.Errorf("the number of people and groups cannot be negative")
	case s.Concurrency < 0 || s.Concurrency > maxConcurrency:
		return fmt.Errorf("%d requests at once is not possible; choose 1 to %d", s.Concurrency, maxConcurrency)
	case s.SwitchOff && s.People == 0:
		return fmt.Errorf("nobody can be switched off without people")
	case s.Groups > 0 && s.People == 0:
		return fmt.Errorf("%d groups need people to fill them", s.Groups)
	}
	if _, pushes := chosen[0].dialect.(groupPusher); !pushes && s.Groups > 0 && s.IdP != All {
		return fmt.Errorf("%s provisions people and no groups; leave the groups out", s.IdP)
	}
	return nil
}

// providers returns those that are played; none if the name is not known.
func (s *Simulation) providers() []provider {
	if s.IdP == All {
		return providers
	}
	return slices.DeleteFunc(slices.Clone(providers), func(p provider) bool { return p.name != s.IdP })
}

// Run plays each provider: the recorded exchanges, the connection test, and the generated company. After each, it
// deletes what was made and is not to stay; what could not be deleted, the player's CleanUp returns. It ends early,
// with an error, only when ctx does: then there may be much to delete. The report is of what was played.
func (s *Simulation) Run(ctx context.Context) (*Report, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	s.Player.Domain = cmp.Or(s.Player.Domain, s.Domain)
	report := newReport()
	for _, p := range s.providers() {
		one := *s
		if _, pushes := p.dialect.(groupPusher); !pushes {
			one.Groups = 0
		}
		r := &run{Simulation: &one, provider: p, report: report, total: report.Steps()}
		if r.play(ctx); ctx.Err() == nil {
			s.Player.CleanUp(ctx, s.Concurrency, s.Removing)
		}
	}
	return report, ctx.Err()
}

// A run is one provider's part of a simulation under way.
type run struct {
	*Simulation
	provider provider
	mu       sync.Mutex
	report   *Report
	total    int
}

// play plays the provider.
func (r *run) play(ctx context.Context) {
	scenarios := []Scenario{}
	for _, scenario := range Exchanges() {
		if scenario.ID == r.provider.name || strings.HasPrefix(scenario.ID, r.provider.name+"-") {
			scenarios = append(scenarios, scenario)
		}
	}
	scenarios = append(scenarios, Scenario{
		ID: connectionTest, Headers: r.provider.headers,
		Steps: r.provider.dialect.connectionTest(randomGUID(r.Player.random())),
	})
	for _, scenario := range scenarios {
		r.total += len(scenario.Steps)
	}
	r.total += r.People*13/5 + r.memberSteps()
	if r.SwitchOff {
		r.total += 2 * r.People
	}
	r.Player.keep(r.Keep && r.People == 0)
	for _, scenario := range scenarios {
		for _, o := range r.Player.Play(ctx, scenario, false) {
			r.add(o)
		}
	}
	r.Player.keep(r.Keep || r.SwitchOff)
	if r.People > 0 && ctx.Err() == nil {
		r.company(ctx)
	}
}

const connectionTest = "connection test"

// tag is in the names of the company.
func (r *run) tag() string {
	if r.Keep || r.SwitchOff {
		return keptTag(r.provider.name)
	}
	return cmp.Or(r.Player.Run, "simulate") + "-" + r.provider.name
}

// keptTag is in the names of a provider's company that stays.
func keptTag(idp string) string { return "simulated-" + idp }

// memberSteps guesses how many requests groups take: see company and batch.
func (r *run) memberSteps() int {
	if r.Groups == 0 {
		return 0
	}
	members := r.People + (r.Groups-1)*r.People/min(max(r.Groups-1, 1), len(departments))
	return r.Groups*6 + members/batch
}

func (r *run) add(o Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.IdP = r.provider.name
	r.report.add(o)
	if r.Progress != nil {
		done := r.report.Steps()
		r.total = max(r.total, done)
		r.Progress(done, r.total)
	}
}

// ask sends generated steps in order and returns the last answer; ok is false
// once one was wrong.
func (r *run) ask(ctx context.Context, phase string, steps ...Step) (answer any, ok bool) {
	for _, step := range steps {
		var o Outcome
		step.Headers = merge(r.provider.headers, step.Headers)
		answer, o = r.Player.do(ctx, phase, step)
		if ctx.Err() != nil { // interrupted: not a fault of the server
			return nil, false
		}
		r.add(o)
		if o.Result == Wrong || o.Result == Unsupported {
			return answer, false
		}
	}
	return answer, true
}

// say records something that no single request shows.
func (r *run) say(phase, habit, what, problem string) {
	o := Outcome{Phase: phase, Habit: habit, Request: what}
	if problem != "" {
		o.Result, o.Problem = Wrong, problem
	}
	r.add(o)
}

// concurrently calls f for 0 to n-1, a few at a time.
func (r *run) concurrently(ctx context.Context, n int, f func(i int)) {
	var g errgroup.Group
	g.SetLimit(cmp.Or(r.Concurrency, DefaultConcurrency))
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { f(i); return nil })
	}
	_ = g.Wait() // f returns no error
}
