//go:build unix

package httpkit

import "golang.org/x/sys/unix"

// openFilesLimit is how many files this process may have open; 0 for no limit.
func openFilesLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	const plenty = 1 << 20
	return int(min(uint64(limit.Cur), plenty)) //nolint:unconvert // FreeBSD has it signed
}
