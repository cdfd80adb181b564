package stories

import (
	"regexp"
	"testing"
)

// onlyHere matches the arguments that live in Terraform alone: after an import
// they are taken into the state by the next apply, which calls nobody.
var onlyHere = regexp.MustCompile(`(?m)^ +(bearer_token_wo_version|overlap) .*\n`)

// A state that is lost is made anew by importing each resource; the bridge
// goes on running, no credential is rotated, and the next plan is empty.
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
		if code, out := w.run(vars{"token": token.Reveal()}, "import", "-no-color", "-input=false", address, id); code != 0 {
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
