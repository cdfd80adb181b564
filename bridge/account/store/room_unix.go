//go:build linux || darwin || freebsd

package store

import "golang.org/x/sys/unix"

// freeBytes returns how much can be written to the file system of a folder without what it keeps for root. It reports
// whether that is known.
func freeBytes(folder string) (free int64, known bool) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return 0, false
	}
	// Signed on some systems: below zero if root has used what is kept for it.
	return max(0, int64(fs.Bavail)) * int64(fs.Bsize), true //nolint:unconvert // of other types on other systems
}
