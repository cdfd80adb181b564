package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// Whatever name it is given, and whether or not it may replace a file, a backup never takes the place of a database.
func TestABackupNeverReplacesADatabase(t *testing.T) {
	t.Parallel()
	const database = "account.db"
	for _, row := range []struct {
		name, file string
		make       func(t *testing.T, folder string) error
		want       error
	}{
		{"the database", database, nil, store.ErrItself},
		{"the database under a longer name", "sub/../account.db", nil, store.ErrItself},
		{"its log", database + "-wal", nil, store.ErrItself},
		{"the index of its log", database + "-shm", nil, store.ErrItself},
		{"its journal, which is not there", database + "-journal", nil, store.ErrItself},
		{"the database through a folder that is a link", "linked/account.db", func(_ *testing.T, folder string) error {
			return os.Symlink(folder, filepath.Join(folder, "linked"))
		}, store.ErrItself},
		{"its journal through a folder that is a link", "linked/account.db-journal",
			func(_ *testing.T, folder string) error {
				return os.Symlink(folder, filepath.Join(folder, "linked"))
			}, store.ErrItself},
		{"a second name of the database", "second.db", func(_ *testing.T, folder string) error {
			return os.Link(filepath.Join(folder, database), filepath.Join(folder, "second.db"))
		}, store.ErrItself},
		{"a link to the database", "link.db", func(_ *testing.T, folder string) error {
			return os.Symlink(database, filepath.Join(folder, "link.db"))
		}, store.ErrItself},
		{"a link to another file", "link.db", func(_ *testing.T, folder string) error {
			return errors.Join(os.WriteFile(filepath.Join(folder, "other"), nil, 0o600),
				os.Symlink("other", filepath.Join(folder, "link.db")))
		}, store.ErrLink},
		{"a link to nothing", "link.db", func(_ *testing.T, folder string) error {
			return os.Symlink("nothing", filepath.Join(folder, "link.db"))
		}, store.ErrLink},
		{"a name that the log of another database would have", "other.db-wal", nil, store.ErrLogName},
		{"a name that the index of a log would have", "other.db-shm", nil, store.ErrLogName},
		{"a name that the journal of another database would have", "other.db-journal", nil, store.ErrLogName},
		{"another database that is in use", "other.db", func(t *testing.T, folder string) error {
			t.Helper()
			newDatabase(t, filepath.Join(folder, "other.db"))
			return nil
		}, store.ErrLogBeside},
		{"the log of another database", "other.db", func(_ *testing.T, folder string) error {
			return os.WriteFile(filepath.Join(folder, "other.db-wal"), []byte("changes"), 0o600)
		}, store.ErrLogBeside},
	} {
		for _, replace := range []bool{false, true} {
			folder := t.TempDir()
			s := newDatabase(t, filepath.Join(folder, database))
			if err := os.Mkdir(filepath.Join(folder, "sub"), 0o700); err != nil {
				t.Fatal(err)
			}
			if row.make != nil {
				if err := row.make(t, folder); err != nil {
					t.Fatal(err)
				}
			}
			before, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Backup(t.Context(), folder+"/"+row.file, replace, noProgress)
			if !errors.Is(err, row.want) && (replace || !errors.Is(err, store.ErrExists)) {
				t.Errorf("%s (replace %v): %v, want %v", row.name, replace, err, row.want)
			}
			after, err := os.ReadDir(folder)
			if err != nil || !slices.EqualFunc(before, after, func(a, b os.DirEntry) bool {
				return a.Name() == b.Name() && a.Type() == b.Type()
			}) {
				t.Errorf("%s: in the folder were %v, and are %v (%v)", row.name, before, after, err)
			}
			write(t, s, `INSERT INTO signup_domains (domain, created_at) VALUES ('later', 0)`)
		}
	}
}

// SQLite has the log beside the file that a link leads to.
func TestABackupNeverReplacesTheLogBehindALink(t *testing.T) {
	t.Parallel()
	folder, links := t.TempDir(), t.TempDir()
	newDatabase(t, filepath.Join(folder, "account.db"))
	link := filepath.Join(links, "linked.db")
	if err := os.Symlink(filepath.Join(folder, "account.db"), link); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		target := filepath.Join(folder, "account.db"+end)
		if _, err := store.Backup(t.Context(), "sqlite:"+link, target, true, noProgress); !errors.Is(err,
			store.ErrItself) {
			t.Errorf("account.db%s: %v, want ErrItself", end, err)
		}
	}
}

// Of what lies in the folder, only what a killed backup of this program has left is removed.
func TestABackupRemovesNoFolderOfOthers(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := newDatabase(t, filepath.Join(t.TempDir(), "account.db"))
	yesterday := time.Now().Add(-25 * time.Hour)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	files := []string{
		".backup-2025/photos", ".restore-2025/photos", ".backup-1/account.db", ".restore-1/account.db",
		".scim-bridge-backup-mine/photos", ".scim-bridge-backup-mine/sub/account.db", ".scim-bridge-backup",
	}
	for _, name := range append(files, ".scim-bridge-backup-mine/account.db") {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700),
			os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(elsewhere, 0o700), os.WriteFile(elsewhere+"/account.db", nil, 0o600),
		os.Symlink(elsewhere, filepath.Join(folder, ".scim-bridge-backup-link"))); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := os.Chtimes(filepath.Join(folder, e.Name()), yesterday, yesterday); err != nil {
				t.Fatal(err)
			}
		}
	}
	backup(t, s, filepath.Join(folder, "backup.db"))
	for _, name := range append(files, ".scim-bridge-backup-link") {
		if _, err := os.Lstat(filepath.Join(folder, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(elsewhere + "/account.db"); err != nil {
		t.Errorf("what a link leads to: %v", err)
	}
}

// A backup that takes a day is in use all the time, which its lock tells.
func TestABackupThatIsUnderWayIsNotRemoved(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := newDatabase(t, filepath.Join(t.TempDir(), "account.db"))
	yesterday := time.Now().Add(-25 * time.Hour)
	_, err := s.Backup(t.Context(), filepath.Join(folder, "slow.db"), false, func(int64, int64) {
		work, err := filepath.Glob(filepath.Join(folder, ".scim-bridge-backup-*"))
		if err != nil || len(work) != 1 {
			t.Fatalf("work folders: %v (%v)", work, err)
		}
		if err := os.Chtimes(work[0], yesterday, yesterday); err != nil {
			t.Fatal(err)
		}
		backup(t, s, filepath.Join(folder, "quick.db"))
	})
	if err != nil {
		t.Errorf("the slow one: %v", err)
	}
}
