// Package storetest makes databases for the tests of other packages.
//
// It migrates one for the whole test program: to migrate takes many times as
// long as what most tests do with the result.
package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// New returns the address of an empty database with the newest schema: a file in a folder of the test, or on the
// PostgreSQL server that is named in SCIMBRIDGE_TEST_POSTGRES.
func New(tb testing.TB) (dsn string) {
	tb.Helper()
	if OnPostgres() {
		return newPostgres(tb)
	}
	return NewFile(tb)
}

// NewFile is New for a SQLite database, whatever the variable says.
func NewFile(tb testing.TB) (dsn string) {
	tb.Helper()
	template, err := migrated()
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "account.db")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		tb.Fatal(err)
	}
	return "sqlite:" + path
}

// migrated returns the file of a database that was opened and closed.
var migrated = sync.OnceValues(func() (file []byte, err error) {
	folder, err := os.MkdirTemp("", "storetest-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path := filepath.Join(folder, "account.db")
	s, err := store.Open(context.Background(), "sqlite:"+path)
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // which empties the log into the file
		return nil, err
	}
	return os.ReadFile(path)
})
