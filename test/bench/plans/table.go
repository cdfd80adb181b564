package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A table is what all measurements came to.
type table struct{ rows []row }

type row struct {
	objects  int
	resource string
	step     string
	got      measurement
}

func (t *table) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, strings.Join([]string{"resource", "objects", "step", "time", "×data", "cpu", "×data", "×linear",
		"account", "reads", "writes", ""}, "\t"))
	for _, r := range t.rows {
		data := t.find(func(o row) bool { return o.resource == baseline && o.objects == r.objects && o.step == r.step })
		// as they are measured in order
		least := t.find(func(o row) bool { return o.resource == r.resource && o.step == r.step })
		linear := ""
		if least.objects < r.objects {
			linear = ratio(r.got.cpu/time.Duration(r.objects), least.got.cpu/time.Duration(least.objects))
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t\n", r.resource, r.objects, r.step,
			short(r.got.time), ratio(r.got.time, data.got.time), short(r.got.cpu),
			ratio(r.got.cpu, data.got.cpu), linear,
			short(r.got.account), r.got.reads, r.got.writes)
	}
	w.Flush() // to standard output, whose loss nobody could be told of
}

// find is the first row that is meant; there is one, for the rows that are
// compared with are measured first.
func (t *table) find(is func(row) bool) row { return t.rows[slices.IndexFunc(t.rows, is)] }

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }

func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
