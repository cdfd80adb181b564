package repository

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// SECURITY.md names the tests that show each defence. A test that was renamed or removed
// must be so there, too.
func TestEveryTestThatTheThreatModelNamesExists(t *testing.T) {
	t.Parallel()
	declared := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return fs.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(text(t, path), -1) {
				declared[m[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(text(t, filepath.Join(root, "SECURITY.md")), -1)
	if len(named) < 20 {
		t.Fatalf("SECURITY.md names %d tests: this one would prove nothing", len(named))
	}
	for _, m := range named {
		if !declared[m[1]] {
			t.Errorf("SECURITY.md names %s, which is nowhere", m[1])
		}
	}
}
