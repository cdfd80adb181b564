//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// Supported returns why this system cannot run a bridge as a process; nil if it can.
func Supported() error { return nil }

// detach starts the child in a session of its own, so that it outlives Terraform and its
// terminal.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func terminate(pid int) error { return signal(pid, unix.SIGTERM) }
func kill(pid int) error      { return signal(pid, unix.SIGKILL) }

func signal(pid int, s unix.Signal) error {
	if err := unix.Kill(pid, s); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("sending %s to process %d: %w", unix.SignalName(s), pid, err)
	}
	return nil
}

// exists reports whether a process exists, including zombies.
func exists(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

func isNotFolder(err error) bool { return errors.Is(err, unix.ENOTDIR) }

// lock waits until no other run uses the data folder. The kernel releases the lock when
// its holder exits.
func (t *Target) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(t.path(lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", t.DataDir, err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameFile(f, t.path(lockName)) {
			return func() { _ = f.Close() }, nil
		}
		if err == nil { // a Destroy removed the file meanwhile
			_ = f.Close()
			return t.lock(ctx)
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("locking %s: %w", t.DataDir, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("another run is using the deployment in %s: %w", t.DataDir, deploy.Ended(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func sameFile(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(open, there)
}
