package repository

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The documentation says with which versions the acceptance tests were run. Those are
// the ones that CI runs them with.
func TestTheVersionsTestedAreThoseThatAreClaimed(t *testing.T) {
	t.Parallel()
	terraform, opentofu := tested(t)
	said := regexp.MustCompile(
		`acceptance tests were run with Terraform ([\d., and]+), and with OpenTofu ([\d., and]+)\.`)
	for _, path := range []string{"README.md", "provider/templates/index.md.tmpl", "docs/index.md"} {
		claim := said.FindStringSubmatch(strings.Join(strings.Fields(text(t, filepath.Join(root, path))), " "))
		if claim == nil {
			t.Errorf("%s does not say which versions were tested, or this test does not understand it", path)
			continue
		}
		number := regexp.MustCompile(`\d+\.\d+\.\d+`)
		if claimed := number.FindAllString(claim[1], -1); !slices.Equal(claimed, terraform) {
			t.Errorf("%s claims Terraform %q, CI tests %q", path, claimed, terraform)
		}
		if claimed := number.FindAllString(claim[2], -1); !slices.Equal(claimed, opentofu) {
			t.Errorf("%s claims OpenTofu %q, CI tests %q", path, claimed, opentofu)
		}
	}
	installed := regexp.MustCompile(`wanted = version\.Must\(version\.NewVersion\("([\d.]+)"\)\)`).
		FindStringSubmatch(text(t, filepath.Join(root, ".ci/terraform/main.go")))
	if installed == nil || installed[1] != terraform[0] {
		t.Errorf(".ci/terraform installs %q; the oldest that CI tests with is %s", installed, terraform[0])
	}
	for product, oldest := range map[string]string{"Terraform": terraform[0], "OpenTofu": opentofu[0]} {
		if !strings.HasPrefix(oldest, "1.11.") {
			t.Errorf("the provider needs %s 1.11 or later, and the oldest that is tested is %s", product, oldest)
		}
	}
}

// The changelog names the minor versions only.
func TestTheChangelogNamesTheVersionsThatAreTested(t *testing.T) {
	t.Parallel()
	terraform, opentofu := tested(t)
	minor := func(version string) string { return version[:strings.LastIndex(version, ".")] }
	want := "- Terraform " + minor(terraform[0]) + " to " + minor(terraform[len(terraform)-1]) +
		", OpenTofu " + minor(opentofu[0]) + " and " + minor(opentofu[len(opentofu)-1]) + "."
	if !strings.Contains(text(t, filepath.Join(root, "CHANGELOG.md")), want) {
		t.Errorf("CHANGELOG.md lacks the line %q", want)
	}
}

// tested returns the versions in the workflow's matrix, oldest first.
func tested(t *testing.T) (terraform, opentofu []string) {
	t.Helper()
	for _, w := range ours(t) {
		for _, p := range w.Jobs["test"].Strategy.Matrix.Include {
			switch p.Program {
			case "terraform":
				terraform = append(terraform, p.Version)
			case "tofu":
				opentofu = append(opentofu, p.Version)
			default:
				t.Fatalf("%s tests with the program %q", w.path, p.Program)
			}
		}
	}
	if len(terraform) < 2 || len(opentofu) < 2 {
		t.Fatalf("the workflows test with Terraform %q and OpenTofu %q", terraform, opentofu)
	}
	return terraform, opentofu
}
