package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// The errors of Write and Ping for faults of the disk and of the database's files.
var (
	// ErrFull says that the disk has no room for what would be written.
	ErrFull = errors.New("the disk that holds the database is full")
	// ErrReplaced says that the files that are open are no longer those at the
	// database's path: what is written to them is lost when the process ends.
	ErrReplaced = errors.New("the database file was deleted or replaced while it was open")
	// ErrDisk says that the disk, or the file system on it, failed.
	ErrDisk = errors.New("the disk that holds the database cannot be written or read")
	// ErrLocked says that another process has kept the database from being written for too long.
	ErrLocked = errors.New("another process has locked the database")
)

// storageError wraps an error of the disk in ErrFull or ErrDisk, and one of another process's
// lock in ErrLocked; other errors, and those that are wrapped already, are returned as they are.
// Only errors of SQLite count: a transaction may fail because of another file, on another disk.
func storageError(err error) error {
	switch {
	case err == nil, isStorageError(err):
		return err
	case errors.Is(err, sqlite3.FULL), errors.As(err, new(*sqlite3.Error)) && hasNoRoom(err):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, sqlite3.IOERR), errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.CANTOPEN),
		errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB):
		return fmt.Errorf("%w: %w", ErrDisk, err)
	case errors.Is(err, sqlite3.BUSY):
		return fmt.Errorf("%w: %w", ErrLocked, err)
	default:
		return err
	}
}

// fileError wraps an error of one of the database's own files.
func fileError(err error) error {
	switch {
	case err == nil:
		return nil
	case hasNoRoom(err):
		return fmt.Errorf("%w: %w", ErrFull, err)
	default:
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}
}

// writeError is storageError for a write, and keeps the error for Ping.
func (s *Store) writeError(err error) error {
	if err = storageError(err); !isStorageError(err) {
		return err
	}
	err = s.engine.explain(err)
	s.failing.note(err)
	return err
}

func isStorageError(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, ErrReplaced) || errors.Is(err, ErrDisk) ||
		errors.Is(err, ErrLocked) || errors.Is(err, ErrAway) || errors.Is(err, ErrRefused) ||
		errors.Is(err, ErrReadOnly)
}

// Setting names the database as --database takes it, wherever it is called, without a password.
func (s *Store) Setting() string { return s.engine.setting() }

// openFiles are the database and its log as they were when they were opened.
type openFiles struct {
	path string

	mu    sync.Mutex
	known map[string]os.FileInfo // by path
}

// check returns ErrReplaced unless the files at the path are those that are
// open. The log is made by the first use of the database, and its inode is
// learned when it is first seen; SQLite keeps it while a connection is open.
//
// A file that is overwritten in place (cp backup.db account.db) keeps its inode
// and is not noticed. SQLite keeps nothing in it that would tell cheaply: in WAL
// mode commits do not reach the header, whose change counter moves when page 1
// is checkpointed, by whatever process; nothing in the log refers to the
// database below it; and an id of our own would be in the backup, too.
func (f *openFiles) check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range []string{f.path, f.path + "-wal"} {
		now, err := os.Stat(path)
		known := f.known[path]
		switch {
		case err == nil && known == nil:
			f.known[path] = now
		case err == nil && !os.SameFile(known, now):
			return fmt.Errorf("%w: another file is at %s", ErrReplaced, path)
		case errors.Is(err, fs.ErrNotExist) && known != nil:
			return fmt.Errorf("%w: there is no file at %s", ErrReplaced, path)
		case err != nil && known != nil:
			return fmt.Errorf("%w: looking at the database's file: %w", ErrDisk, err)
		}
	}
	return nil
}

// leastRoom is how much must fit on the disk for it not to be full. A small
// write may just fit where the next request's does not.
const leastRoom = 256 << 10

// unlinkedName is the pattern of the files that newUnlinked makes.
const unlinkedName = ".scim-bridge-temporary-*"

// removeUnlinked removes those of processes that were killed before they had
// unlinked them. One that cannot be removed does no harm.
func (f *openFiles) removeUnlinked() {
	folder := filepath.Dir(f.path)
	stale, _ := fs.Glob(os.DirFS(folder), unlinkedName)
	for _, name := range stale {
		_ = os.Remove(filepath.Join(folder, name))
	}
}

// An unlinkedFile ends with the process: it has no name any more. Where an open file cannot be unlinked, it has one
// until it is closed.
type unlinkedFile struct {
	*os.File
	named bool
}

func newUnlinked(folder string) (*unlinkedFile, error) {
	f, err := os.CreateTemp(folder, unlinkedName)
	if err != nil {
		return nil, err
	}
	err = os.Remove(f.Name())
	return &unlinkedFile{f, err != nil && !errors.Is(err, fs.ErrNotExist)}, nil // a process that starts removes it, too
}

// Close closes the file and removes it.
func (f *unlinkedFile) Close() error {
	err := f.File.Close()
	if f.named {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// room returns ErrFull unless the log could grow by leastRoom.
func (f *openFiles) room() (err error) {
	defer func() { err = fileError(err) }()
	log, err := os.Stat(f.path + "-wal")
	if err != nil {
		return err
	}
	return tryRoom(filepath.Dir(f.path), log.Size())
}

// A RoomError says that a copy does not fit on a disk. It is an ErrFull.
type RoomError struct{ Free, Need int64 } // bytes

func (e *RoomError) Error() string {
	return fmt.Sprintf("the disk has %d bytes free, and the copy needs %d", e.Free, e.Need)
}

// Is makes every RoomError an ErrFull.
func (e *RoomError) Is(target error) bool { return target == ErrFull }

// roomFor returns a RoomError if a copy of so many bytes does not fit in a folder. A copy that fills the disk would
// stop others before it fails, a server whose database is on it among them.
func roomFor(folder string, size int64) error {
	need := size + leastRoom
	if free, known := freeBytes(folder); known && free < need {
		return &RoomError{Free: free, Need: need}
	}
	return nil
}

// tryRoom writes leastRoom to a file in folder, from an offset on.
func tryRoom(folder string, offset int64) (err error) {
	probe, err := newUnlinked(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, probe.Close()) }()
	if _, err := probe.WriteAt(make([]byte, leastRoom), offset); err != nil {
		return err
	}
	return probe.Sync()
}

// failing keeps the error of the last write that the disk did not take.
type failing struct {
	mu      sync.Mutex
	err     error // of the last write that the disk did not take; nil once one was taken
	checked time.Time
}

// note keeps why the disk did not take a write.
func (f *failing) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// due returns the failure, and reports whether it is time to try again: not
// more often than once a second, since strangers may ask whether the account is ready.
func (f *failing) due(now time.Time) (err error, due bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil || now.Sub(f.checked) < time.Second {
		return f.err, false
	}
	f.checked = now
	return f.err, true
}

// Ping reads from the database, and returns an error if it cannot be read or
// written. Once the disk did not take a write, Ping writes too, since only a
// write shows that the disk takes them again; one that changes no row would
// succeed on a full disk.
func (s *Store) Ping(ctx context.Context) error {
	err := s.Read(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, `SELECT 1 FROM account`)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.engine.check(); err != nil {
		return err
	}
	failure, due := s.failing.due(time.Now())
	if !due {
		return failure
	}
	if err := s.engine.takesWrites(); err != nil {
		return err
	}
	err = s.Write(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, `UPDATE account SET name = name`)
		return err
	})
	if err == nil {
		s.failing.note(nil)
	}
	return err
}
