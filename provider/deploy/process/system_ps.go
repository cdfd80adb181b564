//go:build unix && !linux

package process

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
)

// startOf returns when a process started, to the second. It is empty if the process does
// not exist or is a zombie. It returns an error if the process exists but ps does not
// show it.
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
