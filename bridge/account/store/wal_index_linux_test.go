package store

import (
	"path/filepath"
	"testing"
)

// To map a file, it is opened and closed, which must not release the locks that tell others that it is in use.
func TestTheIndexIsReadWithoutTheLossOfALock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	s := openPath(t, path)
	if _, known := s.engine.(*sqlite).index.header(); !known {
		t.Fatal("the header is not known")
	}
	other := openPath(t, path) // opens, maps and closes it again
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if isUnused(path) {
		t.Error("others do not see that the database is in use")
	}
	if _, err := lockDatabase(path); err == nil {
		t.Error("the database can be locked")
	}
}
