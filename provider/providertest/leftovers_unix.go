//go:build unix

package providertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Runs reports whether a process runs; a zombie does not.
func Runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil {
		return !strings.Contains(string(stat), ") Z ")
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// leftovers finds the other processes that work in the folder, were started from
// there or name it. Zombies have none of the three.
func leftovers(folder string) (found []leftover) {
	if entries, err := os.ReadDir("/proc"); err == nil && len(entries) > 0 {
		return fromProc(folder, entries)
	}
	out, err := exec.CommandContext(context.Background(), "ps", "-axww", "-o", "pid=,command=").Output()
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		number, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		pid, err := strconv.Atoi(number)
		if err == nil && pid != os.Getpid() && strings.Contains(command, folder) {
			found = append(found, leftover{pid, command})
		}
	}
	return found
}

func fromProc(folder string, entries []os.DirEntry) (found []leftover) {
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		works, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if strings.Contains(string(command), folder) || within(works, folder) || within(program, folder) {
			found = append(found, leftover{pid, strings.ReplaceAll(string(command), "\x00", " ")})
		}
	}
	return found
}

func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }
