//go:build linux || darwin || freebsd

package store

import (
	"math"

	"golang.org/x/sys/unix"
)

// freeBytes returns how much can be written to the file system of a folder without what it keeps for root. It reports
// whether that is known: a file system in memory without a bound, and some in user space, have no number of blocks.
func freeBytes(folder string) (free int64, known bool) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil || fs.Blocks == 0 {
		return 0, false
	}
	// Signed on some systems: below zero if root has used what is kept for it.
	return bytesIn(max(0, int64(fs.Bavail)), int64(fs.Bsize)), true //nolint:unconvert // other types elsewhere
}

// bytesIn returns the size of blocks. File systems over a network may claim any number of them.
func bytesIn(blocks, size int64) int64 {
	if size > 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return blocks * size
}
