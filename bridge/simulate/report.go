package simulate

import (
	"slices"
	"time"
)

// A Report is what a simulation found. It keeps counts and times of what was right and only the first faults in full,
// so that a run of millions of requests fits into memory.
type Report struct {
	phases  []*tally // in the order of their beginnings
	idps    []string // likewise
	tallies map[cell]*tally
	total   tally
	first   *Outcome // the first that was neither right nor disputed
}

// A cell is a habit of a provider.
type cell struct{ idp, habit string }

// A tally counts outcomes.
type tally struct {
	name  string
	count [Unsupported + 1]int
	took  []time.Duration // of phases and all
	sum   time.Duration
	first [Unsupported + 1]*Outcome // of each result but Right
}

func newReport() *Report { return &Report{tallies: map[cell]*tally{}} }

func (r *Report) add(o Outcome) {
	i := slices.IndexFunc(r.phases, func(p *tally) bool { return p.name == o.Phase })
	if i < 0 {
		i = len(r.phases)
		r.phases = append(r.phases, &tally{name: o.Phase})
	}
	if !slices.Contains(r.idps, o.IdP) {
		r.idps = append(r.idps, o.IdP)
	}
	at := cell{o.IdP, o.Habit}
	if r.tallies[at] == nil {
		r.tallies[at] = &tally{}
	}
	for _, t := range []*tally{r.phases[i], &r.total} {
		t.add(o)
		if o.Took > 0 {
			t.took = append(t.took, o.Took)
		}
	}
	r.tallies[at].add(o)
	if r.first == nil && o.Result != Right && o.Result != Differs {
		r.first = &o
	}
}

func (t *tally) add(o Outcome) {
	t.count[o.Result]++
	t.sum += o.Took
	if o.Result != Right && t.first[o.Result] == nil {
		t.first[o.Result] = &o
	}
}

// OK reports whether every answer was right; what a soft step found disputable is, and what the server declares
// unsupported is not wrong.
func (r *Report) OK() bool { return r.total.count[Wrong]+r.total.count[Skipped] == 0 }

// Steps is how many steps were played.
func (r *Report) Steps() int { return r.total.counts().Steps }

func (t *tally) counts() Counts {
	c := Counts{
		Right: t.count[Right], Differs: t.count[Differs], Wrong: t.count[Wrong] + t.count[Skipped],
		Unsupported: t.count[Unsupported],
	}
	c.Steps = c.Right + c.Differs + c.Wrong + c.Unsupported
	return c
}

// fault is the first outcome that says most of what is not right: a wrong answer rather than what could not be played
// for it.
func (t *tally) fault() *Fault {
	for _, result := range []Result{Wrong, Skipped, Unsupported, Differs} {
		if o := t.first[result]; o != nil {
			return &Fault{
				Result: result.String(), IdP: o.IdP, Phase: o.Phase, Step: o.Step, Request: o.Request, Sent: o.Sent,
				After: o.After, Expected: o.Expected, Answer: o.Answer, Problem: o.Problem,
			}
		}
	}
	return nil
}

func (r Result) String() string {
	return [...]string{"right", "differs", "wrong", "skipped", "unsupported"}[r]
}
