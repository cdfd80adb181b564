//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// timeout is how long the account service may take to start or to end.
const timeout = time.Minute

// account makes the account if there is none, and starts its server if none runs.
func (d *demo) account(ctx context.Context) error {
	if _, err := os.Stat(d.path("admin-token")); err != nil {
		token, err := d.command(ctx, "account", "init", "--database", d.database(), "--name", "Demo")
		if err != nil {
			return err
		}
		if err := os.WriteFile(d.path("admin-token"), []byte(token), 0o600); err != nil {
			return err
		}
	}
	alive, err := d.lockAccount()
	if err != nil {
		return err
	}
	if alive == nil {
		d.step("account service", "runs at http://"+d.ports.Account)
		return nil
	}
	defer alive.Close()
	log, err := os.OpenFile(d.path("account.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), d.program(), "account", "serve", "--database", d.database(),
		"--listen", d.ports.Account)
	cmd.Stdout, cmd.Stderr = log, log
	// the lock is its own from here on, for as long as it lives
	cmd.ExtraFiles = []*os.File{alive}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}      // outlives this command and its terminal
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + d.dir} // nothing of the caller's
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(d.path("account.pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(timeout); ; {
		if answers(ctx, "http://"+d.ports.Account+"/ready") {
			d.step("account service", "listens on http://"+d.ports.Account)
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the account service at %s ended at once (%w): %s: "+
				"end what stands in its way and run it again; its log is .demo/account.log",
				d.ports.Account, err, d.lastLogLine())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(30 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.New("the account service does not answer; its log is .demo/account.log")
		}
	}
}

// lastLogLine returns the last line of the account service's log: why it ended.
func (d *demo) lastLogLine() string {
	text, err := os.ReadFile(d.path("account.log"))
	if err != nil {
		return "without a word"
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

func (d *demo) database() string { return "sqlite:" + d.path("account.db") }

// lockAccount takes the lock that a running account service holds. It returns
// nil if one runs. The kernel frees the lock when the process ends.
func (d *demo) lockAccount() (*os.File, error) {
	f, err := os.OpenFile(d.path("account.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, f.Close()
	}
	return f, err
}

// stopAccount ends the account service, if it runs.
func (d *demo) stopAccount(ctx context.Context) error {
	for begun := time.Now(); ; {
		free, err := d.lockAccount()
		if err != nil {
			return err
		}
		if free != nil {
			return free.Close()
		}
		text, err := os.ReadFile(d.path("account.pid"))
		if err != nil {
			return err
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return fmt.Errorf("reading .demo/account.pid: %w", err)
		}
		signal := unix.SIGTERM
		if time.Since(begun) > timeout {
			signal = unix.SIGKILL
		}
		if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("stopping the account service: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// answers reports whether a GET succeeds within seconds. Another program on the
// port may never answer.
func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode < 300
}
