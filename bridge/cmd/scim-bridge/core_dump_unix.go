//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// disableCoreDumps keeps the memory of this process, in which an unsealed bridge has
// the Provision Manager's credentials, out of core dumps.
func disableCoreDumps() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // lowering a limit is always allowed

	// Linux does not apply the limit to a dump that it pipes to a program (core(5)), which may keep it
	// nevertheless. With an empty filter such a dump has no memory in it. PR_SET_DUMPABLE would prevent
	// the dump, but also hide /proc/PID/cwd from Terraform, which finds a moved data folder by it.
	f, err := os.OpenFile("/proc/self/coredump_filter", os.O_WRONLY, 0)
	if err != nil {
		return // not Linux, or a container without /proc
	}
	_, _ = f.WriteString("0") // best effort, beside the limit
	_ = f.Close()
}
