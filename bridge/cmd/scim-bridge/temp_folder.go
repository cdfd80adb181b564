package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// openStore opens a database of this process, and makes it if it is not there.
func openStore(ctx context.Context, database string) (*store.Store, error) {
	return openBy(ctx, store.Open, database)
}

// openExisting opens a database of this process.
func openExisting(ctx context.Context, database string) (*store.Store, error) {
	return openBy(ctx, store.OpenExisting, database)
}

func openBy(ctx context.Context, open func(context.Context, string) (*store.Store, error), database string,
) (*store.Store, error) {
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		setTempFolder(path)
	}
	return open(ctx, database)
}

// setTempFolder gives SQLite the database's folder for its temporary files where the system has none that can be
// written, as in a container with a read-only file system. SQLite needs them for a write of more than a few pages,
// so that an account would start there and then fail.
func setTempFolder(database string) {
	const variable = "SQLITE_TMPDIR"
	if os.Getenv(variable) != "" {
		return
	}
	if probe, err := os.CreateTemp("", "scim-bridge-*"); err == nil {
		_ = os.Remove(probe.Name())
		_ = probe.Close()
		return
	}
	if folder, err := filepath.Abs(filepath.Dir(database)); err == nil {
		_ = os.Setenv(variable, folder) // which fails for names that cannot be
	}
}
