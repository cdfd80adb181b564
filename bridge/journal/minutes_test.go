package journal_test

import (
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

func TestMinutesAreThoseWithRequestsAndTheCurrentOne(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), newClock()
	minute := now.time().Truncate(time.Minute).UTC()
	one, two := open(t, dir, now), open(t, dir, now) // the two processes of a hand-over
	if got := one.Minutes(minute.Add(-time.Hour)); len(got) != 0 || !one.LastMinute().IsZero() {
		t.Errorf("before any request: %v, last %v", got, one.LastMinute())
	}
	one.Count(journal.Served{Status: 200, Took: 10 * time.Millisecond})
	two.Count(journal.Served{Status: 404, Write: true, Took: 30 * time.Millisecond})
	now.pass(5 * time.Minute)
	one.Count(journal.Served{Status: 503, Took: time.Millisecond})
	two.Count(journal.Served{Status: 201, Write: true})
	two.Close() // writes its minutes

	got := one.Minutes(minute.Add(-time.Hour))
	first, last := minute, minute.Add(5*time.Minute)
	if len(got) != 2 || !got[0].At.Equal(first) || !got[1].At.Equal(last) {
		t.Fatalf("the minutes are %+v", got)
	}
	want := journal.Requests{Reads: 1, Writes: 1, Refused: 1, Milliseconds: 40, Slowest: 30}
	if got[0].Requests != want {
		t.Errorf("the first is %+v, want %+v", got[0].Requests, want)
	}
	want = journal.Requests{Reads: 1, Writes: 1, Failed: 1, Milliseconds: 1, Slowest: 1}
	if got[1].Requests != want {
		t.Errorf("the current one is %+v, want %+v", got[1].Requests, want)
	}
	if got := one.Minutes(last.Add(30 * time.Second)); len(got) != 1 {
		t.Errorf("since this minute: %+v", got)
	}
	if !one.LastMinute().Equal(last) {
		t.Errorf("the last minute is %v", one.LastMinute())
	}
	one.Close()
	if again := open(t, dir, now); !again.LastMinute().Equal(last) {
		t.Errorf("after a restart the last minute is %v", again.LastMinute())
	}
	var none *journal.Journal
	if none.Minutes(first) != nil || !none.LastMinute().IsZero() {
		t.Error("a bridge without a journal has minutes")
	}
}
