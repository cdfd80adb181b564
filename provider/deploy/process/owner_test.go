//go:build unix

package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who owns a folder above the bridge's can put another bridge in its place.
func TestAFolderOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	above := filepath.Join(t.TempDir(), "above")
	folder := filepath.Join(above, "bridge")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	me := os.Geteuid()
	if err := checkPrivate(above, true, me); err != nil {
		t.Fatalf("one's own: %v", err)
	}
	target := &Target{DataDir: folder}
	if err := target.private(); err != nil {
		t.Fatalf("one's own: %v", err)
	}
	if me == 0 { // root can give it away; others pretend to be somebody else
		if err := os.Chown(above, 65534, -1); err != nil {
			t.Fatal(err)
		}
		if err := target.private(); err == nil || !strings.Contains(err.Error(), above+" belongs to user 65534") {
			t.Errorf("below a folder of nobody: %v", err)
		}
	} else {
		me++
	}
	if err := checkPrivate(above, true, me); err == nil || !strings.Contains(err.Error(), "chown") {
		t.Errorf("somebody else's: %v", err)
	}
}

func TestEverybodyMayWriteAboveOnlyWhereFilesStayTheirOwners(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, row := range []struct {
		name         string
		mode         os.FileMode
		above, right bool
	}{
		{"nobody else", 0o755, true, true},
		{"everybody, as in /tmp", 0o777 | os.ModeSticky, true, true},
		{"everybody, in the data folder itself", 0o777 | os.ModeSticky, false, false},
		{"everybody", 0o777, true, false},
		{"a group", 0o770, true, false},
	} {
		if err := os.Chmod(folder, row.mode); err != nil {
			t.Fatal(err)
		}
		if err := checkPrivate(folder, row.above, os.Geteuid()); row.right != (err == nil) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
