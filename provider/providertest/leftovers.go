package providertest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// watchVariable makes a test binary the watcher of another run of it; its
// value is the folder of that run.
const watchVariable = "SCIMBRIDGE_TEST_WATCH"

// Guard runs a package's tests and returns the exit code. It ends the processes
// that they leave: a bridge that Terraform deploys is detached on purpose, and a
// test that is killed cleans up nothing.
//
// All temporary files of the run lie in one folder. A process belongs to the
// run if it works there, was started from there or names it in its arguments.
// One that is left at the end fails the run. If the run is killed, SIGKILL
// included, a watcher sees its pipe close, and ends what is left.
func Guard(run func() int) (code int) {
	if folder := os.Getenv(watchVariable); folder != "" {
		watch(folder)
		return 0
	}
	folder, err := os.MkdirTemp("", "sb")
	if err == nil {
		err = os.Chmod(folder, 0o755) // a database server of a test runs as another user
	}
	if err == nil {
		err = os.Setenv("TMPDIR", folder)
	}
	var dismiss func()
	if err == nil {
		dismiss, err = startWatcher(folder)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "guarding the tests: %v\n", err)
		return 1
	}
	defer dismiss()
	code = run()
	if left := endLeftovers(folder); len(left) > 0 {
		fmt.Printf("FAIL: processes outlived their tests:\n")
		for _, p := range left {
			fmt.Printf("  %s\n", p)
		}
		code = cmp.Or(code, 1)
	}
	return code
}

// startWatcher starts this binary once more, as a watcher. It inherits no
// output: go test waits until all of it is closed.
func startWatcher(folder string) (dismiss func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), self) // it outlives the run
	cmd.Env = append(os.Environ(), watchVariable+"="+folder)
	detach(cmd) // from the terminal: Ctrl-C is for the tests
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = alive.Close()
		_ = cmd.Wait()
	}, nil
}

// watch waits until the tests have ended, and ends what they left.
func watch(folder string) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	endLeftovers(folder)
	_ = os.RemoveAll(folder)
}

// A leftover is a process of the run.
type leftover struct {
	pid     int
	command string
}

func (l leftover) String() string { return fmt.Sprintf("%d %s", l.pid, l.command) }

// endLeftovers kills the processes of the run in the folder until there are
// none, since one may be about to start another. It returns those that it saw.
func endLeftovers(folder string) (seen []leftover) {
	killed := map[int]bool{}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		left := leftovers(folder)
		if len(left) == 0 {
			return seen
		}
		for _, p := range left {
			if !killed[p.pid] {
				seen, killed[p.pid] = append(seen, p), true
			}
			if process, err := os.FindProcess(p.pid); err == nil {
				_ = process.Kill() // it may have ended by itself
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return seen
}
