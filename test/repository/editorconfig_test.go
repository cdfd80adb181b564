package repository

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What .editorconfig promises to editors holds for every file: else they would change
// lines that were not meant to change.
func TestFilesAreAsEditorconfigSays(t *testing.T) {
	t.Parallel()
	config := text(t, filepath.Join(root, ".editorconfig"))
	for _, rule := range []string{
		"insert_final_newline = true", "trim_trailing_whitespace = true", "[**/testdata/**]",
		"[{*.go,*.go.txt,go.mod,GNUmakefile,.ci/**}]\nindent_style = tab",
	} {
		if !strings.Contains(config, rule) {
			t.Fatalf(".editorconfig lacks %q, which this test checks", rule)
		}
	}
	for _, name := range tracked(t) {
		if strings.Contains(name, "/testdata/") || strings.HasSuffix(name, ".png") {
			continue
		}
		content := text(t, filepath.Join(root, name))
		if content != "" && !strings.HasSuffix(content, "\n") {
			t.Errorf("%s does not end in a newline", name)
		}
		blanks := slices.Contains([]string{
			".css", ".hcl", ".html", ".json", ".md", ".sql", ".svg", ".tf", ".tmpl", ".yaml", ".yml",
		}, filepath.Ext(name))
		for i, line := range strings.Split(content, "\n") {
			if line != strings.TrimRight(line, " \t\r") {
				t.Errorf("%s:%d ends in white space", name, i+1)
			}
			if blanks && strings.HasPrefix(line, "\t") {
				t.Errorf("%s:%d begins with a tab", name, i+1)
			}
			if (name == ".ci/run" || name == "GNUmakefile") && strings.HasPrefix(line, " ") {
				t.Errorf("%s:%d begins with a blank", name, i+1)
			}
		}
	}
}

// A program that was built and added by mistake stays in every clone for ever.
func TestNoFileIsLarge(t *testing.T) {
	t.Parallel()
	for _, name := range tracked(t) {
		if info, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		} else if info.Size() > 1<<20 {
			t.Errorf("%s has %d bytes: if it was built, remove it and name it in .gitignore", name, info.Size())
		}
	}
}

// tracked returns the names of the files that git has.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(names) < 100 {
		t.Fatalf("git lists %d files: the test would prove nothing", len(names))
	}
	return names
}
