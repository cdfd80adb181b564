package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
)

// A Snapshot is what a backup has.
type Snapshot struct {
	Account Account
	Sizes   Sizes
	Newest  time.Time // of the audit events; zero if there are none
	Bytes   int64
}

// Progress is told how many bytes of a file are copied.
type Progress func(done, total int64)

// ErrExists says that there is a file already at the path of a backup.
var ErrExists = errors.New("there is a file already")

// A DamageError says what is wrong with a database.
type DamageError struct{ Faults []Fault }

func (e *DamageError) Error() string {
	var texts []string
	for _, f := range e.Faults[:min(len(e.Faults), 3)] {
		texts = append(texts, f.What+": "+f.Row)
	}
	if more := len(e.Faults) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d faults more", more))
	}
	return "it is damaged: what should hold and does not: " + strings.Join(texts, "; ")
}

// Backup writes a copy of the database to a file at path: all that was committed when it began, and nothing that
// is committed meanwhile. The copy is checked as Check does, and only then gets its name; one that fails leaves
// nothing behind. It is one file that needs no log beside it.
func (s *Store) Backup(ctx context.Context, path string, replace bool, progress Progress) (n Snapshot, err error) {
	if _, err := os.Lstat(path); err == nil && !replace {
		return n, ErrExists
	}
	folder := filepath.Dir(path)
	work, err := newWorkFolder(folder, ".backup-*")
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	copied := filepath.Join(work, "account.db")
	if err := makeFile(copied, folder); err != nil {
		return n, err
	}
	if err := s.copyTo(ctx, copied, progress); err != nil {
		return n, roomError(work, fmt.Errorf("copying the database: %w", err))
	}
	if n, err = inspect(ctx, copied); err != nil {
		return n, roomError(work, fmt.Errorf("checking the copy: %w", err))
	}
	return n, publish(copied, path, replace)
}

// workFolderAge is when a work folder belongs to a process that was killed.
const workFolderAge = 24 * time.Hour

// newWorkFolder makes a folder that only its owner can enter, for a file that is not complete, and removes those that
// killed processes have left.
func newWorkFolder(folder, pattern string) (string, error) {
	left, _ := fs.Glob(os.DirFS(folder), pattern)
	for _, name := range left {
		info, err := os.Lstat(filepath.Join(folder, name))
		if err == nil && info.IsDir() && time.Since(info.ModTime()) > workFolderAge {
			_ = os.RemoveAll(filepath.Join(folder, name)) // one that cannot be removed does no harm
		}
	}
	return os.MkdirTemp(folder, pattern)
}

// pagesAStep is how many pages are copied before the caller is asked whether to go on.
const pagesAStep = 256

// copyTo copies the database page by page. The read transaction stays open over all steps: otherwise each commit of
// another process would make the copy begin anew.
func (s *Store) copyTo(ctx context.Context, path string, progress Progress) (err error) {
	c, err := newConn(s.files.path, []string{"busy_timeout(10000)", "query_only(1)"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := s.files.check(); err != nil {
		return err
	}
	for _, begin := range []string{`BEGIN`, `SELECT id FROM account`} { // BEGIN alone reads nothing yet
		if _, err := c.exec(begin); err != nil {
			return err
		}
	}
	defer func() { _, _ = c.exec(`ROLLBACK`) }() // nothing was written
	copying, err := c.db.BackupInit("main", fileURL(path, url.Values{}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copying.Close()) }()
	pageSize, err := pageSizeOf(c)
	if err != nil {
		return err
	}
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if done, err = copying.Step(pagesAStep); err != nil {
			return err
		}
		total := int64(copying.PageCount()) * pageSize
		progress(total-int64(copying.Remaining())*pageSize, total)
	}
	return nil
}

func pageSizeOf(c *conn) (size int64, err error) {
	tx := &Tx{conn: c}
	return size, tx.QueryRow(context.Background(), `SELECT page_size FROM pragma_page_size`).Scan(&size)
}

// inspect checks a copy that nobody else uses, and makes it a file that needs no log.
func inspect(ctx context.Context, path string) (n Snapshot, err error) {
	c, err := newConn(path, []string{"journal_mode(DELETE)", "foreign_keys(1)"})
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	c.within(ctx)
	tx := &Tx{conn: c}
	faults, err := tx.check(ctx)
	if err != nil {
		return n, errors.Join(ctx.Err(), err)
	}
	if len(faults) > 0 {
		return n, &DamageError{faults}
	}
	return tx.snapshot(ctx, path)
}

func (tx *Tx) snapshot(ctx context.Context, path string) (n Snapshot, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return n, err
	}
	n.Bytes = info.Size()
	if n.Account, _, err = tx.Account(ctx); err != nil {
		return n, err
	}
	if n.Sizes, err = tx.Sizes(ctx); err != nil {
		return n, err
	}
	n.Newest, err = tx.NewestAuditEvent(ctx)
	return n, err
}

// publish gives a file that is complete its name, which survives a loss of power.
func publish(file, path string, replace bool) error {
	if err := syncFile(file); err != nil {
		return err
	}
	if !replace {
		// A link, unlike a rename, never takes the place of a file that came meanwhile.
		err := os.Link(file, path)
		if errors.Is(err, fs.ErrExist) {
			return ErrExists
		}
		if err == nil {
			return durable.SyncFolder(filepath.Dir(path))
		}
		if _, err := os.Lstat(path); err == nil { // a file system without links
			return ErrExists
		}
	}
	if err := os.Rename(file, path); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// roomError adds ErrFull to an error of writing a file in a folder that has no room: SQLite does not always say so.
func roomError(folder string, err error) error {
	if !hasNoRoom(err) && (!isStorageError(storageError(err)) || !errors.Is(fileError(tryRoom(folder, 0)), ErrFull)) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrFull, err)
}
