package stories

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// No token, Master Password or Secret Key is in Terraform's state and plans, in a
// process's trace logs and answers, or in an error.
func TestNoSecretIsWhereItDoesNotBelong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "--log-level=trace")
	first, second := newToken(t), newToken(t)
	const firstMonitoring, secondMonitoring = "the-first-monitoring-token", "the-second-monitoring-token"
	w.config(w.base(`    monitoring_token_wo         = var.monitoring
    monitoring_token_wo_version = var.token_version
`) + `
variable "monitoring" {
  type      = string
  ephemeral = true
  default   = null
}
`)
	logged := filepath.Join(w.dir, "terraform.log")
	w.env = append(w.env, "TF_LOG=trace", "TF_LOG_PATH="+logged)

	initial := vars{"token": first.Reveal(), "monitoring": firstMonitoring}
	w.plan(initial)
	planned := planContent(t, filepath.Join(w.dir, "plan.bin"))
	w.apply(initial)
	id := w.invite(first, "ada@example.com")
	w.request(second, "GET", "/scim/v2/Users/"+id, nil) // a wrong token, for now
	w.request(first, "PATCH", "/scim/v2/Users/"+id,
		`{"Operations":[{"op":"replace","path":"password","value":"t0p-s3cret-pw"}]}`)
	sealed := []string{w.attribute("scimbridge_provisioning.this", "session")}

	rotated := vars{"token": second.Reveal(), "token_version": "2", "monitoring": secondMonitoring}
	w.plan(rotated)
	planned += planContent(t, filepath.Join(w.dir, "plan.bin"))
	w.apply(rotated)
	w.eventuallyHealthy(second)
	sealed = append(sealed, w.attribute("scimbridge_provisioning.this", "session"))

	secrets := map[string]string{
		"the first token":           first.Reveal(),
		"the second token":          second.Reveal(),
		"the first token's digits":  strings.TrimPrefix(first.Reveal(), "sbt1_"),
		"a password that SCIM sent": "t0p-s3cret-pw",
		"the admin token":           w.account.Token,
		"the first monitor's token": firstMonitoring,
		"the second one":            secondMonitoring,
	}
	for i, token := range []session.Token{first, second} {
		file, err := session.Parse(sealed[i])
		if err != nil {
			t.Fatal(err)
		}
		entry, ok := file.Match(token)
		if !ok {
			t.Fatalf("session %d is not sealed under its token", i+1)
		}
		opened, err := entry.Open(token)
		if err != nil {
			t.Fatal(err)
		}
		password, key := opened.(session.Integration).Secrets.Reveal()
		secrets[fmt.Sprintf("Master Password %d", i+1)] = password
		secrets[fmt.Sprintf("Secret Key %d", i+1)] = key
	}

	// A request that fails during an apply, to see its error.
	code, failure := w.run(
		vars{"token": first.Reveal()[:20], "token_version": "3", "monitoring": secondMonitoring + " "},
		"apply", "-auto-approve", "-no-color",
		"-input=false")
	if code == 0 {
		t.Error("a malformed token was accepted")
	}

	pid := w.bridge().PID
	places := map[string]string{
		"the state":                content(t, filepath.Join(w.dir, "terraform.tfstate")),
		"the state's backup":       content(t, filepath.Join(w.dir, "terraform.tfstate.backup")),
		"the plans":                planned,
		"the bridge's log":         w.log(),
		"the bridge's record":      content(t, filepath.Join(w.dataDir, "bridge.json")),
		"the account's log":        w.account.Log(),
		"the bridge's arguments":   content(t, fmt.Sprintf("/proc/%d/cmdline", pid)),
		"the bridge's environment": content(t, fmt.Sprintf("/proc/%d/environ", pid)),
		"an error":                 failure,
	}
	for place, text := range places {
		if len(text) == 0 && place != "the bridge's environment" {
			t.Errorf("%s is empty: nothing was proved", place)
		}
		for name, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %s", place, name)
			}
		}
	}
	// Terraform itself logs the protocol at trace level. Except for the admin
	// token, the provider must not add to it.
	for name, secret := range secrets {
		for line := range strings.Lines(content(t, logged)) {
			if strings.Contains(line, "provider.terraform-provider-scimbridge") && strings.Contains(line, secret) {
				t.Errorf("the provider logs %s: %s", name, strings.ReplaceAll(line, secret, "***"))
			}
		}
	}
	w.destroy(vars{"token_version": "2", "monitoring": secondMonitoring})
}

// planContent is everything in a plan file, which is a zip archive.
func planContent(t *testing.T, path string) string {
	t.Helper()
	archive, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var all bytes.Buffer
	for _, file := range archive.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return all.String()
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
