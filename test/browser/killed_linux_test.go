//go:build browser

package browser

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// killedVariable makes a run of this binary the one that is killed.
const killedVariable = "SCIMBRIDGE_TEST_KILLED"

// A test that is killed ends the browser with it, and all the processes that make up the browser.
func TestInBrowserABrowserDoesNotOutliveAKilledTest(t *testing.T) {
	if os.Getenv(killedVariable) != "" {
		New(t).Leave()
		_, _ = os.Stdout.WriteString("started\n")
		select {} // until it is killed
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "sb") //nolint:usetesting // the path of a socket in it has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	child := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$")
	child.Env = append(os.Environ(), killedVariable+"=1", "TMPDIR="+folder)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }() // it was killed
	lines := bufio.NewScanner(out)
	started := false
	for !started && lines.Scan() {
		started = lines.Text() == "started"
	}
	before := naming(t, folder)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !started || len(before) < 2 {
		t.Fatalf("the browser did not start (%t): its processes are %q", started, before)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(timeout); ; <-tick.C {
		left := naming(t, folder)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s there are still %q", timeout, left)
		}
	}
}

// naming lists the processes that name a folder in their arguments.
func naming(t *testing.T, folder string) (found []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(all) == 0 {
		t.Fatalf("list processes: %v", err)
	}
	for _, path := range all {
		line, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(line), folder) {
			found = append(found, path+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
