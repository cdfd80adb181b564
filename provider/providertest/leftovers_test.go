//go:build unix

package providertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// leaveVariable makes this binary a run that leaves processes behind: with
// "hang" it then waits to be killed, else it ends. Its value begins with the
// program to leave.
const leaveVariable = "SCIMBRIDGE_TEST_LEAVE"

func TestMain(m *testing.M) {
	program, how, leaves := strings.Cut(os.Getenv(leaveVariable), ",")
	if !leaves {
		os.Exit(Guard(m.Run))
	}
	os.Exit(Guard(func() int {
		if err := leave(program); err != nil {
			fmt.Println(err)
			return 3
		}
		fmt.Println("left", os.Getenv("TMPDIR"))
		if how == "hang" {
			select {}
		}
		return 0
	}))
}

// leave starts processes as tests, Terraform and the provider do, and prints their ids.
func leave(program string) error {
	folder := os.Getenv("TMPDIR")
	data, copied := filepath.Join(folder, "bridge"), filepath.Join(folder, "copy")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	if err := os.WriteFile(copied, binary, 0o700); err != nil {
		return err
	}
	detached := func(dir, name string, args ...string) error {
		cmd := exec.CommandContext(context.Background(), name, args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin"}
		detach(cmd)
		if err := cmd.Start(); err != nil {
			return err
		}
		fmt.Println("pid", cmd.Process.Pid)
		return nil
	}
	if err := errors.Join(
		detached("/", program, "serve", "--listen=127.0.0.1:0", "--data-dir="+data), // named in its arguments
		detached(data, "sleep", "600"),                                              // by where it works
		detached("/", copied, "dev", "--listen=127.0.0.1:0", "--account-listen=127.0.0.1:0",
			"--data-dir="+filepath.Join(data, "dev")),
	); err != nil {
		return err
	}
	// A bridge whose folder is gone before it runs would end by itself.
	for _, at := range []string{data, filepath.Join(data, "dev")} {
		for deadline := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
			_, err := os.Stat(filepath.Join(at, "control.sock"))
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return err
			}
		}
	}
	return os.Rename(data, data+"-moved") // which hides nothing
}

// start runs this binary as a run that leaves processes, until it says so.
func start(t *testing.T, how string) (cmd *exec.Cmd, said *bufio.Scanner, pids []int, folder string) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), leaveVariable+"="+Binary(t)+","+how)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said = bufio.NewScanner(out)
	for folder == "" && said.Scan() {
		what, value, _ := strings.Cut(said.Text(), " ")
		switch what {
		case "pid":
			pid, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		case "left":
			folder = value
		default:
			t.Fatal(said.Text())
		}
	}
	if len(pids) != 3 || folder == "" {
		t.Fatalf("it left %v in %q", pids, folder)
	}
	return cmd, said, pids, folder
}

// gone waits until the processes and the folder are no more.
func gone(t *testing.T, pids []int, folder string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(timeout); ; <-tick.C {
		var left []string
		for _, pid := range pids {
			if Runs(pid) {
				left = append(left, fmt.Sprintf("process %d", pid))
			}
		}
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
			left = append(left, folder)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there after %s: %v", timeout, left)
		}
	}
}

func TestAKilledRunLeavesNoProcess(t *testing.T) {
	t.Parallel()
	cmd, _, pids, folder := start(t, "hang")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says only that it was killed
	gone(t, pids, folder)
}

func TestARunThatLeavesAProcessFails(t *testing.T) {
	t.Parallel()
	cmd, said, pids, folder := start(t, "end")
	var text strings.Builder
	for said.Scan() {
		text.WriteString(said.Text() + "\n")
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the run ended well")
	}
	if out := text.String(); !strings.Contains(out, "outlived their tests") ||
		!strings.Contains(out, strconv.Itoa(pids[0])) {
		t.Errorf("it said: %s", out)
	}
	gone(t, pids, folder)
}
