package firewall_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

const address = "scimbridge_firewall_rule.it"

func rule(account *providertest.Account, arguments string) string {
	return account.ProviderBlock() + "resource \"scimbridge_firewall_rule\" \"it\" {\n" + arguments + "\n}\n"
}

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func has(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func TestARuleIsMadeChangedInPlaceAndImported(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	same := statecheck.CompareValue(identical{})
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		CheckDestroy:             func(*terraform.State) error { return expectRules(t, account, 0) },
		Steps: []resource.TestStep{
			{
				Config:           rule(account, `ip_ranges = ["192.0.2.1/32", "198.51.100.0/24"]`),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					has("action", knownvalue.StringExact("allow")),
					has("priority", knownvalue.Int64Exact(100)),
					has("description", knownvalue.StringExact("")),
					has("ip_ranges", knownvalue.SetExact([]knownvalue.Check{
						knownvalue.StringExact("192.0.2.1/32"), knownvalue.StringExact("198.51.100.0/24"),
					})),
					same.AddStateValue(address, tfjsonpath.New("id")),
				},
			},
			{ // another spelling of the same is no change
				Config:           rule(account, `ip_ranges = ["198.51.100.0/24", "192.0.2.1"]`),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{ // everything at once, in place; the priority follows the action
				Config: rule(account,
					"action = \"deny\"\nip_ranges = [\"203.0.113.0/24\"]\ndescription = \"guests\""),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					has("priority", knownvalue.Int64Exact(500)),
					same.AddStateValue(address, tfjsonpath.New("id")),
				},
			},
			{ // a number of one's own
				Config:            rule(account, "action = \"deny\"\nip_ranges = [\"203.0.113.0/24\"]\npriority = 7"),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{has("description", knownvalue.StringExact(""))},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateId: "203.0.113.0/24"},
			{
				ResourceName: address, ImportState: true, ImportStateId: "203.0.113.7",
				ExpectError: regexp.MustCompile(`(?s)no rule has the id.*deny, priority\s+7: 203\.0\.113\.0/24`),
			},
		},
	})
}

func TestARuleChangedByHandShowsAsDrift(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	config := rule(account, `ip_ranges = ["192.0.2.0/24"]`)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config, ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				PreConfig: func() { edit(t, account, "a hand") },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
					plancheck.ExpectKnownValue(address, tfjsonpath.New("priority"), knownvalue.Int64Exact(100)),
				}},
			},
			{
				PreConfig: func() {
					resp, err := apitest.Read[struct{}](account.API.DeleteFirewallRule(t.Context(),
						only(t, account).Id, nil))
					providertest.Expect(t, http.StatusNoContent, resp, err)
				},
				Config:           config,
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
		},
	})
}

func TestARuleChangedBetweenPlanAndApplyIsNotOverwritten(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: rule(account, `ip_ranges = ["192.0.2.0/24"]`),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				Config: rule(account, `ip_ranges = ["192.0.2.0/25"]`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
					meanwhile(func() { edit(t, account, "another client") }),
				}},
				ExpectError: regexp.MustCompile(`(?s)version_mismatch.*Run terraform apply\s+again`),
			},
			{ // it is still there, and the next plan shows it
				Config: rule(account, `ip_ranges = ["192.0.2.0/25"]`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
					meanwhile(func() {
						if got := only(t, account).Description; got != "another client" {
							t.Errorf("the other's change is lost: description is %q", got)
						}
					}),
				}},
			},
		},
	})
}

func TestARuleDeletedBetweenPlanAndApplyIsMadeByTheNextOne(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	changed := rule(account, `ip_ranges = ["192.0.2.0/25"]`)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: rule(account, `ip_ranges = ["192.0.2.0/24"]`),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				Config: changed,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
					meanwhile(func() {
						resp, err := apitest.Read[struct{}](account.API.DeleteFirewallRule(t.Context(),
							only(t, account).Id, nil))
						providertest.Expect(t, http.StatusNoContent, resp, err)
					}),
				}},
				ExpectError: regexp.MustCompile(`(?s)was deleted.*Run\s+terraform apply\s+again`),
			},
			{Config: changed, ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
		},
	})
}

func TestALockOutIsRefusedAndExplained(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config: rule(account, "action = \"deny\"\nip_ranges = [\"127.0.0.0/8\"]"),
			ExpectError: regexp.MustCompile(
				`(?s)would_lock_out.*Locked out: the machine that runs Terraform, at 127\.0\.0\.1, by.*` +
					`allow_lockout\s+=\s+true`),
		}},
	})
	if err := expectRules(t, account, 0); err != nil {
		t.Error(err)
	}
}

func TestMistakesAreErrorsOfThePlan(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, row := range []struct{ name, arguments, want string }{
		{"host bits name the network to write", `ip_ranges = ["192.0.2.7/24"]`, `write\s+192\.0\.2\.0/24`},
		{"one range twice", `ip_ranges = ["192.0.2.7", "192.0.2.7/32"]`, `are the same\s+IP\s+range`},
		{"no kind of match", `action = "deny"`, `exactly\s+one`},
		{"two kinds of match", "ip_ranges = [\"192.0.2.7\"]\ncountries = [\"CH\"]", `exactly\s+one`},
		{"no ranges", `ip_ranges = []`, `at least 1`},
		{"an unknown action", "action = \"block\"\nip_ranges = [\"192.0.2.7\"]", `"allow"`},
		{"a negative priority", "priority = -1\nip_ranges = [\"192.0.2.7\"]", `between 0 and`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: rule(account, row.arguments), PlanOnly: true, ExpectError: regexp.MustCompile(row.want),
				}},
			})
		})
	}
}

func TestTheCallerIsWhoTheAccountSees(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config: account.ProviderBlock() + `data "scimbridge_caller" "me" {}`,
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.scimbridge_caller.me", tfjsonpath.New("address"),
					knownvalue.StringExact("127.0.0.1")),
				statecheck.ExpectKnownValue("data.scimbridge_caller.me", tfjsonpath.New("account_name"),
					knownvalue.StringExact("Test")),
			},
		}},
	})
}

// identical compares the values of a rule's id: nothing replaces a rule.
type identical struct{}

func (identical) CompareValues(values ...any) error {
	for _, value := range values[1:] {
		if value != values[0] {
			return fmt.Errorf("the rule was replaced: %v", values)
		}
	}
	return nil
}

// meanwhile runs between a plan and its apply.
type meanwhile func()

func (do meanwhile) CheckPlan(context.Context, plancheck.CheckPlanRequest, *plancheck.CheckPlanResponse) {
	do()
}

func all(t *testing.T, account *providertest.Account) []api.FirewallRule {
	t.Helper()
	page, err := apitest.Read[api.FirewallRulePage](account.API.ListFirewallRules(t.Context(), nil))
	providertest.Expect(t, http.StatusOK, page, err)
	return page.Value.Items
}

func only(t *testing.T, account *providertest.Account) api.FirewallRule {
	t.Helper()
	rules := all(t, account)
	if len(rules) != 1 {
		t.Fatalf("the account has %d rules, want 1", len(rules))
	}
	return rules[0]
}

func expectRules(t *testing.T, account *providertest.Account, want int) error {
	t.Helper()
	if rules := all(t, account); len(rules) != want {
		return fmt.Errorf("the account has %d rules, want %d", len(rules), want)
	}
	return nil
}

// edit changes the one rule by hand.
func edit(t *testing.T, account *providertest.Account, description string) {
	t.Helper()
	found, priority := only(t, account), 3
	resp, err := apitest.Read[api.FirewallRule](account.API.ReplaceFirewallRule(t.Context(), found.Id, nil,
		api.FirewallRuleInput{
			Action: &found.Action, IpRanges: found.IpRanges, Priority: &priority, Description: &description,
		}))
	providertest.Expect(t, http.StatusOK, resp, err)
}
