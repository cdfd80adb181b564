package store

import (
	"errors"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// vfsOf returns the name of the VFS for the databases in a folder: the system's, except that it reports a full
// disk as such, and has temporary files of its own. The library's has lost the reason for a failed write when
// SQLite asks for it.
func vfsOf(folder string) string {
	name := "scimbridge " + folder
	if vfs.Find(name) == nil {
		vfs.Register(name, fileSystem{vfs.Find(""), folder})
	}
	return name
}

type fileSystem struct {
	vfs.VFS
	folder string
}

// Open implements vfs.VFS.
func (s fileSystem) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if flags&vfs.OPEN_DELETEONCLOSE != 0 {
		return wrapLog(&temporaryFile{folder: s.folder}, flags, nil)
	}
	f, flags, err := vfsutil.WrapOpen(s.VFS, name, flags)
	return wrapLog(f, flags, err)
}

// OpenFilename implements vfs.VFSFilename.
func (s fileSystem) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name == nil {
		return s.Open("", flags)
	}
	f, flags, err := vfsutil.WrapOpenFilename(s.VFS, name, flags)
	return wrapLog(f, flags, err)
}

// wrapLog wraps the log and what else is written on the way to a commit. The
// database itself, which needs more of a file than these, is written when the
// log is copied into it, and no commit waits for that.
func wrapLog(f vfs.File, flags vfs.OpenFlag, err error) (vfs.File, vfs.OpenFlag, error) {
	if err == nil && flags&vfs.OPEN_MAIN_DB == 0 {
		f = logFile{f}
	}
	return f, flags, err
}

type logFile struct{ vfs.File }

// WriteAt implements vfs.File.
func (f logFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if err != nil && hasNoRoom(err) {
		err = vfs.SystemError(err, sqlite3.FULL)
	}
	return n, err
}

// hasNoRoom reports whether a write failed for want of space: on the disk, in
// a quota, or below the limit that the process has for a file.
func hasNoRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
