package repository

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const root = "../.."

// A workflow is what the tests read of a file in .github/workflows.
type workflow struct {
	path        string
	text        string
	Permissions map[string]string
	Concurrency any
	Jobs        map[string]job
}

type job struct {
	RunsOn      any               `yaml:"runs-on"`
	Uses        string            // a workflow that is called
	Timeout     int               `yaml:"timeout-minutes"`
	Permissions map[string]string // instead of the workflow's
	Strategy    struct {
		Matrix struct {
			Include []program
		}
	}
	Steps []step
}

// A program is a row of the matrix of tests.
type program struct{ Program, Version string }

type step struct {
	Uses string
	Run  string
	With map[string]any
}

// files returns the workflows of this repository, and the one that is an example.
func files(t *testing.T) (all []workflow) {
	t.Helper()
	paths := find(t, ".github/workflows/*.yml")
	if yaml, _ := filepath.Glob(filepath.Join(root, ".github/workflows/*.yaml")); yaml != nil {
		t.Fatalf("%s would not be tested: name it .yml", yaml)
	}
	return read(t, append(paths, find(t, "examples/drift-check/*.yml")...))
}

// ours returns the workflows of this repository.
func ours(t *testing.T) []workflow {
	t.Helper()
	return read(t, find(t, ".github/workflows/*.yml"))
}

func read(t *testing.T, paths []string) (all []workflow) {
	t.Helper()
	for _, path := range paths {
		w := workflow{path: path, text: text(t, path)}
		if err := yaml.Unmarshal([]byte(w.text), &w); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(w.Jobs) == 0 {
			t.Fatalf("%s has no job", path)
		}
		all = append(all, w)
	}
	return all
}

// find returns the files that match a pattern, and fails if there is none.
func find(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(found), err)
	}
	return found
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	pinned  = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	release = regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`)
)

// The owner of an action's repository can move its tags and branches: a full hash is the only
// name of an action that stays what it was. The comment is for people, and for dependabot, which keeps both up to date.
func TestEveryActionIsPinned(t *testing.T) {
	t.Parallel()
	versions := map[string]string{}
	for _, w := range files(t) {
		for _, used := range actions(w) {
			if strings.HasPrefix(used, "./") {
				continue // of this commit
			}
			if !pinned.MatchString(used) {
				t.Errorf("%s uses %s: name the commit, all 40 digits of it", w.path, used)
				continue
			}
			for line := range strings.SplitSeq(w.text, "\n") {
				_, comment, found := strings.Cut(line, used)
				if !found {
					continue
				}
				if !release.MatchString(comment) {
					t.Errorf("%s: after %s there is %q and no comment with the release, like # v1.2.3",
						w.path, used, comment)
				}
				name, _, _ := strings.Cut(used, "@")
				if other := versions[name]; other != "" && other != used+comment {
					t.Errorf("%s uses %s%s, and elsewhere there is %s", w.path, used, comment, other)
				}
				versions[name] = used + comment
			}
		}
	}
	if len(versions) < 4 {
		t.Fatalf("only %d actions were found: the test would prove nothing", len(versions))
	}
}

// actions returns what the jobs of a workflow use, in their steps and instead of steps.
func actions(w workflow) (used []string) {
	for _, j := range w.Jobs {
		if j.Uses != "" {
			used = append(used, j.Uses)
		}
		for _, s := range j.Steps {
			if s.Uses != "" {
				used = append(used, s.Uses)
			}
		}
	}
	return used
}

// The check itself finds every way to write an action that can change.
func TestAnActionThatCanChangeIsFound(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, uses string
		pinned     bool
	}{
		{"a full hash", "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1", true},
		{"an action in a folder", "github/codeql-action/init@3d3c42e5aac5ba805825da76410c181273ba90b1", true},
		{"a tag", "actions/checkout@v7", false},
		{"a branch", "actions/checkout@main", false},
		{"a short hash", "actions/checkout@3d3c42e", false},
		{"a hash and more", "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1x", false},
		{"an image by tag", "docker://alpine:3", false},
		{"no version", "actions/checkout", false},
	} {
		if pinned.MatchString(row.uses) != row.pinned {
			t.Errorf("%s: %s is taken for pinned: %v", row.name, row.uses, !row.pinned)
		}
	}
}

// A job may do no more than it needs: what runs in it has been downloaded.
func TestJobsHaveTheLeastPermissions(t *testing.T) {
	t.Parallel()
	more := map[string][]string{ // by workflow and job
		"release.yml/release": {"attestations", "contents", "id-token", "packages"},
	}
	for _, w := range ours(t) {
		if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: its permissions are %v, not contents: read", w.path, w.Permissions)
		}
		if w.Concurrency == nil {
			t.Errorf("%s: two runs of one branch may run at once", w.path)
		}
		for name, j := range w.Jobs {
			at := filepath.Base(w.path) + "/" + name
			for permission, level := range j.Permissions {
				if level == "write" && !slices.Contains(more[at], permission) {
					t.Errorf("%s may write %s", at, permission)
				}
			}
			delete(more, at)
			if j.Uses == "" && (j.Timeout == 0 || fmt.Sprint(j.RunsOn) != "ubuntu-24.04") {
				t.Errorf("%s needs timeout-minutes (%d), and runs-on with a version (%v)", at, j.Timeout, j.RunsOn)
			}
		}
	}
	if len(more) > 0 {
		t.Errorf("jobs that are nowhere: %v", more)
	}
}

// A token that a checkout leaves in .git/config is there for everything that runs later in the job.
func TestCheckoutsKeepNoToken(t *testing.T) {
	t.Parallel()
	checkouts := 0
	for _, w := range files(t) {
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				if !strings.HasPrefix(s.Uses, "actions/checkout@") {
					continue
				}
				if checkouts++; s.With["persist-credentials"] != false {
					t.Errorf("%s, job %s: the checkout needs persist-credentials: false", w.path, name)
				}
			}
		}
	}
	if checkouts == 0 {
		t.Error("no checkout was found: the test would prove nothing")
	}
}

// Text of a branch, a tag or a title that stands in a script is run by it.
func TestScriptsHaveNoExpressions(t *testing.T) {
	t.Parallel()
	for _, w := range files(t) {
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				if strings.Contains(s.Run, "${{") {
					t.Errorf("%s, job %s: pass it by env, not within the script: %s", w.path, name, s.Run)
				}
			}
		}
	}
}

// CI and people run the same: workflows call .ci/run, and forget no part of it.
func TestWorkflowsRunEveryPartOfCI(t *testing.T) {
	t.Parallel()
	script := text(t, filepath.Join(root, ".ci/run"))
	parts := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t([a-z]+)\)(?: |$)`).FindAllStringSubmatch(script, -1) {
		parts[m[1]] = false
	}
	if len(parts) < 5 {
		t.Fatalf("only %d parts are found in .ci/run: the test would prove nothing", len(parts))
	}
	for _, w := range ours(t) {
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				if s.Run == "" {
					continue
				}
				part, ok := strings.CutPrefix(strings.TrimSpace(s.Run), ".ci/run ")
				if _, known := parts[part]; !ok || !known {
					t.Errorf("%s, job %s runs %q, which is no part of .ci/run", w.path, name, s.Run)
				}
				parts[part] = true
			}
		}
	}
	for part, called := range parts {
		if !called {
			t.Errorf("no workflow runs .ci/run %s", part)
		}
	}
}

// A plain .ci/run has all parts but those that say that they are not in it.
func TestAllOfCIHasEveryPart(t *testing.T) {
	t.Parallel()
	script := text(t, filepath.Join(root, ".ci/run"))
	lanes := strings.Join(regexp.MustCompile(`(?m)^\t(?:local lanes=.*|lane .* &)`).FindAllString(script, -1), " ")
	words := regexp.MustCompile(`[a-z]+`).FindAllString(lanes, -1)
	parts := regexp.MustCompile(`(?m)^(\t# Only by name.*\n)?\t([a-z]+)\)(?: |$)`).FindAllStringSubmatch(script, -1)
	if len(parts) < 5 {
		t.Fatalf("only %d parts are found in .ci/run: the test would prove nothing", len(parts))
	}
	for _, part := range parts {
		if byName := part[1] != ""; byName == slices.Contains(words, part[2]) {
			t.Errorf(".ci/run has the part %s by name only: %v; without a name it has %q", part[2], byName, words)
		}
	}
}

// A module that dependabot does not know grows old unseen.
func TestEveryModuleIsKeptUpToDate(t *testing.T) {
	t.Parallel()
	var kept struct {
		Updates []struct {
			Ecosystem string `yaml:"package-ecosystem"`
			Directory string
		}
	}
	if err := yaml.Unmarshal([]byte(text(t, filepath.Join(root, ".github/dependabot.yml"))), &kept); err != nil {
		t.Fatal(err)
	}
	want := []string{"github-actions /"}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "dist") {
			return errorOr(err, fs.SkipDir)
		}
		folder, _ := filepath.Rel(root, filepath.Dir(path))
		folder = strings.TrimSuffix("/"+filepath.ToSlash(folder), ".")
		switch d.Name() {
		case "go.mod":
			want = append(want, "gomod "+folder)
		case "package.json":
			want = append(want, "npm "+folder)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, u := range kept.Updates {
		have = append(have, u.Ecosystem+" "+u.Directory)
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf(".github/dependabot.yml has\n%q\nand the repository\n%q", have, want)
	}
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
