package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// appendEvents adds events of one minute each.
func appendEvents(t *testing.T, s *store.Store, from, to int) {
	t.Helper()
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := from; i <= to; i++ {
			if err := tx.AppendAuditEvent(ctx, audit.Event{
				ID: fmt.Sprintf("id%d", i), Time: minute(i), Actor: "token:t", Action: "firewall.rule.create",
				Object: fmt.Sprintf("rule%d", i),
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func minute(i int) time.Time { return time.Unix(1_800_000_000+60*int64(i), 0).UTC() }

// faults verifies the chain by the verifier, and by the rule of Check.
func faults(t *testing.T, s *store.Store) (found []string, byCheck int) {
	t.Helper()
	v := new(audit.Verifier)
	err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		removed, last, err := tx.AuditChain(ctx)
		if err != nil {
			return err
		}
		v.Begin(removed)
		err = tx.EachAuditEvent(ctx, -1<<40, 1<<40, func(e audit.Event, previous string) error {
			v.Add(e, previous)
			return nil
		})
		v.End(last)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, found = v.Result()
	checked, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range checked {
		if f.What != "an audit event follows the one before it" {
			t.Errorf("Check found something else: %v", f)
		}
	}
	return found, len(checked)
}

func TestAChangedAuditLogIsFound(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, fault string
		harm        []string
	}{
		{"nothing is changed", "", nil},
		{"a text", "event 3 does not have its hash", []string{`UPDATE audit SET actor = 'token:u' WHERE sequence = 3`}},
		{"a time", "event 3 does not have its hash", []string{`UPDATE audit SET time = time + 1 WHERE sequence = 3`}},
		{"a hash", "event 3 does not have its hash", []string{`UPDATE audit SET hash = 'x' WHERE sequence = 3`}},
		{"an event in the middle is removed", "event 3 is missing", []string{`DELETE FROM audit WHERE sequence = 3`}},
		{"the oldest ones are removed", "events 1 to 2 are missing", []string{`DELETE FROM audit WHERE sequence < 3`}},
		{"the newest one is removed", "event 5 is missing", []string{`DELETE FROM audit WHERE sequence = 5`}},
		{"all are removed", "events 1 to 5 are missing", []string{`DELETE FROM audit`}},
		{"two are exchanged", "event 2 does not have its hash", []string{
			`UPDATE audit SET sequence = 100 WHERE sequence = 2`, `UPDATE audit SET sequence = 2 WHERE sequence = 3`,
			`UPDATE audit SET sequence = 3 WHERE sequence = 100`,
		}},
		{"one is inserted, and those after it moved", "does not have its hash", []string{
			`UPDATE audit SET sequence = sequence + 100 WHERE sequence > 2`,
			`INSERT INTO audit SELECT 3, 'new', time, actor, address, action, object, summary, hash FROM audit ` +
				`WHERE sequence = 2`,
			`UPDATE audit SET sequence = sequence - 99 WHERE sequence > 100`,
		}},
		{"one is inserted before the first one", "was inserted or moved", []string{
			`INSERT INTO audit SELECT 0, 'new', time, actor, address, action, object, summary, hash FROM audit ` +
				`WHERE sequence = 2`,
		}},
		{"one is inserted after the last one", "was inserted", []string{
			`INSERT INTO audit SELECT 6, 'new', time, actor, address, action, object, summary, audit_hash(hash, 6, ` +
				`'new', time, actor, address, action, object, summary) FROM audit WHERE sequence = 5`,
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			appendEvents(t, s, 1, 5)
			write(t, s, row.harm...)
			found, byCheck := faults(t, s)
			if row.fault == "" && (len(found) > 0 || byCheck > 0) {
				t.Errorf("found %q, and %d by Check", found, byCheck)
			}
			if !strings.Contains(strings.Join(found, "\n"), row.fault) {
				t.Errorf("found %q, want %q", found, row.fault)
			}
			if row.fault != "" && byCheck == 0 {
				t.Error("Check finds nothing")
			}
		})
	}
}

// A write that is undone leaves no hole, and two processes make one chain.
func TestTheChainHasNoHoles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s, other := openAt(t, path), openAt(t, path)
	appendEvents(t, s, 1, 1)
	undone := errors.New("undone")
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := tx.AppendAuditEvent(ctx, audit.Event{ID: "undone"}); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	appendEvents(t, other, 2, 2)
	appendEvents(t, s, 3, 3)
	if found, byCheck := faults(t, s); len(found) > 0 || byCheck > 0 {
		t.Errorf("found %q, and %d by Check", found, byCheck)
	}
}

// What is left after the oldest events were removed can be verified, and does not hide what else is missing.
func TestTheChainBeginsAfterWhatWasRemovedForItsAge(t *testing.T) {
	t.Parallel()
	s := open(t)
	appendEvents(t, s, 1, 9)
	remove := func(before time.Time, most, want int64) {
		t.Helper()
		err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			n, err := tx.RemoveAuditEvents(ctx, before, minute(1000), most)
			if n != want {
				t.Errorf("removed %d, want %d", n, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if found, byCheck := faults(t, s); len(found) > 0 || byCheck > 0 {
			t.Errorf("found %q, and %d by Check", found, byCheck)
		}
	}
	remove(minute(1), 10, 0)
	remove(minute(6), 3, 3)
	remove(minute(6), 10, 2)
	remove(minute(6), 10, 0)
	appendEvents(t, s, 10, 10)
	write(t, s, `DELETE FROM audit WHERE sequence = 6`)
	if found, _ := faults(t, s); len(found) != 1 || !strings.Contains(found[0], "event 6 is missing") {
		t.Errorf("found %q", found)
	}
	write(t, s, `UPDATE audit SET time = 0 WHERE sequence = 10`, `DELETE FROM audit WHERE sequence < 10`)
	remover := func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.RemoveAuditEvents(ctx, minute(100), minute(1000), 100)
		return err
	}
	if err := s.Write(t.Context(), remover); err != nil {
		t.Fatal(err)
	}
	appendEvents(t, s, 11, 11) // to an empty chain
	if found, byCheck := faults(t, s); len(found) > 0 || byCheck > 0 {
		t.Errorf("after all were removed: found %q, and %d by Check", found, byCheck)
	}
}

// A clock that was put back leaves a new event before an old one; nothing is removed out of the middle.
func TestAnEventThatLooksOldIsNotRemovedOutOfTheMiddle(t *testing.T) {
	t.Parallel()
	s := open(t)
	appendEvents(t, s, 5, 6)
	appendEvents(t, s, 1, 2)
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.RemoveAuditEvents(ctx, minute(3), minute(1000), 100)
		if n != 0 {
			t.Errorf("removed %d", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A clock that was wrong for a while must neither keep all older events, nor delete all newer ones.
func TestEventsFromAWrongClock(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		minutes []int // the times of the events, in their order
		want    int64 // how many are removed from before minute 10, at minute 20
	}{
		{"all in order", []int{1, 2, 11, 12}, 2},
		{"one from after now among the old ones", []int{1, 999, 2, 11, 12}, 3},
		{"the first one from after now", []int{999, 1, 2, 11, 12}, 3},
		{"the last one from after now", []int{1, 2, 11, 999}, 2},
		{"one from before all among the new ones", []int{1, 2, 11, 0, 12}, 2},
		{"all from after now", []int{997, 998, 999}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for i, m := range row.minutes {
				err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					return tx.AppendAuditEvent(ctx, audit.Event{ID: fmt.Sprint(i), Time: minute(m)})
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				n, err := tx.RemoveAuditEvents(ctx, minute(10), minute(20), 100)
				if n != row.want {
					t.Errorf("removed %d, want %d", n, row.want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if found, byCheck := faults(t, s); len(found) > 0 || byCheck > 0 {
				t.Errorf("found %q, and %d by Check", found, byCheck)
			}
		})
	}
}
