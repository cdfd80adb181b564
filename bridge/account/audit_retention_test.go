package account_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// Old events are removed once a day, which is an event itself, and what is left can be verified.
func TestOldAuditEventsAreRemoved(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := newAccount(t)
	start := now
	a.Now, a.Uptime = func() time.Time { return now }, func() time.Duration { return now.Sub(start) }
	sweep := func(want int64) {
		t.Helper()
		if err := a.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := verified(t, a); got != want {
			t.Errorf("after %s: %d events, want %d", now.Format(time.DateTime), got, want)
		}
	}
	addEvents(t, a, 5)
	now = now.AddDate(10, 0, 0)
	sweep(5) // kept for ever unless told otherwise
	a.AuditKept = 30 * 24 * time.Hour
	addEvents(t, a, 2)
	sweep(3) // two, and that five were removed
	now = now.Add(a.AuditKept + time.Hour)
	sweep(3) // not a day older
	now = now.Add(24 * time.Hour)
	sweep(3) // of a log in which nothing happened, the clock alone does not say how old it is
	addEvents(t, a, 1)
	sweep(2)
	page, err := a.AuditEvents(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	first := slices.IndexFunc(page.Items, func(e account.AuditEvent) bool { return e.Action == "audit.remove" })
	if e := page.Items[max(0, first)]; e.Action != "audit.remove" || e.Actor != "machine" ||
		!strings.HasPrefix(e.Summary, "3 events from") {
		t.Errorf("the event of the removal is %+v", e)
	}
	var out bytes.Buffer
	if _, err := a.ExportAudit(t.Context(), account.AuditQuery{}, &out); err != nil {
		t.Fatal(err)
	}
	v := new(audit.Verifier)
	if _, err := audit.VerifyExport(&out, v); err != nil {
		t.Fatal(err)
	}
	if _, _, faults := v.Result(); len(faults) > 0 {
		t.Errorf("the export of what is left: %q", faults)
	}
}

// A clock that is wrong, by years, deletes nothing.
func TestAWrongClockDeletesNoAuditEvents(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name  string
		clock time.Time
	}{
		{"far ahead", start.AddDate(70, 0, 0)},
		{"far behind", start.AddDate(-50, 0, 0)},
	} {
		now := start
		a := newAccount(t)
		a.Now = func() time.Time { return now }
		a.AuditKept = 30 * 24 * time.Hour
		addEvents(t, a, 5)
		now = row.clock
		for range 2 {
			if err := a.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := verified(t, a); got != 5 {
			t.Errorf("%s: %d events, want 5", row.name, got)
		}
	}
}

// A server that is started again every 20 minutes, by a signal or by a crash, gets on as the clock does.
func TestTheAgeOfAuditEventsIsJudgedOverRestarts(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name string
		ends func(*account.Account) error
		want time.Duration // by how much the time has moved after three runs
	}{
		{"by a signal", func(a *account.Account) error { return a.KeepAuditTime(t.Context()) }, time.Hour},
		{"by a crash", func(*account.Account) error { return nil }, 59 * time.Minute},
	} {
		now := start
		a := newAccount(t)
		a.Now = func() time.Time { return now }
		addEvents(t, a, 1)
		for range 3 {
			again, err := account.Load(t.Context(), a.Store)
			if err != nil {
				t.Fatal(err)
			}
			up := time.Duration(0)
			again.Now, again.Uptime = a.Now, func() time.Duration { return up }
			again.AuditKept = 30 * day
			for _, ran := range []time.Duration{0, 9 * time.Minute, 10 * time.Minute, time.Minute} {
				up, now = up+ran, now.Add(ran)
				if ran == time.Minute {
					continue
				}
				if err := again.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := row.ends(again); err != nil {
				t.Fatal(err)
			}
		}
		var judged time.Time
		err := a.Store.Read(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
			judged, err = tx.AuditJudged(ctx)
			return err
		})
		if got := judged.Sub(start); err != nil || got != row.want {
			t.Errorf("%s: the time has moved by %s, want %s (%v)", row.name, got, row.want, err)
		}
	}
}

const day = 24 * time.Hour

// Under a clock that is wrong events are written, too; and the server may be started again under it.
func TestAuditEventsOutlastAWrongClockUnderWhichEventsAreWritten(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	type step struct {
		ran   time.Duration // for how long the server runs on before the step
		clock time.Time     // of the machine, then
		start bool          // the server is started again
	}
	wrong := start.AddDate(70, 0, 0)
	for _, row := range []struct {
		name  string
		steps []step // in each one an event is written and the log is swept
		want  int64  // events that are left of the ten that were written daily before
	}{
		{"a clock that jumps ahead",
			[]step{{0, start, false}, {time.Hour, wrong, false}, {2 * time.Hour, wrong, false}}, 10},
		{"a clock that jumps ahead before the first time that ages are judged by",
			[]step{{0, wrong, true}, {time.Hour, wrong, true}}, 10},
		{"a server that is started again under it",
			[]step{{0, start, false}, {time.Hour, wrong, true}, {2 * time.Hour, wrong, true}}, 10},
		{"a clock that was right again, and the log is as old as before",
			[]step{{0, start, false}, {time.Hour, wrong, false}, {time.Hour, start.Add(2 * time.Hour), false}}, 10},
		{"a clock that stays wrong for days: twice as many of them",
			[]step{{0, start, false}, {time.Hour, wrong, false}, {12 * day, wrong.Add(12 * day), false}}, 6},
		{"a clock that was far behind for an hour keeps no events for longer",
			[]step{{0, start, false}, {time.Hour, start.AddDate(-50, 0, 0), false},
				{25 * day, start.Add(25 * day), false}}, 6},
		{"a clock that is right", []step{{0, start, false}, {25 * day, start.Add(25 * day), false}}, 6},
		{"a clock that is right, after a server did not run for 25 days: the first day",
			[]step{{0, start, false}, {0, start.Add(25 * day), true}, {day, start.Add(26 * day), false}}, 10},
		{"a clock that is right, after a server did not run for 25 days: as long again",
			[]step{{0, start, false}, {0, start.Add(25 * day), true}, {25 * day, start.Add(50 * day), false}}, 0},
	} {
		now, up := start, time.Duration(0)
		a := newAccount(t)
		run := func(a *account.Account) {
			a.Now, a.Uptime = func() time.Time { return now }, func() time.Duration { return up }
			a.AuditKept = 30 * day
		}
		run(a)
		for i := range 10 {
			now = start.Add(-time.Duration(9-i) * day)
			addEvents(t, a, 1)
		}
		sweep := func() {
			if err := a.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range row.steps {
			now = s.clock
			if s.start {
				again, err := account.Load(t.Context(), a.Store)
				if err != nil {
					t.Fatal(err)
				}
				a, up = again, 0
				run(a)
				sweep()
			}
			up += s.ran
			sweep()
			addEvents(t, a, 1)
			sweep()
			sweep()
		}
		verified(t, a)
		var left int64
		err := a.Store.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT count(*) FROM audit WHERE sequence <= 10`).Scan(&left)
		})
		if err != nil || left != row.want {
			t.Errorf("%s: %d events are left, want %d (%v)", row.name, left, row.want, err)
		}
	}
}

// Servers of one account do not make each other's time go faster.
func TestTheAgeOfAuditEventsIsJudgedByManyServersTogether(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	wrong := start.AddDate(70, 0, 0)
	now, up := start, time.Duration(0)
	first := newAccount(t)
	first.Now = func() time.Time { return now }
	addEvents(t, first, 1)
	var servers []*account.Account
	for range 3 {
		a, err := account.Load(t.Context(), first.Store)
		if err != nil {
			t.Fatal(err)
		}
		a.Now, a.Uptime, a.AuditKept = first.Now, func() time.Duration { return up }, 30*day
		servers = append(servers, a)
	}
	const hours = 10
	for range 6 * hours {
		for _, a := range servers {
			if err := a.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		up, now = up+10*time.Minute, wrong
	}
	var judged time.Time
	err := first.Store.Read(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		judged, err = tx.AuditJudged(ctx)
		return err
	})
	if moved := judged.Sub(start); err != nil || moved > 2*hours*time.Hour || moved < hours*time.Hour {
		t.Errorf("in %d hours the time has moved by %s (%v)", hours, moved, err)
	}
}
