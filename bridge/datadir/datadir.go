// Package datadir checks which users may write a bridge's data folder. A user that
// can put another session, socket or program there has the bridge's credentials
// with the next request; the provider and the bridge itself refuse such a folder,
// as sshd does with StrictModes.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Check refuses a data folder if it or a folder above it belongs to another user
// than this process's or root, or can be written by others. What is not there is
// no fault. setting is what the operator chose the folder with.
func Check(folder, setting string) error {
	return checkWay(folder, false, owner{os.Geteuid(), setting}, maxLinks)
}

// CheckFolder is Check for one folder, without those above it.
func CheckFolder(folder, setting string) error {
	return checkPrivate(folder, false, owner{os.Geteuid(), setting})
}

// CheckGiven refuses a data folder unless it is uid's own and root alone decides
// which folder lies at its path, as with the state folder of a systemd unit: then
// root gave the folder to that user, and no other user can have put a socket there.
func CheckGiven(folder string, uid int, setting string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	return checkGiven(folder, owner{uid, setting}, owner{0, setting})
}

func checkGiven(folder string, own, above owner) error {
	for range maxLinks {
		// Not even a folder like /tmp will do: there, any user can be the first to make one.
		if err := checkWay(filepath.Dir(folder), false, above, maxLinks); err != nil {
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

// An OpenError says that others than its owner may write to a folder.
type OpenError struct {
	Folder string
	Mode   fs.FileMode
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("others than its owner may write to %s (mode %04o), and so replace the bridge: "+
		"run chmod go-w %[1]s", e.Folder, e.Mode)
}

// An owner is the user that may have the folders, beside root, and the setting
// that names them.
type owner struct {
	uid     int
	setting string
}

// maxLinks is how many symbolic links a way may have, as on Linux.
const maxLinks = 40

// checkWay looks at a folder and at all above it; where one of them is a
// symbolic link, at the link and at the way to what it names, too: whoever may
// replace a link decides which folder it names.
func checkWay(folder string, above bool, o owner, links int) error {
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
		return nil //nolint:nilerr // one that is not there is made, or reported by checkPrivate
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
	return checkWay(target, above, o, links-1)
}

// linkTarget returns the path that a symbolic link names.
func linkTarget(link string) (string, error) {
	target, err := os.Readlink(link)
	if err != nil || filepath.IsAbs(target) {
		return target, err
	}
	beside, err := filepath.EvalSymlinks(filepath.Dir(link)) // where the link really is
	return filepath.Join(beside, target), err
}

func tooManyLinks(folder string) error { return fmt.Errorf("%s: too many symbolic links", folder) }

// checkPrivate looks at one folder. Above the data folder, one in which everybody
// may write will do if only a file's owner can take it away, as in /tmp.
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
		return nil // modes mean nothing on such a system
	}
	if info.Mode().Perm()&0o022 != 0 && (!above || info.Mode()&fs.ModeSticky == 0) {
		return &OpenError{folder, info.Mode().Perm()}
	}
	return nil
}

func checkOwner(path string, info fs.FileInfo, o owner) error {
	if uid, known := ownerOf(info); known && uid != 0 && uid != o.uid {
		return fmt.Errorf("%s belongs to user %d, who could replace the bridge, and this is user %d: "+
			"choose a %s below folders of this user or of root, or run chown -h %d %[1]s", path, uid, o.uid, o.setting, o.uid)
	}
	return nil
}
