//go:build unix

package linestore

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock makes this process the file's only writer, until it closes the file or ends.
func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
