package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestWhen(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		ago  time.Duration
		want string
	}{
		{0, "just now"}, {9 * time.Second, "just now"}, {-9 * time.Second, "just now"},
		{10 * time.Second, "10 seconds ago"},
		{time.Minute, "1 minute ago"}, {59 * time.Minute, "59 minutes ago"}, {time.Hour, "1 hour ago"},
		{47 * time.Hour, "47 hours ago"}, {48 * time.Hour, "2 days ago"}, {30 * 24 * time.Hour, "30 days ago"},
		{31 * 24 * time.Hour, "2025-12-02"}, {-12 * time.Minute, "in 12 minutes"},
	} {
		at := now.Add(-row.ago)
		want := `<time datetime="` + at.Format(time.RFC3339) + `" title="` +
			at.Format("2006-01-02 15:04:05") + ` UTC">` + row.want + "</time>"
		if got := string(when(now, at)); got != want {
			t.Errorf("%s ago: %s, want %s", row.ago, got, want)
		}
	}
	if got := when(now, time.Time{}); got != "never" {
		t.Errorf("no time is %q", got)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 12345: "12,345", 123456: "123,456", 1234567: "1,234,567",
		-1234: "-1,234", -123: "-123",
	} {
		if got := number(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestAnHourIsDrawn(t *testing.T) {
	t.Parallel()
	minute := func(ago time.Duration, r journal.Requests) journal.Minute {
		return journal.Minute{At: now.Truncate(time.Minute).Add(-ago), Requests: r}
	}
	c := newChart(now, []journal.Minute{
		minute(60*time.Minute, journal.Requests{Reads: 1000}), // an hour ago and more
		minute(59*time.Minute, journal.Requests{
			Reads: 60, Writes: 40, Refused: 20, Failed: 10, Milliseconds: 1000, Slowest: 500,
		}),
		minute(0, journal.Requests{Reads: 1, Failed: 1, Milliseconds: 5, Slowest: 5}),
		minute(-time.Minute, journal.Requests{Reads: 1000}), // of a clock that was ahead
	})
	if c.Total() != 101 || c.Busiest != 100 || c.Refused != 20 || c.Failed != 11 || len(c.Bars) != 2 {
		t.Fatalf("the hour is %+v", c)
	}
	first, last := c.Bars[0], c.Bars[1]
	if first.X != 0 || first.Bad != (part{90, 10}) || first.Refused != (part{70, 20}) || first.OK != (part{0, 70}) {
		t.Errorf("the first minute is %+v", first)
	}
	if last.X != 590 || last.Bad != (part{98, 2}) || last.OK.Height != 0 {
		t.Errorf("one request in a busy hour is %+v", last)
	}
	if first.Slow != (part{0, 60}) || first.Mean != (part{59, 1}) && first.Mean != (part{58, 2}) {
		t.Errorf("the times are %+v and %+v", first.Slow, first.Mean)
	}
	if want := "101 requests in the last hour, 1.7 a minute: 20 refused, 11 failed. " +
		"They took 9 ms in the mean, at most 500 ms."; c.Summary() != want {
		t.Errorf("in words: %s", c.Summary())
	}
	if quiet := newChart(now, nil); len(quiet.Bars) != 0 || quiet.Summary() != "No requests in the last hour." {
		t.Errorf("a quiet hour is %+v", quiet)
	}
}

func TestSignOutsAreBounded(t *testing.T) {
	t.Parallel()
	var o signedOut
	at := func(i int) signIn {
		return signIn{ID: fmt.Sprint(i), Began: now.Add(time.Duration(i) * time.Second)}
	}
	for i := range maxSignedOut + 1 {
		o.add(at(i), now.Add(time.Hour))
	}
	if len(o.began) != maxSignedOut {
		t.Errorf("%d are kept", len(o.began))
	}
	for i := range maxSignedOut + 1 {
		if !o.has(at(i)) {
			t.Errorf("sign-in %d of %d goes on", i, maxSignedOut+1)
		}
	}
	if o.has(at(maxSignedOut+1)) || !o.has(signIn{ID: "older", Began: now}) {
		t.Error("one that began later has ended, or one that is as old as one that was forgotten goes on")
	}
	o.add(signIn{ID: "last", Began: now.Add(20 * time.Hour)}, now.Add(20*time.Hour))
	if len(o.began) != 1 {
		t.Errorf("%d are kept after all others were over", len(o.began))
	}
}

// A section without its template would be found only when it is shown.
func TestEveryTemplateIsASectionsOrAPages(t *testing.T) {
	t.Parallel()
	names := map[string]bool{
		"frame": true, "overview": true, "sign_in": true, "people": true, "log": true, "sign_ins": true,
		"explain": true,
	}
	for _, s := range []Section{
		State(), Problems(), Holds(nil), Overlap(), IdentityProvider(nil, nil, nil), Waiting(nil, nil), Components(nil),
		Bridges(nil), Facts(), Explain(nil), SignIns(nil), Log(nil, nil),
	} {
		if s.Data != nil && templates.Lookup(s.Name+".html") == nil {
			t.Errorf("the section %q has no template", s.Name)
		}
		names[s.Name] = true
	}
	for _, tmpl := range templates.Templates() {
		if name := strings.TrimSuffix(tmpl.Name(), ".html"); name != "" && !names[name] {
			t.Errorf("no section has the template %q", name)
		}
	}
}

func TestLasting(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		ago  time.Duration
		want string
	}{
		{-time.Minute, "for 1 second"}, {0, "for 1 second"}, {90 * time.Second, "for 1 minute"},
		{50 * time.Hour, "for 2 days"},
		{40 * 24 * time.Hour, "since 2025-11-23"},
	} {
		got := strings.NewReplacer("</time>", "").Replace(string(lasting(now, now.Add(-row.ago))))
		before, after, _ := strings.Cut(got, "<time")
		_, after, _ = strings.Cut(after, ">")
		if before+after != row.want {
			t.Errorf("%s ago: %q, want %q", row.ago, before+after, row.want)
		}
	}
}
