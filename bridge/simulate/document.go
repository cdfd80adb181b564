package simulate

import (
	"slices"
	"time"
)

// DocumentFormat is the version of a Document's JSON. Keys are added without a new one.
const DocumentFormat = 1

// A Document is a report as it is shown and written.
type Document struct {
	Format  int       `json:"format"` // DocumentFormat
	Tool    string    `json:"tool"`   // program and version
	URL     string    `json:"url"`
	Run     string    `json:"run"` // is in the names of what was made
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	// Waited is how long the run waited, in seconds, because the server was busy.
	Waited float64 `json:"waited_seconds"`
	// Result is "right", "wrong", "interrupted", or "failed" if nothing could be played.
	Result string   `json:"result"`
	Error  string   `json:"error,omitempty"` // of a run that was interrupted or failed
	IdPs   []string `json:"idps"`
	// Declared are the features that the server declares unsupported: "patch", "filter", "changePassword", "groups".
	Declared []string `json:"declared_unsupported"`
	Counts   Counts   `json:"counts"`
	// Habits are all habits in a fixed order, those too that were not played.
	Habits []HabitResult `json:"habits"`
	Phases []PhaseResult `json:"phases"`
	// Kept is set if what was made stays. Removed is how many resources were deleted in the end; Left could not be.
	Kept    bool   `json:"kept"`
	Removed int    `json:"removed"`
	Left    []Left `json:"left"`
}

// Counts are of steps.
type Counts struct {
	Steps int `json:"steps"`
	Right int `json:"right"`
	// Differs are answers outside the RFC or disputed, and not as the provider would like them.
	Differs int `json:"differs"`
	// Wrong includes steps that could not be played because an earlier answer was wrong.
	Wrong       int `json:"wrong"`
	Unsupported int `json:"unsupported"`
}

// A State is how a habit is answered.
type State string

// The states.
const (
	StateRight       State = "right"
	StateWrong       State = "wrong"
	StateUnsupported State = "unsupported" // some at least, and nothing is wrong
	StateNotPlayed   State = "not_played"
)

// State says in a word what is counted.
func (c Counts) State() State {
	switch {
	case c.Wrong > 0:
		return StateWrong
	case c.Unsupported > 0:
		return StateUnsupported
	case c.Steps > 0:
		return StateRight
	default:
		return StateNotPlayed
	}
}

// A HabitResult is how a habit is answered.
type HabitResult struct {
	Habit
	State  State       `json:"state"`
	Counts Counts      `json:"counts"`
	IdPs   []IdPResult `json:"idps"` // those that have the habit
	// First is the first fault; null if every answer was right.
	First *Fault `json:"first"`
}

// An IdPResult is how a habit of one provider is answered.
type IdPResult struct {
	IdP     string  `json:"idp"`
	State   State   `json:"state"`
	Counts  Counts  `json:"counts"`
	Seconds float64 `json:"seconds"`
	First   *Fault  `json:"first"`
}

// A Fault is an answer that is not right. The server's texts are shortened, without control characters and without the
// token.
type Fault struct {
	Result   string `json:"result"` // wrong, skipped, unsupported or differs
	IdP      string `json:"idp"`
	Phase    string `json:"phase"`           // scenario, or part of the company's life
	Step     string `json:"step,omitempty"`  // in a recorded scenario
	Request  string `json:"request"`         // method and path
	Sent     string `json:"sent,omitempty"`  // body
	After    string `json:"after,omitempty"` // the latest write before a read
	Expected string `json:"expected,omitempty"`
	Answer   string `json:"answer,omitempty"`
	Problem  string `json:"problem"`
}

// A PhaseResult counts the steps of a scenario or of a part of the company's life.
type PhaseResult struct {
	Name    string  `json:"name"`
	Counts  Counts  `json:"counts"`
	Median  float64 `json:"median_seconds"`
	Slowest float64 `json:"slowest_seconds"`
}

// Document returns what was found. What is known of the run beside that, the caller adds.
func (r *Report) Document() *Document {
	d := &Document{
		Format: DocumentFormat, Result: "wrong", IdPs: slices.Clone(r.idps), Declared: []string{},
		Counts: r.total.counts(), Phases: []PhaseResult{}, Left: []Left{},
	}
	if r.OK() {
		d.Result = "right"
	}
	if d.IdPs == nil {
		d.IdPs = []string{}
	}
	for _, h := range habits {
		d.Habits = append(d.Habits, r.habit(h))
	}
	for _, p := range append(slices.Clone(r.phases), &r.total) {
		if p == &r.total {
			p.name = "total"
		}
		d.Phases = append(d.Phases, p.phase())
	}
	return d
}

func (r *Report) habit(h Habit) HabitResult {
	result := HabitResult{Habit: h, IdPs: []IdPResult{}}
	var all tally
	for _, idp := range r.idps {
		t := r.tallies[cell{idp, h.ID}]
		if t == nil {
			continue
		}
		counts := t.counts()
		result.IdPs = append(result.IdPs, IdPResult{
			IdP: idp, State: counts.State(), Counts: counts, Seconds: t.sum.Seconds(), First: t.fault(),
		})
		for i := range t.count {
			all.count[i] += t.count[i]
			if all.first[i] == nil {
				all.first[i] = t.first[i]
			}
		}
	}
	result.Counts = all.counts()
	result.State, result.First = result.Counts.State(), all.fault()
	return result
}

func (t *tally) phase() PhaseResult {
	p := PhaseResult{Name: t.name, Counts: t.counts()}
	if len(t.took) > 0 {
		took := slices.Sorted(slices.Values(t.took))
		p.Median, p.Slowest = took[len(took)/2].Seconds(), took[len(took)-1].Seconds()
	}
	return p
}
