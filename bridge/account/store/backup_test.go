package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func noProgress(int64, int64) {}

// newDatabase makes a database with an account and an audit event.
func newDatabase(t *testing.T, path string) *store.Store {
	t.Helper()
	s := openAt(t, path)
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(
			tx.InsertAccount(ctx, store.Account{ID: "a", Name: "Acme", CreatedAt: time.UnixMicro(1)}),
			tx.AppendAuditEvent(ctx, audit.Event{ID: "first", Time: time.UnixMicro(7).UTC(), Action: "account.create"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func backup(t *testing.T, s *store.Store, path string) {
	t.Helper()
	if _, err := s.Backup(t.Context(), path, false, noProgress); err != nil {
		t.Fatal(err)
	}
}

// What was acknowledged before the backup began is in it, while others go on writing; and what is in it is one
// moment's: of two rows that are always written together there is never one alone.
func TestABackupIsOneMomentUnderWrites(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := newDatabase(t, filepath.Join(folder, "account.db"))
	other := openAt(t, filepath.Join(folder, "account.db")) // as another process has it open
	ctx, stop := context.WithCancel(t.Context())
	var acknowledged atomic.Int64
	again := make(chan struct{}, 1)
	var writers sync.WaitGroup
	for i, w := range []*store.Store{s, s, other} {
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("w%d-%d", i, n)
				err := w.Write(context.WithoutCancel(ctx), func(ctx context.Context, tx *store.Tx) error {
					_, err := tx.Exec(ctx, `INSERT INTO signup_domains (domain, created_at)
						VALUES (? || '-a', 0), (? || '-b', 0)`, id, id)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				acknowledged.Add(1)
				select {
				case again <- struct{}{}:
				default:
				}
			}
		})
	}
	for i := range 3 {
		for under := acknowledged.Load() + 50; acknowledged.Load() < under && !t.Failed(); {
			<-again
		}
		before := int(acknowledged.Load())
		path := filepath.Join(folder, fmt.Sprintf("backup%d.db", i))
		backup(t, s, path)
		copied := openAt(t, path)
		pairs, rows := 0, 0
		err := copied.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT count(*), count(DISTINCT substr(domain, 1, length(domain) - 2))
				FROM signup_domains`).Scan(&rows, &pairs)
		})
		if err != nil {
			t.Fatal(err)
		}
		if pairs < before || rows != 2*pairs {
			t.Errorf("the backup has %d rows, %d pairs; %d pairs were acknowledged before", rows, pairs, before)
		}
	}
	stop()
	writers.Wait()
}

// Each commit of another process would make the copy begin anew, if the snapshot were not held over all steps.
func TestABackupDoesNotBeginAnewWithEachCommit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := newDatabase(t, path)
	other := openAt(t, path)
	write(t, s, `INSERT INTO signup_domains (domain, created_at) VALUES (hex(zeroblob(2000000)), 0)`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last int64
	steps := 0
	_, err := s.Backup(ctx, filepath.Join(t.TempDir(), "backup.db"), false, func(done, total int64) {
		if steps++; done <= last || total < 4_000_000 || steps > 100 {
			t.Errorf("step %d: %d bytes of %d are copied, after %d", steps, done, total, last)
			cancel()
		}
		last = done
		write(t, other, fmt.Sprintf(`INSERT INTO signup_domains (domain, created_at) VALUES ('d%d', 0)`, steps))
	})
	if err != nil || steps < 4 {
		t.Errorf("%d steps: %v", steps, err)
	}
}

func TestABackupIsOneFileThatOnlyItsOwnerReads(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := newDatabase(t, filepath.Join(t.TempDir(), "account.db"))
	path := filepath.Join(folder, "backup.db")
	n, err := s.Backup(t.Context(), path, false, noProgress)
	if err != nil {
		t.Fatal(err)
	}
	if n.Account.ID != "a" || !n.Newest.Equal(time.UnixMicro(7)) || n.Bytes == 0 {
		t.Errorf("it has %+v", n)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("in the folder are %v (%v)", entries, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != n.Bytes {
		t.Errorf("the file is %v of %d bytes (%v)", info.Mode(), info.Size(), err)
	}
	head, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if head[18] != 1 || head[19] != 1 { // the file format's versions: 2 would be with a log
		t.Errorf("it says that it has a log: %v", head[18:20])
	}
}

// A process that was killed leaves its work folder, which a later backup removes.
func TestABackupRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := newDatabase(t, filepath.Join(t.TempDir(), "account.db"))
	old, young := filepath.Join(folder, ".scim-bridge-backup-1"),
		filepath.Join(folder, ".scim-bridge-backup-2")
	yesterday := time.Now().Add(-25 * time.Hour)
	if err := errors.Join(os.Mkdir(old, 0o700), os.WriteFile(filepath.Join(old, "account.db"), nil, 0o600),
		os.WriteFile(filepath.Join(old, "account.db-journal"), nil, 0o600),
		os.WriteFile(filepath.Join(old, "lock"), nil, 0o600),
		os.Chtimes(old, yesterday, yesterday), os.Mkdir(young, 0o700)); err != nil {
		t.Fatal(err)
	}
	backup(t, s, filepath.Join(folder, "backup.db"))
	left, err := filepath.Glob(filepath.Join(folder, ".scim-bridge-backup-*"))
	if err != nil || len(left) != 1 || left[0] != young {
		t.Errorf("left are %v (%v), want only %s, which may be in use", left, err, young)
	}
}

func TestABackupReplacesNothingUnlessAsked(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := newDatabase(t, filepath.Join(t.TempDir(), "account.db"))
	path := filepath.Join(folder, "backup.db")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(t.Context(), path, false, noProgress); !errors.Is(err, store.ErrExists) {
		t.Errorf("over a file: %v, want ErrExists", err)
	}
	// One that comes while the backup is made is not replaced either.
	late := filepath.Join(folder, "late.db")
	_, err := s.Backup(t.Context(), late, false, func(int64, int64) {
		if err := os.WriteFile(late, []byte("mine"), 0o600); err != nil {
			t.Error(err)
		}
	})
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("over a file that came meanwhile: %v, want ErrExists", err)
	}
	for _, name := range []string{path, late} {
		if text, err := os.ReadFile(name); err != nil || string(text) != "mine" {
			t.Errorf("%s has %q (%v)", name, text, err)
		}
	}
	if _, err := s.Backup(t.Context(), path, true, noProgress); err != nil {
		t.Fatal(err)
	}
	if err := openAt(t, path).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// To name the database as FILE, and a backup as the database, is one slip: what is served must not be lost by it.
func TestABackupKeepsWhatItReplacesUnlessThatIsABackup(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	served, saved := filepath.Join(folder, "account.db"), filepath.Join(folder, "backup.db")
	s := newDatabase(t, served)
	backup(t, s, saved)
	write(t, s, `INSERT INTO signup_domains (domain, created_at) VALUES ('later', 0)`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	swapped, err := store.Backup(t.Context(), "sqlite:"+saved, served, true, noProgress)
	if err != nil {
		t.Fatal(err)
	}
	if swapped.Aside == "" || domainsOf(t, swapped.Aside) != "later" {
		t.Errorf("the database is kept as %q", swapped.Aside)
	}
	text, empty := filepath.Join(folder, "text"), filepath.Join(folder, "empty")
	if err := errors.Join(os.WriteFile(text, []byte("mine"), 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		path string
		kept bool
	}{{text, true}, {empty, false}, {text, false}} { // in the end a backup, as in each night but the first
		n, err := store.Backup(t.Context(), "sqlite:"+swapped.Aside, row.path, true, noProgress)
		if err != nil || (n.Aside != "") != row.kept {
			t.Errorf("%s: it is kept as %q (%v)", row.path, n.Aside, err)
		}
		if content, err := os.ReadFile(n.Aside); row.kept && string(content) != "mine" {
			t.Errorf("%s: it is kept as %q (%v)", row.path, content, err)
		}
	}
	if all, err := filepath.Glob(filepath.Join(folder, "*.before-backup-*")); err != nil || len(all) != 2 {
		t.Errorf("kept are %v (%v)", all, err)
	}
}

// Whatever goes wrong, the folder is as it was.
func TestAFailedBackupLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		harm func(t *testing.T, s *store.Store)
		stop bool
		want func(error) bool
	}{
		{name: "a number that is wrong", harm: func(t *testing.T, s *store.Store) {
			t.Helper()
			write(t, s, `INSERT INTO groups (id, name, name_folded, managed_count, created_at, modified_at)
				VALUES ('g', 'G', 'g', 7, 0, 0)`)
		}, want: func(err error) bool { return errors.As(err, new(*store.DamageError)) }},
		{name: "an interruption", harm: func(*testing.T, *store.Store) {}, stop: true,
			want: func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newDatabase(t, filepath.Join(t.TempDir(), "account.db"))
			row.harm(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			folder := t.TempDir()
			_, err := s.Backup(ctx, filepath.Join(folder, "backup.db"), false, func(int64, int64) {
				if row.stop {
					cancel()
				}
			})
			if !row.want(err) {
				t.Errorf("it failed with %v", err)
			}
			if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
				t.Errorf("in the folder are %v (%v)", entries, err)
			}
		})
	}
}

func write(t *testing.T, s *store.Store, statements ...string) {
	t.Helper()
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
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

func nothingMore(context.Context, *store.Store, []store.Fault) error { return nil }

func TestRestorePutsABackupInPlaceAndKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, saved := filepath.Join(folder, "account.db"), filepath.Join(folder, "backup.db")
	s := newDatabase(t, path)
	write(t, s, `INSERT INTO signup_domains (domain, created_at) VALUES ('before', 1)`)
	backup(t, s, saved)
	write(t, s, `INSERT INTO signup_domains (domain, created_at) VALUES ('after', 1)`)
	// As after a crash: the newest rows are in the log.
	for _, end := range []string{"", "-wal"} {
		text, err := os.ReadFile(path + end)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "crashed.db"+end), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	crashed := filepath.Join(folder, "crashed.db")
	aside, err := store.Restore(t.Context(), saved, crashed, noProgress, nothingMore)
	if err != nil {
		t.Fatal(err)
	}
	if len(aside) != 2 || !strings.HasPrefix(aside[0], crashed+".before-restore-") || aside[1] != aside[0]+"-wal" {
		t.Fatalf("kept aside: %q", aside)
	}
	if domains := domainsOf(t, crashed); domains != "before" {
		t.Errorf("the restored database has %q", domains)
	}
	if domains := domainsOf(t, aside[0]); domains != "after,before" {
		t.Errorf("what was there has %q", domains)
	}
	info, err := os.Stat(crashed)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the database is %v (%v)", info.Mode(), err)
	}
	entries, err := filepath.Glob(filepath.Join(folder, ".*"))
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
}

func domainsOf(t *testing.T, path string) (domains string) {
	t.Helper()
	s := openAt(t, path)
	err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT group_concat(domain ORDER BY domain) FROM signup_domains`).Scan(&domains)
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return domains
}

// A database that is not there yet is made in a new folder.
func TestRestoreToANewPlace(t *testing.T) {
	t.Parallel()
	saved := filepath.Join(t.TempDir(), "backup.db")
	backup(t, newDatabase(t, filepath.Join(t.TempDir(), "account.db")), saved)
	path := filepath.Join(t.TempDir(), "account.db")
	aside, err := store.Restore(t.Context(), saved, path, noProgress, nothingMore)
	if err != nil || len(aside) > 0 {
		t.Fatalf("kept aside %q: %v", aside, err)
	}
	if err := openAt(t, path).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Whatever is not a whole backup of an account is refused, and the database stays as it is.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	sound := filepath.Join(t.TempDir(), "sound.db")
	backup(t, newDatabase(t, filepath.Join(t.TempDir(), "account.db")), sound)
	text, err := os.ReadFile(sound)
	if err != nil {
		t.Fatal(err)
	}
	file := func(t *testing.T, content []byte) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "file.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	damaged := func(err error) bool { return errors.As(err, new(*store.DamageError)) }
	for _, row := range []struct {
		name   string
		backup func(t *testing.T, database string) string
		want   func(error) bool
	}{
		{"a backup that was cut", func(t *testing.T, _ string) string {
			t.Helper()
			return file(t, text[:len(text)-8192])
		}, damaged},
		{"a backup that was cut within a page", func(t *testing.T, _ string) string {
			t.Helper()
			return file(t, text[:len(text)/2+100])
		}, damaged},
		{"a page that was overwritten", func(t *testing.T, _ string) string {
			t.Helper()
			changed := append([]byte(nil), text...)
			copy(changed[4096*5:4096*6], strings.Repeat("x", 4096))
			return file(t, changed)
		}, damaged},
		{"an empty file", func(t *testing.T, _ string) string {
			t.Helper()
			return file(t, nil)
		}, func(err error) bool { return errors.Is(err, store.ErrNoBackup) }},
		{"a text", func(t *testing.T, _ string) string {
			t.Helper()
			return file(t, []byte(strings.Repeat("no database\n", 1000)))
		}, func(err error) bool { return errors.Is(err, store.ErrNoBackup) }},
		{"a folder", func(t *testing.T, _ string) string {
			t.Helper()
			return t.TempDir()
		}, func(err error) bool { return errors.Is(err, store.ErrNoBackup) }},
		{"a database without an account", func(t *testing.T, _ string) string {
			t.Helper()
			path := filepath.Join(t.TempDir(), "none.db")
			if err := openAt(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			return path
		}, func(err error) bool { return errors.Is(err, store.ErrNoBackup) }},
		{"a database of another program", func(t *testing.T, _ string) string {
			t.Helper()
			path := file(t, text)
			s := openAt(t, path)
			write(t, s, `ALTER TABLE goose_db_version RENAME TO versions`)
			_ = s.Close()
			return path
		}, func(err error) bool { return errors.Is(err, store.ErrNoBackup) }},
		{"a newer schema", func(t *testing.T, _ string) string {
			t.Helper()
			path := file(t, text)
			s := openAt(t, path)
			write(t, s, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
			_ = s.Close()
			return path
		}, func(err error) bool { return err != nil && strings.Contains(err.Error(), "its schema is version 9999") }},
		{"a copy by hand of a database in use", func(t *testing.T, _ string) string {
			t.Helper()
			path := file(t, text)
			if err := os.WriteFile(path+"-wal", []byte("changes"), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, func(err error) bool { return errors.Is(err, store.ErrLogBeside) }},
		{"a database in use that was not changed yet", func(t *testing.T, _ string) string {
			t.Helper()
			path := file(t, text)
			if err := os.WriteFile(path+"-wal", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, func(err error) bool { return errors.Is(err, store.ErrLogBeside) }},
		{"a copy by hand of a database in a transaction", func(t *testing.T, _ string) string {
			t.Helper()
			path := file(t, text)
			if err := os.WriteFile(path+"-journal", []byte("pages"), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, func(err error) bool { return errors.Is(err, store.ErrLogBeside) }},
		{"the database itself", func(t *testing.T, database string) string {
			t.Helper()
			link := filepath.Join(t.TempDir(), "link.db")
			if err := os.Symlink(database, link); err != nil {
				t.Fatal(err)
			}
			return link
		}, func(err error) bool { return err != nil && strings.Contains(err.Error(), "the database itself") }},
		{"a file that is not there", func(t *testing.T, _ string) string {
			t.Helper()
			return filepath.Join(t.TempDir(), "nowhere")
		}, func(err error) bool { return errors.Is(err, os.ErrNotExist) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "account.db")
			if err := newDatabase(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = store.Restore(t.Context(), row.backup(t, path), path, noProgress, nothingMore)
			if !row.want(err) {
				t.Errorf("it answered %v", err)
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(before) {
				t.Errorf("the database was changed: %v", err)
			}
			if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
				t.Errorf("in the folder are %v (%v)", entries, err)
			}
		})
	}
}

// A damaged database may be open as well: what shows it is the lock, not the content.
func TestRestoreRefusesADatabaseThatIsOpen(t *testing.T) {
	t.Parallel()
	saved := filepath.Join(t.TempDir(), "backup.db")
	path := filepath.Join(t.TempDir(), "account.db")
	s := newDatabase(t, path)
	backup(t, s, saved)
	if _, err := store.Restore(t.Context(), saved, path, noProgress, nothingMore); !errors.Is(err, store.ErrInUse) {
		t.Errorf("over an open one: %v, want ErrInUse", err)
	}
	// One that is opened while the copy is made.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := store.Restore(t.Context(), saved, path, noProgress, func(
		context.Context, *store.Store, []store.Fault,
	) error {
		s = openAt(t, path)
		return nil
	})
	if !errors.Is(err, store.ErrInUse) {
		t.Errorf("over one that was opened meanwhile: %v, want ErrInUse", err)
	}
	if err := s.Write(t.Context(), insert("x")); err != nil {
		t.Errorf("the open one: %v", err)
	}
}

// What was acknowledged while the copy was made, by a process that has ended again, is not lost unnoticed: it may be
// a token that was revoked.
func TestRestoreRefusesADatabaseThatWasChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{true, false} {
		saved := filepath.Join(t.TempDir(), "backup.db")
		path := filepath.Join(t.TempDir(), "account.db")
		s := newDatabase(t, path)
		backup(t, s, saved)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !there {
			path = filepath.Join(t.TempDir(), "account.db")
		}
		_, err := store.Restore(t.Context(), saved, path, noProgress, func(
			context.Context, *store.Store, []store.Fault,
		) error {
			s := openAt(t, path)
			write(t, s, `INSERT INTO signup_domains (domain, created_at) VALUES ('meanwhile', 0)`)
			return s.Close()
		})
		if !errors.Is(err, store.ErrInUse) {
			t.Errorf("a database that was there before (%v): %v, want ErrInUse", there, err)
		}
		if domains := domainsOf(t, path); domains != "meanwhile" {
			t.Errorf("a database that was there before (%v) has %q", there, domains)
		}
	}
}

// A backup may be read as a database is. A file beside it would then keep it from being replaced.
func TestReadingABackupLeavesNothingBesideIt(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "backup.db")
	backup(t, newDatabase(t, filepath.Join(t.TempDir(), "account.db")), path)
	for name, read := range map[string]func() error{
		"a backup of it": func() error {
			_, err := store.Backup(t.Context(), "sqlite:"+path, filepath.Join(t.TempDir(), "b.db"), false, noProgress)
			return err
		},
		"a restore over it": func() error {
			_, _, err := store.ReadSecrets(t.Context(), path)
			return err
		},
	} {
		if err := read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
			t.Errorf("after %s there are %v (%v)", name, entries, err)
		}
	}
}

func TestTheAccountInABackup(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "backup.db")
	backup(t, newDatabase(t, filepath.Join(t.TempDir(), "account.db")), path)
	if a, err := store.AccountIn(t.Context(), path); err != nil || a.ID != "a" {
		t.Errorf("it has %+v (%v)", a, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("in the folder are %v (%v)", entries, err)
	}
	if err := os.WriteFile(path, []byte("no database, but longer than its first bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.AccountIn(t.Context(), path); !errors.Is(err, store.ErrNoBackup) {
		t.Errorf("of a text: %v", err)
	}
}
