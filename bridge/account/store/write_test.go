package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// writeTogether makes writes that wait for the writer at the same time.
func writeTogether(t *testing.T, s *store.Store, writes ...func()) {
	t.Helper()
	if err := writeBehind(t, s, writes...); err != nil {
		t.Error(err)
	}
}

// writeBehind makes writes that share the commit of an empty one, whose error it returns.
func writeBehind(t *testing.T, s *store.Store, writes ...func()) (err error) {
	t.Helper()
	var all sync.WaitGroup
	started, hold := make(chan struct{}), make(chan struct{})
	all.Go(func() {
		err = s.Write(t.Context(), func(context.Context, *store.Tx) error {
			close(started)
			<-hold
			return nil
		})
	})
	<-started
	var ready sync.WaitGroup
	for _, write := range writes {
		ready.Add(1)
		all.Go(func() {
			ready.Done()
			write()
		})
	}
	ready.Wait()
	close(hold)
	all.Wait()
	return err
}

// What fails among writes that share a commit, and however, leaves nothing, and the others are whole: their rows, their
// place in the audit log and what they have called after the commit.
func TestWhatFailsAmongWritesThatShareACommitLeavesTheOthersWhole(t *testing.T) {
	t.Parallel()
	onBoth(t, whatFailsAmongWrites)
}

// onBoth runs a test on either database.
func onBoth(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, open(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, openOn(t, postgres.Start(t, "fsync=off").URL("postgres")))
	})
}

func whatFailsAmongWrites(t *testing.T, s *store.Store) {
	mine := errors.New("mine")
	var called [8]atomic.Int32
	// leave writes all there is to undo.
	leave := func(ctx context.Context, tx *store.Tx, id string, n *atomic.Int32) error {
		tx.AfterCommit(func() { n.Add(1) })
		return errors.Join(insert(id)(ctx, tx), tx.AppendAuditEvent(ctx, audit.Event{ID: id}))
	}
	ended, end := context.WithCancel(t.Context())
	kinds := []func(id string, n *atomic.Int32){
		func(id string, n *atomic.Int32) { // succeeds
			if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return leave(ctx, tx, "kept"+id, n)
			}); err != nil {
				t.Error(err)
			}
		},
		func(id string, n *atomic.Int32) { // fails
			if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return errors.Join(leave(ctx, tx, "failed"+id, n), mine)
			}); !errors.Is(err, mine) {
				t.Errorf("got %v, want %v", err, mine)
			}
		},
		func(id string, n *atomic.Int32) { // panics
			defer func() {
				if got := recover(); got != "boom"+id {
					t.Errorf("recovered %v, want boom%s", got, id)
				}
			}()
			_ = s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				if err := leave(ctx, tx, "panicked"+id, n); err != nil {
					t.Error(err)
				}
				panic("boom" + id)
			})
		},
		func(id string, n *atomic.Int32) { // succeeds, with a part that fails
			if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				if err := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
					return errors.Join(leave(ctx, tx, "part"+id, n), mine)
				}); !errors.Is(err, mine) {
					t.Errorf("got %v, want %v", err, mine)
				}
				return leave(ctx, tx, "kept whole"+id, n)
			}); err != nil {
				t.Error(err)
			}
		},
		func(id string, n *atomic.Int32) { // succeeds, with a part that panics
			if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				func() {
					defer func() {
						if got := recover(); got != "boom"+id {
							t.Errorf("recovered %v, want boom%s", got, id)
						}
					}()
					_ = s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
						if err := leave(ctx, tx, "part that panicked"+id, n); err != nil {
							t.Error(err)
						}
						panic("boom" + id)
					})
				}()
				return leave(ctx, tx, "kept beside"+id, n)
			}); err != nil {
				t.Error(err)
			}
		},
		func(id string, n *atomic.Int32) { // its caller has left
			if err := s.Write(ended, func(ctx context.Context, tx *store.Tx) error {
				return leave(ctx, tx, "left"+id, n)
			}); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
		},
		func(id string, n *atomic.Int32) { // its caller leaves meanwhile
			ctx, cancel := context.WithCancel(t.Context())
			if err := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
				cancel()
				return leave(ctx, tx, "kept in the end"+id, n)
			}); err != nil {
				t.Error(err)
			}
		},
	}
	end()
	const each = 10
	var writes []func()
	for i := range each {
		for kind, write := range kinds {
			writes = append(writes, func() { write(fmt.Sprint(i), &called[kind]) })
		}
	}
	writeTogether(t, s, writes...)
	for kind, want := range []int32{each, 0, 0, each, each, 0, each} {
		if got := called[kind].Load(); got != want {
			t.Errorf("kind %d: %d calls after the commit, want %d", kind, got, want)
		}
	}
	var kept, all int
	if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE id LIKE 'kept%'
			AND EXISTS (SELECT 1 FROM audit e WHERE e.id = account.id)) FROM account`).Scan(&all, &kept)
	}); err != nil {
		t.Fatal(err)
	}
	if all != 4*each || kept != all {
		t.Errorf("%d rows, %d of them right, want %d", all, kept, 4*each)
	}
	if found, byCheck := faults(t, s); len(found)+byCheck > 0 {
		t.Errorf("the audit log has the faults %v, and %d by check", found, byCheck)
	}
	if stats := s.Stats(); stats.Commits > stats.Writes/3 {
		t.Errorf("%+v: want writes that share commits", stats)
	}
}

// What is sent without waiting for its answer fails the write that sent it, with the same error as if it had waited,
// and no other, whether the write shares a commit or not.
func TestWhatIsSentAndFailsFailsItsWriteAlone(t *testing.T) {
	t.Parallel()
	onBoth(t, whatIsSentAndFails)
}

func whatIsSentAndFails(t *testing.T, s *store.Store) {
	var events atomic.Int64
	send := func(id string) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(
				tx.AppendAuditEvent(ctx, audit.Event{ID: fmt.Sprint(events.Add(1))}),
				tx.Send(ctx, `INSERT INTO account (id, name, created_at) VALUES (?, '', 0)`, id),
			)
		}
	}
	if err := s.Write(t.Context(), send("taken")); err != nil {
		t.Fatal(err)
	}
	waits := s.Write(t.Context(), insert("taken")) // for the answer
	if waits == nil {
		t.Fatal("an id was given twice")
	}
	fails := func(how string, write func(context.Context, *store.Tx) error) {
		if err := s.Write(t.Context(), write); err == nil || err.Error() != waits.Error() {
			t.Errorf("%s: got %v, want %v", how, err, waits)
		}
	}
	inPart := func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(insert("beside")(ctx, tx), s.Write(ctx, send("taken")), send("behind")(ctx, tx))
	}
	asksNext := func(ctx context.Context, tx *store.Tx) error {
		if err := send("taken")(ctx, tx); err != nil {
			return err
		}
		_, _, err := tx.Account(ctx)
		return err
	}
	fails("alone", send("taken"))
	fails("alone, in a part", inPart)
	fails("alone, before a question", asksNext)
	var writes []func()
	for i := range 5 {
		writes = append(writes,
			func() { fails("with others", send("taken")) },
			func() { fails("with others, in a part", inPart) },
			func() { fails("with others, before a question", asksNext) },
			func() {
				if err := s.Write(t.Context(), send(fmt.Sprint("kept", i))); err != nil {
					t.Error(err)
				}
			},
		)
	}
	writeTogether(t, s, writes...)
	var ids int
	if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM account WHERE id = 'taken' OR id LIKE 'kept%'`).Scan(&ids)
	}); err != nil {
		t.Fatal(err)
	}
	if ids != 6 {
		t.Errorf("%d rows are there, want 6", ids)
	}
	if found, byCheck := faults(t, s); len(found)+byCheck > 0 {
		t.Errorf("the audit log has the faults %v, and %d by check", found, byCheck)
	}
}

// A statement that PostgreSQL cannot prepare fails before what waited to be sent with it, such as the savepoint of its
// write. Then nobody's work but its own may be undone and acknowledged.
func TestWhatCannotBePreparedUndoesNoOtherWrite(t *testing.T) {
	t.Parallel()
	onBoth(t, whatCannotBePrepared)
}

func whatCannotBePrepared(t *testing.T, s *store.Store) {
	var mu sync.Mutex
	var acknowledged []string
	var writes []func()
	for i := range 20 {
		writes = append(writes,
			func() {
				id := fmt.Sprint("kept", i)
				if err := s.Write(t.Context(), insert(id)); err != nil {
					return // with what cannot be prepared
				}
				mu.Lock()
				defer mu.Unlock()
				acknowledged = append(acknowledged, id)
			},
			func() {
				if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Exec(ctx, fmt.Sprintf(`UPDATE account SET no_such_column_%d = 1`, i%3))
					return err
				}); err == nil {
					t.Error("a column that is not there was updated")
				}
			},
		)
	}
	if err := writeBehind(t, s, writes...); err != nil {
		t.Log(err) // the first that cannot be prepared fails those with which it shares the commit
	}
	if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, id := range acknowledged {
			var there int
			err := tx.QueryRow(ctx, `SELECT count(*) FROM account WHERE id = ?`, id).Scan(&there)
			if err != nil || there != 1 {
				return fmt.Errorf("%s was acknowledged, and is there %d times: %w", id, there, err)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := s.Write(t.Context(), insert("afterwards")); err != nil {
		t.Error(err)
	}
}

// What a write sends and takes back with the part that sent it is not carried out.
func TestWhatIsSentInAPartThatFailsIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	onBoth(t, whatIsSentInAPart)
}

func whatIsSentInAPart(t *testing.T, s *store.Store) {
	mine := errors.New("mine")
	part := func(id string, err error, asks bool) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error {
			if asks {
				if _, _, err := tx.Account(ctx); err != nil {
					return err
				}
			}
			return errors.Join(tx.Send(ctx, `INSERT INTO account (id, name, created_at) VALUES (?, '', 0)`, id), err)
		}
	}
	want := 0
	for i := range 16 {
		first, second, asks, outer := i&1 != 0, i&2 != 0, i&4 != 0, i&8 != 0
		if err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if outer {
				if err := part(fmt.Sprint("outer", i), nil, asks)(ctx, tx); err != nil {
					return err
				}
			}
			for name, fails := range map[string]bool{"first": first, "second": second} {
				var refused error
				if fails {
					refused = mine
				}
				if err := s.Write(ctx, part(fmt.Sprint(name, i), refused, asks)); !errors.Is(err, refused) {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		for _, kept := range []bool{!first, !second, outer} {
			if kept {
				want++
			}
		}
	}
	var rows int
	if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM account`).Scan(&rows)
	}); err != nil {
		t.Fatal(err)
	}
	if rows != want {
		t.Errorf("%d rows, want %d", rows, want)
	}
}
