package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An account is an account service of its own process.
type account struct {
	url, token string
	log        string // path
	cmd        *exec.Cmd
}

// startAccount makes an account in a folder and serves it on a free port.
func startAccount(ctx context.Context, binary, dir string) (*account, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	database := "sqlite:" + filepath.Join(dir, "account.db")
	token, err := exec.CommandContext(ctx, binary, "account", "init", "--name", "Bench",
		"--database", database).Output()
	if err != nil {
		return nil, fmt.Errorf("making an account: %w", err)
	}
	a := &account{token: strings.TrimSpace(string(token)), log: filepath.Join(dir, "account.log")}
	log, err := os.Create(a.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	a.cmd = exec.CommandContext(ctx, binary, "account", "serve", "--database", database, "--listen", "127.0.0.1:0")
	a.cmd.Stdout, a.cmd.Stderr = log, log
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the account service: %w", err)
	}
	if err := a.ready(ctx); err != nil {
		a.stop()
		return nil, err
	}
	return a, nil
}

var listening = regexp.MustCompile(`listening: address="?([0-9.:]+)`)

// ready waits until the account service says where it listens.
func (a *account) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(a.log)
		if err != nil {
			return err
		}
		if found := listening.FindSubmatch(text); found != nil {
			a.url = "http://" + string(found[1])
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the account service: %w\n%s", ctx.Err(), text)
		}
	}
}

// stop ends the process and waits for it.
func (a *account) stop() {
	_ = a.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(20*time.Second, func() { _ = a.cmd.Process.Kill() })
	defer late.Stop()
	_ = a.cmd.Wait() // how it ended is in its log
}

// cpu reads the process's clock: what it spent so far, all threads and the
// kernel's work for them included.
func (a *account) cpu() (time.Duration, error) {
	var ts unix.Timespec
	// The id of a process's CPU clock, as clock_getcpuclockid(3) makes it.
	clock := int32(^a.cmd.Process.Pid<<3 | 2)
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("reading the CPU clock of the account service: %w", err)
	}
	return time.Duration(ts.Nano()), nil
}

var requestLine = regexp.MustCompile(`route="?([A-Z]+) `)

// requests counts those in the log, which it must answer for.
func (a *account) requests() (reads, writes int, err error) {
	text, err := os.ReadFile(a.log)
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(text) {
		switch found := requestLine.FindSubmatch(line); {
		case found == nil:
		case string(found[1]) == "GET" || bytes.Contains(line, []byte("/v1/firewall/evaluate")): // which only asks
			reads++
		default:
			writes++
		}
	}
	return reads, writes, nil
}
