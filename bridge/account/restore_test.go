package account_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// A restore must not let a lost secret work again: what the database that was there had revoked stays revoked.
func TestRestoreKeepsRevokedWhatWasRevoked(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		there   bool // whether the newer database is where the backup is restored
		revoked int
		ended   int64
		rotate  bool
		want    string // the state of the first generation, its expiry, the next epoch, tokens and sessions
	}{
		{"over the newer database", true, 1, 1, true, "changed 7 5 1 0"},
		{"in a new place, where nobody knows", false, 0, 0, false, " 0 2 2 0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAccountIn(t, storetest.NewFile(t))
			lost, _, err := a.CreateToken(t.Context(), "lost")
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := a.CreateToken(t.Context(), "kept"); err != nil {
				t.Fatal(err)
			}
			exec(t, a, `INSERT INTO generations (epoch, email, kdf, verifier, created_at) VALUES (1, 'm', '{}', '', 1)`,
				`UPDATE integration SET next_epoch = 2, active = TRUE`,
				`INSERT INTO sessions (digest, id, epoch, instance, created_at, expires_at)
					VALUES ('d', 's', 1, 'b', 1, 9)`)
			saved := filepath.Join(t.TempDir(), "backup.db")
			if _, err := a.Store.Backup(t.Context(), saved, false, func(int64, int64) {}); err != nil {
				t.Fatal(err)
			}
			if err := a.RevokeToken(t.Context(), lost.ID); err != nil {
				t.Fatal(err)
			}
			exec(t, a, `UPDATE generations SET ended = 'changed', expires_at = 7`,
				`UPDATE integration SET next_epoch = 5`)
			if err := a.Store.Close(); err != nil {
				t.Fatal(err)
			}
			path := strings.TrimPrefix(a.Store.Setting(), "sqlite:")
			if !row.there {
				path = filepath.Join(t.TempDir(), "account.db")
			}
			r, err := account.Restore(t.Context(), saved, path, false, func(int64, int64) {})
			if err != nil || r.Unread != nil || len(r.Revoked) != row.revoked || r.Ended != row.ended ||
				r.MustRotate != row.rotate || !r.Active || !r.HasAdmin() {
				t.Errorf("restored %+v, %v", r, err)
			}
			s, err := store.Open(t.Context(), "sqlite:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var got string
			err = s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return tx.QueryRow(ctx, `SELECT ended || ' ' || expires_at || ' '
					|| (SELECT next_epoch FROM integration) || ' ' || (SELECT count(*) FROM tokens)
					|| ' ' || (SELECT count(*) FROM sessions)
					FROM generations WHERE epoch = 1`).Scan(&got)
			})
			if err != nil || got != row.want {
				t.Errorf("the restored database has %q (%v), want %q", got, err, row.want)
			}
		})
	}
}

// What waits in a backup must not be sent once more if it was sent after the backup, or if nobody knows.
func TestMailsThatWaitedInABackup(t *testing.T) {
	t.Parallel()
	const perhaps = "failed 0 it waited in a backup that was restored, and may have been sent since"
	ids := []string{"deferred", "leased", "sent", "refused", "replaced", "swept", "suspended", "released", "done",
		"gaveUp", "retried"}
	for _, row := range []struct {
		name          string
		there         func(t *testing.T, path string) string // where the backup is restored
		sent, unknown int64
		want          map[string]string // state, attempts and last error
	}{
		{"over the newer database", func(_ *testing.T, path string) string { return path }, 2, 2, map[string]string{
			"deferred": "waiting 2 full", "leased": "waiting 3 ", "sent": "sent 1 ", "refused": "failed 1 unknown",
			"replaced": perhaps, "swept": perhaps, "suspended": "waiting 0 ", "released": "sent 1 ", "done": "sent 1 ",
			"gaveUp": "failed 1 no", "retried": "sent 2 ",
		}},
		{"in a new place", func(t *testing.T, _ string) string {
			t.Helper()
			return filepath.Join(t.TempDir(), "account.db")
		}, 0, 8, map[string]string{
			"deferred": perhaps, "leased": perhaps, "sent": perhaps, "refused": perhaps, "replaced": perhaps,
			"swept": perhaps, "suspended": perhaps, "released": perhaps, "done": "sent 1 ",
			"gaveUp": "failed 1 no", "retried": "failed 1 no",
		}},
		{"over a damaged one", func(t *testing.T, path string) string {
			t.Helper()
			if err := os.Truncate(path, 20000); err != nil {
				t.Fatal(err)
			}
			return path
		}, 0, 8, map[string]string{"deferred": perhaps, "sent": perhaps, "suspended": perhaps, "done": "sent 1 "}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAccountIn(t, storetest.NewFile(t))
			for _, id := range ids {
				exec(t, a, `INSERT INTO outbox (id, created_at, kind, recipient, subject, body, state) VALUES ('`+id+
					`', 1, 'invitation', 'a@example.com', 's', 'b', 'waiting')`)
			}
			exec(t, a, `UPDATE outbox SET state = 'suspended' WHERE id IN ('suspended', 'released')`,
				`UPDATE outbox SET state = 'failed', attempts = 1, last_error = 'no' WHERE id IN ('gaveUp', 'retried')`,
				`UPDATE outbox SET blamed = 1`,
				`UPDATE outbox SET state = 'sent', attempts = 1, sent_at = 5 WHERE id = 'done'`)
			saved := filepath.Join(t.TempDir(), "backup.db")
			if _, err := a.Store.Backup(t.Context(), saved, false, func(int64, int64) {}); err != nil {
				t.Fatal(err)
			}
			exec(t, a, `UPDATE outbox SET attempts = 2, copies = 1, last_error = 'full', next_attempt = 9
					WHERE id = 'deferred'`,
				`UPDATE outbox SET attempts = 3, leased_until = 9 WHERE id = 'leased'`,
				`UPDATE outbox SET state = 'sent', attempts = 2, last_error = '', sent_at = 9 WHERE id = 'retried'`,
				`UPDATE outbox SET state = 'sent', attempts = 1, sent_at = 9 WHERE id IN ('sent', 'released')`,
				`UPDATE outbox SET state = 'failed', attempts = 1, last_error = 'unknown' WHERE id = 'refused'`,
				`UPDATE outbox SET state = 'void' WHERE id = 'replaced'`, `DELETE FROM outbox WHERE id = 'swept'`)
			if err := a.Store.Close(); err != nil {
				t.Fatal(err)
			}
			path := row.there(t, strings.TrimPrefix(a.Store.Setting(), "sqlite:"))
			r, err := account.Restore(t.Context(), saved, path, false, func(int64, int64) {})
			if err != nil || r.MailsSent != row.sent || r.MailsUnknown != row.unknown {
				t.Errorf("restored %+v, %v", r, err)
			}
			s, err := store.Open(t.Context(), "sqlite:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				mails, err := tx.Mails(ctx)
				for _, m := range mails {
					got := fmt.Sprintf("%s %d %s", m.State, m.Attempts, m.LastError)
					if want, told := row.want[m.ID]; told && got != want || !m.LeasedUntil.IsZero() {
						t.Errorf("%s is %q until %s, want %q", m.ID, got, m.LeasedUntil, want)
					}
				}
				if len(mails) != len(ids) {
					t.Errorf("there are %d mails", len(mails))
				}
				var blamed int
				err2 := tx.QueryRow(ctx, `SELECT count(*) FROM outbox WHERE blamed = 1`).Scan(&blamed)
				if blamed > 0 {
					t.Errorf("%d mails are blamed, and sent unasked when others are refused", blamed)
				}
				return errors.Join(err, err2)
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func exec(t *testing.T, a *account.Account, statements ...string) {
	t.Helper()
	err := a.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Only of a database that nobody can read any more may it be unknown what was revoked.
func TestRestoreRefusesADatabaseThatItMayNotRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		harm func(t *testing.T, path string) error
		want error // nil if the backup is restored
	}{
		{"a link", func(_ *testing.T, path string) error {
			return errors.Join(os.Rename(path, path+".moved"), os.Symlink(path+".moved", path))
		}, store.ErrLink},
		{"a link to nothing", func(_ *testing.T, path string) error {
			return errors.Join(os.Remove(path), os.Symlink(path+".none", path))
		}, store.ErrLink},
		{"a log that is a link", func(_ *testing.T, path string) error {
			return os.Symlink(path+".none", path+"-wal")
		}, store.ErrLink},
		{"an index of the log that is a link", func(_ *testing.T, path string) error {
			return os.Symlink(path+".none", path+"-shm")
		}, store.ErrLink},
		{"a folder", func(_ *testing.T, path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		}, syscall.EISDIR},
		{"an index of the log that cannot be opened", func(_ *testing.T, path string) error {
			return os.Mkdir(path+"-shm", 0o700)
		}, syscall.EISDIR},
		{"a log that cannot be opened", func(_ *testing.T, path string) error {
			return os.Mkdir(path+"-wal", 0o700)
		}, sqlite3.CANTOPEN},
		{"a lock of another process", func(t *testing.T, path string) error {
			t.Helper()
			other, err := sqlite3.Open("file:" + path)
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = other.Close() })
			return errors.Join(other.Exec(`PRAGMA locking_mode = EXCLUSIVE`), other.Exec(`BEGIN EXCLUSIVE`))
		}, store.ErrInUse},
		{"a log without its database", func(_ *testing.T, path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path+"-wal", []byte("changes"), 0o600))
		}, store.ErrAlone},
		{"an index of the log without its database, as of a server whose database was moved",
			func(t *testing.T, path string) error {
				t.Helper()
				other, err := sqlite3.Open("file:" + path)
				if err != nil {
					return err
				}
				t.Cleanup(func() { _ = other.Close() })
				return errors.Join(other.Exec(`SELECT * FROM account`), os.Rename(path, path+".moved"))
			}, store.ErrAlone},
		{"no database", func(_ *testing.T, path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("no database\n", 1000)), 0o600)
		}, nil},
		{"an empty file", func(_ *testing.T, path string) error { return os.Truncate(path, 0) }, nil},
		{"a database that was cut", func(_ *testing.T, path string) error { return os.Truncate(path, 20000) }, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newAccountIn(t, storetest.NewFile(t))
			saved := filepath.Join(t.TempDir(), "backup.db")
			if _, err := a.Store.Backup(t.Context(), saved, false, func(int64, int64) {}); err != nil {
				t.Fatal(err)
			}
			path := strings.TrimPrefix(a.Store.Setting(), "sqlite:")
			if err := errors.Join(a.Store.Close(), row.harm(t, path)); err != nil {
				t.Fatal(err)
			}
			before := listing(t, filepath.Dir(path))
			r, err := account.Restore(t.Context(), saved, path, false, func(int64, int64) {})
			if row.want == nil {
				if err != nil || r.Unread == nil || len(r.Aside) == 0 {
					t.Errorf("restored %+v, %v; want it to say that nothing could be read", r, err)
				}
				return
			}
			if !errors.Is(err, row.want) {
				t.Errorf("it answered %v, want %v", err, row.want)
			}
			if after := listing(t, filepath.Dir(path)); !slices.Equal(before, after) {
				t.Errorf("in the folder were %q, and are %q", before, after)
			}
		})
	}
}

// A database that was deleted leaves its log, which a restore keeps, once nobody serves the database any more. That
// nobody does is known on Linux alone.
func TestADeletedDatabaseIsRestoredBesideItsLog(t *testing.T) {
	t.Parallel()
	a := newAccountIn(t, storetest.NewFile(t))
	saved := filepath.Join(t.TempDir(), "backup.db")
	if _, err := a.Store.Backup(t.Context(), saved, false, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(a.Store.Setting(), "sqlite:")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	restore := func() (account.Restored, error) {
		return account.Restore(t.Context(), saved, path, false, func(int64, int64) {})
	}
	if _, err := restore(); !errors.Is(err, store.ErrAlone) {
		t.Errorf("while it is served: %v", err)
	}
	_ = a.Store.Close() // it may fail, since the file is gone
	for _, end := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + end); errors.Is(err, fs.ErrNotExist) {
			if err := os.WriteFile(path+end, []byte("as a process that was killed leaves it"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, err := restore()
	if runtime.GOOS != "linux" {
		if !errors.Is(err, store.ErrAlone) {
			t.Errorf("it answered %v", err)
		}
		return
	}
	if err != nil || len(r.Aside) != 1 || !strings.HasSuffix(r.Aside[0], "-wal") {
		t.Errorf("restored %+v, %v", r, err)
	}
}

// listing lists the files of a folder, but for the index of the log, which has nothing of its own.
func listing(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "-shm") {
			names = append(names, e.Name()+" "+e.Type().String())
		}
	}
	return names
}

// An event that was noted before the restore, and is not in the log any more, can be explained from the log.
func TestARestoreNotesWhereTheLogsEnded(t *testing.T) {
	t.Parallel()
	a := newAccountIn(t, storetest.NewFile(t))
	addEvents(t, a, 2)
	saved := filepath.Join(t.TempDir(), "backup.db")
	if _, err := a.Store.Backup(t.Context(), saved, false, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	var links []audit.Link
	for range 2 {
		v := new(audit.Verifier)
		if err := a.VerifyAudit(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		_, last, _ := v.Result()
		links = append(links, last)
		addEvents(t, a, 3)
	}
	v := new(audit.Verifier)
	if err := errors.Join(a.VerifyAudit(t.Context(), v), a.Store.Close()); err != nil {
		t.Fatal(err)
	}
	_, replaced, _ := v.Result()
	path := strings.TrimPrefix(a.Store.Setting(), "sqlite:")
	if _, err := account.Restore(t.Context(), saved, path, false, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if a, err = account.Load(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	page, err := a.AuditEvents(t.Context(), "", 1)
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d events, %v", len(page.Items), err)
	}
	if got := page.Items[0]; got.Action != "account.restore" || !strings.Contains(got.Summary, "the newest "+
		links[0].String()+";") || !strings.HasSuffix(got.Summary, "that was replaced is "+replaced.String()) {
		t.Errorf("the event is %+v; want the links %s and %s in it", got, links[0], replaced)
	}
	v = &audit.Verifier{Known: []audit.Link{links[0], links[1]}}
	if err := a.VerifyAudit(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	_, _, faults := v.Result()
	if len(faults) != 1 || !strings.Contains(faults[0], "a backup was restored since") {
		t.Errorf("found %q, want the event that the backup does not have, and why", faults)
	}
}
