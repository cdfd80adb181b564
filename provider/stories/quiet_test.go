package stories

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// everything is a configuration with one of each resource of the account.
const everything = requirements + `
variable "token" {
  type      = string
  ephemeral = true
  default   = null
}
variable "email" {
  type    = string
  default = "manager@example.com"
}
variable "zone" {
  type    = string
  default = "example"
}
variable "network" {
  type    = string
  default = "192.0.2.0/24"
}
variable "action" {
  type    = string
  default = "report"
}
resource "scimbridge_provisioning" "it" {
  manager_email   = var.email
  bearer_token_wo = var.token
}
resource "scimbridge_firewall_policy" "it" {
  default_action = var.action
}
resource "scimbridge_firewall_rule" "it" {
  ip_ranges   = [var.network]
  description = "of ${var.zone}"
}
resource "scimbridge_signup_domain" "it" {
  domain = "one.${var.zone}"
}
resource "scimbridge_signup_domains" "it" {
  domains      = ["all.${var.zone}"]
  on_unmanaged = "report"
}
`

// resources are those of everything.
var resources = []string{
	"scimbridge_provisioning.it", "scimbridge_firewall_policy.it", "scimbridge_firewall_rule.it",
	"scimbridge_signup_domain.it", "scimbridge_signup_domains.it",
}

// A bridge's last contact, which moves every few seconds, is not drift.
func TestARefreshIsQuietWhileABridgeWorks(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
	w.config(everything)
	token := newToken(t)
	v := vars{"token": token.Reveal()}
	w.apply(v)
	w.apply(v) // the list of domains that was made before the single one knows of it now
	world := &world{workspace: w, account: account}
	runBridge(t, world, w.attribute("scimbridge_provisioning.it", "session"), token)
	world.eventually("the account has heard the bridge", func() (bool, string) {
		p, err := apitest.Read[api.Provisioning](account.API.GetProvisioning(t.Context()))
		providertest.Expect(t, http.StatusOK, p, err)
		return p.Value.LastContact != nil, string(p.Body)
	})
	// The exit code does not help: Terraform 1.11 and later take a number in a
	// state for a different one when it is read again.
	if _, out := w.run(v, "plan", "-refresh-only", "-no-color", "-input=false"); !strings.Contains(out, "No changes.") {
		t.Errorf("the refresh found changes:\n%s", out)
	}
	w.plan(v).expectNoChanges(t)
}

// Without a refresh, destroying looks at the account, too.
func TestNothingIsDestroyedAtAnotherAccount(t *testing.T) {
	t.Parallel()
	mine, other := providertest.NewAccount(t), providertest.NewAccount(t)
	at := func(a *providertest.Account) []string {
		return []string{"SCIMBRIDGE_ACCOUNT_URL=" + a.URL, "SCIMBRIDGE_ACCOUNT_TOKEN=" + a.Token}
	}
	w := newWorkspace(t, providertest.Installation(t), at(mine)...)
	w.config(everything)
	v := vars{"token": newToken(t).Reveal()}
	w.apply(v)

	w.env = append(w.env, at(other)...)
	for _, address := range resources {
		code, out := w.run(v, "destroy", "-refresh=false", "-auto-approve", "-no-color",
			"-input=false", "-target="+address)
		if said := flat(out); code == 0 || !strings.Contains(said, "Another account answers") {
			t.Errorf("%s: destroy ended with %d:\n%s", address, code, out)
		}
		w.attribute(address, "id") // it is still in the state
	}
	w.env = append(w.env, at(mine)...)
	w.plan(v).expectNoChanges(t)
}

// wholes are the resources that manage a whole list; rules have the names that
// an import gives them.
const wholes = requirements + `
variable "network" {
  type    = string
  default = "192.0.2.0/24"
}
variable "zone" {
  type    = string
  default = "example"
}
resource "scimbridge_firewall_policy" "it" {
  default_action = "report"
  rules = {
    "the office" = { ip_ranges = [var.network], description = "the office" }
  }
}
resource "scimbridge_signup_domains" "it" {
  domains = ["all.${var.zone}"]
}
`

// After an import nothing changes. Terraform marks a value of a sensitive
// variable in the state by an update, which sends nothing to the account.
func TestAnImportChangesNothing(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]struct {
		text    string
		objects []string
	}{
		"singles": {everything, []string{"scimbridge_provisioning.it", "scimbridge_firewall_rule.it",
			"scimbridge_signup_domain.it"}},
		"wholes": {wholes, []string{"scimbridge_firewall_policy.it", "scimbridge_signup_domains.it"}},
	} {
		for _, sensitive := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sensitive: %t", name, sensitive), func(t *testing.T) {
				t.Parallel()
				account := providertest.NewAccount(t)
				w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
					"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
				text := config.text
				for _, variable := range []string{"email", "zone", "network"} {
					if sensitive {
						text = strings.Replace(text, `variable "`+variable+"\" {\n",
							`variable "`+variable+"\" {\n  sensitive = true\n",
							1)
					}
				}
				w.config(text)
				v := vars{"token": newToken(t).Reveal()}
				w.apply(v)
				w.apply(v) // lists know of what was made after them
				before := writes(account)
				if before == 0 {
					t.Fatal("the account's log names no write: the test would prove nothing")
				}
				for _, address := range config.objects {
					id := w.attribute(address, "id")
					if code, out := w.run(nil, "state", "rm", address); code != 0 {
						t.Fatalf("forget %s:\n%s", address, out)
					}
					if code, out := w.run(v, "import", "-no-color", "-input=false", address, id); code != 0 {
						t.Fatalf("import %s:\n%s", address, out)
					}
				}
				p := w.plan(v)
				if !sensitive {
					p.expectNoChanges(t)
				} else if strings.Contains(p.text, " -> ") || strings.Contains(p.text, "known after apply") ||
					strings.Contains(p.text, "Warning: Firewall") {
					t.Errorf("the plan changes more than marks:\n%s", p.text)
				}
				w.apply(v)
				w.plan(v).expectNoChanges(t)
				if now := writes(account); now != before {
					t.Errorf("the import wrote to the account %d times", now-before)
				}
			})
		}
	}
}

// writes counts the requests that change something.
func writes(account *providertest.Account) (n int) {
	for line := range strings.Lines(account.Log()) {
		for _, method := range []string{"method=POST", "method=PUT", "method=PATCH", "method=DELETE"} {
			if strings.Contains(line, method) && !strings.Contains(line, "/evaluate") {
				n++
			}
		}
	}
	return n
}

// A plan over many objects waits once for an account that does not answer, and
// has one error.
func TestAPlanWaitsOnceForAnUnreachableAccount(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
	config := func(url string) string {
		return requirements + fmt.Sprintf("provider \"scimbridge\" {\n  account_url     = %q\n"+
			"  request_timeout = \"4s\"\n}\n", url) + `
resource "scimbridge_signup_domain" "it" {
  count  = 30
  domain = "d${count.index}.example"
}
resource "scimbridge_firewall_rule" "it" {
  count     = 10
  ip_ranges = ["10.0.${count.index}.0/24"]
}
`
	}
	w.config(config(account.URL))
	w.apply(nil)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	account.Stop()
	// The port of a stopped account may be another test's by now; port 1 has no listener.
	for name, url := range map[string]string{"away": "http://127.0.0.1:1", "silent": silent.URL} {
		w.config(config(url))
		began := time.Now()
		code, out := w.run(nil, "plan", "-no-color", "-input=false")
		t.Logf("%s: the plan failed after %s", name, time.Since(began))
		said := flat(out)
		if whole, short := strings.Count(said, "Check that the account service runs"),
			strings.Count(said, "Not repeated, since earlier in this run"); code != 1 || whole != 1 || short != 39 {
			t.Errorf("%s: the plan ended with %d, %d whole errors and %d short ones:\n%s",
				name, code, whole, short, out)
		}
	}
}

// TF_LOG=DEBUG shows every request to the account, and no secret.
func TestRequestsAreInTerraformsLog(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t),
		"SCIMBRIDGE_ACCOUNT_URL="+account.URL, "SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token, "TF_LOG=DEBUG")
	w.config(everything)
	token := newToken(t)
	out := w.apply(vars{"token": token.Reveal()})
	for _, want := range []string{"path=/v1/whoami", "method=POST", "status=201", "request_id=", "duration="} {
		if !strings.Contains(out, want) {
			t.Errorf("the log has no %s", want)
		}
	}
	for name, secret := range map[string]string{"account's": account.Token, "bearer": token.Reveal()} {
		if strings.Contains(out, secret) {
			t.Errorf("the %s token is in the log", name)
		}
	}
	if t.Failed() {
		t.Logf("%.20000s", out)
	}
}
