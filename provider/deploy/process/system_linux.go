package process

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// startOf returns when a process started, as boot id and ticks since boot (proc(5), field
// 22), which is unique for a pid. It is empty if the process does not exist or is a
// zombie. It returns an error if the process exists but /proc does not show it.
func startOf(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		if !exists(pid) {
			return "", nil
		}
		return "", err
	}
	// The command's name, field 2, may contain spaces and brackets: count from its end.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const state, startTime = 0, 22 - 3 // fields begins with the third
	if len(fields) <= startTime {
		return "", fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	if fields[state] == "Z" || fields[state] == "X" {
		return "", nil
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[startTime], nil
}
