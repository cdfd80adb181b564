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
)

// writeTogether makes writes that wait for the writer at the same time.
func writeTogether(t *testing.T, s *store.Store, writes ...func()) {
	t.Helper()
	var all sync.WaitGroup
	started, hold := make(chan struct{}), make(chan struct{})
	all.Go(func() {
		if err := s.Write(t.Context(), func(context.Context, *store.Tx) error {
			close(started)
			<-hold
			return nil
		}); err != nil {
			t.Error(err)
		}
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
}

// What fails among writes that share a commit, and however, leaves nothing, and the others are whole: their rows, their
// place in the audit log and what they have called after the commit.
func TestWhatFailsAmongWritesThatShareACommitLeavesTheOthersWhole(t *testing.T) {
	t.Parallel()
	s := open(t)
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
