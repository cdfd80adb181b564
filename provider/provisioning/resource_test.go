package provisioning_test

import (
	"context"
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
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

const address = "scimbridge_provisioning.it"

func newToken(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// given is a bearer_token_wo argument.
func given(token session.Token) string { return fmt.Sprintf("bearer_token_wo = %q\n", token.Reveal()) }

func config(account *providertest.Account, arguments ...string) string {
	return account.ProviderBlock() + "resource \"scimbridge_provisioning\" \"it\" {\n" +
		"  manager_email = \"manager@example.com\"\n" +
		strings.Join(arguments, "\n") + "\n}\n"
}

func planned(action plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{
		PreApply: append([]plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}, more...),
	}
}

// renews says that the plan makes new credentials.
func renews() plancheck.PlanCheck {
	return every{
		plancheck.ExpectUnknownValue(address, tfjsonpath.New("epoch")),
		plancheck.ExpectUnknownValue(address, tfjsonpath.New("session")),
		plancheck.ExpectUnknownValue(address, tfjsonpath.New("session_fingerprint")),
	}
}

type every []plancheck.PlanCheck

func (all every) CheckPlan(ctx context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	for _, check := range all {
		if check.CheckPlan(ctx, req, resp); resp.Error != nil {
			return
		}
	}
}

func has(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func integration(t *testing.T, account *providertest.Account) api.Provisioning {
	t.Helper()
	resp, err := apitest.Read[api.Provisioning](account.API.GetProvisioning(t.Context()))
	providertest.Expect(t, http.StatusOK, resp, err)
	return *resp.Value
}

func deactivate(t *testing.T, account *providertest.Account) {
	t.Helper()
	resp, err := apitest.Read[struct{}](account.API.DeactivateProvisioning(t.Context(), nil))
	providertest.Expect(t, http.StatusNoContent, resp, err)
}

func TestAnotherTokenRotatesAndBothWorkDuringTheOverlap(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	first, second := newToken(t), newToken(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		CheckDestroy: func(*terraform.State) error {
			if integration(t, account).Active {
				t.Error("active after destroy")
			}
			return nil
		},
		Steps: []resource.TestStep{
			{
				Config:           config(account, given(first), `idp = "Okta"`),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					has("active", knownvalue.Bool(true)),
					has("overlap", knownvalue.StringExact("15m")),
					has("suspension_limit", knownvalue.StringExact("max(10, 5%)/1h")),
					has("bearer_token_wo", knownvalue.Null()),
					signsIn{account, first},
				},
			},
			{ // the token is only needed where something is sealed
				Config:           config(account, `idp = "Okta"`),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{ // what needs no new credentials
				Config: config(account, given(first), `suspension_limit = "off"`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate,
					plancheck.ExpectKnownValue(address, tfjsonpath.New("session"), knownvalue.NotNull())),
				ConfigStateChecks: []statecheck.StateCheck{has("idp", knownvalue.Null()), signsIn{account, first}},
			},
			{
				Config:            config(account, given(second), `suspension_limit = "off"`, `overlap = "1h"`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate, renews()),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, second}, signsIn{account, first}},
			},
			{ // without an overlap, the pair before is dead at once
				Config:           config(account, given(first), `suspension_limit = "off"`, `overlap = "0s"`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate, renews()),
				ConfigStateChecks: []statecheck.StateCheck{
					signsIn{account, first},
					refused{signsIn{account, second}},
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true,
				ImportStateVerifyIgnore: []string{"overlap"}},
			{ResourceName: address, ImportState: true, ImportStateId: "nonsense",
				ExpectError: regexp.MustCompile(`(?s)is not active.*import \{`)},
		},
	})
}

func TestTheVersionAloneDecides(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	first, second, third := newToken(t), newToken(t), newToken(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:            config(account, given(first), `bearer_token_wo_version = 1`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, first}},
			},
			{
				Config:            config(account, given(second), `bearer_token_wo_version = 1`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionNoop),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, first}},
			},
			{
				Config:            config(account, given(third), `bearer_token_wo_version = 2`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate, renews()),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, third}},
			},
			{
				Config:      config(account, `bearer_token_wo_version = 3`),
				PlanOnly:    true,
				ExpectError: regexp.MustCompile(`Bearer token required`),
			},
		},
	})
}

func TestAnEphemeralTokenNeedsTheVersion(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	ephemeral := "ephemeral \"scimbridge_bearer_token\" \"new\" {}\n"
	const use = "bearer_token_wo = ephemeral.scimbridge_bearer_token.new.token"
	opens := !providertest.OpeningIsNoChange.Known(t)
	thenQuiet := func(checks resource.ConfigPlanChecks) resource.ConfigPlanChecks {
		checks.PostApplyPostRefresh = planned(plancheck.ResourceActionNoop).PreApply
		return checks
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:      ephemeral + config(account, use),
				PlanOnly:    true,
				ExpectError: regexp.MustCompile(`needs bearer_token_wo_version`),
			},
			{
				Config:             ephemeral + config(account, use, `bearer_token_wo_version = 1`),
				ConfigPlanChecks:   thenQuiet(planned(plancheck.ResourceActionCreate)),
				ExpectNonEmptyPlan: opens,
			},
			{
				Config:             ephemeral + config(account, use, `bearer_token_wo_version = 2`),
				ConfigPlanChecks:   thenQuiet(planned(plancheck.ResourceActionUpdate, renews())),
				ExpectNonEmptyPlan: opens,
			},
		},
	})
}

func TestWhatIsDoneByHandIsHealedByOneApply(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token, foreign := newToken(t), newToken(t)
	heals := func(byHand func()) resource.TestStep {
		return resource.TestStep{
			PreConfig:         byHand,
			Config:            config(account, given(token)),
			ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate, renews()),
			ConfigStateChecks: []statecheck.StateCheck{signsIn{account, token}},
		}
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config(account, given(token)), ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			heals(func() { // the manager's Master Password
				_, enrolment, err := client.Enrol(accountID(t, account), "manager@example.com", 0, signin.MinIterations)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := apitest.Read[api.Provisioning](account.API.ChangeManager(t.Context(),
					nil, api.ManagerChange{
						Kdf: &enrolment.Kdf, Verifier: &enrolment.Verifier,
					}))
				providertest.Expect(t, http.StatusOK, resp, err)
			}),
			heals(func() { // the manager's e-mail address
				email := "other@example.com"
				resp, err := apitest.Read[api.Provisioning](account.API.ChangeManager(t.Context(), nil,
					api.ManagerChange{Email: &email}))
				providertest.Expect(t, http.StatusOK, resp, err)
			}),
			heals(func() { twoFactor(t, account, true) }),
			{ // made under the policy, the credentials are exempt
				Config:           config(account, given(token)),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{
				PreConfig:        func() { twoFactor(t, account, false) },
				Config:           config(account, given(token)),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			heals(func() { deactivate(t, account) }),
			heals(func() { // another integration in its place
				deactivate(t, account)
				account.Activate("other@example.com", foreign)
			}),
			{ // the plan needs no token to show it, the apply does
				PreConfig:        func() { deactivate(t, account) },
				Config:           config(account),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate, renews()),
				ExpectError:      regexp.MustCompile(`Bearer token required`),
			},
			{
				Config:            config(account, given(token)),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate, renews()),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, token}},
			},
		},
	})
}

// twoFactor enforces two-factor authentication, or lifts it.
func twoFactor(t *testing.T, account *providertest.Account, enforced bool) {
	t.Helper()
	resp, err := apitest.Read[api.TwoFactorPolicy](account.API.SetTwoFactorPolicy(t.Context(), nil,
		api.TwoFactorPolicyInput{Enforced: enforced}))
	providertest.Expect(t, http.StatusOK, resp, err)
}

func TestWhatIsDoneBetweenPlanAndApplyIsNotOverrun(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	first, second, foreign := newToken(t), newToken(t), newToken(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config(account, given(first)), ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				Config: config(account, given(second)),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate, renews(), meanwhile(func() {
					deactivate(t, account)
					account.Activate("other@example.com", foreign)
				})),
				ExpectError: regexp.MustCompile(`changed after the plan was made`),
			},
			{ // the next plan shows it, and its apply is meant
				Config:            config(account, given(second)),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate, renews()),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, second}},
			},
		},
	})
}

// meanwhile runs between a plan and its apply.
type meanwhile func()

func (do meanwhile) CheckPlan(context.Context, plancheck.CheckPlanRequest, *plancheck.CheckPlanResponse) {
	do()
}

func TestAnotherManagerGetsCredentialsOfHisOwn(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token := newToken(t)
	other := strings.ReplaceAll(config(account, given(token)), "manager@", "other@")
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config(account, given(token)), ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				Config:            other,
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate, renews()),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, token}},
			},
			{ // the account does not tell spellings apart
				Config:           strings.ReplaceAll(other, "other@", "Other@"),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
		},
	})
}

func TestASecondIntegrationIsRefusedWithTheImportBlock(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token := newToken(t)
	before := account.Activate("manager@example.com", token)
	imported := fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", address, *before.Id)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           config(account, given(token)),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate), // the plan warns
				ExpectError: regexp.MustCompile(
					`(?s)already active.*import \{\s+to = scimbridge_provisioning\.<name>\s+id = "` +
						regexp.QuoteMeta(*before.Id)),
			},
			{ // the block from the error, with the token given: nothing changes, the session least of all
				Config:           imported + config(account, given(token)),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
				ConfigStateChecks: []statecheck.StateCheck{
					has("session", knownvalue.StringExact(*before.Session)),
					signsIn{account, token},
				},
			},
		},
	})
}

func TestAReplacementIsNoSecondIntegration(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token := newToken(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config(account, given(token)), ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				Taint:             []string{address},
				Config:            config(account, given(token)),
				ConfigPlanChecks:  planned(plancheck.ResourceActionDestroyBeforeCreate),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, token}},
			},
		},
	})
}

func TestInactiveAndActiveAgain(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token := newToken(t)
	without := []statecheck.StateCheck{has("session", knownvalue.Null()), has("epoch", knownvalue.Null())}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{ // nothing to seal, no token
				Config: config(account, `active = false`), ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: without,
			},
			{
				Config:            config(account, given(token)),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate, renews()),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, token}},
			},
			{
				Config: config(account, `active = false`), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: without,
			},
			{ // it is activated outside Terraform
				PreConfig:        func() { account.Activate("manager@example.com", token) },
				Config:           config(account, `active = false`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
		},
	})
	if integration(t, account).Active {
		t.Error("still active")
	}
}

func TestMistakesAreErrorsOfThePlan(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token := newToken(t).Reveal()
	for _, row := range []struct {
		name      string
		arguments []string
		want      string
	}{
		{"no token", nil, `Bearer token required`},
		{"a damaged token", []string{fmt.Sprintf("bearer_token_wo = %q", token[:20])}, `has\s+20\s+characters`},
		{"an overlap that is no duration", []string{`overlap = "soon"`}, `is not a duration`},
		{"a limit in another form", []string{`suspension_limit = "10"`}, `must be\s+"off"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: config(account, row.arguments...), PlanOnly: true,
					ExpectError: regexp.MustCompile(row.want),
				}},
			})
		})
	}
}

func TestProtectionRefusesToDestroy(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token := newToken(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config(account, given(token), `deletion_protection = true`),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{Config: config(account, given(token), `deletion_protection = true`), Destroy: true,
				ExpectError: regexp.MustCompile(`deletion_protection is\s+true`)},
			{Config: config(account, given(token)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
		},
	})
}

func accountID(t *testing.T, account *providertest.Account) string {
	t.Helper()
	resp, err := apitest.Read[api.Caller](account.API.WhoAmI(t.Context()))
	providertest.Expect(t, http.StatusOK, resp, err)
	return resp.Value.AccountId
}
