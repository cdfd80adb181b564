package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
)

// The errors of Restore for what is not a backup, or not now.
var (
	// ErrInUse says that a process has the database open that would be replaced.
	ErrInUse = errors.New("another process has the database open")
	// ErrNoBackup says that a file is not the database of an account.
	ErrNoBackup = errors.New("it is not the database of an account")
	// ErrLogBeside says that a file has its newest changes in another one.
	ErrLogBeside = errors.New("a log lies beside it, with changes that are not in it")
	// ErrLink says that a file, which would be replaced, is a symbolic link.
	ErrLink = errors.New("it is a symbolic link")
	// ErrAlone says that the database is not there, but files that belong to it are.
	ErrAlone = errors.New("files of a database are there, but not the database")
)

// Restore puts a copy of a backup in the place of the database at path. The copy is brought up to date and checked
// before, and finish may change it, or refuse it: changed are the events at which its audit log is not as it was
// recorded. What was at path is kept under the names that are returned, the database first.
// It refuses while any process has that database open.
func Restore(
	ctx context.Context, backup, path string, progress Progress,
	finish func(ctx context.Context, s *Store, changed []Fault) error,
) (aside []string, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := refuseLinks(path); err != nil {
		return nil, err
	}
	path = resolve(path) // as SQLite names the file
	size, err := looksLikeBackup(backup, path)
	if err != nil {
		return nil, err
	}
	unlock, err := lockDatabase(path) // now, since what follows may take minutes
	if err != nil {
		return nil, err
	}
	before := stateOf(path)
	unlock()
	if err := roomFor(filepath.Dir(path), size); err != nil {
		return nil, err
	}
	work, err := newWorkFolder(filepath.Dir(path), restoreFolders)
	if err != nil {
		return nil, roomError(filepath.Dir(path), err)
	}
	defer func() { err = errors.Join(err, work.remove()) }()
	if err := prepare(ctx, backup, work.file(), path, progress, finish); err != nil {
		return nil, roomError(work.path, err)
	}
	if unlock, err = lockDatabase(path); err != nil {
		return nil, err
	}
	defer unlock()
	if stateOf(path) != before { // such as a token that was revoked meanwhile
		return nil, fmt.Errorf("%w, or had: it was changed while the backup was copied", ErrInUse)
	}
	return exchange(work.file(), path, ".before-restore-", time.Now())
}

// stateOf returns sizes and times of the files of the database at path, which differ if it was changed.
func stateOf(path string) string {
	var state strings.Builder
	for _, end := range []string{"", "-wal", "-journal"} { // the index of the log has nothing of its own
		if info, err := os.Lstat(path + end); err == nil {
			fmt.Fprintf(&state, "%s %d %d;", end, info.Size(), info.ModTime().UnixNano())
		}
	}
	return state.String()
}

// refuseLinks returns ErrLink if a file of the database is a symbolic link: root runs this in a folder of the service's
// user, who could name any file by one.
func refuseLinks(path string) error {
	for _, end := range append([]string{""}, besides...) {
		if info, err := os.Lstat(path + end); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%w: %s", ErrLink, path+end)
		}
	}
	return nil
}

// looksLikeBackup refuses what a look at the files shows not to be one, and returns the file's size.
func looksLikeBackup(backup, path string) (size int64, err error) {
	info, err := os.Stat(backup)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%w: it is not a file", ErrNoBackup)
	}
	if there, err := os.Stat(path); err == nil && os.SameFile(info, there) {
		return 0, errors.New("it is the database itself")
	}
	// A log of a database that is in use may be empty, until the next change.
	for _, end := range []string{"-wal", "-journal"} {
		if _, err := os.Stat(backup + end); err == nil {
			return 0, ErrLogBeside
		}
	}
	return info.Size(), nil
}

// prepare makes the copy that is to be the database.
func prepare(
	ctx context.Context, backup, copied, path string, progress Progress,
	finish func(ctx context.Context, s *Store, changed []Fault) error,
) (err error) {
	if err := copyFile(ctx, backup, copied, path, progress); err != nil {
		return err
	}
	if err := isAccount(ctx, copied); err != nil {
		return damage(err)
	}
	s, err := openFile(ctx, copied, lockWait)
	if err != nil {
		return damage(err)
	}
	faults, err := s.Check(ctx)
	changed, faults := splitChain(faults)
	switch {
	case err != nil:
		err = damage(err)
	case len(faults) > 0:
		err = &DamageError{faults}
	default:
		err = finish(ctx, s, changed)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if log, err := os.Stat(copied + "-wal"); err == nil && log.Size() > 0 {
		return errors.New("the copy's log could not be written into it")
	}
	return syncFile(copied)
}

// copyFile copies a file, for the user that the database, or its folder, belongs to.
func copyFile(ctx context.Context, from, to, path string, progress Progress) (err error) {
	like := path
	if _, err := os.Stat(like); err != nil {
		like = filepath.Dir(path)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := giveToOwner(out, like); err != nil {
		return err
	}
	for done := int64(0); ; {
		n, err := io.CopyN(out, in, 1<<20)
		done += n
		progress(done, info.Size())
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
}

// isAccount returns ErrNoBackup for a database of another program. It comes before the schema is brought up to date,
// which would make an account of an empty database.
func isAccount(ctx context.Context, path string) (err error) {
	c, err := newSQLiteConn(path, []string{"query_only(1)"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	tx := &Tx{conn: c}
	var tables, accounts int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table'
		AND name IN ('account', 'goose_db_version')`).Scan(&tables); err != nil {
		return err
	}
	if tables < 2 {
		return ErrNoBackup
	}
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM account`).Scan(&accounts); err != nil {
		return err
	}
	if accounts != 1 {
		return fmt.Errorf("%w: there is no account in it", ErrNoBackup)
	}
	return nil
}

// Secrets are what a database knows of secrets that were given out, and of mails.
type Secrets struct {
	Account Account
	Tokens  []string // the ids of the admin tokens
	// Over are the generations of the manager's credentials that have an end.
	Over      []Generation
	NextEpoch int64
	Newest    audit.Link // of the audit log; zero if it was no chain yet
	// Mails are those of the outbox, by id, without their texts. Sends is not set if no program of that version sent
	// any.
	Mails map[string]Mail
	Sends bool
}

// ReadSecrets reads them from a database that is not opened otherwise, of whatever version. It reports whether there
// is a database. The error is ErrNoBackup or a DamageError for one that cannot be read by anyone.
func ReadSecrets(ctx context.Context, path string) (s Secrets, found bool, err error) {
	if err := refuseLinks(path); err != nil {
		return s, false, err
	}
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return s, false, nil
	case err != nil:
		return s, false, err
	}
	if !isBackup(path) { // a backup has no log, and needs no index of one
		if err := makePrivate(path); err != nil {
			return s, true, err
		}
	}
	defer func() { err = damage(err) }()
	if err := isAccount(ctx, path); err != nil {
		return s, true, err
	}
	c, err := newSQLiteConn(path, []string{busyTimeout(lockWait), "query_only(1)"})
	if err != nil {
		return s, true, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	s, err = (&Tx{conn: c}).secrets(ctx)
	return s, true, err
}

func (tx *Tx) secrets(ctx context.Context) (s Secrets, err error) {
	if s.Account, _, err = tx.Account(ctx); err != nil {
		return s, err
	}
	if s.Tokens, err = All(ctx, tx, scanText, `SELECT id FROM tokens`); err != nil {
		return s, err
	}
	s.Over, err = All(ctx, tx, func(row Scanner) (g Generation, err error) {
		return g, row.Scan(&g.Epoch, (*Time)(&g.ExpiresAt), &g.Ended)
	}, `SELECT epoch, expires_at, ended FROM generations WHERE expires_at > 0 OR ended <> ''`)
	if err != nil {
		return s, err
	}
	if err := tx.QueryRow(ctx, `SELECT next_epoch FROM integration`).Scan(&s.NextEpoch); err != nil {
		return s, err
	}
	have, _, err := tx.schemaVersion(ctx)
	if err == nil && have >= firstChain {
		_, s.Newest, err = tx.AuditChain(ctx)
	}
	if err != nil || have < firstQueue {
		return s, err
	}
	s.Sends = true
	s.Mails, err = tx.outcomes(ctx)
	return s, err
}

const (
	firstChain = 13 // the version of the schema that made the audit log a chain
	firstQueue = 14 // the version that made the outbox a queue
)

// outcomes returns what became of each mail.
func (tx *Tx) outcomes(ctx context.Context) (map[string]Mail, error) {
	list, err := All(ctx, tx, func(row Scanner) (m Mail, err error) {
		return m, row.Scan(&m.ID, &m.State, &m.Attempts, &m.Copies, (*Time)(&m.NextAttempt), (*Time)(&m.FirstFailure),
			&m.LastError, (*Time)(&m.SentAt))
	}, `SELECT id, state, attempts, copies, next_attempt, first_failure, last_error, sent_at FROM outbox`)
	mails := make(map[string]Mail, len(list))
	for _, m := range list {
		mails[m.ID] = m
	}
	return mails, err
}

// SettleMails keeps the mails that wait in a backup from being sent if they were sent after it, which the database
// that was there knows, or may have been. It returns how many were, and of how many that is not known. What had failed
// and was sent after the backup counts as sent, too.
func (tx *Tx) SettleMails(ctx context.Context, there Secrets) (sent, unknown int64, err error) {
	// Mails that fail here must not wait again, unasked, when the mail server refuses others.
	if err := tx.ForgetBlame(ctx); err != nil {
		return 0, 0, err
	}
	if there.Account.ID != "" && !there.Sends {
		return 0, 0, nil
	}
	unsent, err := tx.Mails(ctx, MailWaiting, MailSuspended, MailFailed)
	if err != nil {
		return 0, 0, err
	}
	for _, m := range unsent {
		was := there.Mails[m.ID]
		switch {
		case m.State == MailFailed && was.State != MailSent:
			continue
		case m.State == MailFailed: // what the server refused may have waited again, and been sent
		case was.State == MailSent:
			sent++
		case was.State == MailFailed:
		case was.State == MailWaiting, was.State == MailSuspended:
			was.State = MailWaiting
		default: // void, or gone, or nobody knows: the link was perhaps sent by another mail
			unknown++
			was = m
			was.State = MailFailed
			was.LastError = "it waited in a backup that was restored, and may have been sent since"
		}
		if _, err := tx.Exec(ctx, `UPDATE outbox SET state = ?, attempts = ?, copies = ?, next_attempt = ?,
				first_failure = ?, last_error = ?, sent_at = ?, leased_until = 0 WHERE id = ?`,
			was.State, was.Attempts, was.Copies, Micros(was.NextAttempt), Micros(was.FirstFailure), was.LastError,
			Micros(was.SentAt), m.ID); err != nil {
			return 0, 0, err
		}
	}
	return sent, unknown, nil
}

// EndGenerations ends generations that ended elsewhere, and gives no epoch again. It returns how many would have
// gone on.
func (tx *Tx) EndGenerations(ctx context.Context, s Secrets) (ended int64, err error) {
	for _, g := range s.Over {
		n, err := tx.Exec(ctx, `UPDATE generations SET expires_at = ?, ended = ?
			WHERE epoch = ? AND (expires_at, ended) IS NOT (?, ?)`,
			Micros(g.ExpiresAt), g.Ended, g.Epoch, Micros(g.ExpiresAt), g.Ended)
		if err != nil {
			return 0, err
		}
		ended += n
	}
	_, err = tx.Exec(ctx, `UPDATE integration SET next_epoch = max(next_epoch, ?)`, s.NextEpoch)
	return ended, err
}

// damage tells errors of a file that is cut or overwritten from those of the disk.
func damage(err error) error {
	switch {
	case errors.Is(err, sqlite3.NOTADB):
		return ErrNoBackup
	case errors.Is(err, sqlite3.BUSY):
		return fmt.Errorf("%w: %w", ErrInUse, err)
	case errors.Is(err, sqlite3.CORRUPT):
		return &DamageError{[]Fault{{"pages and indexes are whole", err.Error()}}}
	}
	return err
}

// exchange puts a file in the place of a database, and keeps that under another name, which ends in infix and the
// time. At no time is there no database at path, for a loss of power, and none that has another one's log beside it.
func exchange(file, path, infix string, now time.Time) (aside []string, err error) {
	suffix := infix + now.UTC().Format("20060102T150405.000Z")
	var undo []func() error
	defer func() {
		if err == nil {
			return
		}
		for _, back := range slices.Backward(undo) {
			if failed := back(); failed != nil {
				err = fmt.Errorf("%w; what was there is kept as %s: %w", err, path+suffix, failed)
			}
		}
		aside = nil
	}()
	for _, end := range []string{"", "-wal", "-journal"} {
		from, to := path+end, path+suffix+end
		if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		keep := renameToNew
		if end == "" {
			keep = linkToNew
		}
		back, err := keep(from, to)
		if err != nil {
			return nil, err
		}
		undo, aside = append(undo, back), append(aside, to)
	}
	if err := os.Remove(path + "-shm"); err != nil && !errors.Is(err, fs.ErrNotExist) { // an index of the log
		return nil, err
	}
	// Only now: at no time must there be the new database and the old log.
	if err := os.Rename(file, path); err != nil {
		return nil, err
	}
	undo = nil
	if err := durable.SyncFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("%s is in place, but whether it outlasts a loss of power is not known, and "+
			"what was there is kept as %q: %w", path, aside, err)
	}
	return aside, nil
}

// linkToNew gives a file a second name, which no file has, or renames it where a file system has no links.
func linkToNew(from, to string) (back func() error, err error) {
	if err := os.Link(from, to); err != nil {
		return renameToNew(from, to)
	}
	return func() error { return os.Remove(to) }, nil
}

// renameToNew renames a file to a name that no file has.
func renameToNew(from, to string) (back func() error, err error) {
	if _, err := os.Lstat(to); err == nil {
		return nil, fmt.Errorf("%s: %w", to, ErrExists)
	}
	return func() error { return os.Rename(to, from) }, os.Rename(from, to)
}
