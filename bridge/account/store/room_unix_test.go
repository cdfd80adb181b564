//go:build linux || darwin || freebsd

package store_test

import (
	"context"
	"encoding/binary"
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
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	grow(t, path, huge)
	_, err := store.Backup(ctx, "sqlite:"+path, filepath.Join(folder, "second.db"), false, begun)
	if !errors.Is(err, store.ErrFull) || !errors.As(err, new(*store.RoomError)) {
		t.Errorf("a backup: %v, want ErrFull", err)
	}
	if left, err := filepath.Glob(filepath.Join(folder, ".scim-bridge-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// A log that was large once stays so. Its old pages are not copied.
func TestALargeLogNeedsNoRoomForACopy(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "account.db")
	s := newDatabase(t, path)
	if err := os.Truncate(path+"-wal", 15<<40); err != nil { // with a hole
		t.Fatal(err)
	}
	backup(t, s, filepath.Join(folder, "backup.db"))
}

// grow makes a database of so many bytes, most of them a hole.
func grow(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 32)
	if _, err := f.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	pageSize := int64(binary.BigEndian.Uint16(head[16:]))
	binary.BigEndian.PutUint32(head[28:], uint32(size/pageSize)) // as many pages
	if _, err := f.WriteAt(head, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
}
