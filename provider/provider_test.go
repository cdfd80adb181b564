package provider_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/provider"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

const (
	domain  = "resource \"scimbridge_signup_domain\" \"it\" {\n  domain = \"example.com\"\n}\n"
	address = "scimbridge_signup_domain.it"
)

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func TestTheEnvironmentFillsWhatIsLeftOut(t *testing.T) {
	account := providertest.NewAccount(t)
	t.Setenv("SCIMBRIDGE_ACCOUNT_URL", account.URL)
	t.Setenv("SCIMBRIDGE_ACCOUNT_TOKEN", account.Token)
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: domain, ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{ // but the configuration wins
				Config:      "provider \"scimbridge\" {\n  account_token = \"sba_wrong\"\n}\n" + domain,
				PlanOnly:    true,
				ExpectError: regexp.MustCompile(`(?s)answered 401.*SCIMBRIDGE_ACCOUNT_TOKEN`),
			},
			{Config: domain, ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
		},
	})
}

func TestMistakesInTheProviderBlockAreRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, block, want string }{
		{"nothing at all names both arguments", ``, `(?s)Missing account_url.*Missing account_token`},
		{"clear text to another machine", `
			account_url   = "http://account.example.com"
			account_token = "t"`, `use https`},
		{"a token of nothing", `
			account_url   = "http://127.0.0.1:1"
			account_token = ""`, `account_token is empty`},
		{"an engine's address of nothing", `
			account_url   = "http://127.0.0.1:1"
			account_token = "t"
			docker {
			  host = ""
			}`, `(?s)docker.host is empty.*DOCKER_HOST`},
		{"two places of an engine", `
			account_url   = "http://127.0.0.1:1"
			account_token = "t"
			docker {
			  host    = "tcp://192.0.2.7:2376"
			  context = "prod"
			}`, `docker.host and docker.context\s+exclude each other`},
		{"certificates twice", `
			account_url   = "http://127.0.0.1:1"
			account_token = "t"
			docker {
			  cert_path      = "/certs"
			  client_key_pem = "k"
			}`, `docker.cert_path and\s+docker.client_key_pem\s+exclude each other`},
		{"a timeout that is none", `
			account_url     = "http://127.0.0.1:1"
			account_token   = "t"
			request_timeout = "soon"`, `is no duration`},
		{"a certificate that is none", `
			account_url        = "https://127.0.0.1:1"
			account_token      = "t"
			ca_certificate_pem = "nonsense"`, `no\s+certificate`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: "provider \"scimbridge\" {\n" + row.block + "\n}\n" + domain, PlanOnly: true,
					ExpectError: regexp.MustCompile(row.want),
				}},
			})
		})
	}
}

func TestAPlanWithAnUnknownAddressSucceeds(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	const block = `
resource "terraform_data" "account" {
  input = { url = %q, token = %q }
}
provider "scimbridge" {
  account_url   = terraform_data.account.output.url
  account_token = terraform_data.account.output.token
  docker {
    host            = "tcp://${terraform_data.account.id}:2375"
    client_key_pem  = terraform_data.account.output.token
    registries = { "ghcr.io" = { username = "u", password = terraform_data.account.output.token } }
  }
  kubernetes {
    host  = "https://${terraform_data.account.id}"
    token = terraform_data.account.output.token
    exec {
      command = terraform_data.account.id
    }
  }
}
`
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{ // what must be asked for while planning says why it cannot be
				Config: fmt.Sprintf(block, account.URL, account.Token) + `data "scimbridge_caller" "me" {}`,
				ExpectError: regexp.MustCompile(
					`(?s)ot known yet in the provider block: account_url,\s+account_token.*-target`),
			},
			{
				Config: fmt.Sprintf(block, account.URL, account.Token) + domain + `
resource "scimbridge_firewall_rule" "it" {
  ip_ranges = ["192.0.2.0/24"]
}
resource "scimbridge_provisioning" "it" {
  manager_email = "manager@example.com"
  active        = false
}`,
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
		},
	})
}

func TestAnotherAccountAtTheAddressIsAnError(t *testing.T) {
	t.Parallel()
	mine, other := providertest.NewAccount(t), providertest.NewAccount(t)
	config := domain + `
resource "scimbridge_firewall_rule" "it" {
  ip_ranges = ["192.0.2.0/24"]
}
resource "scimbridge_provisioning" "it" {
  manager_email = "manager@example.com"
  active        = false
}
`
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: mine.ProviderBlock() + config, ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				Config:      other.ProviderBlock() + config,
				PlanOnly:    true,
				ExpectError: regexp.MustCompile(`(?s)(Another account answers.*){3}`), // each resource says so
			},
			{Config: mine.ProviderBlock() + config, ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
		},
	})
}

func TestAnUnreachableAccountIsAnErrorThatSaysSo(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	config := fmt.Sprintf("provider \"scimbridge\" {\n  account_url = %q\n  account_token = %q\n"+
		"  request_timeout = \"1s\"\n}\n", account.URL, account.Token) + domain
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: config, ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				PreConfig:   account.Stop,
				Config:      config,
				PlanOnly:    true,
				ExpectError: regexp.MustCompile(`(?s)connection\s+refused.*Check that the account service runs`),
			},
			{ // nothing was taken out of the state meanwhile
				PreConfig:        account.Start,
				Config:           config,
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(address, tfjsonpath.New("domain"),
						knownvalue.StringExact("example.com")),
				},
			},
		},
	})
}

// Every resource has an identity with the account and the object. Terraform
// 1.11 does not ask for it, newer versions do.
func TestEveryResourceHasAnIdentity(t *testing.T) {
	t.Parallel()
	server := providerserver.NewProtocol6(provider.New())()
	described, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil || len(described.Diagnostics) > 0 {
		t.Fatalf("schema: %v, %v", err, described.Diagnostics)
	}
	identities, err := server.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil || len(identities.Diagnostics) > 0 {
		t.Fatalf("identities: %v, %v", err, identities.Diagnostics)
	}
	if len(described.ResourceSchemas) < 4 {
		t.Fatalf("only %d resources: the test would prove little", len(described.ResourceSchemas))
	}
	for name, schema := range described.ResourceSchemas {
		identity := identities.IdentitySchemas[name]
		if identity == nil {
			t.Errorf("%s has no identity", name)
			continue
		}
		attributes := make(map[string]bool)
		for _, a := range identity.IdentityAttributes {
			attributes[a.Name] = true
		}
		if !attributes["account_id"] || !attributes["id"] {
			t.Errorf("%s is identified by %v, want account_id and id", name, attributes)
		}
		if schema.Block.Description == "" {
			t.Errorf("%s is not described", name)
		}
		for _, a := range schema.Block.Attributes {
			if a.Description == "" && a.Name != "timeouts" { // its library describes what is within
				t.Errorf("%s.%s is not described", name, a.Name)
			}
		}
	}
}

// A write-only argument is a secret: Terraform keeps it out of plans and
// states, and Sensitive keeps it out of what it prints.
func TestEveryWriteOnlyArgumentIsSensitive(t *testing.T) {
	t.Parallel()
	schemas := newSchemas(t)
	checked := 0
	var check func(at string, attributes []*tfprotov6.SchemaAttribute)
	check = func(at string, attributes []*tfprotov6.SchemaAttribute) {
		for _, a := range attributes {
			if a.WriteOnly {
				checked++
			}
			if a.WriteOnly && !a.Sensitive {
				t.Errorf("%s.%s is write-only and not sensitive", at, a.Name)
			}
			if strings.HasSuffix(a.Name, "_wo") && !a.WriteOnly {
				t.Errorf("%s.%s is not write-only", at, a.Name)
			}
			if a.NestedType != nil {
				check(at+"."+a.Name, a.NestedType.Attributes)
			}
		}
	}
	for name, schema := range schemas.ResourceSchemas {
		check(name, schema.Block.Attributes)
	}
	if checked < 2 {
		t.Errorf("only %d write-only arguments: the test proves little", checked)
	}
}
