package signup_test

import (
	"net/http"
	"os"
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

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

const address = "scimbridge_signup_domain.it"

func domain(account *providertest.Account, name string) string {
	return account.ProviderBlock() + "resource \"scimbridge_signup_domain\" \"it\" {\n  domain = \"" + name + "\"\n}\n"
}

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func TestADomainIsMadeReplacedAndImported(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		CheckDestroy: func(*terraform.State) error {
			if names := allowed(t, account); len(names) != 0 {
				t.Errorf("still allowed after destroy: %v", names)
			}
			return nil
		},
		Steps: []resource.TestStep{
			{
				Config:           domain(account, "Bücher.Example"),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(address, tfjsonpath.New("id"),
						knownvalue.StringExact("xn--bcher-kva.example")),
					statecheck.ExpectKnownValue(address, tfjsonpath.New("domain"),
						knownvalue.StringExact("Bücher.Example")),
				},
			},
			{ // another spelling of the same is no change
				Config:           domain(account, "xn--bcher-kva.example"),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{ // another domain is another object
				Config:           domain(account, "example.com"),
				ConfigPlanChecks: planned(plancheck.ResourceActionDestroyBeforeCreate),
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateId: "Example.COM"},
			{ResourceName: address, ImportState: true, ImportStateId: "https://example.com",
				ExpectError: regexp.MustCompile(`write its host\s+name, "example\.com"`)},
		},
	})
}

func TestADomainRemovedByHandIsMadeAgain(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: domain(account, "example.com"), ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				PreConfig: func() {
					resp, err := apitest.Read[struct{}](account.API.DeleteSignupDomain(t.Context(), "example.com", nil))
					providertest.Expect(t, http.StatusNoContent, resp, err)
				},
				Config:           domain(account, "example.com"),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
		},
	})
}

func TestADomainThatIsThereAlreadyComesWithItsImportBlock(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resp, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil,
		api.SignupDomainInput{Domain: "example.com"}))
	providertest.Expect(t, http.StatusCreated, resp, err)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config: domain(account, "example.com"),
			ExpectError: regexp.MustCompile(
				`(?s)already allowed.*import \{\s+to = scimbridge_signup_domain\.<name>\s+id = "example\.com"`),
		}},
	})
	if names := allowed(t, account); len(names) != 1 {
		t.Errorf("allowed: %v, want what was there", names)
	}
}

// A resource that gets another name without a moved block is destroyed and
// made in one run, in any order: here its old self goes late.
func TestADomainUnderAnotherNameIsAllowedWhenTheOldOneIsGone(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	const old = "scimbridge_signup_domain.old"
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config: account.ProviderBlock() + `
resource "scimbridge_signup_domain" "old" {
  domain = "example.com"
}
resource "terraform_data" "late" {
  depends_on = [scimbridge_signup_domain.old]
}
`,
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(old, plancheck.ResourceActionCreate),
					},
				},
			},
			{
				Config: domain(account, "example.com") + `
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
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionCreate),
				}},
			},
			{Config: domain(account, "example.com"), ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
		},
	})
	if names := allowed(t, account); len(names) != 0 {
		t.Errorf("still allowed after destroy: %v", names)
	}
	if !strings.Contains(account.Log(), "code=already_exists") {
		t.Error("the account refused nothing: the test proves nothing")
	}
}

func TestMistakesAreErrorsOfThePlan(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, row := range []struct{ name, domain, want string }{
		{"a scheme", "https://example.com", `write its host name,\s+"example\.com"`},
		{"a space", "example .com", `contains a space`},
		{"a wildcard", "*.example.com", `entry\s+of\s+its\s+own`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: domain(account, row.domain), PlanOnly: true, ExpectError: regexp.MustCompile(row.want),
				}},
			})
		})
	}
}

func allowed(t *testing.T, account *providertest.Account) []string {
	t.Helper()
	page, err := apitest.Read[api.SignupDomainPage](account.API.ListSignupDomains(t.Context(), nil))
	providertest.Expect(t, http.StatusOK, page, err)
	var names []string
	for _, d := range page.Value.Items {
		names = append(names, d.Domain)
	}
	return names
}

// With adopt_existing, too, a domain is one resource's.
func TestTwoResourcesOfOneDomain(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	one := func(name, domain string) string {
		return "resource \"scimbridge_signup_domain\" \"" + name + "\" {\n  domain         = " + domain +
			"\n  adopt_existing = true\n}\n"
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:      account.ProviderBlock() + one("it", `"example.com"`) + one("other", `"Example.com"`),
				PlanOnly:    true,
				ExpectError: regexp.MustCompile(`Duplicate sign-up domain`),
			},
			{ // a plan does not know it
				Config: account.ProviderBlock() + "resource \"terraform_data\" \"name\" {\n" +
					"  input = \"example.com\"\n}\n" +
					one("it", "terraform_data.name.output") + one("other", "lower(terraform_data.name.output)"),
				ExpectError: regexp.MustCompile(`Duplicate sign-up domain`),
			},
			// Either of the two may have been made, and the other would adopt what this one's end deletes.
			{Config: account.ProviderBlock() + "resource \"terraform_data\" \"name\" {}\n"},
			{Config: account.ProviderBlock() + one("it", `"example.com"`)},
			{
				Config:      account.ProviderBlock() + one("it", `"example.com"`) + one("other", `"example.com"`),
				ExpectError: regexp.MustCompile(`Duplicate sign-up domain`),
			},
		},
	})
}
