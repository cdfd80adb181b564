// Package datadir checks which users can write to a bridge's data folder. A user that can
// replace the session, the socket or the program there can get the bridge's credentials.
// The provider and the bridge refuse such a folder, as sshd does with StrictModes.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Check refuses a data folder if it or a folder above it belongs to another user than this
// process's or root, or can be written by others. Missing folders are allowed. Setting is
// the name of the setting for the folder.
func Check(folder, setting string) error {
	return checkPath(folder, false, owner{os.Geteuid(), setting}, maxLinks)
}

// CheckFolder is Check for one folder, without those above it.
func CheckFolder(folder, setting string) error {
	return checkPrivate(folder, false, owner{os.Geteuid(), setting})
}

// CheckGiven refuses a data folder unless it belongs to uid or root, and only root can replace
// it or a folder above it, as with the state folder of a systemd unit: then root gave the folder to
// that user, and no other user can have placed a socket there.
func CheckGiven(folder string, uid int, setting string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	return checkGiven(folder, owner{uid, setting}, owner{0, setting})
}

func checkGiven(folder string, own, above owner) error {
	for range maxLinks {
		// Not even below a folder like /tmp, where any user can create one.
		if err := checkPath(filepath.Dir(folder), false, above, maxLinks); err != nil {
			return err
		}
		info, err := os.Lstat(folder)
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return checkPrivate(folder, false, own)
		}
		if folder, err = linkTarget(folder); err != nil {
			return err
		}
	}
	return tooManyLinks(folder)
}

// An OpenError is the error for a folder that users other than its owner can write to.
type OpenError struct {
	Folder string
	Mode   fs.FileMode
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("users other than its owner can write to %s (mode %04o) and replace the bridge: "+
		"run chmod go-w %[1]s", e.Folder, e.Mode)
}

// An owner is the user, other than root, that may own the folders, and the name of their
// setting.
type owner struct {
	uid     int
	setting string
}

// maxLinks is the maximum number of symbolic links in a path, as on Linux.
const maxLinks = 40

// checkPath checks a folder and all folders above it. For a symbolic link it checks the
// link and the path to its target: a user that can replace a link chooses its target.
func checkPath(folder string, above bool, o owner, links int) error {
	for ; ; above = true {
		if err := checkPrivate(folder, above, o); err != nil {
			return err
		}
		if err := checkLink(folder, above, o, links); err != nil {
			return err
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return nil
		}
		folder = parent
	}
}

func checkLink(folder string, above bool, o owner, links int) error {
	info, err := os.Lstat(folder)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return nil //nolint:nilerr // a missing folder is created, or reported by checkPrivate
	}
	if err := checkOwner(folder, info, o); err != nil {
		return err
	}
	if links == 0 {
		return tooManyLinks(folder)
	}
	target, err := linkTarget(folder)
	if err != nil {
		return err
	}
	return checkPath(target, above, o, links-1)
}

// linkTarget returns the path of a symbolic link's target.
func linkTarget(link string) (string, error) {
	target, err := os.Readlink(link)
	if err != nil || filepath.IsAbs(target) {
		return target, err
	}
	beside, err := filepath.EvalSymlinks(filepath.Dir(link)) // the link's real folder
	return filepath.Join(beside, target), err
}

func tooManyLinks(folder string) error { return fmt.Errorf("%s: too many symbolic links", folder) }

// checkPrivate checks one folder. Above the data folder, a folder that everyone can write to
// is allowed if only a file's owner can remove it, as in /tmp.
func checkPrivate(folder string, above bool, o owner) error {
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if err := checkOwner(folder, info, o); err != nil {
		return err
	}
	if _, known := ownerOf(info); !known {
		return nil // such a system has no modes
	}
	if info.Mode().Perm()&0o022 != 0 && (!above || info.Mode()&fs.ModeSticky == 0) {
		return &OpenError{folder, info.Mode().Perm()}
	}
	return nil
}

func checkOwner(path string, info fs.FileInfo, o owner) error {
	if uid, known := ownerOf(info); known && uid != 0 && uid != o.uid {
		return fmt.Errorf("%s belongs to user %d, which could replace the bridge, but this is user %d: "+
			"choose a %s below folders of this user or of root, or run chown -h %d %[1]s",
			path, uid, o.uid, o.setting, o.uid)
	}
	return nil
}
