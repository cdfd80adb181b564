package firewall_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// What is there is imported, not made a second time.
func TestARuleThatExistsComesWithItsImportBlock(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	id := add(t, account, "the office", "192.0.2.0/24", "203.0.113.7")
	config := rule(account, "ip_ranges = [\"203.0.113.7/32\", \"192.0.2.0/24\"]\ndescription = \"the office\"")
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           config,
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				ExpectError: regexp.MustCompile(
					`(?s)already exists.*import \{\s+to = scimbridge_firewall_rule\.<name>\s+id = "` + id + `"`),
			},
			{
				Config:           config + fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", address, id),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{Config: config, ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
			{ // beside it, one that differs in a word
				Config: config + "resource \"scimbridge_firewall_rule\" \"other\" {\n" +
					"  ip_ranges = [\"203.0.113.7\", \"192.0.2.0/24\"]\n}\n",
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("scimbridge_firewall_rule.other", plancheck.ResourceActionCreate),
				}},
			},
		},
	})
}

// A resource that gets another name without a moved block is destroyed and
// made in one run, in any order: here its old self goes late.
func TestARuleUnderAnotherNameIsMadeWhenTheOldOneIsGone(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	const old, late = "scimbridge_firewall_rule.old", "terraform_data.late"
	before := account.ProviderBlock() + `
resource "scimbridge_firewall_rule" "old" {
  ip_ranges = ["192.0.2.0/24"]
}
resource "terraform_data" "late" {
  depends_on = [scimbridge_firewall_rule.old]
}
`
	after := rule(account, `ip_ranges = ["192.0.2.0/24"]`)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		CheckDestroy:             func(*terraform.State) error { return expectRules(t, account, 0) },
		Steps: []resource.TestStep{
			{
				Config: before,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(old, plancheck.ResourceActionCreate),
					},
				},
			},
			{
				Config: after + `
removed {
  from = terraform_data.late
  lifecycle {
    destroy = true
  }
  provisioner "local-exec" {
    when    = destroy
    command = "sleep 0.6"
  }
}
`,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(old, plancheck.ResourceActionDestroy),
					plancheck.ExpectResourceAction(late, plancheck.ResourceActionDestroy),
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionCreate),
				}},
			},
			{Config: after, ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
		},
	})
	if !strings.Contains(account.Log(), "code=firewall_rule_exists") {
		t.Error("the account refused nothing: the test proves nothing")
	}
}

// The rule that lets Terraform itself in can neither go before the new one
// comes nor stay beside it: without a moved block, nothing happens to it.
func TestTheCallersOwnRuleUnderAnotherName(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	const old = "scimbridge_firewall_rule.old"
	before := account.ProviderBlock() + "resource \"scimbridge_firewall_rule\" \"old\" {\n" +
		"  ip_ranges = [\"127.0.0.1\"]\n}\n"
	after := rule(account, `ip_ranges = ["127.0.0.1"]`)
	defaultAction := func(action api.FirewallAction) {
		resp, err := apitest.Read[api.Firewall](account.API.UpdateFirewall(t.Context(), nil,
			api.FirewallUpdate{DefaultAction: &action}))
		providertest.Expect(t, http.StatusOK, resp, err)
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config: before,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(old, plancheck.ResourceActionCreate),
					},
				},
			},
			{
				PreConfig:   func() { defaultAction(api.Deny) },
				Config:      after,
				ExpectError: regexp.MustCompile(`(?s)already exists.*write a moved\s+block`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(old, plancheck.ResourceActionDestroy),
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionCreate),
				}},
			},
			{
				Config:           after + "moved {\n  from = " + old + "\n  to   = " + address + "\n}\n",
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{
				PreConfig:        func() { defaultAction(api.Allow) }, // or nothing could be destroyed
				Config:           after,
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
		},
	})
}

// A plan says of what exists, over the protocol: the order in which
// Terraform plans is its own.
func TestAPlanTellsOfRulesThatExist(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	id := add(t, account, "", "127.0.0.1")
	there := aRule{action: "allow", priority: 100, ranges: []string{"127.0.0.1"}}
	other := aRule{action: "allow", priority: 101, ranges: []string{"127.0.0.1"}}
	for _, row := range []struct {
		name     string
		rules    []aRule
		severity tfprotov6.DiagnosticSeverity
		want     string // of the last rule; empty: nothing
	}{
		{"a rule that is there", []aRule{there}, tfprotov6.DiagnosticSeverityWarning, `id = "` + id + `"`},
		{"one that differs", []aRule{other}, 0, ""},
		{"one that another resource had, and gives up in this run", []aRule{{id: id, destroy: true}, there}, 0, ""},
		{
			"one that another resource has, and keeps",
			[]aRule{{id: id, action: "allow", priority: 100, ranges: []string{"127.0.0.1"}, same: true}, there},
			tfprotov6.DiagnosticSeverityError, "remove one of the two",
		},
		{"one that another resource makes too", []aRule{other, other}, tfprotov6.DiagnosticSeverityError,
			"remove one of the two"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			tf := configured(t, account)
			var diags []*tfprotov6.Diagnostic
			for _, rule := range row.rules {
				diags = tf.plan(rule)
			}
			switch {
			case row.want == "" && len(diags) != 0:
				t.Errorf("%s: %s", diags[0].Summary, diags[0].Detail)
			case row.want != "" &&
				(len(diags) != 1 || diags[0].Severity != row.severity || !strings.Contains(diags[0].Detail, row.want)):
				t.Errorf("diagnostics %+v, want one with %q", diags, row.want)
			}
		})
	}
}

// Beside rules of others a policy may be made, but not of rules that they are:
// whose they are is said by an import.
func TestAPolicyTakesNothingOverUnseen(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	add(t, account, "", "192.0.2.0/24")
	foreign := add(t, account, "", "198.51.100.0/24")
	id := accountID(t, account)
	config := func(ranges string) string {
		return policy(account, fmt.Sprintf(`
  default_action = "allow"
  on_unmanaged   = "report"
  rules = {
    mine = { ip_ranges = [%q] }
  }`, ranges))
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           config("192.0.2.0/24"),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate), // the plan warns
				ExpectError: regexp.MustCompile(
					`(?s)already has firewall\s+rules.*192\.0\.2\.0/24\s.*` +
						`import \{\s+to = scimbridge_firewall_policy\.<name>\s+id = "` + id + `"`),
			},
			{
				Config: config("192.0.2.0/24") + fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", whole, id),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate,
					plancheck.ExpectKnownValue(whole, tfjsonpath.New("rules").AtMapKey("mine").AtMapKey("id"),
						knownvalue.NotNull()),
					plancheck.ExpectKnownValue(whole,
						tfjsonpath.New("unmanaged_rules").AtMapKey(foreign).AtMapKey("action"),
						knownvalue.StringExact("allow")),
				),
			},
			{Config: config("192.0.2.0/24"), ConfigPlanChecks: policyPlanned(plancheck.ResourceActionNoop)},
		},
	})
	if wrote := requests(account, "PATCH", "/v1/firewall"); wrote != 0 {
		t.Errorf("what was there was written %d times", wrote)
	}
}

// A rule that comes between the plan and the apply is not taken over either.
func TestAPolicyTakesNothingOverThatCameAfterThePlan(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config: policy(account, "default_action = \"allow\"\n  on_unmanaged = \"report\"\n  rules = {\n"+
				"    mine = { ip_ranges = [\"192.0.2.0/24\"] }\n  }"),
			ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate, meanwhile(func() {
				add(t, account, "", "192.0.2.0/24")
			})),
			ExpectError: regexp.MustCompile(`(?s)already has firewall\s+rules.*import \{`),
		}},
	})
	if err := expectRules(t, account, 1); err != nil {
		t.Error(err)
	}
}

// A rule that another resource has, and only changes in this run, is not taken
// over from it: adopt_existing is for objects that no resource releases. Here the other
// one's change comes late.
func TestARuleThatChangesIsNotTakenOver(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	config := func(network, more string) string {
		return rule(account, "ip_ranges = [\""+network+"\"]\n  depends_on = [terraform_data.late]") + `
resource "terraform_data" "late" {
  triggers_replace = "` + network + `"
  provisioner "local-exec" {
    command = "sleep 0.5"
  }
}
` + more
	}
	const adopting = "resource \"scimbridge_firewall_rule\" \"new\" {\n  ip_ranges      = [\"10.0.1.0/24\"]\n" +
		"  adopt_existing = true\n}\n"
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config("10.0.1.0/24", "")},
			{
				Config: config("10.0.2.0/24", adopting),
				Check:  func(*terraform.State) error { return expectRules(t, account, 2) },
			},
			{
				Config: config("10.0.2.0/24", adopting),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
			},
		},
	})
}
