package account_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// verified returns the number of events of the chain, and fails if it is broken.
func verified(t *testing.T, a *account.Account) int64 {
	t.Helper()
	v := new(audit.Verifier)
	if err := a.VerifyAudit(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	events, _, faults := v.Result()
	if len(faults) > 0 {
		t.Errorf("the chain is broken: %q", faults)
	}
	return events
}

func addEvents(t *testing.T, a *account.Account, n int) {
	t.Helper()
	err := a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for range n {
			if err := a.Audit(ctx, tx, "test.event", "x", ""); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFaultOfTheAuditLogDoesNotKeepTheRestFromBeingSwept(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.AuditKept = 30 * 24 * time.Hour
	exec(t, a, `INSERT INTO generations (epoch, email, kdf, verifier, created_at) VALUES (1, 'm', '{}', '', 1)`,
		`INSERT INTO sessions (digest, id, epoch, instance, created_at, expires_at)
		VALUES ('d', 's', 1, 'b', 1, 9)`, `ALTER TABLE audit RENAME TO lost`)
	if err := a.Sweep(t.Context()); err == nil {
		t.Error("the fault of the audit log is not returned")
	}
	var sessions int
	err := a.Store.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM sessions`).Scan(&sessions)
	})
	if err != nil || sessions != 0 {
		t.Errorf("%d expired sessions are left (%v)", sessions, err)
	}
}

// While another process has the database's lock, an administrator can read why.
func TestUnderALockTheAccountCanBeRead(t *testing.T) {
	t.Parallel()
	// The wait of a real server would be most of the time of all tests here.
	s, err := store.OpenWaiting(t.Context(), storetest.NewFile(t), 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := account.Create(t.Context(), s, "Example", time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := a.CreateToken(t.Context(), "reads")
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddr("192.0.2.1")
	if _, err := a.AdmitToken(t.Context(), "sba_wrong", address); err == nil { // is counted, and written later
		t.Fatal("a wrong token is admitted")
	}
	other, err := sqlite3.Open("file:" + strings.TrimPrefix(a.Store.Setting(), "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AdmitToken(t.Context(), secret, address); err != nil {
		t.Errorf("a right token: %v", err)
	}
	if page, err := a.AuditEvents(t.Context(), "", 10); err != nil || len(page.Items) == 0 {
		t.Errorf("the audit log: %d events, %v", len(page.Items), err)
	}
	if _, _, err := a.CreateToken(t.Context(), "another"); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a change: %v, want ErrLocked", err)
	}
}

// A reader of an export may be slow. A transaction that stayed open for it would keep the database's log from being
// emptied.
func TestASlowReaderOfAnExportHoldsUpNothing(t *testing.T) {
	t.Parallel()
	a := newAccountIn(t, storetest.NewFile(t))
	addEvents(t, a, 2500)
	other, err := sqlite3.Open("file:" + strings.TrimPrefix(a.Store.Setting(), "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lines := 0
	var export bytes.Buffer
	s, err := a.ExportAudit(t.Context(), account.AuditQuery{}, writerFunc(func(p []byte) (int, error) {
		if lines++; lines%500 == 0 {
			addEvents(t, a, 1)
			if !emptiesLog(t, other) {
				t.Errorf("while line %d is written, the log cannot be emptied", lines)
			}
		}
		return export.Write(p)
	}))
	if err != nil || s.Events != 2500 {
		t.Errorf("%d events, %v", s.Events, err)
	}
	v := new(audit.Verifier)
	if _, err := audit.VerifyExport(&export, v); err != nil {
		t.Fatal(err)
	}
	if events, _, faults := v.Result(); events != 2500 || len(faults) > 0 {
		t.Errorf("%d events, %q", events, faults)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// emptiesLog reports whether all of the database's log could be copied into the database, and the log begin anew.
func emptiesLog(t *testing.T, db *sqlite3.Conn) bool {
	t.Helper()
	statement, _, err := db.Prepare(`PRAGMA wal_checkpoint(TRUNCATE)`)
	if err != nil {
		t.Fatal(err)
	}
	defer statement.Close()
	if !statement.Step() {
		t.Fatal(statement.Err())
	}
	return statement.ColumnInt(0) == 0
}

// What was exported of a log must be all of it, or be refused.
func TestAnExportFromWhichEventsAreRemovedMeanwhileFails(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	addEvents(t, a, 1500)
	removed := false
	_, err := a.ExportAudit(t.Context(), account.AuditQuery{}, writerFunc(func(p []byte) (int, error) {
		if !removed {
			removed = true
			err := a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				n, err := tx.RemoveAuditEvents(ctx, a.Time().Add(time.Hour), a.Time().Add(time.Hour), 1200)
				if n != 1200 {
					t.Errorf("%d were removed", n)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return len(p), nil
	}))
	if !errors.Is(err, account.ErrRemovedMeanwhile) {
		t.Errorf("it answered %v", err)
	}
}

// Somebody may have added an event before those that are left. The export has it, so that whoever verifies the export
// sees it; to export once more would not help.
func TestAnExportHasAnEventThatWasAddedBeforeTheFirst(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	addEvents(t, a, 5)
	since := a.Time().Add(-time.Hour)
	err := a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.RemoveAuditEvents(ctx, a.Time().Add(time.Hour), a.Time().Add(time.Hour), 3)
		if err != nil || n != 3 {
			t.Errorf("%d were removed (%v)", n, err)
		}
		_, err = tx.Exec(ctx, `INSERT INTO audit (sequence, id, time, actor, address, action, object, summary, hash)
			SELECT 2, 'added', time, actor, address, action, object, summary, hash FROM audit WHERE sequence = 4`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var export bytes.Buffer
	if _, err := a.ExportAudit(t.Context(), account.AuditQuery{Since: since}, &export); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(export.String(), `"id":"added"`) {
		t.Errorf("the export has no such event: %s", &export)
	}
	v := new(audit.Verifier)
	if _, err := audit.VerifyExport(&export, v); err != nil {
		t.Fatal(err)
	}
	if _, _, faults := v.Result(); len(faults) == 0 {
		t.Error("the export was verified")
	}
}

// What is not UTF-8 is replaced before it is recorded: in an export it would be another text.
func TestAnEventOfAnyBytesCanBeExported(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	err := a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return a.Audit(ctx, tx, "test.event", "x\xff\x00\u2028", "%s", "\xc3\x28 <&> \"\\ \r\n\x7f")
	})
	if err != nil {
		t.Fatal(err)
	}
	var export bytes.Buffer
	if _, err := a.ExportAudit(t.Context(), account.AuditQuery{}, &export); err != nil {
		t.Fatal(err)
	}
	v := new(audit.Verifier)
	if _, err := audit.VerifyExport(&export, v); err != nil {
		t.Fatal(err)
	}
	if events, _, faults := v.Result(); events != 1 || len(faults) > 0 {
		t.Errorf("%d events, %q", events, faults)
	}
}

// An export of a time has the events of that time, and can be verified by itself.
func TestAnExportOfATime(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := start
	a := newAccount(t)
	a.Now = func() time.Time { return now }
	for range 6 {
		addEvents(t, a, 1)
		now = now.Add(time.Hour)
	}
	at := func(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }
	for _, row := range []struct {
		name  string
		query account.AuditQuery
		want  int64
	}{
		{"all", account.AuditQuery{}, 6},
		{"since a time, which counts", account.AuditQuery{Since: at(2)}, 4},
		{"until a time, which counts", account.AuditQuery{Until: at(2)}, 3},
		{"between two", account.AuditQuery{Since: at(1), Until: at(3)}, 3},
		{"between two events", account.AuditQuery{Since: at(1).Add(time.Minute), Until: at(1).Add(2 * time.Minute)}, 0},
		{"before the first one", account.AuditQuery{Until: at(-1)}, 0},
		{"after the last one", account.AuditQuery{Since: at(9)}, 0},
		{"until before since", account.AuditQuery{Since: at(4), Until: at(2)}, 0},
		{"one action", account.AuditQuery{Filter: audit.Filter{Action: "test.event"}}, 6},
		{"a group of actions", account.AuditQuery{Filter: audit.Filter{Action: "test"}}, 6},
		{"no action that begins alike", account.AuditQuery{Filter: audit.Filter{Action: "tes"}}, 0},
		{"another actor", account.AuditQuery{Filter: audit.Filter{Actor: "token:t"}}, 0},
		{"one object", account.AuditQuery{Since: at(5), Filter: audit.Filter{Object: "x"}}, 1},
	} {
		var out bytes.Buffer
		s, err := a.ExportAudit(t.Context(), row.query, &out)
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		v := new(audit.Verifier)
		if _, err := audit.VerifyExport(&out, v); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if events, _, faults := v.Result(); events != row.want || s.Events != row.want || len(faults) > 0 {
			t.Errorf("%s: %d events, want %d; faults %q", row.name, events, row.want, faults)
		}
	}
}
