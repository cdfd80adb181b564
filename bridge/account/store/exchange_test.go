package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What cannot be kept is not replaced, and what was moved already comes back.
func TestAnExchangeThatFailsIsUndone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const suffix = ".before-restore-20260301T120000.000Z"
	for name, inTheWay := range map[string]string{
		"the name for the database is taken": "account.db" + suffix,
		"the name for its log is taken":      "account.db" + suffix + "-wal",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := filepath.Join(folder, "account.db")
			want := map[string]string{"account.db": "old", "account.db-wal": "log", "new.db": "new", inTheWay: "mine"}
			for name, text := range want {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := exchange(filepath.Join(folder, "new.db"), path, ".before-restore-", now)
			if !errors.Is(err, ErrExists) {
				t.Errorf("it answered %v, want ErrExists", err)
			}
			for name, text := range want {
				if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != text {
					t.Errorf("%s has %q (%v), want %q", name, got, err, text)
				}
			}
		})
	}
}
