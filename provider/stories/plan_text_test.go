package stories

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

var update = flag.Bool("update", false, "rewrite testdata/plans with Terraform's output")

// The text of the main plans of a firewall, word for word: it is what reviewers
// read.
func TestPlansReadWell(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)

	const office = `
resource "scimbridge_firewall_rule" "office" {
  ip_ranges   = ["127.0.0.0/8", "192.0.2.0/24"]
  description = "the office"
}
`
	const policy = `
resource "scimbridge_firewall_policy" "this" {
  default_action = "deny"
  rules = {
    office = { ip_ranges = ["127.0.0.0/8"], priority = 10, description = "the office" }
    guests = { action = "deny", ip_ranges = ["198.51.100.0/24"], description = "nobody" }
  }
}
`
	foreign := "" // the id of a rule that was added by hand
	for _, step := range []struct {
		file, config string
		before       func()
		apply        bool
	}{
		{file: "rule-created", config: office, apply: true},
		{file: "rule-changed-in-place", config: strings.Replace(office, `"192.0.2.0/24"`,
			`"192.0.2.0/25", "203.0.113.7"`,
			1)},
		{file: "rule-edited-by-hand", config: office, apply: true, before: func() {
			action, priority, ranges := api.Report, 7, []string{"127.0.0.0/8"}
			resp, err := apitest.Read[api.FirewallRule](account.API.ReplaceFirewallRule(t.Context(),
				w.attribute("scimbridge_firewall_rule.office", "id"), nil,
				api.FirewallRuleInput{Action: &action, Priority: &priority, IpRanges: &ranges}))
			done(t, resp.Status, resp.Body, err)
		}},
		{file: "rule-that-locks-out", config: strings.Replace(office, "ip_ranges",
			"action = \"deny\"\n  ip_ranges", 1)},
		{file: "rule-destroyed", config: "", apply: true},
		{file: "policy-created", config: policy, apply: true},
		{file: "policy-with-a-rule-renamed-and-one-changed", config: strings.NewReplacer("office =", "headquarters =",
			`"198.51.100.0/24"`, `"198.51.100.0/25"`).Replace(policy)},
		{file: "policy-with-a-foreign-rule", config: policy, before: func() {
			ranges, description := []string{"203.0.113.0/24"}, "added by hand"
			resp, err := apitest.Read[api.FirewallRule](account.API.CreateFirewallRule(t.Context(),
				nil, api.FirewallRuleInput{
					IpRanges: &ranges, Description: &description,
				}))
			providertest.Expect(t, http.StatusCreated, resp, err)
			foreign = resp.Value.Id
		}},
		{file: "policy-that-reports-a-foreign-rule", config: strings.Replace(policy, "rules = {",
			"on_unmanaged = \"report\"\n  rules = {", 1)},
		{file: "policy-that-locks-out", config: strings.Replace(policy, "127.0.0.0/8", "192.0.2.0/24", 1)},
		{file: "policy-without-rules", config: "resource \"scimbridge_firewall_policy\" \"this\" {\n" +
			"  default_action = \"deny\"\n}\n"},
		// Versions differ in whether a destroyed object shows as it is or as it was.
		{file: "policy-destroyed", config: "", before: func() {
			resp, err := apitest.Read[struct{}](account.API.DeleteFirewallRule(t.Context(), foreign, nil))
			providertest.Expect(t, http.StatusNoContent, resp, err)
		}},
	} {
		if step.before != nil {
			step.before()
		}
		w.config(requirements + step.config)
		_, text := w.run(nil, "plan", "-no-color", "-input=false")
		held(t, step.file, text)
		if step.apply {
			w.apply(nil)
		}
	}
}

var (
	ids     = regexp.MustCompile(`\b[0-9a-z]{20,32}\b|\b[A-Z2-7]{26}\b`)
	preface = regexp.MustCompile(`(?s)\A.*?\n(  # |Error: )`)
	trailer = regexp.MustCompile(`(?s)─{10,}.*\z`)
)

// held compares a text with the one in testdata, except for ids and Terraform's
// notes on its environment.
func held(t *testing.T, name, text string) {
	t.Helper()
	text = trailer.ReplaceAllString(preface.ReplaceAllString(text, "$1"), "")
	text = strings.TrimRight(ids.ReplaceAllString(text, "ID"), "\n") + "\n"
	file := filepath.Join("testdata", "plans", name+".txt")
	if *update {
		write(t, file, text)
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: the plan reads\n%s\nwant\n%s\n"+
			"If that is better, go test ./provider/stories -run TestPlansReadWell "+
			"-update", name, text, want)
	}
}
