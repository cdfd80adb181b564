package firewall_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A network that fails leaves neither a rule twice nor a state that knows less
// than the account has: the apply ends right and the next plan is empty.
func TestFaultsOfTheNetwork(t *testing.T) {
	t.Parallel()
	const (
		single = "resource \"scimbridge_firewall_rule\" \"it\" {\n  ip_ranges = [%q]\n}\n"
		policy = "resource \"scimbridge_firewall_policy\" \"it\" {\n  default_action = \"report\"\n  rules = {\n" +
			"    it = { ip_ranges = [%q] }\n  }\n}\n"
	)
	for _, row := range []struct {
		name, method, path, config string
		fault                      providertest.Fault
	}{
		{"a rule is made, and the answer lost", "POST", "/v1/firewall/rules", single, providertest.AnswerLost},
		{"a rule is made, and the answer cut", "POST", "/v1/firewall/rules", single, providertest.AnswerCut},
		{"too many requests", "POST", "/v1/firewall/rules", single, providertest.TurnedAway(429)},
		{"a rule is changed, and the answer lost", "PUT", "/v1/firewall/rules", single, providertest.AnswerLost},
		{"a rule is changed on a bad day", "PUT", "/v1/firewall/rules", single, providertest.TurnedAway(500)},
		{"a rule is deleted, and the answer lost", "DELETE", "/v1/firewall/rules", single, providertest.AnswerLost},
		{"the list is cut", "GET", "/v1/firewall", single, providertest.AnswerCut},
		{"the list is put off", "GET", "/v1/firewall", policy, providertest.TurnedAway(503)},
		{"the policy is written, and the answer lost", "PATCH", "/v1/firewall", policy, providertest.AnswerLost},
		{"the policy is written, and the answer cut", "PATCH", "/v1/firewall", policy, providertest.AnswerCut},
		{"the policy is refused for a moment", "PATCH", "/v1/firewall", policy, providertest.TurnedAway(429)},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			provider, met := account.Behind(t, row.method, row.path, row.fault)
			name := "scimbridge_firewall_rule.it"
			if row.config == policy {
				name = "scimbridge_firewall_policy.it"
			}
			step := func(ranges string, action plancheck.ResourceActionType) resource.TestStep {
				return resource.TestStep{
					Config: provider + fmt.Sprintf(row.config, ranges),
					ConfigPlanChecks: resource.ConfigPlanChecks{
						PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(name, action)},
					},
				}
			}
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					step("192.0.2.0/24", plancheck.ResourceActionCreate),
					step("192.0.2.0/25", plancheck.ResourceActionUpdate),
				},
			})
			if !met() {
				t.Error("no request met the fault: the test proves nothing")
			}
			left := 0 // a rule is destroyed, a policy left as it is
			if row.config == policy {
				left = 1
			}
			if err := expectRules(t, account, left); err != nil {
				t.Error(err)
			}
		})
	}
}
