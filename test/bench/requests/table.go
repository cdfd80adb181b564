package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A table is what all measurements came to.
type table struct {
	rows  []row
	notes []string
	peers []string // names of other servers
}

type row struct {
	people, connections int
	phase, mode         string
	unit                int
	got, ceiling        measurement // medians
	overCeiling         float64     // the median of the rounds' ratios of CPU
	overOld             float64     // the same to the older program; 0 for none
	overSmall           float64     // the same to the one with the fewest people; 0 for none
	overPeers           map[string]float64
}

// remember notes the memory of the servers before and after the phases.
func (t *table) remember(people int, mode string, before, after map[string]int64) {
	for _, name := range slices.Sorted(maps.Keys(after)) {
		t.notes = append(t.notes,
			fmt.Sprintf("resident memory, %d people, %s, %s: %d MiB at the start, %d MiB at the end",
				people, mode, name, before[name]>>20, after[name]>>20))
	}
}

// commits notes how well writes shared commits.
func (t *table) commits(people int, mode, said string) {
	if said != "" {
		t.notes = append(t.notes, fmt.Sprintf("%d people, %s: %s", people, mode, said))
	}
}

func (t *table) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := []string{"phase", "people", "conns", "mode", "ops/s", "p50", "p99", "cpu/op", "×ceil", "×old"}
	for _, name := range t.peers {
		head = append(head, "×"+name)
	}
	head = append(head, "×small", "allocs", "trips", "bytes", "ceiling ops/s", "cpu/op", "")
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t",
			r.phase, r.people, r.connections, r.mode, r.got.rate, short(r.got.p50), short(r.got.p99), short(r.got.cpu),
			r.ceilingText(), ratio(r.overOld))
		for _, name := range t.peers {
			fmt.Fprintf(w, "%s\t", ratio(r.overPeers[name]))
		}
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%d\t%.0f\t%s\t\n", ratio(r.overSmall), r.got.allocs, ratio(r.got.trips),
			r.got.bytes, r.ceiling.rate, short(r.ceiling.cpu))
	}
	w.Flush() // to standard output, whose loss nobody could be told of
	for _, note := range t.notes {
		fmt.Fprintln(out, note)
	}
}

// ceilingText says nothing of bulk requests, whose operations are no requests.
func (r row) ceilingText() string {
	if r.unit > 1 {
		return ""
	}
	return ratio(r.overCeiling)
}

// ratio is empty for 0, which is none.
func ratio(x float64) string {
	if x == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", x)
}

func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(100 * time.Nanosecond).String()
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(time.Millisecond).String()
	}
}
