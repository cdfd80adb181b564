package providertest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// says returns the path of a program that prints a text when asked for its version.
func says(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nprintf '"+text+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// rounds stands for a package's tests: it records the programs that they run
// with, and fails with the one named failing.
type rounds struct {
	failing  string
	programs []string
	registry []string
	identity []bool
	query    []bool
	t        *testing.T
}

func (r *rounds) Run() int {
	r.programs = append(r.programs, running.String())
	r.registry = append(r.registry, os.Getenv("TF_ACC_PROVIDER_HOST"))
	r.identity = append(r.identity, Identity.Known(r.t))
	r.query = append(r.query, Query.Known(r.t))
	if Terraform(r.t) != running.path {
		r.t.Errorf("%s is at %s, tested with is %s", running, running.path, Terraform(r.t))
	}
	if running.String() == r.failing {
		return 1
	}
	return 0
}

// set makes the variables of a run those of this test alone.
func set(t *testing.T, list string) {
	t.Helper()
	t.Setenv(listed, list)
	for _, name := range []string{
		"TF_ACC_TERRAFORM_PATH", "TF_ACC_PROVIDER_HOST", "CHECKPOINT_DISABLE", "TF_CLI_CONFIG_FILE",
	} {
		t.Setenv(name, "")
	}
	before := running
	t.Cleanup(func() { running = before })
}

func TestThePackageRunsOnceWithEachListedProgram(t *testing.T) {
	programs := []string{
		says(t, `Terraform v1.11.4\non linux_amd64\n\nYour version is out of date!\n`),
		says(t, `Terraform v1.14.0-rc2\n`),
		says(t, `OpenTofu v1.11.14\n`),
		says(t, `OpenTofu v1.14.2\n`),
	}
	set(t, strings.Join(programs, string(os.PathListSeparator)))
	r := &rounds{t: t, failing: "Terraform 1.14.0-rc2"}
	if code := runAll(r); code != 1 {
		t.Errorf("ended with %d, and the second of four had failed", code)
	}
	if want := []string{"Terraform 1.11.4", "Terraform 1.14.0-rc2", "OpenTofu 1.11.14",
		"OpenTofu 1.14.2"}; !slices.Equal(
		r.programs, want) {
		t.Errorf("ran with %q, want %q", r.programs, want)
	}
	if want := []bool{false, true, false, true}; !slices.Equal(r.identity, want) {
		t.Errorf("identity is known: %v, want %v", r.identity, want)
	}
	if want := []bool{false, true, false, false}; !slices.Equal(r.query, want) {
		t.Errorf("terraform query is known: %v, want %v", r.query, want)
	}
	const ours, theirs = "registry.terraform.io", "registry.opentofu.org"
	if want := []string{ours, ours, theirs, theirs}; !slices.Equal(r.registry, want) {
		t.Errorf("looked providers up in %q, want %q", r.registry, want)
	}
}

func TestWithoutAListTheProgramInPathIsUsed(t *testing.T) {
	for _, row := range []struct {
		name string
		in   []string // PATH
		want []string
	}{
		{"terraform before tofu", []string{"tofu", "terraform"}, []string{"Terraform 1.11.4"}},
		{"tofu where there is no terraform", []string{"tofu"}, []string{"OpenTofu 1.11.14"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			folder := t.TempDir()
			for _, name := range row.in {
				text := map[string]string{"terraform": "Terraform v1.11.4", "tofu": "OpenTofu v1.11.14"}[name]
				if err := os.Symlink(says(t, text), filepath.Join(folder, name)); err != nil {
					t.Fatal(err)
				}
			}
			set(t, "")
			t.Setenv("PATH", folder)
			r := &rounds{t: t}
			if code := runAll(r); code != 0 || !slices.Equal(r.programs, row.want) {
				t.Errorf("ended with %d, ran with %q, want %q", code, r.programs, row.want)
			}
		})
	}
}

// An unknown program must not count as a version that lacks every feature.
func TestAProgramThatIsNotTerraformFailsTheRun(t *testing.T) {
	for _, row := range []struct {
		name, program, want string
	}{
		{"another program", says(t, "go version go1.26"), "neither Terraform nor OpenTofu"},
		{"a version that is none", says(t, "Terraform vOne"), "malformed version"},
		{"one that is too old", says(t, "Terraform v1.10.5"), "needs 1.11"},
		{"one that is not there", filepath.Join(t.TempDir(), "terraform"), "no such file"},
		{"a relative path", "bin/terraform", "absolute"},
	} {
		t.Run(row.name, func(t *testing.T) {
			list := strings.Join([]string{says(t, "Terraform v1.11.4"), row.program}, string(os.PathListSeparator))
			if _, err := find(list); err == nil || !strings.Contains(err.Error(), row.want) ||
				!strings.Contains(err.Error(), listed) {
				t.Errorf("says %v, want %q and the variable's name", err, row.want)
			}
			set(t, list)
			r := &rounds{t: t}
			if code := runAll(r); code == 0 || len(r.programs) > 0 {
				t.Errorf("ended with %d, ran with %q", code, r.programs)
			}
		})
	}
}
