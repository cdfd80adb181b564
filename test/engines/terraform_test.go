//go:build engines

package engines

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A workspace is a folder in which the built provider is run by a real Terraform.
type workspace struct {
	*testing.T
	folder  string
	environ []string
}

func newWorkspace(t *testing.T) *workspace {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join(top, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	w := &workspace{T: t, folder: t.TempDir(), environ: []string{"CHECKPOINT_DISABLE=1"}}
	rc := filepath.Join(w.folder, "terraformrc")
	text := `provider_installation { dev_overrides { "scimbridge/scimbridge" = "` + bin + `" } }`
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.environ = append(w.environ, "TF_CLI_CONFIG_FILE="+rc)
	return w
}

// run runs Terraform on a configuration and returns what it says.
func (w *workspace) run(config string, args ...string) (string, error) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.folder, "main.tf"), []byte(config), 0o600); err != nil {
		w.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(w.Context()), os.Getenv("SCIMBRIDGE_TEST_TERRAFORM"),
		append(args, "-no-color")...)
	cmd.Dir, cmd.Env = w.folder, append(os.Environ(), w.environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *workspace) apply(config string) string {
	w.Helper()
	out, err := w.run(config, "apply", "-auto-approve")
	if err != nil {
		w.Fatalf("%v\n%s", err, out)
	}
	return out
}

func (w *workspace) plan(config string, want ...string) {
	w.Helper()
	out, err := w.run(config, "plan", "-detailed-exitcode")
	if changed := err != nil; changed != (len(want) > 0) {
		w.Errorf("the plan: %v\n%s", err, out)
	}
	flat := strings.Join(strings.Fields(strings.ReplaceAll(out, "│", " ")), " ")
	for _, text := range want {
		if !strings.Contains(flat, text) {
			w.Errorf("the plan lacks %q:\n%s", text, out)
		}
	}
}

// provisioned is a configuration of an integration whose token is token, with other arguments.
func provisioned(account *providertest.Account, token session.Token, arguments string) string {
	return `terraform {
  required_providers {
    scimbridge = { source = "scimbridge/scimbridge" }
  }
}
` + account.ProviderBlock() + fmt.Sprintf(`
resource "scimbridge_provisioning" "it" {
  manager_email   = "manager@example.com"
  bearer_token_wo = %q
  %s
}
`, token.Reveal(), arguments)
}

// A deployment is made, seen to drift, healed, replaced and destroyed by Terraform.
func TestDockerTerraform(t *testing.T) {
	useProgram(t)
	startDocker(t)
	account := providertest.NewAccount(t)
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorkspace(t)
	config := func(docker, settings string) string {
		return provisioned(account, token, "") + fmt.Sprintf(`
resource "scimbridge_deployment" "it" {
  name            = "test"
  session         = scimbridge_provisioning.it.session
  unseal_token_wo = %[1]q
  docker          = { name = "bridge", %[2]s }
  settings        = { insecure_http = true, %[3]s }
}
output "id" { value = scimbridge_deployment.it.id }
output "status" { value = scimbridge_deployment.it.status }
`, token.Reveal(), docker, settings)
	}
	const host = `network = "host"`
	if out := w.apply(config(host, "")); !strings.Contains(out, `id     = "docker:bridge"`) ||
		!strings.Contains(out, `status = "ready"`) {
		t.Errorf("the apply:\n%s", out)
	}
	w.plan(config(host, ""))
	state, err := os.ReadFile(filepath.Join(w.folder, "terraform.tfstate"))
	if err != nil || strings.Contains(string(state), token.Reveal()) {
		t.Errorf("the state has the token (%v)", err)
	}

	docker(t, "stop", "bridge")
	w.plan(config(host, ""), "The bridge is not running", "ended with exit code 0", `~ status = "stopped"`)
	docker(t, "update", "--restart", "no", "--memory", "700m", "--memory-swap", "700m", "bridge")
	w.plan(config(host, ""), "- memory = 700 -> null",
		`The restart policy is "no" instead of "unless-stopped". The apply undoes it.`)
	w.apply(config(host, ""))
	w.plan(config(host, ""))
	docker(t, "rm", "--force", "bridge")
	w.plan(config(host, ""), "was removed", "will be updated in-place")
	w.apply(config(host, ""))
	w.plan(config(host, ""))

	w.plan(config(host, `log_level = "debug"`), "The bridge is replaced with a gap", "published port 3002")
	w.apply(config(host, `log_level = "debug"`))
	w.plan(config(host, `log_level = "debug"`))

	w.environ = append(w.environ, "DOCKER_HOST=unix:///nowhere/docker.sock")
	out, err := w.run(config(host, `log_level = "debug"`), "plan")
	if err == nil || strings.Count(out, "Error: ") != 1 || !strings.Contains(out, "/nowhere/docker.sock") ||
		strings.Contains(out, "to add") {
		t.Errorf("an engine that is away: %v\n%s", err, out)
	}
	w.environ = w.environ[:len(w.environ)-1]

	if out, err := w.run(config(host, ""), "state", "rm", "scimbridge_deployment.it"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const address = "unix:///var/run/docker.sock"
	imported := config(host+fmt.Sprintf(", host = %q", address), `log_level = "debug"`) + fmt.Sprintf(
		"\nimport {\n  to = scimbridge_deployment.it\n  id = %q\n}\n", "docker:bridge@"+address)
	w.apply(imported)
	w.plan(imported)
	if out, err := w.run(imported, "destroy", "-auto-approve"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := leftovers(t, "bridge"); left != "" {
		t.Errorf("what is left: %s", left)
	}
}
