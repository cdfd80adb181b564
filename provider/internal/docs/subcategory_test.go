package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The registry shows pages without a subcategory in one long list. Functions and guides have lists of their own.
func TestEveryPageOfSomethingDeclaredHasASubcategory(t *testing.T) {
	t.Parallel()
	docs := filepath.Join("..", "..", "..", "docs")
	folders, err := os.ReadDir(docs)
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Compact(slices.Sorted(maps.Values(subcategories)))
	pages := 0
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		files, err := filepath.Glob(filepath.Join(docs, folder.Name(), "*.md"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d pages, %v", folder.Name(), len(files), err)
		}
		for _, file := range files {
			found := regexp.MustCompile(`(?m)^subcategory: "(.*)"$`).FindStringSubmatch(read(t, file))
			if found == nil {
				t.Errorf("%s has no line about its subcategory", file)
				continue
			}
			pages++
			switch declared := folder.Name() != "functions" && folder.Name() != "guides"; {
			case declared && !slices.Contains(known, found[1]):
				t.Errorf("%s has the subcategory %q, which is none of %q", file, found[1], known)
			case !declared && found[1] != "":
				t.Errorf("%s has the subcategory %q", file, found[1])
			}
		}
	}
	if pages < 25 {
		t.Errorf("only %d pages were checked", pages)
	}
}

// A link from one page to another leads to a page, and to a heading of it.
func TestLinksBetweenPagesLeadSomewhere(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	links := 0
	for _, pattern := range []string{"*.md", "bridge/*.md", "docs/*.md", "docs/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(read(t, file), -1) {
				if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
					continue
				}
				links++
				path, heading, _ := strings.Cut(m[1], "#")
				target := file
				if path != "" {
					target = filepath.Join(filepath.Dir(file), path)
				}
				if _, err := os.Stat(target); err != nil {
					t.Errorf("%s links to %s, which is not there", file, m[1])
				} else if heading != "" && !slices.Contains(headings(read(t, target)), heading) {
					t.Errorf("%s links to %s: there is no such heading", file, m[1])
				}
			}
		}
	}
	if links < 30 {
		t.Errorf("only %d links were found", links)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// headings returns the anchors of a page's headings, as GitHub and the registry make them.
func headings(text string) (anchors []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
	}
	for _, m := range regexp.MustCompile(`<a id="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		anchors = append(anchors, m[1])
	}
	return anchors
}
