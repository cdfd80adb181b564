package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
)

// A Snapshot is what a backup has.
type Snapshot struct {
	Account Account
	Sizes   Sizes
	Newest  time.Time // of the audit events; zero if there are none
	Bytes   int64
	// Older is the version of a schema that is older than this program, of which Sizes and Newest are not known and
	// only pages, indexes and references were checked; otherwise 0.
	Older int64
	// Changed are the events at which the audit log is not as it was recorded. It is no reason to lose the rest.
	Changed []Fault
	// Aside is where a file is kept that was replaced and is no backup, or "".
	Aside string
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

// Backup writes a copy of the database at dsn, `sqlite:PATH`, to a file at path: all that was committed when it
// began, and nothing that is committed meanwhile. The copy is checked as Check does, and only then gets its name; one
// that fails leaves nothing behind. An audit log that was changed does not make it fail. It is one file that needs no
// log beside it. What it replaces is kept under another name, unless that is such a file, too. The database itself
// stays as it is: one of an older version is not brought up to date, but copied as it is.
func Backup(ctx context.Context, dsn, path string, replace bool, progress Progress) (n Snapshot, err error) {
	database, err := fileOf(dsn)
	if err != nil {
		return n, err
	}
	if database, err = filepath.Abs(database); err != nil {
		return n, err
	}
	files := openFiles{path: database, known: make(map[string]os.FileInfo)}
	if err := isDatabase(database); err != nil { // before anything is made beside it
		return n, err
	}
	if !isBackup(database) { // a backup has no log, and needs no index of one
		if err := makePrivate(database); err != nil {
			return n, err
		}
	}
	if err := isAccount(ctx, database); err != nil {
		return n, damage(err)
	}
	return backup(ctx, &files, path, replace, progress)
}

// AccountIn returns the account of a backup, which is only read.
func AccountIn(ctx context.Context, path string) (a Account, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return a, err
	}
	if err := isDatabase(path); err != nil {
		return a, err
	}
	// Nobody writes a backup, so that no file need be made beside it.
	c, err := newSQLiteConnTo(fileURL(path, url.Values{"immutable": {"1"}}), sqlite3.OPEN_READONLY)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	a, found, err := (&Tx{conn: c}).Account(ctx)
	if err == nil && !found {
		err = ErrNoBackup
	}
	return a, err
}

// fileMagic is what a database begins with.
const fileMagic = "SQLite format 3\x00"

// isDatabase returns ErrNoBackup for a file that does not begin as a database does.
func isDatabase(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, len(fileMagic))
	if _, err := io.ReadFull(f, head); err != nil || string(head) != fileMagic {
		return ErrNoBackup
	}
	return nil
}

// Backup is the function Backup, of an open SQLite database.
func (s *Store) Backup(ctx context.Context, path string, replace bool, progress Progress) (Snapshot, error) {
	return backup(ctx, &s.engine.(*sqlite).files, path, replace, progress)
}

func backup(
	ctx context.Context, database *openFiles, path string, replace bool, progress Progress,
) (n Snapshot, err error) {
	if err := mayWrite(path, database.path, replace); err != nil {
		return n, err
	}
	folder := filepath.Dir(path)
	work, err := newWorkFolder(folder, backupFolders)
	if err != nil {
		return n, roomError(folder, err)
	}
	defer func() { err = errors.Join(err, work.remove()) }()
	if err := makeFile(work.file(), folder); err != nil {
		return n, roomError(folder, err)
	}
	if err := copyDatabase(ctx, database, work.file(), progress); err != nil {
		return n, roomError(work.path, fmt.Errorf("copying the database: %w", err))
	}
	if n, err = inspect(ctx, work.file()); err != nil {
		return n, roomError(work.path, fmt.Errorf("checking the copy: %w", err))
	}
	if err := mayWrite(path, database.path, replace); err != nil { // what came meanwhile
		return n, err
	}
	if err := syncFile(work.file()); err != nil {
		return n, err
	}
	if replace && !isBackup(path) {
		aside, err := exchange(work.file(), path, ".before-backup-", time.Now())
		n.Aside = strings.Join(aside, "") // the others that it keeps are not there
		return n, err
	}
	return n, publish(work.file(), path, replace)
}

// isBackup reports whether there is nothing at path but what Backup writes. A database that was served has a log, or
// had one, and says so in its first bytes.
func isBackup(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	head := make([]byte, 20)
	n, err := io.ReadFull(f, head)
	return n == 0 && errors.Is(err, io.EOF) || err == nil && string(head[:16]) == fileMagic && head[18] == 1
}

// ErrItself says that a backup would replace the database, or a file that belongs to it.
var ErrItself = errors.New("it is the database itself, or belongs to it")

// ErrLogName says that a file would have the name of another database's log.
var ErrLogName = errors.New("a file of that name would be taken for a database's log")

// besides are the ends of the names of files that belong to a database. Beside another database, SQLite would write
// them into that, or delete them.
var besides = []string{"-wal", "-shm", "-journal"}

// mayWrite refuses a path at which a backup would do harm, whether or not it may replace a file.
func mayWrite(path, database string, replace bool) error {
	files := []string{database}
	if behind, err := filepath.EvalSymlinks(database); err == nil { // beside which SQLite has the log
		files = append(files, behind)
	}
	for _, file := range files {
		for _, end := range append([]string{""}, besides...) {
			if isSamePath(path, file+end) {
				return ErrItself
			}
		}
	}
	if slices.ContainsFunc(besides, func(end string) bool { return strings.HasSuffix(path, end) }) {
		return ErrLogName
	}
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return ErrLink
	case err == nil && !replace:
		return ErrExists
	}
	for _, end := range besides {
		// It belongs to a database that was at path, which may be in use, and would be written into the backup.
		if _, err := os.Lstat(path + end); err == nil {
			return fmt.Errorf("%w: %s", ErrLogBeside, path+end)
		}
	}
	return nil
}

// isSamePath reports whether two paths lead to one file, or would if it were there.
func isSamePath(a, b string) bool {
	if infoA, err := os.Stat(a); err == nil {
		if infoB, err := os.Stat(b); err == nil && os.SameFile(infoA, infoB) {
			return true
		}
	}
	return resolve(a) == resolve(b)
}

// resolve returns the path without links in its folders, as far as they are there.
func resolve(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(folder, filepath.Base(path))
	}
	return path
}

// pagesAStep is how many pages are copied before the caller is asked whether to go on.
const pagesAStep = 256

// copyDatabase copies the database page by page. The read transaction stays open over all steps: otherwise each
// commit of another process would make the copy begin anew.
func copyDatabase(ctx context.Context, database *openFiles, path string, progress Progress) (err error) {
	c, err := newSQLiteConn(database.path, []string{busyTimeout(lockWait), "query_only(1)"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := database.check(); err != nil {
		return err
	}
	for _, begin := range []string{`BEGIN`, `SELECT id FROM account`} { // BEGIN alone reads nothing yet
		if _, err := c.run(begin); err != nil {
			return err
		}
	}
	defer func() { _, _ = c.run(`ROLLBACK`) }() // nothing was written
	size, pageSize, err := sizeOf(c)
	if err != nil {
		return err
	}
	if err := roomFor(filepath.Dir(path), size); err != nil {
		return err
	}
	copying, err := c.db.BackupInit("main", fileURL(path, url.Values{}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copying.Close()) }()
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

// sizeOf returns the size of the database in the open transaction, which may be larger or smaller than its file.
func sizeOf(c *sqliteConn) (size, pageSize int64, err error) {
	tx := &Tx{conn: c}
	err = tx.QueryRow(context.Background(), `SELECT page_count * page_size, page_size
		FROM pragma_page_count, pragma_page_size`).Scan(&size, &pageSize)
	return size, pageSize, err
}

// inspect checks a copy that nobody else uses, and makes it a file that needs no log.
func inspect(ctx context.Context, path string) (n Snapshot, err error) {
	c, err := newSQLiteConn(path, []string{"journal_mode(DELETE)", "foreign_keys(1)"})
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	c.within(ctx)
	tx := &Tx{conn: c}
	have, know, err := tx.schemaVersion(ctx)
	if err != nil {
		return n, err
	}
	if have > know {
		return n, newerSchemaError{have, know}
	}
	var faults []Fault
	if have < know { // the rules are those of this version's schema
		n.Older = have
		faults, err = tx.checkPages(ctx, false)
	} else {
		faults, err = tx.check(ctx, (*sqlite)(nil))
	}
	if err != nil {
		return n, errors.Join(ctx.Err(), err)
	}
	if n.Changed, faults = splitChain(faults); len(faults) > 0 {
		return n, &DamageError{faults}
	}
	return n, tx.describe(ctx, path, &n)
}

// describe fills n, of an older version with what every version has.
func (tx *Tx) describe(ctx context.Context, path string, n *Snapshot) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	n.Bytes = info.Size()
	if n.Account, _, err = tx.Account(ctx); err != nil || n.Older > 0 {
		return err
	}
	if n.Sizes, err = tx.Sizes(ctx); err != nil {
		return err
	}
	n.Newest, err = tx.NewestAuditEvent(ctx)
	return err
}

// publish gives a file that is complete, and on the disk, its name, which survives a loss of power.
func publish(file, path string, replace bool) error {
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
