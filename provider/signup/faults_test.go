package signup_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A network that fails leaves a state that knows what the account has: the
// apply ends right and the next plan is empty.
func TestFaultsOfTheNetwork(t *testing.T) {
	t.Parallel()
	const (
		single = "resource \"scimbridge_signup_domain\" \"it\" {\n  domain = %q\n}\n"
		list   = "resource \"scimbridge_signup_domains\" \"all\" {\n  domains = [%q, \"stays.example\"]\n}\n"
		path   = "/v1/signup-domains"
	)
	for _, row := range []struct {
		name, method, config string
		fault                providertest.Fault
	}{
		{"a domain is allowed, and the answer lost", "POST", single, providertest.AnswerLost},
		{"a domain is allowed, and the answer cut", "POST", single, providertest.AnswerCut},
		{"a domain is allowed on a bad day", "POST", single, providertest.TurnedAway(500)},
		{"a domain is removed, and the answer lost", "DELETE", single, providertest.AnswerLost},
		{"the list is cut", "GET", single, providertest.AnswerCut},
		{"a listed domain is allowed, and the answer lost", "POST", list, providertest.AnswerLost},
		{"a listed domain is allowed on a bad day", "POST", list, providertest.TurnedAway(503)},
		{"a listed domain is removed, and the answer lost", "DELETE", list, providertest.AnswerLost},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			provider, met := account.Behind(t, row.method, path, row.fault)
			name, change, left := "scimbridge_signup_domain.it",
				plancheck.ResourceActionDestroyBeforeCreate, []string(nil)
			if row.config == list {
				name, change, left = whole, plancheck.ResourceActionUpdate, []string{"b.example", "stays.example"}
			}
			step := func(domain string, action plancheck.ResourceActionType) resource.TestStep {
				return resource.TestStep{
					Config: provider + fmt.Sprintf(row.config, domain),
					ConfigPlanChecks: resource.ConfigPlanChecks{
						PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(name, action)},
					},
				}
			}
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					step("a.example", plancheck.ResourceActionCreate), step("b.example", change),
				},
			})
			if !met() {
				t.Error("no request met the fault: the test proves nothing")
			}
			if got := allowed(t, account); !slices.Equal(got, left) {
				t.Errorf("the account allows %q, want %q", got, left)
			}
		})
	}
}
