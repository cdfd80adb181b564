package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func TestWhatIsCachedIsReadAgainAfterACommit(t *testing.T) {
	t.Parallel()
	path := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	mine, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	// Another store of the same file is what another process has.
	other, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	reads := 0
	revision := func(ctx context.Context) int64 {
		t.Helper()
		version, found, err := store.Cached(ctx, mine, "firewall", func(ctx context.Context, tx *store.Tx) (int64, bool,
			error) {
			reads++
			f, err := tx.Firewall(ctx)
			return f.Version, true, err
		})
		if err != nil || !found {
			t.Fatalf("found: %t, %v", found, err)
		}
		return version
	}
	change := func(s *store.Store, then func(ctx context.Context)) {
		t.Helper()
		err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			f, err := tx.Firewall(ctx)
			if err != nil {
				return err
			}
			if err := tx.UpdateFirewall(ctx, f); err != nil {
				return err
			}
			then(ctx)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(context.Context) {}

	first := revision(t.Context())
	if again := revision(t.Context()); again != first || reads != 1 {
		t.Errorf("without a commit: version %d, then %d, in %d reads; want the same, in one", first, again, reads)
	}
	change(mine, nothing)
	if got := revision(t.Context()); got != first+1 {
		t.Errorf("after a commit here: version %d, want %d", got, first+1)
	}
	change(other, nothing)
	if got := revision(t.Context()); got != first+2 {
		t.Errorf("after a commit elsewhere: version %d, want %d", got, first+2)
	}
	change(mine, func(ctx context.Context) {
		if got := revision(ctx); got != first+3 {
			t.Errorf("in the transaction itself: version %d, want %d", got, first+3)
		}
		if got := revision(t.Context()); got != first+2 {
			t.Errorf("beside the transaction: version %d, want %d, as committed", got, first+2)
		}
	})
	if got := revision(t.Context()); got != first+3 {
		t.Errorf("after that transaction: version %d, want %d", got, first+3)
	}
}

func TestGuessesAreNotCached(t *testing.T) {
	t.Parallel()
	s := open(t)
	reads := 0
	ask := func(key string, found bool) {
		t.Helper()
		_, got, err := store.Cached(t.Context(), s, key, func(context.Context, *store.Tx) (string, bool, error) {
			reads++
			return key, found, nil
		})
		if err != nil || got != found {
			t.Fatalf("found: %t, %v; want %t", got, err, found)
		}
	}
	ask("right", true)
	for i := range 1000 {
		ask("guess "+strconv.Itoa(i%2), false)
	}
	ask("right", true)
	if reads != 1001 {
		t.Errorf("%d reads, want 1001: each guess, and what is right once", reads)
	}
}

// A partial list must not pass for the whole one, nor a missing row for an empty one.
func TestAReaderWhoIsCancelledOnTheWayGetsAnError(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		list, err := store.All(ctx, tx, func(row store.Scanner) (n int64, err error) {
			cancel()
			return n, row.Scan(&n)
		}, `SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3`)
		if err == nil {
			t.Errorf("got %v of three rows, and no error", list)
		}
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
