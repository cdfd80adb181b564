package page

import (
	"fmt"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// A chart is the requests of an hour by the minute, drawn on the server. Its numbers are also told in words.
type chart struct {
	journal.Requests
	From, To time.Time
	Bars     []bar
	// Busiest is the most requests of a minute.
	Busiest int64
}

const (
	minutesDrawn = 60
	barWidth     = 10
	chartHeight  = 100
	speedHeight  = 60
)

// A bar is a minute. Lengths are from the top of the drawing.
type bar struct {
	X                int
	OK, Refused, Bad part // how many
	Slow, Mean       part // how long the slowest took, and all in the mean
	Text             string
}

type part struct{ Y, Height int }

func newChart(now time.Time, minutes []journal.Minute) chart {
	c := chart{To: now, From: now.Truncate(time.Minute).Add(-(minutesDrawn - 1) * time.Minute)}
	shown := minutes[:0:0]
	for _, m := range minutes {
		if m.At.Before(c.From) || m.At.After(now) {
			continue
		}
		shown = append(shown, m)
		c.Reads += m.Reads
		c.Writes += m.Writes
		c.Refused += m.Refused
		c.Failed += m.Failed
		c.Milliseconds += m.Milliseconds
		c.Slowest = max(c.Slowest, m.Slowest)
		c.Busiest = max(c.Busiest, m.Reads+m.Writes)
	}
	for _, m := range shown {
		c.Bars = append(c.Bars, c.draw(m))
	}
	return c
}

// draw draws a minute, with the parts on top of each other.
func (c chart) draw(m journal.Minute) bar {
	all := m.Reads + m.Writes
	b := bar{X: int(m.At.Sub(c.From)/time.Minute) * barWidth}
	b.Bad = stack(chartHeight, m.Failed, c.Busiest, chartHeight)
	b.Refused = stack(b.Bad.Y, m.Refused, c.Busiest, chartHeight)
	b.OK = stack(b.Refused.Y, all-m.Refused-m.Failed, c.Busiest, chartHeight)
	b.Slow = stack(speedHeight, m.Slowest, c.Slowest, speedHeight)
	b.Mean = stack(speedHeight, mean(m.Requests), c.Slowest, speedHeight)
	b.Text = fmt.Sprintf("%s UTC: %s, %s refused, %s failed; %s in the mean, at most %s",
		m.At.UTC().Format("15:04"), plural(all, "request"), number(m.Refused), number(m.Failed),
		milliseconds(mean(m.Requests)), milliseconds(m.Slowest))
	return b
}

// stack returns a part that stands at y; what there is of a number can be seen, however little.
func stack(y int, n, most int64, height int) part {
	if n <= 0 || most <= 0 {
		return part{Y: y}
	}
	h := min(max(int(n*int64(height)/most), 2), y)
	return part{Y: y - h, Height: h}
}

func mean(r journal.Requests) int64 {
	if n := r.Reads + r.Writes; n > 0 {
		return r.Milliseconds / n
	}
	return 0
}

func milliseconds(n int64) string {
	if n >= 10_000 {
		return fmt.Sprintf("%.1f s", float64(n)/1000)
	}
	return number(n) + " ms"
}

// Total is how many requests came.
func (c chart) Total() int64 { return c.Reads + c.Writes }

// Rate says how many came in a minute.
func (c chart) Rate() string { return fmt.Sprintf("%.1f", float64(c.Total())/minutesDrawn) }

// MeanTook and SlowestTook say how long they took.
func (c chart) MeanTook() string    { return milliseconds(mean(c.Requests)) }
func (c chart) SlowestTook() string { return milliseconds(c.Slowest) }

// Summary is the drawing in words.
func (c chart) Summary() string {
	if c.Total() == 0 {
		return "No requests in the last hour."
	}
	return fmt.Sprintf("%s in the last hour, %s a minute: %s refused, %s failed. They took %s in the mean, at most %s.",
		plural(c.Total(), "request"), c.Rate(), number(c.Refused), number(c.Failed), c.MeanTook(), c.SlowestTook())
}
