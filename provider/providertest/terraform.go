package providertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"
)

// listed is the variable with the Terraform and OpenTofu binaries to test
// with: absolute paths, or names that PATH knows, separated as in PATH.
const listed = "SCIMBRIDGE_TEST_TERRAFORM"

// oldest is the first version, of either product, with write-only arguments.
var oldest = version.Must(version.NewVersion("1.11"))

// A program is one terraform or tofu.
type program struct {
	path    string
	product string // Terraform or OpenTofu, as it calls itself
	version *version.Version
}

func (p program) String() string { return p.product + " " + p.version.String() }

// running is the program of the present round of Run.
var running program

// Run runs a package's tests, once with each program that the variable
// SCIMBRIDGE_TEST_TERRAFORM lists, else with the terraform or tofu in PATH, and
// returns the exit code. Call it from TestMain.
//
// The rounds run one after the other, because the testing libraries find
// Terraform by the process's environment. A line before each names the program.
func Run(m interface{ Run() int }) (code int) {
	return Guard(func() int { return runAll(m) })
}

func runAll(m interface{ Run() int }) (code int) {
	setUp()
	programs, err := find(os.Getenv(listed))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if len(programs) == 0 {
		return m.Run() // the tests that need one say so
	}
	for _, running = range programs {
		running.enter()
		fmt.Printf("with %s\n", running)
		code = max(code, m.Run())
	}
	return code
}

// find resolves a list of programs. An empty list means the program in PATH, if any.
func find(list string) ([]program, error) {
	if list == "" {
		for _, name := range []string{"terraform", "tofu"} {
			if path, err := exec.LookPath(name); err == nil {
				p, err := identify(path)
				return []program{p}, err
			}
		}
		return nil, nil
	}
	var programs []program
	var faults []error
	for _, name := range filepath.SplitList(list) {
		p, err := identify(name)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", listed, err))
			continue
		}
		programs = append(programs, p)
	}
	return programs, errors.Join(faults...)
}

var versionLine = regexp.MustCompile(`^(Terraform|OpenTofu) v(\S+)`)

// identify asks a program what it is.
func identify(name string) (program, error) {
	if filepath.Base(name) != name && !filepath.IsAbs(name) {
		// Tests run in the folders of their packages.
		return program{}, fmt.Errorf("%q must be an absolute path, or a name in PATH", name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return program{}, err
	}
	out, err := exec.CommandContext(context.Background(), path, "version").Output()
	if err != nil {
		return program{}, fmt.Errorf("%s version: %w", path, err)
	}
	said := versionLine.FindStringSubmatch(string(out))
	if said == nil {
		return program{}, fmt.Errorf("%s version says %q: neither Terraform nor OpenTofu", path, out)
	}
	v, err := version.NewVersion(said[2])
	if err != nil {
		return program{}, fmt.Errorf("%s version: %w", path, err)
	}
	p := program{path: path, product: said[1], version: v}
	if !p.atLeast(oldest) {
		return program{}, fmt.Errorf("%s is %s: the provider needs %s or later", path, p, oldest)
	}
	return p, nil
}

// atLeast counts a release candidate as the version that it is for.
func (p program) atLeast(v *version.Version) bool {
	return p.version.Core().GreaterThanOrEqual(v)
}

// enter makes the program the one that terraform-plugin-testing runs. Each
// product has a registry of its own, in which a provider's short name is looked up.
func (p program) enter() {
	registry := "registry.terraform.io"
	if p.product == "OpenTofu" {
		registry = "registry.opentofu.org"
	}
	_ = os.Setenv("TF_ACC_TERRAFORM_PATH", p.path) // cannot fail for these names
	_ = os.Setenv("TF_ACC_PROVIDER_HOST", registry)
}

// setUp removes from the environment what tests must not use: Terraform's own
// configuration and update check, and a developer's account.
func setUp() {
	_ = os.Setenv("CHECKPOINT_DISABLE", "1") // cannot fail for these names
	_ = os.Setenv("TF_CLI_CONFIG_FILE", os.DevNull)
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "SCIMBRIDGE_ACCOUNT_") {
			_ = os.Unsetenv(name)
		}
	}
}

// Terraform returns the path of the program to test with. Without one the test
// is skipped; in CI it fails.
func Terraform(t testing.TB) string {
	t.Helper()
	// Read in the test, the list is part of what go test caches a result by.
	_ = os.Getenv(listed)
	path := os.Getenv("TF_ACC_TERRAFORM_PATH")
	if path == "" {
		const missing = "no terraform: put 1.11 or later into PATH, or run make test, which installs one to bin/"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return path
}

// Path returns a PATH in which the program to test with comes first, under the
// name terraform even if it is OpenTofu.
func Path(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Symlink(Terraform(t), filepath.Join(folder, "terraform")); err != nil {
		t.Fatal(err)
	}
	return folder + string(os.PathListSeparator) + os.Getenv("PATH")
}

// A Feature is something that not every version of Terraform and OpenTofu has.
// The provider's part of it is also tested by protocol.
type Feature struct {
	name                string
	terraform, opentofu *version.Version // the first that has it; nil while none has
}

// The features that the provider serves and 1.11 does not know.
var (
	Identity = Feature{"resource identities", since("1.12"), since("1.12")}
	Query    = Feature{"terraform query", since("1.14"), nil}
	Actions  = Feature{"actions", since("1.14"), nil}

	// OpenTofu 1.11 lists an ephemeral resource, which every plan opens, among
	// the changes of the plan's JSON: for terraform-plugin-testing no plan with
	// one is empty.
	OpeningIsNoChange = Feature{"plans that change nothing by opening", since("1.11"), since("1.12")}
)

func since(v string) *version.Version { return version.Must(version.NewVersion(v)) }

// Known reports whether the program to test with has the feature.
func (f Feature) Known(t testing.TB) bool {
	t.Helper()
	Terraform(t)
	return f.in(running)
}

// Need skips the test if the program to test with lacks the feature.
func (f Feature) Need(t testing.TB) {
	t.Helper()
	if !f.Known(t) {
		t.Skipf("needs %s, which %s lacks; %s lists what to test with", f.name, running, listed)
	}
}

func (f Feature) in(p program) bool {
	first := f.terraform
	if p.product == "OpenTofu" {
		first = f.opentofu
	}
	return first != nil && p.atLeast(first)
}
