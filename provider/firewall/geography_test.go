package firewall_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// located is an account that knows where the caller is.
func located(t *testing.T) *providertest.Account {
	t.Helper()
	return providertest.NewAccount(t,
		"--ip-database="+ipdatatest.Write(t, "GeoLite2-Country", map[string]ipdatatest.Record{
			"127.0.0.0/8": ipdatatest.Country("CH", "EU"),
		}),
		"--ip-database="+ipdatatest.Write(t, "GeoLite2-ASN", map[string]ipdatatest.Record{
			"127.0.0.0/8": ipdatatest.ASN(16509),
		}))
}

func TestRulesOnCountriesContinentsAndAnonymousAddresses(t *testing.T) {
	t.Parallel()
	account := located(t)
	codes := func(texts ...string) knownvalue.Check {
		checks := make([]knownvalue.Check, len(texts))
		for i, text := range texts {
			checks[i] = knownvalue.StringExact(text)
		}
		return knownvalue.SetExact(checks)
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:            rule(account, `countries = ["ch", "at"]`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{has("countries", codes("ch", "at"))},
			},
			{ // another case, another order: no change
				Config:           rule(account, `countries = ["AT", "CH"]`),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{ResourceName: address, ImportState: true, ImportStateId: "ch,AT"},
			{Config: rule(account, `continents = ["eu"]`), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{Config: rule(account, `continents = ["EU"]`), ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
			{Config: rule(account, `anonymous_ips = ["cloud_provider"]`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{
				Config: account.ProviderBlock() + "data \"scimbridge_firewall_verdict\" \"me\" {\n" +
					"  address = \"127.0.0.1\"\n}\n",
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue("data.scimbridge_firewall_verdict.me", tfjsonpath.New("country"),
						knownvalue.StringExact("CH")),
					statecheck.ExpectKnownValue("data.scimbridge_firewall_verdict.me", tfjsonpath.New("anonymous_ips"),
						codes("cloud_provider")),
				},
			},
		},
	})
}

// A rule of ranges is changed into one of countries outside Terraform, which is another
// action besides: the plan shows all of it, and the apply puts it right.
func TestARuleThatBecameAnotherKindByHandIsHealed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, address string
		config        func(*providertest.Account) string
	}{
		{"a single rule", address, func(a *providertest.Account) string {
			return rule(a, `ip_ranges = ["192.0.2.0/24"]`)
		}},
		{"a rule of the policy", whole, func(a *providertest.Account) string {
			return policy(a, "default_action = \"allow\"\n  rules = {\n"+
				"    it = { ip_ranges = [\"192.0.2.0/24\"] }\n  }")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := located(t)
			step := func(action plancheck.ResourceActionType, by func()) resource.TestStep {
				return resource.TestStep{PreConfig: by, Config: row.config(account),
					ConfigPlanChecks: resource.ConfigPlanChecks{
						PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(row.address, action)},
					}}
			}
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					step(plancheck.ResourceActionCreate, nil),
					step(plancheck.ResourceActionUpdate, func() {
						deny, countries := api.Deny, []string{"DE"}
						resp, err := apitest.Read[api.FirewallRule](account.API.ReplaceFirewallRule(t.Context(),
							only(t, account).Id, nil,
							api.FirewallRuleInput{Action: &deny, Countries: &countries}))
						providertest.Expect(t, http.StatusOK, resp, err)
					}),
					step(plancheck.ResourceActionNoop, func() {
						now := only(t, account)
						if now.Action != api.Allow || now.Countries != nil ||
							now.Priority != 100 || len(*now.IpRanges) != 1 {
							t.Errorf("the rule is not healed: %+v", now)
						}
					}),
				},
			})
		})
	}
}

func TestALockOutByCountryIsForeseen(t *testing.T) {
	t.Parallel()
	account := located(t)
	for _, row := range []struct{ name, kind string }{
		{"by country", `countries = ["ch"]`},
		{"by continent", `continents = ["eu"]`},
		{"by kind of network", `anonymous_ips = ["cloud_provider"]`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: policy(account,
						"default_action = \"allow\"\n  rules = {\n    them = { action = \"deny\", "+row.kind+
							" }\n  }"),
					PlanOnly:    true,
					ExpectError: regexp.MustCompile(`the machine that runs Terraform, at 127\.0\.0\.1: by rule "them"`),
				}},
			})
		})
	}
}

func TestWithoutADatabaseTheAccountRefuses(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config:      rule(account, `countries = ["CH"]`),
			ExpectError: regexp.MustCompile(`(?s)ip_database_required.*--ip-database`),
		}},
	})
	if err := expectRules(t, account, 0); err != nil {
		t.Error(err)
	}
}
