package simulate

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is what a simulation found, in the order of its phases.
type Report struct {
	phases   []string
	outcomes []Outcome
}

func (r *Report) add(o Outcome) {
	if !slices.Contains(r.phases, o.Phase) {
		r.phases = append(r.phases, o.Phase)
	}
	r.outcomes = append(r.outcomes, o)
}

// OK reports whether every answer was right; what a soft step found disputable is.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.outcomes, func(o Outcome) bool { return o.Verdict == Wrong || o.Verdict == Skipped })
}

// Outcomes returns the played steps in order.
func (r *Report) Outcomes() []Outcome { return slices.Clone(r.outcomes) }

// mostFaults is how many faults the table lists in full.
const mostFaults = 30

// WriteTo prints a table with a row for each phase, and below it what was
// wrong and what differed.
func (r *Report) WriteTo(out io.Writer) (int64, error) {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "PHASE\tSTEPS\tRIGHT\tDIFFERS\tWRONG\tMEDIAN\tSLOWEST\n")
	for _, phase := range r.phases {
		var steps []Outcome
		for _, o := range r.outcomes {
			if o.Phase == phase {
				steps = append(steps, o)
			}
		}
		row(t, phase, steps)
	}
	row(t, "total", r.outcomes)
	_ = t.Flush() // a strings.Builder takes everything
	listed := 0
	for _, o := range r.outcomes {
		if o.Verdict == Right {
			continue
		}
		if listed++; listed > mostFaults {
			continue
		}
		fmt.Fprintf(&b, "\n%-7s  %s  %s\n         %s\n", o.Verdict, strings.TrimSpace(o.Phase+" "+o.Step), o.Request, o.Problem)
	}
	if listed > mostFaults {
		fmt.Fprintf(&b, "\nand %d more\n", listed-mostFaults)
	}
	n, err := io.WriteString(out, b.String())
	return int64(n), err
}

func row(out io.Writer, phase string, steps []Outcome) {
	var count [Skipped + 1]int
	var took []time.Duration
	for _, o := range steps {
		count[o.Verdict]++
		if o.Took > 0 {
			took = append(took, o.Took)
		}
	}
	median, slowest := "-", "-"
	if len(took) > 0 {
		slices.Sort(took)
		median, slowest = milliseconds(took[len(took)/2]), milliseconds(took[len(took)-1])
	}
	fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", phase, len(steps), count[Right], count[Differs], count[Wrong]+count[Skipped], median, slowest)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func (v Verdict) String() string {
	return [...]string{"right", "differs", "wrong", "skipped"}[v]
}
