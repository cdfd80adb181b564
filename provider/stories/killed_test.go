package stories

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// killed returns what a run leaves that is killed while it creates many objects:
// the objects, and a state without them.
const killed = requirements + `
variable "adopt" {
  type    = bool
  default = false
}
resource "scimbridge_signup_domain" "counted" {
  count          = 30
  domain         = "d${count.index}.example"
  adopt_existing = var.adopt
}
resource "scimbridge_firewall_rule" "of" {
  for_each       = { for i in range(30) : "net ${i}" => "10.0.${i}.0/24" }
  ip_ranges      = [each.value]
  description    = each.key
  adopt_existing = var.adopt
}
`

func newKilled(t *testing.T) *workspace {
	t.Helper()
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
	for i := range 30 {
		d, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil, api.SignupDomainInput{
			Domain: fmt.Sprintf("d%d.example", i),
		}))
		providertest.Expect(t, http.StatusCreated, d, err)
		ranges, description := []string{fmt.Sprintf("10.0.%d.0/24", i)}, fmt.Sprintf("net %d", i)
		r, err := apitest.Read[api.FirewallRule](account.API.CreateFirewallRule(t.Context(), nil, api.FirewallRuleInput{
			IpRanges: &ranges, Description: &description,
		}))
		providertest.Expect(t, http.StatusCreated, r, err)
	}
	w.config(killed)
	return w
}

// The apply after a killed one lists the existing objects once, as import blocks
// that can be pasted as they are.
func TestAfterAKilledRunTheImportBlocksAreReady(t *testing.T) {
	t.Parallel()
	w := newKilled(t)
	began := time.Now()
	code, out := w.run(nil, "apply", "-auto-approve", "-no-color", "-input=false")
	if code == 0 {
		t.Fatalf("the apply made everything twice:\n%s", out)
	}
	t.Logf("the apply was refused in %s", time.Since(began))
	_, errors, _ := strings.Cut(strings.ReplaceAll(out, "│ ", ""), "Error: ")
	blocks := regexp.MustCompile(`(?m)^import \{\n  to = .*\n  id = ".*"\n\}$`).FindAllString(errors, -1)
	if len(blocks) != 60 || strings.Contains(errors, "<name>") {
		t.Fatalf("%d blocks, want one for each:\n%s", len(blocks), out)
	}
	w.config(killed + strings.Join(blocks, "\n"))
	if out := w.apply(nil); !strings.Contains(out, "60 imported, 0 added, 0 changed, 0 destroyed") {
		t.Fatalf("not a clean import:\n%s", out)
	}
	w.plan(nil).expectNoChanges(t) // the blocks are still there, and do nothing
}

func TestAfterAKilledRunExistingObjectsCanBeAdopted(t *testing.T) {
	t.Parallel()
	w := newKilled(t)
	adopt := vars{"adopt": "true"}
	if p := w.plan(adopt); !strings.Contains(p.text, "will be adopted") {
		t.Errorf("the plan does not say that anything is adopted:\n%s", p.text)
	}
	w.apply(adopt)
	w.plan(adopt).expectNoChanges(t)
	w.plan(nil).expectNoChanges(t) // it counts at the creation alone
	if id := w.attribute("scimbridge_signup_domain.counted[7]", "id"); id != "d7.example" {
		t.Errorf("the state has %q", id)
	}
	// Under other names all objects are handed over, in any order.
	w.config(strings.NewReplacer(`"counted"`, `"renamed"`, `"of"`, `"named"`).Replace(killed))
	w.apply(adopt)
	w.plan(adopt).expectNoChanges(t)
	w.destroy(adopt)
	w.config(requirements + "data \"scimbridge_signup_domains\" \"all\" {}\n" +
		"data \"scimbridge_firewall_policy\" \"it\" {}\n" +
		"output \"left\" {\n  value = length(data.scimbridge_signup_domains.all.domains) + " +
		"length(data.scimbridge_firewall_policy.it.rules)\n}\n")
	if out := w.apply(nil); !strings.Contains(out, "left = 0") {
		t.Errorf("something is left:\n%s", out)
	}
}
