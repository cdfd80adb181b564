package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// deadManSwitch is the byte of a log's index that every process which has the database open has locked, see
// https://www.sqlite.org/walformat.html#wal_locks.
const deadManSwitch = 128

// isUnused reports whether it is sure that no process has the database open whose log's index lies at path, be the
// database itself there or not. Without an index it is not.
func isUnused(path string) bool {
	index, err := os.OpenFile(path+"-shm", os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer index.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: deadManSwitch, Len: 1}
	err = unix.FcntlFlock(index.Fd(), unix.F_OFD_GETLK, &lock)
	return err == nil && lock.Type == unix.F_UNLCK
}
