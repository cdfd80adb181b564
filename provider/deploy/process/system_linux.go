package process

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// startOf tells when a process started, in a form that no other process of
// this pid ever has: boot id and ticks since boot (proc(5), field 22). It is
// empty if the process is gone, or dead and only not yet collected.
func startOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The command's name, field 2, may hold spaces and brackets: count from its end.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const state, startTime = 0, 22 - 3 // fields begins with the third
	if len(fields) <= startTime || fields[state] == "Z" || fields[state] == "X" {
		return ""
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[startTime]
}
