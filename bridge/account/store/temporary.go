package store

import (
	"errors"

	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// A temporaryFile has what SQLite keeps outside its own memory for a while: what would undo a savepoint, or rows that
// it sorts. It is in memory until it is larger than keptInMemory, which most never are, and from then on on the disk,
// beside the database: an image has no /tmp, and elsewhere that may be a few megabytes of memory.
type temporaryFile struct {
	vfsutil.SliceFile // unless there is a file
	folder            string
	file              *unlinkedFile
}

// keptInMemory is the size in bytes up to which a temporary file is in memory.
const keptInMemory = 8 << 20

// WriteAt implements vfs.File.
func (f *temporaryFile) WriteAt(p []byte, off int64) (int, error) {
	if f.file == nil && off+int64(len(p)) > keptInMemory {
		if err := f.moveToDisk(); err != nil {
			return 0, err
		}
	}
	if f.file == nil {
		return f.SliceFile.WriteAt(p, off)
	}
	return f.file.WriteAt(p, off)
}

// moveToDisk leaves the file as it is if it fails: what it has undoes a write.
func (f *temporaryFile) moveToDisk() error {
	file, err := newUnlinked(f.folder)
	if err != nil {
		return err
	}
	if _, err := file.WriteAt(f.SliceFile, 0); err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.SliceFile = file, nil
	return nil
}

// ReadAt implements vfs.File.
func (f *temporaryFile) ReadAt(p []byte, off int64) (int, error) {
	if f.file == nil {
		return f.SliceFile.ReadAt(p, off)
	}
	return f.file.ReadAt(p, off)
}

// Truncate implements vfs.File.
func (f *temporaryFile) Truncate(size int64) error {
	if f.file == nil {
		return f.SliceFile.Truncate(size)
	}
	return f.file.Truncate(size)
}

// Size implements vfs.File.
func (f *temporaryFile) Size() (int64, error) {
	if f.file == nil {
		return f.SliceFile.Size()
	}
	info, err := f.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// SizeHint implements vfs.FileSizeHint. Files grow as they are written.
func (f *temporaryFile) SizeHint(int64) error { return nil }

// Close implements io.Closer.
func (f *temporaryFile) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

var _ vfs.FileSizeHint = (*temporaryFile)(nil)
