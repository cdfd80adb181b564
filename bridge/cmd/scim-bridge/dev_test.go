package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lockedBuffer can be read while a process writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestDevIsAnAccountAndABridgeAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dev")
	args := []string{"dev", "--data-dir", dir, "--listen", "127.0.0.1:0", "--account-listen", "127.0.0.1:0"}
	var out lockedBuffer
	dev := exec.CommandContext(context.WithoutCancel(t.Context()), "scim-bridge", args...)
	dev.Stdout, dev.Stderr = &out, &out
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the greeting", func() bool { return strings.Contains(out.String(), "account_token") })
	find := func(pattern string) string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(out.String())
		if m == nil {
			t.Fatalf("no %s in\n%s", pattern, out.String())
		}
		return m[1]
	}
	base, token := find(`SCIM base URL +(\S+)`), find(`bearer token +(\S+)`)
	if got := ask(t, "POST", base+"/Users", token, person("a@example.com")); got.status != 201 {
		t.Errorf("creating a person: %d %s", got.status, got.body)
	}
	// What Terraform would ask, with what the provider block says.
	if got := ask(t, "GET", find(`account_url += "(.*)"`)+"/v1/members?address=a@example.com", find(`account_token = "(.*)"`), ""); got.status != 200 || !strings.Contains(got.body, "a@example.com") {
		t.Errorf("the account's members: %d %s", got.status, got.body)
	}
	if err := dev.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := dev.Wait(); err != nil {
		t.Errorf("dev ended with %v\n%s", err, out.String())
	}

	again, err := exec.CommandContext(t.Context(), "scim-bridge", args...).CombinedOutput()
	if err == nil || !strings.Contains(string(again), "is there already") {
		t.Errorf("a second dev in the same folder: %v %s", err, again)
	}
}

func TestDevLeavesNothingBehindWhereAPortIsInUse(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	for _, flag := range []string{"--listen", "--account-listen"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "dev")
			args := map[string]string{"--listen": "127.0.0.1:0", "--account-listen": "127.0.0.1:0"}
			args[flag] = taken.Addr().String()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			out, err := exec.CommandContext(ctx, "scim-bridge", "dev", "--data-dir", dir,
				"--listen", args["--listen"], "--account-listen", args["--account-listen"]).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "choose another "+flag) {
				t.Errorf("got %v %s", err, out)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 0 {
				t.Errorf("the next start finds %v, %v", left, err)
			}
		})
	}
}

func TestNoServerOutlivesAKilledTest(t *testing.T) {
	t.Parallel()
	shell := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c",
		`scim-bridge dev --data-dir "$1" --listen 127.0.0.1:0 --account-listen 127.0.0.1:0 & wait`, "sh", filepath.Join(t.TempDir(), "dev"))
	out, err := shell.StdoutPipe() // the server holds its other end, too
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	greeting := make([]byte, 1)
	if _, err := out.Read(greeting); err != nil {
		t.Fatalf("the server never greeted: %v", err)
	}
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, out)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the server runs although what started it was killed")
	}
	_ = shell.Wait() // says that it was killed
}
