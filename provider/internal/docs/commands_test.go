package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A command that a reader copies must run. The break-glass command needs
// --database.
func TestCommandsInTheGuidesAreWhole(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	whole := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		disable := regexp.MustCompile("scim-bridge account firewall disable [^`\n]*")
		for _, command := range disable.FindAllString(string(text), -1) {
			if !strings.Contains(command, "--") {
				continue // it is only named
			}
			if whole++; !strings.Contains(command, "--database ") || !strings.Contains(command, "--for ") {
				t.Errorf("%s prints %q, which does not run", file, command)
			}
		}
	}
	if whole == 0 {
		t.Error("no guide has the command: the test proves nothing")
	}
}
