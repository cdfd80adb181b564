package account

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// Between two batches events are added, and old ones are removed: verified ones, and more than those.
func TestALogThatIsVerifiedMayGrowAndAge(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := Create(t.Context(), s, "Example", time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	write := func(fn func(context.Context, *store.Tx) error) {
		t.Helper()
		if err := s.Write(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	add := func(n int) {
		write(func(ctx context.Context, tx *store.Tx) error {
			for range n {
				if err := a.Audit(ctx, tx, "test.event", "x", ""); err != nil {
					return err
				}
			}
			return nil
		})
	}
	remove := func(n int64) {
		write(func(ctx context.Context, tx *store.Tx) error {
			later := time.Now().Add(time.Hour)
			_, err := tx.RemoveAuditEvents(ctx, later, later, n)
			return err
		})
	}
	for _, removed := range []int64{0, 10, auditBatch, auditBatch + 1, 2*auditBatch + 7} {
		add(3 * auditBatch)
		r := auditReader{next: math.MinInt64 / 2}
		for step := 0; !r.done; step++ {
			if step == 1 {
				add(auditBatch)
				remove(removed)
			}
			if err := s.Read(t.Context(), r.batch); err != nil {
				t.Fatal(err)
			}
		}
		_, last, faults := r.v.Result()
		if len(faults) > 0 {
			t.Errorf("with %d removed meanwhile: %q", removed, faults)
		}
		remove(last.Sequence) // as many as there are
	}
}

func BenchmarkABatchOfTheAuditLog(b *testing.B) {
	s, err := store.Open(b.Context(), storetest.New(b))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	a, err := Create(b.Context(), s, "Example", time.Now, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Write(b.Context(), func(ctx context.Context, tx *store.Tx) error {
		for range auditBatch {
			err = errors.Join(err, a.Audit(ctx, tx, "person.replace", a.NewID(), "member %s, suspended", a.NewID()))
		}
		return err
	}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r := auditReader{next: 1}
		if err := s.Read(b.Context(), r.batch); err != nil {
			b.Fatal(err)
		}
	}
}
