//go:build linux || darwin

package control

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestATokenIsShownToTheSameUserOrRootAlone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		uid, me int
		shown   bool
	}{
		{"the same user", 1000, 1000, true},
		{"root's bridge", 0, 1000, true},
		{"root to itself", 0, 0, true},
		{"another user's process", 1001, 1000, false},
		{"root, to another user's process", 65534, 0, false},
	} {
		err := checkUser(row.uid, row.me)
		if row.shown != (err == nil) || err != nil && !strings.Contains(err.Error(), "the token is not sent") {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestTheKernelTellsWhoListens(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if uid, known, err := peerUser(conn.(*net.UnixConn)); err != nil || !known || uid != os.Geteuid() {
		t.Errorf("the peer is user %d (%t, %v), want %d", uid, known, err, os.Geteuid())
	}
}
