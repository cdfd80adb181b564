package stories

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// onlyHere matches the arguments that only Terraform keeps: after an import the
// next apply writes them to the state without a request.
var onlyHere = regexp.MustCompile(`(?m)^ +(bearer_token_wo_version|overlap) .*\n`)

// A lost state is restored by importing each resource: the bridge keeps running,
// no credential is rotated, and the next plan is empty.
func TestALostStateIsImportedWithoutAChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(onlyHere.ReplaceAllString(w.base(""), ""))
	w.apply(vars{"token": token.Reveal()})
	before := w.bridge()

	for _, address := range []string{
		"scimbridge_firewall_rule.bridge",
		"scimbridge_firewall_rule.caller",
		"scimbridge_signup_domain.company",
		"scimbridge_provisioning.this",
		"scimbridge_deployment.bridge",
	} {
		id := w.attribute(address, "id")
		if code, out := w.run(nil, "state", "rm", address); code != 0 {
			t.Fatalf("forget %s:\n%s", address, out)
		}
		if code, out := w.run(vars{"token": token.Reveal()}, "import", "-no-color",
			"-input=false", address, id); code != 0 {
			t.Fatalf("import %s:\n%s", address, out)
		}
		w.plan(vars{"token": token.Reveal()}).expectNoChanges(t)
	}
	if after := w.bridge(); after.PID != before.PID || after.SessionFingerprint != before.SessionFingerprint {
		t.Errorf("importing touched the bridge: %+v, before %+v", after, before)
	}
	w.eventuallyHealthy(token)
	w.destroy(vars{"token": token.Reveal()})
}

// The same by identity: one plan imports all objects.
func TestALostStateIsImportedByIdentityWithoutAChange(t *testing.T) {
	t.Parallel()
	providertest.Identity.Need(t)
	w := newWorld(t)
	token := newToken(t)
	config := onlyHere.ReplaceAllString(w.base(""), "")
	w.config(config)
	w.apply(vars{"token": token.Reveal()})
	before := w.bridge()

	var state struct {
		Values struct {
			RootModule struct {
				Resources []struct {
					Address  string
					Identity map[string]string
				}
			} `json:"root_module"`
		}
	}
	w.show("", &state)
	resources := state.Values.RootModule.Resources
	if len(resources) != 5 {
		t.Fatalf("%d resources are in the state, want 5", len(resources))
	}
	imports := &strings.Builder{}
	for _, r := range resources {
		if r.Identity["account_id"] == "" || r.Identity["id"] != w.attribute(r.Address, "id") {
			t.Errorf("%s is kept with the identity %v", r.Address, r.Identity)
		}
		identity, err := json.Marshal(r.Identity)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(imports, "import {\n  to       = %s\n  identity = %s\n}\n", r.Address, identity)
		if code, out := w.run(nil, "state", "rm", r.Address); code != 0 {
			t.Fatalf("forget %s:\n%s", r.Address, out)
		}
	}
	w.config(config + imports.String())
	if out := w.apply(vars{"token": token.Reveal()}); !strings.Contains(out,
		"5 imported, 0 added, 0 changed, 0 destroyed") {
		t.Errorf("not a clean import:\n%s", out)
	}
	w.plan(vars{"token": token.Reveal()}).expectNoChanges(t)
	if after := w.bridge(); after.PID != before.PID || after.SessionFingerprint != before.SessionFingerprint {
		t.Errorf("importing touched the bridge: %+v, before %+v", after, before)
	}
	w.destroy(vars{"token": token.Reveal()})
}
