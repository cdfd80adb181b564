package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// openOn opens a database of a server, which has it afterwards.
func openOn(t *testing.T, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sqlOn(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	for _, statement := range statements {
		if _, err := c.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// PostgreSQL folds each character as this program does, alone and before an accent.
func TestPostgresFoldsAsThisProgramDoes(t *testing.T) {
	t.Parallel()
	s := openOn(t, postgres.Start(t, "fsync=off").URL("postgres"))
	fold := func(text string) (folded string) {
		if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT fold(?)`, text).Scan(&folded)
		}); err != nil {
			t.Fatal(err)
		}
		return folded
	}
	var many []string
	for r := rune(1); r <= 0x20000; r++ {
		if unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.S, unicode.P) &&
			!unicode.In(r, unicode.Han, unicode.Hangul) {
			many = append(many, string(r))
			if r < 0x10000 { // those that came to Unicode later, the server may not know
				many = append(many, "a"+string(r)+"\u0301")
			}
		}
		if len(many) < 5000 && r < 0x20000 {
			continue
		}
		folded := strings.Split(fold(strings.Join(many, " . ")), " . ")
		if len(folded) != len(many) {
			t.Fatalf("%d texts before %U are folded to %d", len(many), r, len(folded))
		}
		for i, text := range many {
			if want := store.Fold(text); folded[i] != want {
				t.Errorf("%+q is folded to %+q, want %+q", text, folded[i], want)
			}
		}
		many = many[:0]
	}
	for _, text := range []string{"", "ANN@Example.COM", "Stra\u00dfe", "\u0130stanbul", "\u1e9e", "A\u030a"} {
		if got, want := fold(text), store.Fold(text); got != want {
			t.Errorf("%q is folded to %q, want %q", text, got, want)
		}
	}
}

// Times in filters are those of RFC 3339 as SQLite's function of this program reads them.
func TestPostgresReadsTimesAsThisProgramDoes(t *testing.T) {
	t.Parallel()
	s := openOn(t, postgres.Start(t).URL("postgres"))
	for _, text := range []string{
		"2026-01-31T12:00:00Z", "2026-01-31T12:00:00.1Z", "2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00,5Z",
		"1969-12-31T23:59:59.25Z", "2026-01-31T12:00:00+01:00", "2026-01-31T12:00:00-23:59", "2026-02-30T12:00:00Z",
		"2026-13-01T12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:00:60Z",
		"2026-01-31T12:00:00", "2026-01-31", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "now",
		"", "tomorrow",
		"2026-01-31t12:00:00z", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00.Z", "0000-01-01T00:00:00Z",
		"2026-01-31T12:00:00+01:60",
	} {
		var got string
		if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT CAST(instant(?) AS TEXT)`, text).Scan(&got)
		}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		want := ""
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			want = fmt.Sprint(at.UnixMicro())
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// A server that is restarted, by its operator or by a crash, holds requests up and loses nothing that was acknowledged.
func TestPostgresRestartsUnderWrites(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	s := openOn(t, server.URL("postgres"))
	var acknowledged sync.Map
	var written, unknown atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("%d-%d", w, i)
				switch err := s.Write(t.Context(), insert(id)); {
				case err == nil:
					acknowledged.Store(id, true)
					written.Add(1)
				case errors.Is(err, store.ErrAway):
					unknown.Add(1)
				default:
					t.Errorf("a write: %v", err)
				}
			}
		})
	}
	for _, how := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL, syscall.SIGQUIT} {
		for before := written.Load(); written.Load() < before+100; {
			time.Sleep(5 * time.Millisecond)
		}
		server.Stop(how)
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for before := written.Load(); written.Load() < before+100; {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	writers.Wait()
	var ids []string
	if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		ids, err = store.All(ctx, tx, func(row store.Scanner) (s string, err error) { return s, row.Scan(&s) },
			`SELECT id FROM account`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		acknowledged.Delete(id)
	}
	acknowledged.Range(func(id, _ any) bool {
		t.Errorf("%s was acknowledged, and is gone", id)
		return true
	})
	if n := int64(len(ids)); n < written.Load() || n > written.Load()+unknown.Load() {
		t.Errorf("%d rows after %d writes and %d of which nobody knows", n, written.Load(), unknown.Load())
	}
}

// Whoever opens a database of several servers writes to the primary, after it has changed, too.
func TestPostgresFailsOver(t *testing.T) {
	t.Parallel()
	primary := postgres.Start(t, "synchronous_standby_names=*", "synchronous_commit=local")
	standby := postgres.StartStandby(t, primary)
	if _, err := store.Open(t.Context(), standby.URL("postgres")); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("a standby alone is opened with %v, want ErrReadOnly", err)
	}
	both := fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres?target_session_attrs=read-write",
		standby.Port, primary.Port)
	s := openOn(t, both)
	for i := range 10 {
		if err := s.Write(t.Context(), insert(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	awaitStandby(t, primary)
	primary.Stop(syscall.SIGKILL)
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := count(t, s); got != 10 {
		t.Errorf("%d rows are read after the failover, want 10", got)
	}
	if err := s.Write(t.Context(), insert("after")); err != nil {
		t.Errorf("a write after the failover: %v", err)
	}
}

// awaitStandby waits until the standby has all that the primary has.
func awaitStandby(t *testing.T, primary *postgres.Server) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), primary.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	for until := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var all bool
		err := c.QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_stat_replication
			WHERE replay_lsn >= pg_current_wal_lsn()`).Scan(&all)
		if err == nil && all {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the standby does not follow: %v", err)
		}
	}
}

// A server that has the database open beside this one is not overtaken, nor are its commits missed.
func TestTwoServersOnOnePostgres(t *testing.T) {
	t.Parallel()
	dsn := postgres.Start(t).URL("postgres")
	var stores [3]*store.Store
	var opening sync.WaitGroup
	for i := range stores { // one of them makes the schema
		opening.Go(func() {
			var err error
			if stores[i], err = store.Open(t.Context(), dsn); err != nil {
				t.Error(err)
			}
		})
	}
	if opening.Wait(); t.Failed() {
		t.FailNow()
	}
	for _, s := range stores {
		defer s.Close()
	}
	if err := stores[0].Write(t.Context(), insert("counter")); err != nil {
		t.Fatal(err)
	}
	const each = 100
	var group sync.WaitGroup
	for _, s := range stores {
		for range 2 {
			group.Go(func() {
				for range each {
					err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
						var n int64 // what is read before it is written is not what another has read, too
						err := tx.QueryRow(ctx, `SELECT created_at FROM account WHERE id = 'counter'`).Scan(&n)
						if err != nil {
							return err
						}
						_, err = tx.Exec(ctx, `UPDATE account SET created_at = ? WHERE id = 'counter'`, n+1)
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	group.Wait()
	for i, s := range stores {
		var n int
		if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT created_at FROM account WHERE id = 'counter'`).Scan(&n)
		}); err != nil || n != 6*each {
			t.Errorf("server %d counts %d (%v), want %d", i, n, err, 6*each)
		}
	}
	// What one remembers of admission ends with another's commit.
	domain := func(s *store.Store) string {
		read := func(ctx context.Context, tx *store.Tx) (string, bool, error) {
			f, err := tx.Firewall(ctx)
			return f.DefaultAction, true, err
		}
		action, _, err := store.Cached(t.Context(), s, "action", read)
		if err != nil {
			t.Fatal(err)
		}
		return action
	}
	for i := range 200 {
		want := fmt.Sprint(i)
		if err := stores[i%3].Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.UpdateFirewall(ctx, store.Firewall{DefaultAction: want})
		}); err != nil {
			t.Fatal(err)
		}
		for j, s := range stores {
			if got := domain(s); got != want {
				t.Fatalf("server %d has %s after %s was committed", j, got, want)
			}
		}
	}
}

func TestPostgresThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t)
	sqlOn(t, server.URL("postgres"),
		`CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
		`CREATE DATABASE newer`)
	if err := openOn(t, server.URL("newer")).Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ dsn, want string }{
		"another encoding":    {server.URL("latin"), "ENCODING 'UTF8'"},
		"no such database":    {server.URL("none"), "none"},
		"a newer version":     {server.URL("newer"), "run the newer"},
		"nobody there":        {"postgres://u:s3cret@127.0.0.1:1/x?connect_timeout=2", "cannot be reached"},
		"no address":          {"postgres://u:s3cret@[::1/x", "percent-encoding"},
		"a password in parts": {"postgres://u:s3/cret@127.0.0.1:x/x", "percent-encoding"},
		"a wrong parameter":   {"postgres://u:s3cret@127.0.0.1/x?sslmode=perhaps", "percent-encoding"},
	} {
		s, err := store.Open(t.Context(), row.dsn)
		if err == nil {
			s.Close()
			t.Errorf("%s: it is opened", name)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, row.want) || strings.Contains(text, "s3") || strings.Contains(text, "cret") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// A write that waits too long for another connection's lock on writing is refused with that cause.
func TestAPostgresThatIsLocked(t *testing.T) {
	t.Parallel()
	dsn := postgres.Start(t).URL("postgres")
	openOn(t, dsn)
	s, err := store.OpenWaiting(t.Context(), dsn, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	if _, err := c.Exec(t.Context(), fmt.Sprintf("SELECT pg_advisory_lock(%d)", store.WriteLock)); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), insert("x")); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a write: %v, want ErrLocked", err)
	}
	if got := count(t, s); got != 0 {
		t.Errorf("%d rows", got)
	}
	if _, err := c.Exec(t.Context(), "SELECT pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), insert("x")); err != nil {
		t.Errorf("a write afterwards: %v", err)
	}
}
