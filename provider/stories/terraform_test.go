package stories

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// workspace is a folder in which the real Terraform runs with the provider
// and the bridge that were built for this run.
type workspace struct {
	t     testing.TB
	dir   string
	env   []string
	token string // the bearer token of the last run that had one and succeeded
}

// newWorkspace makes a folder whose Terraform finds the provider in bin.
func newWorkspace(t testing.TB, bin string, env ...string) *workspace {
	t.Helper()
	providertest.Terraform(t)
	dir := t.TempDir()
	cli := filepath.Join(dir, "terraform.rc")
	write(t, cli, `provider_installation {
  dev_overrides { "scimbridge/scimbridge" = `+quote(bin)+` }
  direct {}
}`)
	return &workspace{t: t, dir: dir, env: append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + dir,
		"TF_CLI_CONFIG_FILE=" + cli,
		"TF_IN_AUTOMATION=1",
		"CHECKPOINT_DISABLE=1",
	}, env...)}
}

// config replaces the configuration.
func (w *workspace) config(hcl string) {
	w.t.Helper()
	write(w.t, filepath.Join(w.dir, "main.tf"), hcl)
}

// vars are Terraform variables of one run, given by the environment so that
// no secret stands in a process list.
type vars map[string]string

// ran keeps the bearer token that a successful run was given.
func (w *workspace) ran(v vars) {
	if token := v["token"]; token != "" {
		w.token = token
	}
}

// run runs Terraform and returns its exit code and everything it printed.
func (w *workspace) run(v vars, args ...string) (int, string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), providertest.Terraform(w.t), args...)
	cmd.Dir = w.dir
	cmd.Env = slices.Clone(w.env)
	for name, value := range v {
		cmd.Env = append(cmd.Env, "TF_VAR_"+name+"="+value)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String()
	}
	if err != nil {
		w.t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	w.ran(v)
	return 0, out.String()
}

func (w *workspace) apply(v vars) string {
	w.t.Helper()
	code, out := w.run(v, "apply", "-auto-approve", "-no-color", "-input=false")
	if code != 0 {
		w.t.Fatalf("terraform apply failed:\n%s", out)
	}
	return out
}

func (w *workspace) destroy(v vars) {
	w.t.Helper()
	if code, out := w.run(v, "destroy", "-auto-approve", "-no-color", "-input=false"); code != 0 {
		w.t.Fatalf("terraform destroy failed:\n%s", out)
	}
}

// plan is what a plan says: the text that people read, and for each resource
// that would change what would be done to it.
type plan struct {
	text    string
	changes map[string]string // address → "update", "create", "delete,create"...
}

func (w *workspace) plan(v vars) plan {
	w.t.Helper()
	file := filepath.Join(w.dir, "plan.bin")
	code, text := w.run(v, "plan", "-no-color", "-input=false", "-detailed-exitcode", "-out="+file)
	if code != 0 && code != 2 {
		w.t.Fatalf("terraform plan failed:\n%s", text)
	}
	p := plan{text: text, changes: map[string]string{}}
	if code == 0 {
		return p // nothing changes: by the exit code, and a show of it costs as much as a plan
	}
	var shown struct {
		ResourceChanges []struct {
			Address string
			Mode    string
			Change  struct{ Actions []string }
		} `json:"resource_changes"`
	}
	w.show(file, &shown)
	for _, c := range shown.ResourceChanges {
		if c.Mode == "managed" && !slices.Equal(c.Change.Actions, []string{"no-op"}) {
			p.changes[c.Address] = strings.Join(c.Change.Actions, ",")
		}
	}
	if len(p.changes) == 0 {
		w.t.Fatalf("terraform plan ended with %d and shows no change:\n%s", code, text)
	}
	return p
}

// show decodes what `terraform show -json` says of a plan file, or of the
// state if the file is empty.
func (w *workspace) show(file string, into any) {
	w.t.Helper()
	args := []string{"show", "-json"}
	if file != "" {
		args = append(args, file)
	}
	cmd := exec.CommandContext(w.t.Context(), providertest.Terraform(w.t), args...)
	cmd.Dir, cmd.Env = w.dir, w.env
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("terraform show: %v", err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		w.t.Fatalf("terraform show: %v", err)
	}
}

// attribute is a resource's attribute in the state, as text.
func (w *workspace) attribute(address, name string) string {
	w.t.Helper()
	var state struct {
		Values struct {
			RootModule struct {
				Resources []struct {
					Address string
					Values  map[string]any
				}
			} `json:"root_module"`
		}
	}
	w.show("", &state)
	for _, r := range state.Values.RootModule.Resources {
		if r.Address != address {
			continue
		}
		switch value := r.Values[name].(type) {
		case string:
			return value
		default:
			text, err := json.Marshal(value)
			if err != nil {
				w.t.Fatal(err)
			}
			return string(text)
		}
	}
	w.t.Fatalf("%s is not in the state", address)
	return ""
}

// expect fails unless the plan changes just these resources in just these ways.
func (p plan) expect(t *testing.T, want map[string]string) {
	t.Helper()
	for address, action := range want {
		if p.changes[address] != action {
			t.Errorf("the plan should %s %s, and says %q", action, address, p.changes[address])
		}
	}
	for address, action := range p.changes {
		if _, ok := want[address]; !ok {
			t.Errorf("the plan should leave %s alone, and says %q", address, action)
		}
	}
	if t.Failed() {
		t.Fatalf("the plan was:\n%s", p.text)
	}
}

func (p plan) expectNoChanges(t *testing.T) {
	t.Helper()
	p.expect(t, nil)
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// The stories wait for processes about half of the time: two a core run at a time, unless -parallel says otherwise.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	os.Exit(providertest.Run(m))
}
