package directory_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

const (
	address = "scimbridge_directory.it"
	url     = "https://scim.example.com/scim/v2"
)

func newToken(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// config has no provider block: the resource needs no account.
func config(arguments ...string) string {
	return "resource \"scimbridge_directory\" \"it\" {\n  url = \"" + url + "\"\n" +
		strings.Join(arguments, "\n") + "\n}\n"
}

func bearer(token session.Token) string { return fmt.Sprintf("bearer_token_wo = %q", token.Reveal()) }

func far(token string) string { return fmt.Sprintf("token_wo = %q", token) }

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	checks := []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}
	if action == plancheck.ResourceActionUpdate {
		checks = append(checks, plancheck.ExpectUnknownValue(address, tfjsonpath.New("session")),
			plancheck.ExpectUnknownValue(address, tfjsonpath.New("session_fingerprint")))
	}
	return resource.ConfigPlanChecks{PreApply: checks}
}

// opens checks which server's token each bearer token opens.
func opens(t *testing.T, want map[session.Token]string) resource.TestCheckFunc {
	t.Helper()
	return resource.TestCheckResourceAttrWith(address, "session", func(sealed string) error {
		file, err := session.Parse(sealed)
		if err != nil {
			return err
		}
		if len(file.Entries) != len(want) {
			return fmt.Errorf("%d bearer tokens open it, want %d", len(file.Entries), len(want))
		}
		for token, far := range want {
			entry, ok := file.Match(token)
			if !ok {
				return fmt.Errorf("a bearer token does not open it")
			}
			opened, err := entry.Open(token)
			if err != nil {
				return err
			}
			if d, ok := opened.(session.Directory); !ok || d.URL != url || d.Token.Reveal() != far {
				return fmt.Errorf("it holds %+v, want the token %q", opened, far)
			}
		}
		return nil
	})
}

// tellsNothing checks that no secret is in the state.
func tellsNothing(secrets ...string) resource.TestCheckFunc {
	return func(s *terraform.State) error {
		for _, secret := range secrets {
			if strings.Contains(s.String(), secret) {
				return fmt.Errorf("the state has the secret that begins with %.6s", secret)
			}
		}
		return nil
	}
}

func TestBothTokensAreRotated(t *testing.T) {
	t.Parallel()
	first, second := newToken(t), newToken(t)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           config(bearer(first), far("far-1")),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(address, tfjsonpath.New("overlap"), knownvalue.StringExact("15m")),
					statecheck.ExpectKnownValue(address, tfjsonpath.New("token_wo"), knownvalue.Null()),
					statecheck.ExpectKnownValue(address, tfjsonpath.New("bearer_token_wo"), knownvalue.Null()),
				},
				Check: resource.ComposeAggregateTestCheckFunc(opens(t, map[session.Token]string{first: "far-1"}),
					tellsNothing(first.Reveal(), "far-1")),
			},
			{ // the tokens are only needed where something is sealed, and another spelling is the same address
				Config:           strings.Replace(config(), url, "https://SCIM.example.com/scim/v2/", 1),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{
				Config:           config(bearer(first), far("far-1")),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{ // another bearer token, with an overlap
				Config:           config(bearer(second), far("far-1")),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check: resource.ComposeAggregateTestCheckFunc(
					opens(t, map[session.Token]string{second: "far-1", first: "far-1"}),
					tellsNothing(first.Reveal(), second.Reveal(), "far-1")),
			},
			{ // another token of the server, within the overlap
				Config:           config(bearer(second), far("far-2")),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            opens(t, map[session.Token]string{second: "far-2", first: "far-1"}),
			},
			{ // a token whose rotation is not in the configuration
				Config:      config(bearer(first)),
				PlanOnly:    true,
				ExpectError: regexp.MustCompile(`Token of the SCIM server required`),
			},
			{ // without an overlap the old one ends at once
				Config:           config(bearer(first), far("far-2"), `overlap = "0s"`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            opens(t, map[session.Token]string{first: "far-2"}),
			},
		},
	})
}

func TestVersionsDecideIfTheyAreSet(t *testing.T) {
	t.Parallel()
	first, second := newToken(t), newToken(t)
	versions := func(bearer, token int) string {
		return fmt.Sprintf("bearer_token_wo_version = %d\ntoken_wo_version = %d", bearer, token)
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config:           config(bearer(first), far("far-1"), versions(1, 1)),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
			{
				Config:           config(bearer(second), far("far-2"), versions(1, 1)),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{
				Config:           config(bearer(first), far("far-2"), versions(1, 2)),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            opens(t, map[session.Token]string{first: "far-2"}),
			},
			{
				Config:           config(bearer(second), far("far-2"), versions(2, 2)),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            opens(t, map[session.Token]string{second: "far-2", first: "far-2"}),
			},
		},
	})
}

func TestASessionIsImportedByItsText(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	far1, err := session.ParseDirectoryToken("far-1")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := session.SealDirectory(token, session.Directory{URL: url, Token: far1}, session.File{}, 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ofAccount, err := session.Seal(token, 1, session.Integration{AccountID: "acc_1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	imports := func(id string) resource.TestStep {
		return resource.TestStep{
			Config: config(bearer(token), far("far-1")), ResourceName: address, ImportState: true, ImportStateId: id,
			ImportStatePersist: true,
		}
	}
	refused := func(id, want string) resource.TestStep {
		step := imports(id)
		step.ImportStatePersist, step.ExpectError = false, regexp.MustCompile(want)
		return step
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			refused("https://scim.example.com/scim/v2", `(?s)is not a sealed\s+session.*file\("session"\)`),
			refused(ofAccount, `session of the account "acc_1"`),
			imports(sealed),
			{
				Config:           config(bearer(token), far("far-1")),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
				Check:            opens(t, map[session.Token]string{token: "far-1"}),
			},
		},
	})
}

func TestMistakesAreRefused(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	for _, row := range []struct{ name, config, want string }{
		{"no bearer token", config(far("far-1")), `Bearer token required`},
		{"no token of the server", config(bearer(token)), `Token of the SCIM server required`},
		{"an empty token", config(bearer(token), far("")), `the server's token is empty`},
		{"the scheme before the token", config(bearer(token), far("Bearer hunter2")), `begins with "Bearer "`},
		{"a bearer token that is none", config(`bearer_token_wo = "hunter2"`, far("far-1")), `not a bearer token`},
		{"plain http", strings.Replace(config(bearer(token), far("far-1")), "https", "http", 1), `is not safe`},
		{"a password in the address",
			strings.Replace(config(bearer(token), far("far-1")), "https://", "https://ann:hunter2@", 1),
			`must not have a\s+user`},
		{"no duration", config(bearer(token), far("far-1"), `overlap = "soon"`), `is not a duration`},
		{"a resource that needs an account beside it", config(bearer(token), far("far-1")) +
			`resource "scimbridge_signup_domain" "it" { domain = "example.com" }`,
			`(?s)Missing account_url.*Missing account_token`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					{Config: row.config, PlanOnly: true, ExpectError: regexp.MustCompile(row.want)},
				},
			})
		})
	}
}
