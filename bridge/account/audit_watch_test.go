package account_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func watch(t *testing.T, a *account.Account) (found account.AuditFinding, whole bool) {
	t.Helper()
	found, whole, err := a.WatchAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found, whole
}

// What is changed, and when that is found: by the next look, or by the one that reads the whole log again.
func TestAServerFindsThatItsAuditLogWasChanged(t *testing.T) {
	t.Parallel()
	const soon, nextDay = time.Minute, 25 * time.Hour
	for _, row := range []struct {
		name       string
		statements []string // none computes the whole chain anew, from a changed first event on
		after      time.Duration
		fault      string
	}{
		{"an old event", []string{`UPDATE audit SET summary = 'x' WHERE sequence = 2`}, nextDay,
			"event 2 does not have its hash"},
		{"the newest event", []string{`UPDATE audit SET summary = 'x' WHERE sequence = 8`}, soon,
			"event 8 does not have its hash"},
		{"an old event that is removed", []string{`DELETE FROM audit WHERE sequence = 3`}, nextDay,
			"event 3 is missing"},
		{"the newest events, removed with the record of them", []string{
			`UPDATE audit_chain SET last_sequence = 6, last_hash = (SELECT hash FROM audit WHERE sequence = 6)`,
			`DELETE FROM audit WHERE sequence > 6`}, soon,
			"event 8 is not in the log with the hash that was noted before"},
		{"all events, and no record of them", []string{`UPDATE audit_chain SET last_sequence = 0, last_hash = ''`,
			`DELETE FROM audit`}, soon, "event 8 is not in the log with the hash that was noted before"},
		{"an event inserted before the first one", []string{
			`INSERT INTO audit SELECT -1, 'z', time, actor, address, action, object, summary, hash FROM audit LIMIT 1`},
			nextDay, "event -1 stands after event 0"},
		{"all hashes, computed anew", nil, soon, "event 8 is not in the log with the hash that was noted before"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			var up time.Duration
			a.Uptime = func() time.Duration { return up }
			addEvents(t, a, 8)
			if found, whole := watch(t, a); !whole || len(found.Faults) > 0 || found.Newest.Sequence != 8 {
				t.Fatalf("before the change: %+v, whole %t", found, whole)
			}
			if exec(t, a, row.statements...); row.statements == nil {
				computeAnew(t, a)
			}
			if up += time.Minute; row.after > soon {
				if found, whole := watch(t, a); whole || len(found.Faults) > 0 {
					t.Errorf("what is read once a day was read after a minute: %+v", found)
				}
				up += row.after
			}
			changed, whole := watch(t, a)
			if !whole || changed.Since.IsZero() || !slices.ContainsFunc(changed.Faults, func(f string) bool {
				return strings.HasPrefix(f, row.fault)
			}) {
				t.Fatalf("found %+v (whole %t), want %q", changed, whole, row.fault)
			}
			addEvents(t, a, 1)
			up += nextDay
			again, _ := watch(t, a)
			if !slices.Equal(again.Faults, changed.Faults) || !again.Since.Equal(changed.Since) {
				t.Errorf("a day later: %+v, want %+v still", again, changed)
			}
		})
	}
}

// computeAnew changes the first event, and all hashes so that they fit.
func computeAnew(t *testing.T, a *account.Account) {
	t.Helper()
	exec(t, a, `UPDATE audit SET actor = 'somebody else' WHERE sequence = 1`)
	err := a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		var events []audit.Event
		err := tx.EachAuditEvent(ctx, 1, 100, func(e audit.Event, _ string) error {
			events = append(events, e)
			return nil
		})
		previous := ""
		for _, e := range events {
			previous = e.Digest(previous)
			_, err := tx.Exec(ctx, `UPDATE audit SET hash = ? WHERE sequence = ?`, previous, e.Sequence)
			if err != nil {
				return err
			}
		}
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE audit_chain SET last_hash = ?`, previous)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	verified(t, a) // which does not know the hashes from before
}

func TestNewAuditEventsAreVerifiedFromTheLastOneOn(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	if found, whole := watch(t, a); !whole || found.VerifiedAt.IsZero() || found.Newest.Sequence != 0 {
		t.Fatalf("of an empty log: %+v", found)
	}
	for _, n := range []int{3, 0, 1} {
		before := a.AuditFinding()
		addEvents(t, a, n)
		found, whole := watch(t, a)
		if whole || found.Newest.Sequence != before.Newest.Sequence+int64(n) || len(found.Faults) > 0 ||
			!found.VerifiedAt.Equal(before.VerifiedAt) {
			t.Errorf("after %d events more: %+v, whole %t", n, found, whole)
		}
	}
	exec(t, a, `UPDATE audit SET summary = 'x' WHERE sequence = 1`) // which the next look does not read
	addEvents(t, a, 1)
	exec(t, a, `UPDATE audit SET summary = 'x' WHERE sequence = 5`)
	if found, whole := watch(t, a); !whole || len(found.Faults) != 2 {
		t.Errorf("a changed new event and an old one: %+v", found)
	}
}

func TestALogOfManyBatchesIsVerified(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	addEvents(t, a, 1700)
	if found, _ := watch(t, a); len(found.Faults) > 0 || found.Newest.Sequence != 1700 {
		t.Errorf("found %+v", found)
	}
	b := newAccount(t)
	addEvents(t, b, 1700)
	exec(t, b, `UPDATE audit SET object = 'y' WHERE sequence IN (500, 501, 1600)`)
	if found, _ := watch(t, b); len(found.Faults) != 3 {
		t.Errorf("found %q", found.Faults)
	}
}

// Events that are removed because of their age were not removed by somebody.
func TestRemovedOldEventsAreNoChange(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	var up time.Duration
	a.Uptime = func() time.Duration { return up }
	addEvents(t, a, 5)
	watch(t, a)
	removeUpTo(t, a, 3)
	if found, whole := watch(t, a); whole || len(found.Faults) > 0 {
		t.Errorf("after some were removed: %+v", found)
	}
	addEvents(t, a, 5)
	removeUpTo(t, a, 7) // the newest one that was verified, too
	if found, whole := watch(t, a); whole || len(found.Faults) > 0 || found.Newest.Sequence != 10 {
		t.Errorf("after the newest known one was removed: %+v", found)
	}
	up = 25 * time.Hour
	if found, whole := watch(t, a); !whole || len(found.Faults) > 0 {
		t.Errorf("a day later: %+v", found)
	}
}

func removeUpTo(t *testing.T, a *account.Account, sequence int64) {
	t.Helper()
	err := a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		removed, _, err := tx.AuditChain(ctx)
		if err != nil {
			return err
		}
		later := time.Now().Add(time.Hour)
		_, err = tx.RemoveAuditEvents(ctx, later, later, sequence-removed.Sequence)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
