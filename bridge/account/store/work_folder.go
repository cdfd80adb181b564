package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The names of work folders are our own, since those that are left are removed.
const (
	backupFolders  = ".scim-bridge-backup-*"
	restoreFolders = ".scim-bridge-restore-*"
)

const (
	workFile = "account.db" // the copy in a work folder
	workLock = "lock"       // is locked while the folder is in use
	// workFolderAge is how old a folder without a lock must be: a process makes the folder first, and then the lock.
	workFolderAge = time.Minute
)

// A workFolder is a folder that only its owner can enter, for a file that is not complete.
type workFolder struct {
	path   string
	unlock func()
}

// newWorkFolder makes one, and removes those that killed processes have left.
func newWorkFolder(folder, pattern string) (w workFolder, err error) {
	left, _ := fs.Glob(os.DirFS(folder), pattern)
	for _, name := range left {
		removeLeftFolder(filepath.Join(folder, name)) // one that cannot be removed does no harm
	}
	if w.path, err = os.MkdirTemp(folder, pattern); err != nil {
		return w, err
	}
	if err := os.WriteFile(filepath.Join(w.path, workLock), nil, 0o600); err != nil {
		return w, errors.Join(err, os.RemoveAll(w.path))
	}
	if w.unlock, err = lockDatabase(filepath.Join(w.path, workLock)); err != nil {
		return w, errors.Join(err, os.RemoveAll(w.path))
	}
	return w, nil
}

func (w workFolder) file() string { return filepath.Join(w.path, workFile) }

// remove removes the folder, which this process has made.
func (w workFolder) remove() error {
	w.unlock()
	return os.RemoveAll(w.path)
}

// removeLeftFolder removes the work folder of a process that was killed: only the files that such a process makes, and
// the folder if nothing else is in it. Root runs this in folders of other users, who could put a link in its place.
func removeLeftFolder(path string) {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || time.Since(info.ModTime()) < workFolderAge {
		return
	}
	folder, err := os.OpenRoot(path)
	if err != nil {
		return
	}
	defer folder.Close()
	if opened, err := folder.Stat("."); err != nil || !os.SameFile(info, opened) {
		return
	}
	if lock, err := folder.Lstat(workLock); err == nil {
		if !lock.Mode().IsRegular() {
			return
		}
		unlock, err := lockDatabase(filepath.Join(path, workLock))
		if err != nil {
			return // in use
		}
		defer unlock()
	}
	for _, end := range append([]string{""}, besides...) {
		_ = folder.Remove(workFile + end)
	}
	_ = folder.Remove(workLock)
	_ = os.Remove(path)
}
