package firewall_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
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

const whole = "scimbridge_firewall_policy.it"

func policy(account *providertest.Account, arguments string) string {
	return account.ProviderBlock() + "resource \"scimbridge_firewall_policy\" \"it\" {\n" + arguments + "\n}\n"
}

func policyPlanned(action plancheck.ResourceActionType, checks ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: append(checks, plancheck.ExpectResourceAction(whole, action))}
}

func policyHas(value knownvalue.Check, at ...string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(whole, pathOf(at), value)
}

func pathOf(steps []string) tfjsonpath.Path {
	path := tfjsonpath.New(steps[0])
	for _, step := range steps[1:] {
		path = path.AtMapKey(step)
	}
	return path
}

const office = `
  default_action = "deny"
  rules = {
    office = { ip_ranges = ["127.0.0.0/8"], priority = 10 }
  }`

func TestThePolicyIsWrittenWholeAndChangedInPlace(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	same := statecheck.CompareValue(identical{})
	office1 := same.AddStateValue(whole, tfjsonpath.New("rules").AtMapKey("office").AtMapKey("id"))
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           policy(account, office),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					policyHas(knownvalue.StringExact("remove"), "on_unmanaged"),
					policyHas(knownvalue.StringExact("allow"), "rules", "office", "action"),
					policyHas(knownvalue.MapSizeExact(0), "unmanaged_rules"),
					office1,
				},
			},
			{ // a rule more, without touching the other; priority follows the action
				Config: policy(account, `
  default_action = "deny"
  rules = {
    office = { ip_ranges = ["127.0.0.0/8"], priority = 10 }
    guests = { action = "deny", ip_ranges = ["192.0.2.0/24", "198.51.100.7"], description = "guests" }
  }`),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate,
					plancheck.ExpectKnownValue(whole, tfjsonpath.New("rules").AtMapKey("guests").AtMapKey("priority"),
						knownvalue.Int64Exact(500)),
					plancheck.ExpectKnownValue(whole, tfjsonpath.New("rules").AtMapKey("office").AtMapKey("id"),
						knownvalue.NotNull()),
				),
				ConfigStateChecks: []statecheck.StateCheck{
					same.AddStateValue(whole, tfjsonpath.New("rules").AtMapKey("office").AtMapKey("id")),
				},
			},
			{ // another spelling is no change
				Config: policy(account, `
  default_action = "deny"
  rules = {
    office = { ip_ranges = ["127.0.0.0/8"], priority = 10 }
    guests = { action = "deny", ip_ranges = ["198.51.100.7/32", "192.0.2.0/24"], description = "guests",
    	priority = 500 }
  }`),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionNoop),
			},
			{ // under another name it stays the rule that it is
				Config: policy(account, `
  default_action = "deny"
  rules = {
    headquarters = { ip_ranges = ["127.0.0.0/8"], priority = 10 }
  }`),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate,
					plancheck.ExpectKnownValue(whole, tfjsonpath.New("rules").AtMapKey("headquarters").AtMapKey("id"),
						knownvalue.NotNull())),
				ConfigStateChecks: []statecheck.StateCheck{
					same.AddStateValue(whole, tfjsonpath.New("rules").AtMapKey("headquarters").AtMapKey("id")),
				},
			},
			{ // without rules they stay in the account
				Config:           policy(account, `default_action = "deny"`),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					policyHas(knownvalue.Null(), "rules"),
					policyHas(knownvalue.Null(), "unmanaged_rules"),
				},
			},
		},
	})
	// A destroy leaves the policy as it is.
	if f := firewallOf(t, account); f.DefaultAction != api.Deny || len(f.Rules) != 1 {
		t.Errorf("after destroy the account has default action %s and %d rules, want deny and 1", f.DefaultAction,
			len(f.Rules))
	}
}

func TestAPolicyOverForeignRulesComesWithItsImportBlock(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	add(t, account, "the office", "127.0.0.0/8")
	add(t, account, "", "192.0.2.0/24")
	id := accountID(t, account)
	config := policy(account, `
  default_action = "allow"
  rules = {
    office = { ip_ranges = ["127.0.0.0/8"], description = "the office" }
    other  = { ip_ranges = ["192.0.2.0/24"] }
  }`)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           config,
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate), // the plan warns
				ExpectError: regexp.MustCompile(
					`(?s)already has firewall\s+rules.*192\.0\.2\.0/24.*` +
						`import \{\s+to = scimbridge_firewall_policy\.<name>\s+id = "` + id + `"`),
			},
			{ // the rules are found again by content: nothing is created again
				Config: config + fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", whole, id),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate,
					plancheck.ExpectKnownValue(whole, tfjsonpath.New("rules").AtMapKey("office").AtMapKey("id"),
						knownvalue.NotNull()),
					plancheck.ExpectKnownValue(whole, tfjsonpath.New("rules").AtMapKey("other").AtMapKey("id"),
						knownvalue.NotNull()),
				),
			},
			{Config: config, ConfigPlanChecks: policyPlanned(plancheck.ResourceActionNoop)},
			{ResourceName: whole, ImportState: true, ImportStateId: "another",
				ExpectError: regexp.MustCompile(`by the account's id`)},
		},
	})
	if wrote := requests(account, "PATCH", "/v1/firewall"); wrote != 0 {
		t.Errorf("the import of what is there was written %d times", wrote)
	}
}

func TestAnImportedPolicyIsNamedByItsDescriptions(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config: policy(account, `
  default_action = "report"
  rules = {
    "the office" = { ip_ranges = ["127.0.0.0/8"], description = "the office" }
  }`),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate),
			},
			{ResourceName: whole, ImportState: true, ImportStateVerify: true},
		},
	})
}

func TestDriftOfThePolicyIsSeenAndHealed(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	config := policy(account, office)
	steps := []resource.TestStep{{Config: config, ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate)}}
	var foreign string
	for _, drift := range []struct {
		what  string
		by    func()
		check func() plancheck.PlanCheck
	}{
		{"a rule was edited", func() { edit(t, account, "by hand") }, func() plancheck.PlanCheck {
			return plancheck.ExpectKnownValue(whole, tfjsonpath.New("rules").AtMapKey("office").AtMapKey("priority"),
				knownvalue.Int64Exact(10))
		}},
		{"the default action was changed", func() {
			allow := api.Allow
			resp, err := apitest.Read[api.Firewall](account.API.UpdateFirewall(t.Context(), nil,
				api.FirewallUpdate{DefaultAction: &allow}))
			providertest.Expect(t, http.StatusOK, resp, err)
		}, nil},
		{"a rule was added beside", func() {
			foreign = add(t, account, "", "203.0.113.0/24")
		}, func() plancheck.PlanCheck {
			return plancheck.ExpectKnownValue(whole, tfjsonpath.New("rules"), knownvalue.MapSizeExact(1))
		}},
		{"a rule was deleted", func() {
			yes := true
			resp, err := apitest.Read[struct{}](account.API.DeleteFirewallRule(t.Context(), only(t, account).Id,
				&api.DeleteFirewallRuleParams{AllowLockout: &yes}))
			// Without the only rule that lets it in, the caller is locked out: disable the firewall to look.
			providertest.Expect(t, http.StatusNoContent, resp, err)
			account.Command("firewall", "disable", "--for", "5m")
		}, nil},
	} {
		checks := []plancheck.PlanCheck{}
		if drift.check != nil {
			checks = append(checks, drift.check())
		}
		steps = append(steps, resource.TestStep{
			PreConfig: drift.by, Config: config,
			ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate, checks...),
		}, resource.TestStep{Config: config, ConfigPlanChecks: policyPlanned(plancheck.ResourceActionNoop)})
	}
	resource.UnitTest(t, resource.TestCase{ProtoV6ProviderFactories: providertest.Factories(t), Steps: steps})
	if f := firewallOf(t, account); f.DefaultAction != api.Deny || len(f.Rules) != 1 || f.Rules[0].Id == foreign {
		t.Errorf("the account is not healed: %+v", f)
	}
}

func TestForeignRulesAreReportedAndLeftAlone(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	first := add(t, account, "", "192.0.2.0/24")
	var second string
	reporting := func(more string) string {
		return policy(account, `
  default_action = "deny"
  on_unmanaged   = "report"
  rules = {
    office = { ip_ranges = ["127.0.0.0/8"] }`+more+`
  }`)
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           reporting(""),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					policyHas(knownvalue.StringExact("allow"), "unmanaged_rules", first, "action"),
				},
			},
			{
				PreConfig:         func() { second = add(t, account, "", "203.0.113.0/24") },
				Config:            reporting(""),
				ConfigPlanChecks:  policyPlanned(plancheck.ResourceActionNoop),
				ConfigStateChecks: []statecheck.StateCheck{policyHas(knownvalue.MapSizeExact(2), "unmanaged_rules")},
			},
			{ // what is listed is adopted, what is not is left alone
				Config: reporting("\n    adopted = { ip_ranges = [\"192.0.2.0/24\"] }\n" +
					"    added = { ip_ranges = [\"198.51.100.1\"] }"),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate,
					plancheck.ExpectKnownValue(whole, tfjsonpath.New("rules").AtMapKey("adopted").AtMapKey("id"),
						knownvalue.NotNull()),
					plancheck.ExpectUnknownValue(whole, tfjsonpath.New("rules").AtMapKey("added").AtMapKey("id")),
					plancheck.ExpectKnownValue(whole, tfjsonpath.New("unmanaged_rules"), knownvalue.MapSizeExact(1)),
				),
			},
			{ // what is not listed any more goes, what was never listed stays
				Config:            reporting(""),
				ConfigPlanChecks:  policyPlanned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{policyHas(knownvalue.MapSizeExact(1), "unmanaged_rules")},
			},
			{ // and now they are removed
				Config:            policy(account, office),
				ConfigPlanChecks:  policyPlanned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{policyHas(knownvalue.MapSizeExact(0), "unmanaged_rules")},
			},
		},
	})
	if rules := all(t, account); len(rules) != 1 || rules[0].Id == first || rules[0].Id == second {
		t.Errorf("the account's rules: %+v, want the office's alone", rules)
	}
}

func TestThePolicyLivesBesideSingleRules(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	config := policy(account, "default_action = \"deny\"\n  depends_on = [scimbridge_firewall_rule.it]") +
		"resource \"scimbridge_firewall_rule\" \"it\" {\n  ip_ranges = [\"127.0.0.1\"]\n}\n"
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config, ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate,
				plancheck.ExpectResourceAction(address, plancheck.ResourceActionCreate))},
			{Config: config, ConfigPlanChecks: policyPlanned(plancheck.ResourceActionNoop,
				plancheck.ExpectResourceAction(address, plancheck.ResourceActionNoop))},
			{ // its rules cannot be taken over unseen
				Config: config[:strings.Index(config, "resource ")] + strings.Replace(
					config[strings.Index(config, "resource "):],
					"default_action", "rules = {}\n  default_action", 1),
				PlanOnly:    true,
				ExpectError: regexp.MustCompile(`(?s)already has firewall\s+rules.*on_unmanaged = "report"`),
			},
			{ // so that the destroy of the test may take the single rule away
				Config:           strings.Replace(config, `"deny"`, `"allow"`, 1),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate),
			},
		},
	})
}

func TestTwoOwnersAreAnErrorOfThePlan(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, row := range []struct{ name, more, want string }{
		{"two policies", "resource \"scimbridge_firewall_policy\" \"other\" {" + office + "\n}\n",
			`Duplicate\s+scimbridge_firewall_policy`},
		{
			"a policy that removes and a single rule",
			"resource \"scimbridge_firewall_rule\" \"it\" {\n  ip_ranges = [\"192.0.2.1\"]\n}\n",
			`(?s)Firewall rule\s+managed\s+twice.*on_unmanaged\s+=\s+"report"`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: policy(account, office) + row.more, PlanOnly: true,
					ExpectError: regexp.MustCompile(row.want),
				}},
			})
		})
	}
}

// A single rule does not take over what a policy lists, neither what the
// account has nor what the policy is still to make.
func TestWhatThePolicyListsIsNotTakenOver(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	lists := func(network string) string {
		return policy(account, "default_action = \"allow\"\n  on_unmanaged = \"report\"\n  rules = {\n"+
			"    office = { ip_ranges = [\""+network+"\"] }\n  }")
	}
	adopts := func(network string) string {
		return "resource \"scimbridge_firewall_rule\" \"it\" {\n  ip_ranges      = [\"" +
			network + "\"]\n  adopt_existing " +
			"= true\n}\n"
	}
	twoOwners := regexp.MustCompile(
		`(?s)(Duplicate\s+firewall\s+rule|Firewall rule\s+managed\s+twice).*[Rr]emove\s+one\s+of\s+the\s+two`)
	const there, next = "192.0.2.0/24", "198.51.100.0/24"
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: lists(there) + adopts(there), PlanOnly: true, ExpectError: twoOwners},
			{Config: lists(there)},
			{Config: lists(there) + adopts(there), PlanOnly: true, ExpectError: twoOwners},
			{Config: lists(next) + adopts(next), PlanOnly: true, ExpectError: twoOwners},
			{ // beside a rule that is another one, it may
				PreConfig: func() { add(t, account, "", next) },
				Config:    lists(there) + adopts(next),
				Check:     func(*terraform.State) error { return expectRules(t, account, 2) },
			},
			{ // or when the policy's rule becomes another one in the same run
				Config: lists("203.0.113.0/24") + adopts(there),
				Check:  func(*terraform.State) error { return expectRules(t, account, 2) },
			},
		},
	})
}

// What a policy lists no more, a single rule of the same run may have: it is
// adopted before the policy removes it, or created again after that.
func TestWhatThePolicyListsNoMoreMayBeTakenOver(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, policyAfter, ruleAfter string }{
		{"in any order", "", ""},
		{"the single rule comes first", "  depends_on = [scimbridge_firewall_rule.it]", ""},
		{"the policy comes first", "", "  depends_on = [scimbridge_firewall_policy.it]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			config := func(rules, after string) string {
				return policy(account, "default_action = \"allow\"\n  on_unmanaged = \"report\"\n"+
					"  rules = {"+rules+"}\n"+after)
			}
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					{Config: config(`office = { ip_ranges = ["192.0.2.0/24"] }`, "")},
					{
						Config: config("", row.policyAfter) +
							"resource \"scimbridge_firewall_rule\" \"it\" {\n  ip_ranges      = [\"192.0.2.0/24\"]\n" +
							"  adopt_existing = true\n" + row.ruleAfter + "\n}\n",
						Check: func(*terraform.State) error { return expectRules(t, account, 1) },
					},
				},
			})
		})
	}
}

func TestAPolicyChangedBetweenPlanAndApplyIsNotOverwritten(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	changed := strings.Replace(office, "priority = 10", "priority = 11", 1)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: policy(account, office), ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate)},
			{
				Config: policy(account, changed),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate, meanwhile(func() {
					add(t, account, "", "192.0.2.1")
				})),
				ExpectError: regexp.MustCompile(`(?s)version_mismatch.*Run terraform apply\s+again`),
			},
			{ // it is still there, and the next plan shows that it goes
				Config: policy(account, changed),
				ConfigPlanChecks: policyPlanned(plancheck.ResourceActionUpdate, meanwhile(func() {
					if err := expectRules(t, account, 2); err != nil {
						t.Error(err)
					}
				})),
			},
		},
	})
}

func TestWhatIsUnknownIsLeftToTheAccount(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config: policy(account, `
  default_action = "deny"
  rules = {
    office = { ip_ranges = terraform_data.ranges.output, action = terraform_data.action.output }
  }`) + "resource \"terraform_data\" \"ranges\" {\n  input = [\"127.0.0.1\"]\n}\nresource \"terraform_data\" " +
				"\"action\" {\n  input = \"allow\"\n}\n",
			ConfigPlanChecks: policyPlanned(plancheck.ResourceActionCreate,
				plancheck.ExpectUnknownValue(whole, tfjsonpath.New("rules").AtMapKey("office").AtMapKey("priority"))),
			ConfigStateChecks: []statecheck.StateCheck{
				policyHas(knownvalue.Int64Exact(100), "rules", "office", "priority"),
			},
		}},
	})
}

func TestMistakesInAPolicyAreErrorsOfThePlan(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, row := range []struct{ name, rule, want string }{
		{"host bits", `ip_ranges = ["192.0.2.7/24"]`, `write\s+192\.0\.2\.0/24`},
		{"no kind of match", `action = "deny"`, `exactly\s+one`},
		{"two kinds of match", `ip_ranges = ["192.0.2.7"], countries = ["CH"]`, `exactly\s+one`},
		{"no country", `countries = ["ZZ"]`, `no country`},
		{"no continent", `continents = ["XX"]`, `no continent`},
		{"no kind of anonymous address", `anonymous_ips = ["proxy"]`, `"public_proxy"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: policy(account,
						"default_action = \"allow\"\n  rules = {\n    it = { "+row.rule+" }\n  }"),
					PlanOnly: true, ExpectError: regexp.MustCompile(row.want),
				}},
			})
		})
	}
}

func TestThePolicyAndItsVerdictsAreRead(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	id := add(t, account, "the office", "127.0.0.0/8")
	data := func(name string, at ...string) func(knownvalue.Check) statecheck.StateCheck {
		return func(value knownvalue.Check) statecheck.StateCheck {
			return statecheck.ExpectKnownValue("data."+name, pathOf(at), value)
		}
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config: account.ProviderBlock() + `
data "scimbridge_firewall_policy" "it" {}
data "scimbridge_firewall_verdict" "office" { address = "::ffff:127.0.0.9" }
data "scimbridge_firewall_verdict" "other" { address = "2001:db8::1" }`,
				ConfigStateChecks: []statecheck.StateCheck{
					data("scimbridge_firewall_policy.it", "default_action")(knownvalue.StringExact("allow")),
					data("scimbridge_firewall_policy.it", "enforced")(knownvalue.Bool(true)),
					statecheck.ExpectKnownValue("data.scimbridge_firewall_policy.it",
						tfjsonpath.New("rules").AtSliceIndex(0).AtMapKey("id"), knownvalue.StringExact(id)),
					data("scimbridge_firewall_verdict.office", "rule_id")(knownvalue.StringExact(id)),
					data("scimbridge_firewall_verdict.office", "passes")(knownvalue.Bool(true)),
					data("scimbridge_firewall_verdict.other", "rule_id")(knownvalue.Null()),
					data("scimbridge_firewall_verdict.other", "action")(knownvalue.StringExact("allow")),
				},
			},
			{
				Config: account.ProviderBlock() + "data \"scimbridge_firewall_verdict\" \"it\" {\n" +
					"  address = \"192.0.2.0/24\"\n}\n",
				PlanOnly: true, ExpectError: regexp.MustCompile(`write one\s+address`),
			},
		},
	})
}

func firewallOf(t *testing.T, account *providertest.Account) api.Firewall {
	t.Helper()
	resp, err := apitest.Read[api.Firewall](account.API.GetFirewall(t.Context()))
	providertest.Expect(t, http.StatusOK, resp, err)
	return *resp.Value
}

func accountID(t *testing.T, account *providertest.Account) string {
	t.Helper()
	resp, err := apitest.Read[api.Caller](account.API.WhoAmI(t.Context()))
	providertest.Expect(t, http.StatusOK, resp, err)
	return resp.Value.AccountId
}

// add makes an allow rule by hand.
func add(t *testing.T, account *providertest.Account, description string, ranges ...string) (id string) {
	t.Helper()
	resp, err := apitest.Read[api.FirewallRule](account.API.CreateFirewallRule(t.Context(), nil, api.FirewallRuleInput{
		IpRanges: &ranges, Description: &description,
	}))
	providertest.Expect(t, http.StatusCreated, resp, err)
	return resp.Value.Id
}

// requests counts what the account has been asked so far; route is the path
// as openapi.yaml writes it.
func requests(account *providertest.Account, method, route string) (n int) {
	for line := range strings.Lines(account.Log()) {
		if strings.Contains(line, "method="+method+" ") && strings.Contains(line, "route="+route+" ") {
			n++
		}
	}
	return n
}

// A policy that manages no rules, or leaves foreign ones alone, gives nothing up
// by being destroyed that one under another name might remove unseen.
func TestAPolicyUnderAnotherNameRemovesNoForeignRules(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"the old one manages no rules": "default_action = \"allow\"",
		"the old one reports": "default_action = \"allow\"\n  on_unmanaged = \"report\"\n  rules = {\n" +
			"    mine = { ip_ranges = [\"192.0.2.0/24\"] }\n  }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			foreign := add(t, account, "foreign", "198.51.100.0/24")
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					{Config: strings.Replace(policy(account, before), `"it"`, `"old"`, 1)},
					{
						Config: policy(account,
							"default_action = \"allow\"\n  rules = {\n"+
								"    mine = { ip_ranges = [\"192.0.2.0/24\"] }\n  }"),
						ExpectError: regexp.MustCompile(
							`(?s)already has firewall\s+rules.*198\.51\.100\.0/24.*import \{`),
					},
				},
			})
			for _, rule := range firewallOf(t, account).Rules {
				if rule.Id == foreign {
					return
				}
			}
			t.Error("the foreign rule was removed")
		})
	}
}
