package simulate

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTables prints a table of the phases if a company was played, a table of the habits, and the first fault of each.
func (d *Document) WriteTables(out io.Writer, phases bool) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if phases {
		fmt.Fprintln(t, "PHASE\tSTEPS\tRIGHT\tDIFFERS\tWRONG\tUNSUPPORTED\tMEDIAN\tSLOWEST")
		for _, p := range d.Phases {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.Name, p.Counts.cells(), milliseconds(p.Median),
				milliseconds(p.Slowest))
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintln(t, "HABIT\tRFC\tSTEPS\tRIGHT\tDIFFERS\tWRONG\tUNSUPPORTED")
	beyond := false
	for _, h := range d.Habits {
		if h.State == StateNotPlayed {
			continue
		}
		rfc := h.RFC
		if h.Beyond {
			rfc, beyond = rfc+" *", true
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", h.Title, rfc, h.Counts.cells())
	}
	fmt.Fprintf(t, "all habits\t\t%s\n", d.Counts.cells())
	if err := t.Flush(); err != nil {
		return err
	}
	if beyond {
		fmt.Fprintln(out, "* providers send it, and the RFC does not ask for an answer of this kind")
	}
	for _, h := range d.Habits {
		if h.First != nil && h.State != StateUnsupported { // what is declared is in the table
			h.writeFault(out)
		}
	}
	d.writeEnd(out)
	return nil
}

func (c Counts) cells() string {
	cells := []string{fmt.Sprint(c.Steps), fmt.Sprint(c.Right)}
	for _, n := range []int{c.Differs, c.Wrong, c.Unsupported} {
		if n == 0 {
			cells = append(cells, "-")
		} else {
			cells = append(cells, fmt.Sprint(n))
		}
	}
	return strings.Join(cells, "\t")
}

func milliseconds(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", seconds*float64(time.Second/time.Millisecond))
}

func (h HabitResult) writeFault(out io.Writer) {
	f := h.First
	beyond := ""
	if h.Beyond {
		beyond = "beyond "
	}
	fmt.Fprintf(out, "\n%s: %s (%s, %sRFC %s)\n", f.Result, h.Title, h.ID, beyond, h.RFC)
	for _, one := range [][2]string{
		{"idp", f.IdP + ", " + strings.TrimSpace(f.Phase+" "+f.Step)}, {"request", f.Request}, {"sent", f.Sent},
		{"after", f.After}, {"expected", f.Expected}, {"answer", f.Answer}, {"problem", f.Problem},
	} {
		if one[1] != "" {
			fmt.Fprintf(out, "  %-8s  %s\n", one[0], line(one[1]))
		}
	}
}

// mostLeft is how many resources are listed that could not be removed.
const mostLeft = 20

func (d *Document) writeEnd(out io.Writer) {
	if len(d.Declared) > 0 {
		fmt.Fprintf(out, "\nThe server declares unsupported: %s.\n", strings.Join(d.Declared, ", "))
	}
	if d.Waited > 0 {
		fmt.Fprintf(out, "\nThe server was busy: waited %.0f seconds for it.\n", d.Waited)
	}
	switch {
	case len(d.Left) > 0:
		fmt.Fprintf(out, "\nMade, and could not be removed:\n")
	case d.Kept:
		fmt.Fprintf(out, "\nWhat was made stays.\n")
	default:
		fmt.Fprintf(out, "\nWhat was made is removed: %d people and groups.\n", d.Removed)
	}
	for i, one := range d.Left {
		if i == mostLeft {
			fmt.Fprintf(out, "  and %d more; the JSON report has all\n", len(d.Left)-mostLeft)
			break
		}
		fmt.Fprintf(out, "  %s\n", line(strings.TrimSpace(one.Path+"  "+one.Name+": "+one.Reason)))
	}
}
