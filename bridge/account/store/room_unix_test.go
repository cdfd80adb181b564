//go:build linux || darwin || freebsd

package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A copy that cannot fit is not begun: it would fill the disk, which others need.
func TestACopyThatCannotFitIsNotBegun(t *testing.T) {
	t.Parallel()
	const huge = 15 << 40 // more than there is room for; the file has a hole
	folder := t.TempDir()
	path, saved := filepath.Join(folder, "account.db"), filepath.Join(folder, "backup.db")
	s := newDatabase(t, path)
	backup(t, s, saved)
	if err := os.Truncate(saved, huge); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	begun := func(int64, int64) {
		t.Error("the copy was begun")
		stop() // or the test would fill the disk itself
	}
	if _, err := store.Restore(ctx, saved, filepath.Join(folder, "new.db"), begun, nothingMore); !errors.Is(err,
		store.ErrFull) || !errors.As(err, new(*store.RoomError)) {
		t.Errorf("a restore: %v, want ErrFull", err)
	}
	if err := os.Truncate(path, huge); err != nil {
		t.Fatal(err)
	}
	_, err := s.Backup(ctx, filepath.Join(folder, "second.db"), false, begun)
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("a backup: %v, want ErrFull", err)
	}
	if left, err := filepath.Glob(filepath.Join(folder, ".scim-bridge-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}
