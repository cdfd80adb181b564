// Package durable writes small files so that a crash, at any moment, leaves
// either the old content or the new one, and reads them with a limit.
//
// What the files hold and how access is coordinated is decided by the callers.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile replaces the file at path by data, readable by its owner only.
// After it returned nil, the new content survives a loss of power.
func WriteFile(path string, data []byte) error { return write(path, content(data), os.Rename) }

// CreateFile is WriteFile for a file that must not be there yet; the error is fs.ErrExist if it is. Of several
// processes, one succeeds.
func CreateFile(path string, data []byte) error { return CreateFileFrom(path, content(data)) }

// CreateFileFrom is CreateFile for what fill writes to the file. If fill fails, there is no file.
func CreateFileFrom(path string, fill func(*os.File) error) error {
	return write(path, fill, func(temp, path string) error {
		err := os.Link(temp, path)
		if err == nil {
			_ = os.Remove(temp) // a second name does no harm
			return nil
		}
		if _, there := os.Lstat(path); there == nil {
			return fs.ErrExist
		}
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) { // a share without hard links
			return os.Rename(temp, path)
		}
		return err
	})
}

func content(data []byte) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.Write(data)
		return err
	}
}

// write fills a temporary file, and calls place to give it its name.
func write(path string, fill func(*os.File) error, place func(temp, path string) error) (err error) {
	folder := filepath.Dir(path)
	// In the same folder: a rename across file systems is a copy. CreateTemp
	// makes the file with mode 0600 under a name that could not have been
	// prepared.
	temp, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = temp.Close() // twice after a failed rename, which is harmless
			_ = os.Remove(temp.Name())
			err = fmt.Errorf("write %q: %w", path, err)
		}
	}()
	if err := fill(temp); err != nil {
		return err
	}
	// Before the rename: else the new name may reach the disk ahead of the
	// data, and a crash leaves an empty file.
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := place(temp.Name(), path); err != nil {
		return err
	}
	return SyncFolder(folder)
}

// SyncFolder makes the entries of a folder durable, such as a new name.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// ErrTooLarge means that a file is larger than its reader accepts.
var ErrTooLarge = errors.New("the file is too large")

// ReadFile reads the file at path; one of more than limit bytes is ErrTooLarge,
// found without reading on.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %q: %w: more than %d bytes", path, ErrTooLarge, limit)
	}
	return data, nil
}

// Reason is why the system refused something about a file, without the file's
// name: what an operator gave as a name may have been a secret.
func Reason(err error) error {
	if reason, ok := errors.AsType[syscall.Errno](err); ok {
		return reason
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
