package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// lockingVFS opens a database for lockDatabase, which gets the file.
const lockingVFS = "scimbridge-lock"

func init() { vfs.Register(lockingVFS, &lockingSystem{VFS: vfs.Find("")}) }

type lockingSystem struct {
	vfs.VFS
	opened sync.Map // vfs.File by path
}

// OpenFilename implements vfs.VFSFilename.
func (s *lockingSystem) OpenFilename(
	name *vfs.Filename, flags vfs.OpenFlag,
) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpenFilename(s.VFS, name, flags)
	if err == nil && flags&vfs.OPEN_MAIN_DB != 0 {
		s.opened.Store(name.String(), f)
	}
	return f, flags, err
}

// lockDatabase takes the lock that SQLite has only while nobody else has the database open, and returns a function
// that releases it; ErrInUse if somebody has. SQLite itself would take it only for a database that it can read, and
// a damaged one may be open, too. It is SQLite's own lock, which a process that is killed does not leave behind.
func lockDatabase(path string) (unlock func(), err error) {
	path = resolve(path) // as SQLite names the file
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return func() {}, refuseAlone(path)
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "vfs=" + lockingVFS}
	db, err := sqlite3.OpenFlags(u.String(), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	file, opened := vfs.Find(lockingVFS).(*lockingSystem).opened.LoadAndDelete(path)
	if !opened {
		return nil, errors.Join(fmt.Errorf("locking %s: it was not opened", path), db.Close())
	}
	for _, level := range []vfs.LockLevel{vfs.LOCK_SHARED, vfs.LOCK_RESERVED, vfs.LOCK_EXCLUSIVE} {
		if err := file.(vfs.File).Lock(level); err != nil {
			if err.Error() == sqlite3.BUSY.Error() { // the errors of a VFS are of a type that has no name here
				err = ErrInUse
			}
			return nil, errors.Join(err, db.Close())
		}
	}
	return func() { _ = db.Close() }, nil // nothing was written
}

// refuseAlone returns ErrAlone if a file of the database is there, without the database, unless it is known that no
// process has that open still: it would go on serving it, under no name. The log is kept by a restore, as the database
// would be.
func refuseAlone(path string) error {
	for _, end := range besides {
		if _, err := os.Lstat(path + end); err == nil && !isUnused(path) {
			return fmt.Errorf("%w: %s", ErrAlone, path+end)
		}
	}
	return nil
}
