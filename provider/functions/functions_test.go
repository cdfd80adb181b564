package functions_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

func output(expression string) string {
	return "output \"it\" {\n  value = provider::scimbridge::" + expression + "\n}\n"
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, expression string
		want             knownvalue.Check
	}{
		{"a network holds its address", `cidr_contains("192.0.2.0/24", "192.0.2.7")`, knownvalue.Bool(true)},
		{"a network holds its half", `cidr_contains("192.0.2.0/24", "192.0.2.128/25")`, knownvalue.Bool(true)},
		{"a half does not hold the whole", `cidr_contains("192.0.2.128/25", "192.0.2.0/24")`, knownvalue.Bool(false)},
		{"an address holds itself, spelt otherwise", `cidr_contains("2001:db8:0::1", "2001:db8::1/128")`,
			knownvalue.Bool(true)},
		{"all of IPv4 holds no IPv6", `cidr_contains("0.0.0.0/0", "2001:db8::1")`, knownvalue.Bool(false)},
		{"an address of IPv4 in IPv6 is IPv4", `cidr_contains("192.0.2.0/24", "::ffff:192.0.2.7")`,
			knownvalue.Bool(true)},
		{"a log without problems tells of none", `diagnose("all is well\n")`,
			knownvalue.ListExact([]knownvalue.Check{})},
		{
			"a vendor's line is a problem with the vendor's remedy",
			`diagnose("{\"time\":\"2026-11-23T16:00:00Z\",\"message\":\"AuthWrap failed to generateNewSession\"}")[0]`,
			knownvalue.ObjectPartial(map[string]knownvalue.Check{
				"code":      knownvalue.StringExact("credentials_changed"),
				"since":     knownvalue.StringExact("2026-11-23T16:00:00Z"),
				"remedy":    knownvalue.StringRegexp(regexp.MustCompile("1Password.com")),
				"terraform": knownvalue.StringExact(""),
				"details":   knownvalue.MapPartial(map[string]knownvalue.Check{"count": knownvalue.StringExact("1")}),
			}),
		},
		{
			"a line without a time has no since",
			`diagnose("Your current location or network is blocked by an account firewall rule: ` +
				`problem=firewall_blocked address=192.0.2.7")[0]`,
			knownvalue.ObjectPartial(map[string]knownvalue.Check{
				"code":      knownvalue.StringExact("firewall_blocked"),
				"since":     knownvalue.Null(),
				"terraform": knownvalue.StringRegexp(regexp.MustCompile(`(?s)scimbridge_firewall_rule.*192\.0\.2\.7`)),
			}),
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{
					Config: output(row.expression),
					ConfigPlanChecks: resource.ConfigPlanChecks{
						PreApply: []plancheck.PlanCheck{plancheck.ExpectKnownOutputValue("it", row.want)},
					},
					ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownOutputValue("it", row.want)},
				}},
			})
		})
	}
}

func TestAFunctionsMistakesNameTheArgument(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, expression, want string }{
		{"host bits name the network to write", `cidr_contains("192.0.2.7/24", "192.0.2.7")`,
			`(?s)"range" parameter.*192\.0\.2\.0/24`},
		{"an address that is none", `cidr_contains("192.0.2.0/24", "here")`, `(?s)"address" parameter`},
		{"a session that is none", `session_fingerprint("nonsense")`, `(?s)"session" parameter`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{{Config: output(row.expression), PlanOnly: true,
					ExpectError: regexp.MustCompile(row.want)}},
			})
		})
	}
}

func TestASessionsFingerprintIsThatOfItsFile(t *testing.T) {
	t.Parallel()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := session.Seal(token, 1, session.Integration{
		AccountURL: "https://account.example.com", AccountID: "acc_1", Email: "manager@example.com", Secrets: secrets,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := session.Parse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config: output(fmt.Sprintf("session_fingerprint(%q)", sealed)),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownOutputValue("it", knownvalue.StringExact(file.Fingerprint())),
			},
		}},
	})
}
