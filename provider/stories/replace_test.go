package stories

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// Under create_before_destroy the old object is deposed when Terraform plans its
// replacement a second time. If the account then refuses the replacement, the
// old object must still be in the state, and the error's remedy must work.
func TestAReplacementThatIsRefusedDeposesNothing(t *testing.T) {
	t.Parallel()
	const (
		lifecycle = "  lifecycle {\n    create_before_destroy = true\n  }\n"
		dependant = "resource \"terraform_data\" \"it\" {\n  input = %ADDRESS%.id\n" + lifecycle + "}\n"
	)
	for _, row := range []struct{ name, address, config string }{
		{"the integration", "scimbridge_provisioning.it", `
variable "token" {
  type      = string
  ephemeral = true
}
resource "scimbridge_provisioning" "it" {
  manager_email   = "manager@example.com"
  bearer_token_wo = var.token
%LIFECYCLE%
}
`},
		{"the firewall policy", "scimbridge_firewall_policy.it", `
resource "scimbridge_firewall_policy" "it" {
  default_action = "report"
  rules          = { office = { ip_ranges = ["192.0.2.0/24"] } }
%LIFECYCLE%
}
`},
		{"the list of domains", "scimbridge_signup_domains.it", `
resource "scimbridge_signup_domains" "it" {
  domains = ["example.com"]
%LIFECYCLE%
}
`},
		{"a rule", "scimbridge_firewall_rule.it", `
resource "scimbridge_firewall_rule" "it" {
  ip_ranges = ["192.0.2.0/24"]
%LIFECYCLE%
}
`},
		{"a domain", "scimbridge_signup_domain.it", `
resource "scimbridge_signup_domain" "it" {
  domain = "example.com"
%LIFECYCLE%
}
`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
				"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
			v := vars{"token": newToken(t).Reveal()}
			plain := requirements + strings.Replace(row.config, "%LIFECYCLE%", "", 1)
			for _, config := range []string{
				requirements + strings.Replace(row.config, "%LIFECYCLE%", lifecycle, 1),
				plain + strings.Replace(dependant, "%ADDRESS%", row.address, 1),
			} {
				w.config(config)
				w.apply(v)
				id := w.attribute(row.address, "id")
				code, out := w.run(v, "apply", "-auto-approve", "-no-color", "-input=false", "-replace="+row.address)
				if code == 0 || !strings.Contains(flat(out), "remove create_before_destroy") {
					t.Fatalf("the replacement ended with %d and this advice:\n%s", code, out)
				}
				w.plan(v).expectNoChanges(t)
				if now := w.attribute(row.address, "id"); now != id {
					t.Errorf("the state has %s, want %s", now, id)
				}
			}
			// As the error advises. A resource whose destruction only forgets it is not created again.
			w.config(plain)
			w.apply(v)
			if code, out := w.run(v, "apply", "-auto-approve", "-no-color", "-input=false",
				"-replace="+row.address); code != 0 {
				t.Fatalf("without create_before_destroy, the replacement failed:\n%s", out)
			}
			w.plan(v).expectNoChanges(t)
			// A tainted object is replaced too.
			if code, out := w.run(nil, "taint", row.address); code != 0 {
				t.Fatalf("taint: %s", out)
			}
			w.apply(v)
			w.plan(v).expectNoChanges(t)
			// Under another name without a moved block, the old one goes and the new
			// one comes in one run; here the old one goes late.
			w.config(plain + "resource \"terraform_data\" \"late\" {\n  depends_on = [" + row.address + "]\n}\n")
			w.apply(v)
			w.config(strings.ReplaceAll(plain, `" "it"`, `" "other"`) + late)
			w.apply(v)
			w.plan(v).expectNoChanges(t)
		})
	}
}

// late goes before what it depends on, and takes a moment.
const late = `
removed {
  from = terraform_data.late
  lifecycle {
    destroy = true
  }
  provisioner "local-exec" {
    when    = destroy
    command = "sleep 0.5"
  }
}
`

// flat is a diagnostic's text without the line breaks that Terraform puts in.
func flat(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "│", "")), " ")
}

// What another version left deposed is taken back as the error says.
func TestADeposedIntegrationIsTakenBack(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
	v := vars{"token": newToken(t).Reveal()}
	const address = "scimbridge_provisioning.it"
	w.config(requirements + `
variable "token" {
  type      = string
  ephemeral = true
}
resource "scimbridge_provisioning" "it" {
  manager_email   = "manager@example.com"
  bearer_token_wo = var.token
}
`)
	w.apply(v)
	id, sealed := w.attribute(address, "id"), w.attribute(address, "session")
	file := filepath.Join(w.dir, "terraform.tfstate")
	state, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.Replace(string(state), `"schema_version"`, `"deposed": "00000001", "schema_version"`, 1))

	code, out := w.run(v, "apply", "-auto-approve", "-no-color", "-input=false")
	if said := flat(out); code == 0 || !strings.Contains(said, "terraform state rm") ||
		!strings.Contains(said, `id = "`+id+`"`) {
		t.Fatalf("the apply ended with %d:\n%s", code, out)
	}
	if code, out := w.run(v, "state", "rm", address); code != 0 {
		t.Fatalf("state rm: %s", out)
	}
	if code, out := w.run(v, "import", "-no-color", "-input=false", address, id); code != 0 {
		t.Fatalf("import: %s", out)
	}
	w.plan(v).expectNoChanges(t)
	if w.attribute(address, "session") != sealed {
		t.Error("the session is another one")
	}
}

// Single resources are created in the same run as a list or policy that reports,
// in any order: here the list comes last, by depends_on.
func TestSingleResourcesAreCreatedBesideAListThatReports(t *testing.T) {
	t.Parallel()
	const config = requirements + `
resource "scimbridge_signup_domains" "all" {
  domains      = ["all.example"]
  on_unmanaged = "report"
  %s
}
resource "scimbridge_signup_domain" "one" {
  domain = "one.example"
}
resource "scimbridge_firewall_policy" "it" {
  default_action = "deny"
  rules          = { office = { ip_ranges = ["192.0.2.0/24"] } }
  on_unmanaged   = "report"
  depends_on     = [scimbridge_firewall_rule.mine] # or the account would refuse it
}
resource "scimbridge_firewall_rule" "mine" {
  ip_ranges = ["127.0.0.0/8"]
}
`
	for name, depends := range map[string]string{
		"with depends_on": "depends_on = [scimbridge_signup_domain.one]", "without": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
				"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
			w.config(fmt.Sprintf(config, depends))
			if p := w.plan(nil); strings.Contains(p.text, "would lock out") {
				t.Errorf("the rule that comes first is not seen:\n%s", p.text)
			}
			w.apply(nil)
			w.plan(nil).expectNoChanges(t)
		})
	}
}

// A plan with the previous token says so.
func TestAPlanNamesAnOldToken(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
	w.config(requirements + `
variable "token" {
  type      = string
  ephemeral = true
}
resource "scimbridge_provisioning" "it" {
  manager_email   = "manager@example.com"
  bearer_token_wo = var.token
  overlap         = "0s"
}
`)
	first, second, third := newToken(t), newToken(t), newToken(t)
	tokens := func(token session.Token) vars { return vars{"token": token.Reveal()} }
	w.apply(tokens(first))
	if p := w.plan(tokens(second)); !strings.Contains(flat(p.text), "The bearer token will be rotated") ||
		!strings.Contains(flat(p.text), "with fingerprint "+first.Fingerprint()+" is replaced by the one with "+
			"fingerprint "+
			second.Fingerprint()) {
		t.Errorf("the plan does not say from what to what:\n%s", p.text)
	}
	w.apply(tokens(second))
	w.apply(tokens(third))
	w.plan(tokens(third)).expectNoChanges(t)
	for _, old := range []session.Token{first, second} {
		p := w.plan(tokens(old))
		if !strings.Contains(flat(p.text), "bearer_token_wo is an earlier token") ||
			!strings.Contains(flat(p.text), third.Fingerprint()) {
			t.Errorf("the plan does not say that the token is an old one:\n%s", p.text)
		}
	}
	if code, out := w.run(vars{"token": ""}, "plan", "-no-color", "-input=false"); code != 1 ||
		!strings.Contains(flat(out), "bearer token is empty") {
		t.Errorf("with an empty token, the plan ended with %d:\n%s", code, out)
	}
}
