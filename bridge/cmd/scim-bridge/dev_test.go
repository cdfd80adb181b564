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
	dev, out := startDev(t, args)
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
	got := ask(t, "GET", find(`account_url += "(.*)"`)+"/v1/members?address=a@example.com",
		find(`account_token = "(.*)"`),
		"")
	if got.status != 200 || !strings.Contains(got.body, "a@example.com") {
		t.Errorf("the account's members: %d %s", got.status, got.body)
	}
	end(t, dev, out)

	// The same command goes on with what is there, tokens and people included.
	admin := find(`account_token = "(.*)"`)
	again, said := startDev(t, args)
	find = func(pattern string) string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(said.String())
		if m == nil {
			t.Fatalf("no %s in\n%s", pattern, said.String())
		}
		return m[1]
	}
	if find(`bearer token +(\S+)`) != token || find(`account_token = "(.*)"`) != admin {
		t.Errorf("the second start has other tokens:\n%s", said.String())
	}
	if got := ask(t, "GET", find(`SCIM base URL +(\S+)`)+`/Users?filter=userName+eq+"a@example.com"`, token,
		""); got.status != 200 || !strings.Contains(got.body, `"totalResults":1`) {
		t.Errorf("the person of the first start: %d %s", got.status, got.body)
	}
	end(t, again, said)
}

// A start may be killed anywhere, and a file may be missing.
func TestDevGoesOnWithHalfOfItsFolder(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, lost, refused string
	}{
		{"without the admin token, of which it makes another", "admin-token", ""},
		{"without the bearer token, which is stored nowhere else", "bearer-token", "does not hold its bearer token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "dev")
			args := []string{"dev", "--data-dir", dir, "--listen", "127.0.0.1:0", "--account-listen", "127.0.0.1:0"}
			first, said := startDev(t, args)
			end(t, first, said)
			if err := os.Remove(filepath.Join(dir, row.lost)); err != nil {
				t.Fatal(err)
			}
			if row.refused != "" {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				out, err := exec.CommandContext(ctx, "scim-bridge", args...).CombinedOutput()
				if err == nil || !strings.Contains(string(out), row.refused) ||
					!strings.Contains(string(out), "remove \""+dir+"\" to start from scratch") {
					t.Errorf("got %v: %s", err, out)
				}
				return
			}
			second, said := startDev(t, args)
			end(t, second, said)
		})
	}
}

// startDev starts dev and returns when it has greeted.
func startDev(t *testing.T, args []string) (*exec.Cmd, *lockedBuffer) {
	t.Helper()
	said := new(lockedBuffer)
	dev := exec.CommandContext(context.WithoutCancel(t.Context()), "scim-bridge", args...)
	dev.Stdout, dev.Stderr = said, said
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dev.Process.Kill() })
	await(t, "the greeting", func() bool {
		return strings.Contains(said.String(), "account_token") || strings.Contains(said.String(), "scim-bridge: ")
	})
	return dev, said
}

// end asks dev to end, and checks that it does so well.
func end(t *testing.T, dev *exec.Cmd, said *lockedBuffer) {
	t.Helper()
	if err := dev.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := dev.Wait(); err != nil || !strings.Contains(said.String(), "account_token") {
		t.Errorf("dev ended with %v\n%s", err, said.String())
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
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
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
		`scim-bridge dev --data-dir "$1" --listen 127.0.0.1:0 --account-listen 127.0.0.1:0 & wait`, "sh",
		filepath.Join(t.TempDir(), "dev"))
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
	case <-time.After(timeout):
		t.Error("the server runs although what started it was killed")
	}
	_ = shell.Wait() // says that it was killed
}
