//go:build unix

package datadir

import (
	"errors"
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
	if err := checkPrivate(above, true, owner{me, "data_dir"}); err != nil {
		t.Fatalf("one's own: %v", err)
	}
	if err := Check(folder, "data_dir"); err != nil {
		t.Fatalf("one's own: %v", err)
	}
	if me == 0 { // root can change the owner; others use another user id
		if err := os.Chown(above, 65534, -1); err != nil {
			t.Fatal(err)
		}
		if err := Check(folder, "data_dir"); err == nil ||
			!strings.Contains(err.Error(), above+" belongs to user 65534") {
			t.Errorf("below a folder of user nobody: %v", err)
		}
	} else {
		me++
	}
	if err := checkPrivate(above, true, owner{me, "data_dir"}); err == nil || !strings.Contains(err.Error(), "chown") {
		t.Errorf("another user's: %v", err)
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
		{"no other user", 0o755, true, true},
		{"all users, as in /tmp", 0o777 | os.ModeSticky, true, true},
		{"all users, in the data folder itself", 0o777 | os.ModeSticky, false, false},
		{"all users", 0o777, true, false},
		{"a group", 0o770, true, false},
	} {
		if err := os.Chmod(folder, row.mode); err != nil {
			t.Fatal(err)
		}
		if err := checkPrivate(folder, row.above, owner{os.Geteuid(), "data_dir"}); row.right != (err == nil) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// A symbolic link is as safe as the folders that lead to it: a user that may
// replace it decides which folder it names.
func TestAFolderBehindALinkIsNoSaferThanTheLink(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	folder, shared := filepath.Join(root, "mine", "bridge"), filepath.Join(root, "shared")
	for _, path := range []string{folder, shared} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		filepath.Join(shared, "link"):    folder,
		filepath.Join(shared, "above"):   filepath.Join("..", "mine"),
		filepath.Join(root, "to-a-link"): filepath.Join(shared, "link"),
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ name, path string }{
		{"the data folder is a link", filepath.Join(shared, "link")},
		{"a folder above it is one", filepath.Join(shared, "above", "bridge")},
		{"a link leads to another", filepath.Join(root, "to-a-link")},
	} {
		if err := os.Chmod(shared, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := Check(row.path, "data_dir"); err != nil {
			t.Errorf("%s, and no other user may replace it: %v", row.name, err)
		}
		if err := os.Chmod(shared, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := Check(row.path, "data_dir"); err == nil || !strings.Contains(err.Error(), shared) {
			t.Errorf("%s, and all users may replace it: %v", row.name, err)
		}
	}
}

// Root shows a token to the user of a folder that only root can have given it.
func TestAFolderIsGivenWhereTheGiverAloneDecidesWhatLiesThere(t *testing.T) {
	t.Parallel()
	giver, service, other := os.Geteuid(), 64001, 64002
	chown := os.Chown
	if giver != 0 { // only root can give folders away; others keep them, and pretend
		service, other = giver, giver+1
		chown = func(string, int, int) error { return nil }
	}
	root := t.TempDir()
	folder := func(mode os.FileMode, uid int, name ...string) string {
		path := filepath.Join(append([]string{root}, name...)...)
		if err := errors.Join(os.MkdirAll(path, 0o700), chown(path, uid, -1), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(target, name string) string {
		path := filepath.Join(root, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	folder(0o700, giver, "private")
	folder(0o777|os.ModeSticky, giver, "shared")
	folder(0o777, other, "home") // which is open to others where it cannot be another user's
	for _, row := range []struct {
		name, folder string
		uid          int
		given        bool
	}{
		{"its own, in a folder of the giver", folder(0o700, service, "private", "bridge"), service, true},
		{"behind a link, as systemd makes it", link("private/bridge", "bridge"), service, true},
		{"behind two links", link(filepath.Join(root, "bridge"), "twice"), service, true},
		{"another user's", filepath.Join(root, "private", "bridge"), other, false},
		{"its own, open to others", folder(0o770, service, "open"), service, false},
		{"below a folder of another user", folder(0o700, service, "home", "bridge"), service, false},
		{"where everybody may make folders", folder(0o700, service, "shared", "bridge"), service, false},
		{"behind a link to there", link("shared/bridge", "to-shared"), service, false},
		{"behind a link to itself", link("loop", "loop"), service, false},
		{"not there", filepath.Join(root, "missing"), service, false},
	} {
		err := checkGiven(row.folder, owner{row.uid, "data_dir"}, owner{giver, "data_dir"})
		if row.given != (err == nil) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
