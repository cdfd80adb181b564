package repository

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goreleaser finds a missing file only when it makes a release.
func TestWhatThePackagesHaveIsThere(t *testing.T) {
	t.Parallel()
	config, err := os.ReadFile("../../.goreleaser.yml")
	if err != nil {
		t.Fatal(err)
	}
	_, contents, found := strings.Cut(string(config), "\n    contents:\n")
	sources := regexp.MustCompile(`src: ([^ ,]+)`).FindAllStringSubmatch(contents, -1)
	if !found || len(sources) < 9 {
		t.Fatalf("found %d files: the test would prove nothing", len(sources))
	}
	for _, s := range sources {
		if _, err := os.Stat(filepath.Join("../..", s[1])); err != nil {
			t.Error(err)
		}
	}
}
