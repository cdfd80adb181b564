//go:build unix

package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// Root looks after a service's database with the command line: were a file of it
// root's, the service could not open the database any more.
func TestAllFilesOfADatabaseBelongToTheOwnerOfItsFolder(t *testing.T) {
	t.Parallel()
	folder, owner := t.TempDir(), os.Geteuid()
	if owner == 0 { // only root can make files of another user
		owner = 64001
		if err := os.Chown(folder, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(folder, "account.db")
	open := func() {
		s, err := store.Open(t.Context(), "sqlite:"+path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, file := range []string{path, path + "-wal", path + "-shm"} {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := int(info.Sys().(*syscall.Stat_t).Uid); got != owner || info.Mode().Perm() != 0o600 {
				t.Errorf("%s belongs to user %d with mode %04o, want %d and 0600", file, got, info.Mode().Perm(), owner)
			}
		}
	}
	open() // which makes it
	open() // which makes its log and index anew
}
