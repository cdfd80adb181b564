//go:build unix

package guard

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile makes this process the only one with the lock, until it unlocks the file, closes it or ends. Without wait,
// another one that has it is errLocked.
func lockFile(f *os.File, wait bool) error {
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	for {
		switch err := unix.Flock(int(f.Fd()), how); {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		default:
			return err
		}
	}
}

func unlockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }
