package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

func openServer(t *testing.T, dsn string) *store.Store {
	t.Helper()
	s, err := store.OpenWaiting(t.Context(), dsn, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func addMailServer(t *testing.T, s *store.Store, name string) error {
	t.Helper()
	return s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.SetMailServer(ctx, name, "")
	})
}

func mailServer(t *testing.T, s *store.Store) (name string, err error) {
	t.Helper()
	return name, s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		m, err := tx.MailServer(ctx)
		name = m.Name
		return err
	})
}

// Servers that start at once on an empty database, after a roll-out, all start.
func TestAPostgreSQLDatabaseIsMigratedByManyAtOnce(t *testing.T) {
	t.Parallel()
	dsn := postgres.Start(t, "fsync=off").URL("postgres")
	var openings errgroup.Group
	for range 4 {
		openings.Go(func() error {
			s, err := store.Open(t.Context(), dsn)
			if err != nil {
				return err
			}
			faults, err := s.Check(t.Context())
			if len(faults) > 0 {
				t.Errorf("the database has faults: %v", faults)
			}
			return errors.Join(err, s.Close())
		})
	}
	if err := openings.Wait(); err != nil {
		t.Error(err)
	}
}

// A server that stops in the midst of a write, as on a machine that is suspended or cut off from the network, has the
// lock on writing. It loses that before others give up waiting.
func TestAServerThatStopsLetsOthersWrite(t *testing.T) {
	t.Parallel()
	dsn := postgres.Start(t, "fsync=off").URL("postgres")
	stopped, other := openServer(t, dsn), openServer(t, dsn)
	writing, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- stopped.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			if err := tx.SetMailServer(ctx, "stopped", ""); err != nil {
				return err
			}
			close(writing)
			<-goOn
			_, err := tx.MailServer(ctx)
			return err
		})
	}()
	<-writing
	if err := addMailServer(t, other, "other"); err != nil {
		t.Errorf("the other server: %v", err)
	}
	close(goOn)
	if err := <-ended; !errors.Is(err, store.ErrAway) {
		t.Errorf("the write of the stopped server: %v, want ErrAway", err)
	}
	if err := addMailServer(t, stopped, "again"); err != nil {
		t.Errorf("its next write: %v", err)
	}
	if name, err := mailServer(t, other); name != "again" || err != nil {
		t.Errorf("the other server reads %q (%v)", name, err)
	}
}

// What a standby has may be old: a request that a rule denies must not be let in by it.
func TestAStandbyIsNotReadBeforeItTakesOver(t *testing.T) {
	t.Parallel()
	primary := postgres.Start(t, "wal_retrieve_retry_interval=100ms")
	standby := postgres.StartStandby(t, primary)
	both := strings.Replace(primary.URL("postgres"), fmt.Sprintf(":%d", primary.Port),
		fmt.Sprintf(":%d,127.0.0.1:%d", primary.Port, standby.Port), 1)
	s := openServer(t, both)
	if err := addMailServer(t, s, "before"); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		caughtUp, err := primary.Query(t.Context(), `SELECT count(*) FROM pg_stat_replication
			WHERE replay_lsn = pg_current_wal_lsn()`)
		if err != nil {
			t.Fatal(err)
		}
		return caughtUp == "1"
	})
	primary.Stop(syscall.SIGKILL)
	if name, err := mailServer(t, s); !errors.Is(err, store.ErrReadOnly) && !errors.Is(err, store.ErrAway) {
		t.Errorf("the standby was read: %q, %v", name, err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name, err := mailServer(t, s); name != "before" || err != nil {
		t.Errorf("after the failover it reads %q (%v)", name, err)
	}
	if err := addMailServer(t, s, "after"); err != nil {
		t.Errorf("a write after the failover: %v", err)
	}
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("waited in vain")
		}
	}
}
