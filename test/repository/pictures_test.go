package repository

import (
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The README is read on slow lines, too.
func TestPicturesAreSmall(t *testing.T) {
	t.Parallel()
	readme := text(t, filepath.Join(root, "README.md"))
	shown := regexp.MustCompile(`(?s)!\[[^]]+\]\(([^)]+)\)`).FindAllStringSubmatch(readme, -1)
	if len(shown) == 0 {
		t.Fatal("the README has no picture: the test would prove nothing")
	}
	for _, m := range shown {
		f, err := os.Open(filepath.Join(root, m[1]))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if info, err := f.Stat(); err != nil || info.Size() > 100<<10 {
			t.Errorf("%s has %d bytes (%v), more than 100 KiB: run make pictures", m[1], info.Size(), err)
		}
		if _, err := png.DecodeConfig(f); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
}
