package simulate

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is what a simulation found, phase by phase in the order of their
// beginnings. It keeps counts and times of what was right and only the first
// faults in full, so that a run of millions of requests fits into memory.
type Report struct {
	phases []*phase
	total  phase
	faults []Outcome // the first mostFaults
}

type phase struct {
	name  string
	count [Skipped + 1]int
	took  []time.Duration
}

// mostFaults is how many faults the table lists in full.
const mostFaults = 30

func (r *Report) add(o Outcome) {
	i := slices.IndexFunc(r.phases, func(p *phase) bool { return p.name == o.Phase })
	if i < 0 {
		i = len(r.phases)
		r.phases = append(r.phases, &phase{name: o.Phase})
	}
	for _, p := range []*phase{r.phases[i], &r.total} {
		p.count[o.Result]++
		if o.Took > 0 {
			p.took = append(p.took, o.Took)
		}
	}
	if o.Result != Right && len(r.faults) < mostFaults {
		r.faults = append(r.faults, o)
	}
}

func (p *phase) steps() (n int) {
	for _, count := range p.count {
		n += count
	}
	return n
}

// OK reports whether every answer was right; what a soft step found disputable is.
func (r *Report) OK() bool { return r.total.count[Wrong]+r.total.count[Skipped] == 0 }

// Steps is how many steps were played.
func (r *Report) Steps() int { return r.total.steps() }

// WriteTo prints a table with a row for each phase, and below it what was
// wrong and what differed.
func (r *Report) WriteTo(out io.Writer) (int64, error) {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "PHASE\tSTEPS\tRIGHT\tDIFFERS\tWRONG\tMEDIAN\tSLOWEST\n")
	for _, p := range r.phases {
		p.row(t, p.name)
	}
	r.total.row(t, "total")
	_ = t.Flush() // a strings.Builder takes everything
	for _, o := range r.faults {
		fmt.Fprintf(&b, "\n%-7s  %s  %s\n         %s\n", o.Result, strings.TrimSpace(o.Phase+" "+o.Step),
			o.Request, o.Problem)
	}
	if more := r.total.steps() - r.total.count[Right] - len(r.faults); more > 0 {
		fmt.Fprintf(&b, "\nand %d more\n", more)
	}
	n, err := io.WriteString(out, b.String())
	return int64(n), err
}

func (p *phase) row(out io.Writer, name string) {
	median, slowest := "-", "-"
	if len(p.took) > 0 {
		took := slices.Sorted(slices.Values(p.took))
		median, slowest = milliseconds(took[len(took)/2]), milliseconds(took[len(took)-1])
	}
	fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", name, p.steps(), p.count[Right], p.count[Differs],
		p.count[Wrong]+p.count[Skipped], median, slowest)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func (r Result) String() string {
	return [...]string{"right", "differs", "wrong", "skipped"}[r]
}
