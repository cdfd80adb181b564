//go:build unix && !linux

package process

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
)

// startOf returns when a process started, to the second. It is empty if the
// process is gone, or dead and only not yet collected. The error says that
// there is a process, and that ps does not show it.
func startOf(pid int) (string, error) {
	if !exists(pid) {
		return "", nil
	}
	out, err := exec.Command("/bin/ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output()
	state, started, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	switch {
	case ok && strings.HasPrefix(state, "Z") || !exists(pid):
		return "", nil
	case err != nil:
		return "", err
	case !ok:
		return "", errors.New("ps does not show it")
	}
	return strings.Join(strings.Fields(started), " "), nil
}
