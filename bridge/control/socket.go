package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// maxSocketPath is the size of sun_path, including the final zero, on the systems with the
// shortest: 104 on macOS and the BSDs, 108 on Linux.
const maxSocketPath = 104

// within calls f with a name for path that fits into a socket address. On Linux a long path
// is reached through a descriptor of its folder.
func within(path string, f func(name string) error) error {
	if len(path) < maxSocketPath {
		return f(path)
	}
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the path of the control socket %q is longer than %d bytes: choose a shorter data folder",
			path, maxSocketPath-1)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return f("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path))
}

func dial(ctx context.Context, path string) (conn *net.UnixConn, err error) {
	err = within(path, func(name string) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", name)
		if err == nil {
			conn = c.(*net.UnixConn)
		}
		return err
	})
	return conn, err
}

// ErrAlreadyRunning is the error if another bridge answers at the socket.
var ErrAlreadyRunning = errors.New("a bridge is already running there")

// Listen creates the socket at path, accessible only to its owner. A socket that a killed
// bridge left is replaced; one that answers is ErrAlreadyRunning. Close does not remove the
// file, which after a take-over belongs to the successor.
func Listen(path string) (*net.UnixListener, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	conn, err := dial(ctx, path)
	switch {
	case err == nil:
		conn.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrAlreadyRunning)
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("removing a stale control socket: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("checking whether a bridge runs at %s: %w", path, err)
	}
	var l *net.UnixListener
	err = within(path, func(name string) error {
		nl, err := (&net.ListenConfig{}).Listen(ctx, "unix", name)
		if err == nil {
			l = nl.(*net.UnixListener)
			l.SetUnlinkOnClose(false)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("creating the control socket: %w", err)
	}
	// The data folder is 0700 already, unless an operator has changed its mode.
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("setting the mode of the control socket: %w", err)
	}
	return l, nil
}
