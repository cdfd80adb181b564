package scim_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	guideRow   = regexp.MustCompile(`(?m)^\| (RFC \d+), ([\d., ]+) \|.*\| ([^|]+) \|$`)
	namedTests = regexp.MustCompile("`(bridge/[a-z/-]+)`: ((?:`[A-Za-z]+`(?:, )?)+)")
	testFunc   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z]+)\(`)
)

// The guide says of each section which tests show it. They must exist, and no
// section of the protocol may be left out.
func TestTheGuideNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	const root = "../.."
	guide, err := os.ReadFile(filepath.Join(root, "provider", "templates", "guides", "scim.md"))
	if err != nil {
		t.Fatal(err)
	}
	functions := make(map[string]map[string]bool) // by folder
	in := func(folder string) map[string]bool {
		if functions[folder] == nil {
			functions[folder] = make(map[string]bool)
			files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
			if err != nil || len(files) == 0 {
				t.Fatalf("%s has no tests (%v)", folder, err)
			}
			for _, file := range files {
				source, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, found := range testFunc.FindAllSubmatch(source, -1) {
					functions[folder][string(found[1])] = true
				}
			}
		}
		return functions[folder]
	}
	sections := make(map[string]bool)
	for _, row := range guideRow.FindAllStringSubmatch(string(guide), -1) {
		for section := range strings.SplitSeq(row[2], ",") {
			sections[row[1]+" "+strings.TrimSpace(section)] = true
		}
		shown := 0
		for _, of := range namedTests.FindAllStringSubmatch(row[3], -1) {
			for name := range strings.SplitSeq(of[2], ", ") {
				name = strings.Trim(name, "`")
				if shown++; !in(of[1])[name] {
					t.Errorf("%s %s: there is no %s in %s", row[1], row[2], name, of[1])
				}
			}
		}
		if shown == 0 || shown != strings.Count(row[3], "`Test")+strings.Count(row[3], "`Fuzz") {
			t.Errorf("%s %s names tests that this test cannot read: %s", row[1], row[2], row[3])
		}
	}
	for _, section := range []string{
		"3.1", "3.2", "3.3", "3.4.1", "3.4.2.1", "3.4.2.2", "3.4.2.3", "3.4.2.4", "3.4.3",
		"3.5.1", "3.5.2", "3.6", "3.7",
		"3.7.1",
		"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "4",
	} {
		if !sections["RFC 7644 "+section] {
			t.Errorf("no row tells what shows section %s of RFC 7644", section)
		}
	}
}
