//go:build unix && !linux

package process

import (
	"os/exec"
	"strconv"
	"strings"
)

// startOf tells when a process started, to the second. It is empty if the
// process is gone, or dead and only not yet collected.
func startOf(pid int) string {
	out, err := exec.Command("/bin/ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output()
	state, started, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || !ok || strings.HasPrefix(state, "Z") {
		return ""
	}
	return strings.Join(strings.Fields(started), " ")
}
