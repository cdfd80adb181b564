package rollout_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

const name = "scimbridge_rollout.it"

func config(account *providertest.Account, arguments string) string {
	return fmt.Sprintf(`
provider "scimbridge" {
  account_url   = %q
  account_token = %q
}
resource "scimbridge_rollout" "it" {
  %s
}
`, account.URL, account.Token, arguments)
}

func newToken(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func has(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(name, tfjsonpath.New(attribute), value)
}

// wrapped matches a text that Terraform has broken into lines.
func wrapped(text string) *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(text), " ", `\s+`))
}

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(name, action)}}
}

// The bridges are those of some platform: the resource knows the account only.
func TestARolloutWaitsForItsBridges(t *testing.T) {
	t.Parallel()
	account, token := providertest.NewAccount(t), newToken(t)
	sealed := *account.Activate("manager@example.com", token).Session
	start := func(revision string) *providertest.Bridge {
		return providertest.NewBridge(t, sealed, revision, &token)
	}
	first := start("r1")
	start("r1")
	two := config(account, "revision = \"r1\"\n  bridges = 2")

	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config: two,
				ConfigStateChecks: []statecheck.StateCheck{
					has("instances", knownvalue.SetSizeExact(2)),
					has("egress_addresses",
						knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("127.0.0.1")})),
					has("problems", knownvalue.ListExact(nil)),
					has("version", knownvalue.NotNull()),
				},
			},
			{ResourceName: name, ImportState: true, ImportStateId: "r1", ImportStateVerify: true},
			{ // one bridge ends, and another takes its place while the apply waits
				PreConfig:         func() { first.Stop(); start("r1") },
				Config:            two,
				ConfigStateChecks: []statecheck.StateCheck{has("instances", knownvalue.SetSizeExact(2))},
			},
			{
				PreConfig:        func() { go start("r2") },
				Config:           config(account, `revision = "r2"`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					has("instances", knownvalue.SetSizeExact(1)), has("id", knownvalue.StringExact("r1")),
				},
			},
		},
	})
}

func TestAMissingBridgeIsDrift(t *testing.T) {
	t.Parallel()
	account, token := providertest.NewAccount(t), newToken(t)
	sealed := *account.Activate("manager@example.com", token).Session
	bridge := providertest.NewBridge(t, sealed, "r1", &token)

	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config(account, `revision = "r1"`)},
			{
				PreConfig:          bridge.Stop,
				Config:             config(account, `revision = "r1"`),
				PlanOnly:           true,
				ExpectNonEmptyPlan: true,
			},
			{
				Config: config(account, "revision = \"r1\"\n  timeouts = { update = \"10s\" }"),
				ExpectError: wrapped("Timed out after 10s (timeouts.update), " +
					"and the account hears from 0 of 1 bridges of " +
					`revision "r1"`),
			},
			{
				PreConfig:         func() { providertest.NewBridge(t, sealed, "r1", &token) },
				Config:            config(account, `revision = "r1"`),
				ConfigStateChecks: []statecheck.StateCheck{has("instances", knownvalue.SetSizeExact(1))},
			},
		},
	})
}

func TestABridgeThatNeverCameIsAnErrorOrAWarning(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:      config(account, "revision = \"r1\"\n  timeouts = { create = \"10s\" }"),
				ExpectError: wrapped("is sealed, cannot reach the account"),
			},
			{
				Config: config(account,
					"revision = \"r1\"\n  on_unready = \"warn\"\n  timeouts = { create = \"10s\" }"),
				ConfigStateChecks: []statecheck.StateCheck{
					has("instances", knownvalue.SetSizeExact(0)), has("version", knownvalue.Null()),
				},
				ExpectNonEmptyPlan: true,
			},
		},
	})
}

// Their credentials are of an integration that has ended.
func TestBridgesWithOldCredentialsEndTheWait(t *testing.T) {
	t.Parallel()
	account, token := providertest.NewAccount(t), newToken(t)
	old := *account.Activate("manager@example.com", token).Session
	ended, err := apitest.Read[struct{}](account.API.DeactivateProvisioning(t.Context(), nil))
	providertest.Expect(t, http.StatusNoContent, ended, err)
	account.Activate("manager@example.com", newToken(t))
	providertest.NewBridge(t, old, "r1", &token)

	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config:      config(account, `revision = "r1"`),
			ExpectError: wrapped("the account refuses their credentials"),
		}},
	})
}
