//go:build unix

package deployment_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// podsIn is a deployment with arguments of kubernetes, beside those that it needs.
func (s *scene) podsIn(arguments, more string) string {
	return s.account.ProviderBlock() + fmt.Sprintf(`
resource "scimbridge_provisioning" "it" {
  manager_email   = "manager@example.com"
  bearer_token_wo = %[1]q
}
resource "scimbridge_deployment" "it" {
  name            = "test"
  session         = scimbridge_provisioning.it.session
  unseal_token_wo = %[1]q
  kubernetes = {
    name = "bridge"
    %[2]s
  }
  %[3]s
}
`, s.token.Reveal(), arguments, more)
}

func TestMistakesInTheArgumentKubernetesAreErrorsOfThePlan(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const noImage = `not\s+the\s+name\s+of\s+an\s+image`
	const image, https = `image = "example.com/bridge:1"`, `settings = { public_url = "https://scim.example.com" }`
	for _, row := range []struct{ name, arguments, more, want string }{
		{"no image", ``, https, `image`},
		{"an image that is a URL", `image = "https://example.com/bridge:1"`, https, noImage},
		{"an image with a blank", `image = "example.com/bridge:1 "`, https, noImage},
		{"authorities that are no certificates", image + "\npod = { ca_certificate_pem = \"\" }", https,
			`BEGIN\s+CERTIFICATE`},
		{"a name that no object can have", image + "\nnamespace = \"Prod_1\"", https, `63\s+lower-case`},
		{"no replica", image + "\nreplicas = 0", https, `between 1 and 100`},
		{"a service of no type", image + "\nservice = { type = \"None\" }", https, `NodePort`},
		{"labels of nothing", image + "\npod = { labels = {} }", https, `at least 1`},
		{"a variable without a value", image + "\npod = { environment = { A = null } }", https, `(?i)null`},
		{"a variable of the bridge", image + "\npod = { environment = { SCIMBRIDGE_LOG_LEVEL = \"debug\" } }", https,
			`use\s+settings.log_level`},
		{"a variable of the vendor's bridge", image + "\npod = { environment = { OP_SESSION = \"x\" } }", https,
			`use\s+session`},
		{"a variable that size sets", image + "\npod = { environment = { GOMEMLIMIT = \"1GiB\" } }", https, `size`},
		{"a patch that is no JSON", image + "\npatch = \"{\"", https, `jsonencode`},
		{"a patch of the containers", image + "\n" +
			`patch = jsonencode({ spec = { template = { spec = { containers = [] } } } })`, https,
			`must\s+not\s+contain\s+spec.template.spec.containers`},
		{"a certificate by ACME", image, `settings = { tls_domain = "scim.example.com" }`,
			`(?s)settings.tls_domain.*not\s+for\s+kubernetes.*settings.public_url`},
		{"a contact for ACME", image,
			`settings = { public_url = "https://scim.example.com", acme_email = "ops@example.com" }`,
			`(?s)settings.acme_email.*not\s+for\s+kubernetes`},
		{"plain HTTP", image, ``, `(?s)Plain HTTP.*settings.public_url`},
		{"a version beside the image", image, https + "\nversion = \"1.0.0\"", `(?si)version.*another\s+argument`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: s.podsIn(row.arguments, row.more), PlanOnly: true,
					ExpectError: regexp.MustCompile(row.want),
				}},
			})
		})
	}
}

// A pod that is replaced would forget what it holds.
func TestPodsBeforeASCIMServerNeedTheSuspensionLimitOff(t *testing.T) {
	t.Parallel()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	far, err := session.ParseDirectoryToken("far")
	if err != nil {
		t.Fatal(err)
	}
	server := session.Directory{URL: "https://scim.example.com/scim/v2", Token: far}
	sealed, err := session.SealDirectory(token, server, session.File{}, 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, settings, want string }{
		{"the default", "", `(?s)Nothing keeps what the bridge holds.*suspension_limit = "off"`},
		{"a limit", `suspension_limit = "max(5, 0%)/1h"`, `Nothing keeps what the bridge holds`},
		{"off", `suspension_limit = "off"`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			step := resource.TestStep{PlanOnly: true, ExpectNonEmptyPlan: true, Config: fmt.Sprintf(`
provider "scimbridge" {}
resource "scimbridge_deployment" "it" {
  name            = "test"
  session         = <<EOT
%s
EOT
  unseal_token_wo = %q
  kubernetes = {
    name     = "bridge"
    image    = "example.com/bridge:1"
  }
  settings = {
    public_url = "https://bridge.example.com"
    %s
  }
}
`, sealed, token.Reveal(), row.settings)}
			if row.want != "" {
				step.ExpectError = regexp.MustCompile(row.want)
			}
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t), Steps: []resource.TestStep{step},
			})
		})
	}
}
