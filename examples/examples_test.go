package examples

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), pluginPrefix) {
		if err := serveStandIn(os.Args[0]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(providertest.Run(m))
}

// scimbridge is the provider's source.
const scimbridge = "scimbridge/scimbridge"

func TestEveryExampleIsValid(t *testing.T) {
	t.Parallel()
	folders := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch name := filepath.Base(path); {
		case err != nil || entry.IsDir():
		case strings.HasSuffix(name, ".tf"), strings.HasSuffix(name, ".tfquery.hcl"),
			strings.HasSuffix(name, ".tftpl"), strings.HasSuffix(name, ".yaml"): // which configurations read
			folders[filepath.Dir(path)] = append(folders[filepath.Dir(path)], name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) < 20 {
		t.Fatalf("only %d folders of examples were found", len(folders))
	}
	for folder, files := range folders {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t)
			for _, name := range files {
				feature, isNewer := newer[name]
				if isNewer && !feature.Known(t) {
					parses(t, filepath.Join(folder, name))
					continue
				}
				w.copy(filepath.Join(folder, name))
			}
			if !w.isWhole() {
				w.write("terraform.tf", required)
			}
			w.write("bridge.log", "") // what the example of diagnose reads
			w.provide(othersIn(readExamples(t, folder)))
			validate := []string{"validate", "-no-color"}
			if w.has("*.tfquery.hcl") {
				validate = append(validate, "-query") // else they are not looked at
			}
			if code, out := w.run(nil, validate...); code != 0 {
				t.Error(out)
			}
			if code, out := w.run(nil, "fmt", "-check", "-diff", "-no-color"); code != 0 {
				t.Errorf("not formatted:\n%s", out)
			}
		})
	}
}

const required = `terraform {
  required_providers {
    scimbridge = {
      source = "scimbridge/scimbridge"
    }
  }
}
`

// The documentation of each part needs an example.
func TestEveryPartHasAnExample(t *testing.T) {
	t.Parallel()
	server := providertest.Server(t)
	parts, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"provider/provider.tf"}
	for name := range parts.ResourceSchemas {
		for _, file := range []string{"resource.tf", "import.sh", "import-by-identity.tf"} {
			want = append(want, filepath.Join("resources", name, file))
		}
	}
	for form, names := range map[string][]string{
		"data-sources/%s/data-source.tf":               slices.Collect(maps.Keys(parts.DataSourceSchemas)),
		"ephemeral-resources/%s/ephemeral-resource.tf": slices.Collect(maps.Keys(parts.EphemeralResourceSchemas)),
		"list-resources/%s/list-resource.tfquery.hcl":  slices.Collect(maps.Keys(parts.ListResourceSchemas)),
		"actions/%s/action.tf":                         slices.Collect(maps.Keys(parts.ActionSchemas)),
		"functions/%s/function.tf":                     slices.Collect(maps.Keys(parts.Functions)),
	} {
		for _, name := range names {
			want = append(want, fmt.Sprintf(form, name))
		}
	}
	if len(want) < 30 {
		t.Fatalf("the provider has only %d parts", len(want))
	}
	for _, path := range want {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("no example: %v", err)
		}
	}
}

func TestAModuleIsTestedWithoutAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	w.copyAll("testing")
	w.copyAll("testing/tests")
	code, out := w.run(nil, "test", "-no-color")
	if code != 0 || !strings.Contains(out, "3 passed, 0 failed") {
		t.Errorf("ended with %d:\n%s", code, out)
	}
	// The module's tests must be able to fail.
	main := filepath.Join(w.dir, "main.tf")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	w.write("main.tf", strings.Replace(string(text), "ip_ranges   = [var.bridge_address]",
		`ip_ranges   = ["192.0.2.0/24"]`, 1))
	if code, out := w.run(nil, "test", "-no-color"); code == 0 {
		t.Errorf("a module that lets in a network passes:\n%s", out)
	}
}

func TestAnAccountIsAdoptedWithoutAChange(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, rule := range []api.FirewallRuleInput{
		{IpRanges: &[]string{"127.0.0.1"}, Description: new("by hand")},
		{IpRanges: &[]string{"192.0.2.0/24"}, Action: new(api.Deny)},
	} {
		resp, err := apitest.Read[api.FirewallRule](account.API.CreateFirewallRule(t.Context(), nil, rule))
		providertest.Expect(t, http.StatusCreated, resp, err)
	}
	for _, domain := range []string{"example.com", "example.org"} {
		resp, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil,
			api.SignupDomainInput{Domain: domain}))
		providertest.Expect(t, http.StatusCreated, resp, err)
	}
	before, err := apitest.Read[api.Firewall](account.API.GetFirewall(t.Context()))
	providertest.Expect(t, http.StatusOK, before, err)

	w := newWorkspace(t)
	w.copyAll("adopt-existing")
	env := []string{"SCIMBRIDGE_ACCOUNT_TOKEN=" + account.Token, "TF_VAR_account_url=" + account.URL}
	code, out := w.run(env, "apply", "-auto-approve", "-no-color", "-input=false")
	if code != 0 || !strings.Contains(out, "2 imported, 0 added") {
		t.Fatalf("ended with %d:\n%s", code, out)
	}
	for _, want := range []string{
		"Rules that are not listed here yet", "Domains that are not listed here yet: example.com, example.org",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	// What is listed becomes managed, and the account does not change.
	env = append(env, `TF_VAR_signup_domains=["example.com","example.org"]`,
		`TF_VAR_firewall_rules={"operations"={"ip_ranges"=["127.0.0.1"],"description"="by hand"},`+
			`"test_net"={"action"="deny","ip_ranges"=["192.0.2.0/24"]}}`)
	if code, out := w.run(env, "apply", "-auto-approve", "-no-color", "-input=false"); code != 0 ||
		strings.Contains(out, "not listed here yet") {
		t.Fatalf("ended with %d:\n%s", code, out)
	}
	if code, out := w.run(env, "plan", "-detailed-exitcode", "-no-color", "-input=false"); code != 0 {
		t.Errorf("the next plan ends with %d:\n%s", code, out)
	}
	after, err := apitest.Read[api.Firewall](account.API.GetFirewall(t.Context()))
	providertest.Expect(t, http.StatusOK, after, err)
	if !slices.EqualFunc(before.Value.Rules, after.Value.Rules, func(a, b api.FirewallRule) bool {
		return a.Id == b.Id && a.Etag == b.Etag
	}) {
		t.Errorf("the rules were %s and are %s", before.Body, after.Body)
	}
}

func TestTheDriftCheckReportsByExitCode(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	bridge := providertest.NewBridge(t, *account.Activate("manager@example.com", token).Session, "1", &token)
	w := newWorkspace(t)
	w.copyAll("drift-check")
	env := []string{
		"SCIMBRIDGE_ACCOUNT_TOKEN=" + account.Token, "SCIMBRIDGE_MONITORING_TOKEN=" + providertest.MonitoringToken,
		"TF_VAR_account_url=" + account.URL, "TF_VAR_bridge_url=" + bridge.URL,
	}
	if code, out := w.run(env, "apply", "-auto-approve", "-no-color", "-input=false"); code != 0 {
		t.Fatalf("apply ended with %d:\n%s", code, out)
	}
	check := func(what string, want int, says string) {
		t.Helper()
		code, out := w.command(env, "sh", "check.sh")
		if code != want || !strings.Contains(out, says) {
			t.Errorf("%s: ended with %d, want %d and %q:\n%s", what, code, want, says, out)
		}
	}
	check("nothing changed", 0, "No changes")

	made, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil,
		api.SignupDomainInput{Domain: "example.org"}))
	providertest.Expect(t, http.StatusCreated, made, err)
	check("a domain beside", 3, "added by hand: example.org")

	gone, err := apitest.Read[struct{}](account.API.DeleteSignupDomain(t.Context(), "example.com", nil))
	providertest.Expect(t, http.StatusNoContent, gone, err)
	check("a managed domain was removed", 2, "example.com")

	if code, out := w.run(env, "apply", "-auto-approve", "-no-color", "-input=false"); code != 0 {
		t.Fatalf("healing ended with %d:\n%s", code, out)
	}
	bridge.Stop()
	check("a bridge that is gone", 3, "cannot be reached")

	env[0] = "SCIMBRIDGE_ACCOUNT_TOKEN=sba_wrong"
	check("a wrong token", 1, "answered 401")
}

// parses fails the test unless the file is HCL.
func parses(t *testing.T, path string) {
	t.Helper()
	if _, diags := hclparse.NewParser().ParseHCLFile(path); diags.HasErrors() {
		t.Error(diags)
	}
}

// workspace is a folder in which the real Terraform runs with the provider of this tree.
type workspace struct {
	t   *testing.T
	dir string
	cli string // Terraform's own configuration
	env []string
}

func newWorkspace(t *testing.T) *workspace {
	t.Helper()
	w := &workspace{t: t, dir: t.TempDir(), cli: filepath.Join(t.TempDir(), "terraform.rc")}
	w.env = []string{
		"PATH=" + providertest.Path(t), "HOME=" + w.dir, "TF_CLI_CONFIG_FILE=" + w.cli, "CHECKPOINT_DISABLE=1",
	}
	w.find(map[string]string{scimbridge: providertest.Installation(t)})
	return w
}

// find says in which folders Terraform finds plugins.
func (w *workspace) find(overrides map[string]string) {
	w.t.Helper()
	text := "provider_installation {\n  dev_overrides {\n"
	for source, folder := range overrides {
		quoted, err := json.Marshal(folder)
		if err != nil {
			w.t.Fatal(err)
		}
		text += fmt.Sprintf("    %q = %s\n", source, quoted)
	}
	if err := os.WriteFile(w.cli, []byte(text+"  }\n}\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workspace) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workspace) copy(path string) {
	w.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(filepath.Base(path), string(text))
}

// copyAll copies the files of a folder.
func (w *workspace) copyAll(folder string) {
	w.t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			w.copy(filepath.Join(folder, entry.Name()))
		}
	}
}

func (w *workspace) has(pattern string) bool {
	files, _ := filepath.Glob(filepath.Join(w.dir, pattern))
	return len(files) > 0
}

// isWhole reports whether the configuration has a required_providers block.
func (w *workspace) isWhole() bool {
	files, _ := filepath.Glob(filepath.Join(w.dir, "*.tf"))
	return slices.ContainsFunc(files, func(file string) bool {
		text, _ := os.ReadFile(file)
		return bytes.Contains(text, []byte("required_providers"))
	})
}

func (w *workspace) run(env []string, arguments ...string) (code int, out string) {
	w.t.Helper()
	return w.command(env, providertest.Terraform(w.t), arguments...)
}

func (w *workspace) command(env []string, name string, arguments ...string) (code int, out string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), name, arguments...)
	cmd.Dir, cmd.Env = w.dir, slices.Concat(w.env, env)
	text, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(text)
	}
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	return 0, string(text)
}
