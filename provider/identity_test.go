package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// terraform speaks the protocol as Terraform 1.12 and later does. Older
// versions neither send nor keep an identity.
type terraform struct {
	*testing.T
	tfprotov6.ProviderServer
	schemas *tfprotov6.GetProviderSchemaResponse
}

func newTerraform(t *testing.T, account *providertest.Account) *terraform {
	t.Helper()
	server := providertest.Server(t)
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	tf := &terraform{t, server, schemas}
	kind := schemas.Provider.ValueType().(tftypes.Object)
	values := make(map[string]tftypes.Value)
	for name, of := range kind.AttributeTypes {
		values[name] = tftypes.NewValue(of, nil)
	}
	values["account_url"] = tftypes.NewValue(tftypes.String, account.URL)
	values["account_token"] = tftypes.NewValue(tftypes.String, account.Token)
	configured, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.14.0", Config: tf.encode(kind, values),
	})
	if err != nil || len(configured.Diagnostics) > 0 {
		t.Fatalf("configure: %v, %v", err, configured.Diagnostics)
	}
	return tf
}

func (tf *terraform) encode(kind tftypes.Type, value any) *tfprotov6.DynamicValue {
	tf.Helper()
	encoded, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, value))
	if err != nil {
		tf.Fatal(err)
	}
	return &encoded
}

var identityType = tftypes.Object{AttributeTypes: map[string]tftypes.Type{
	"account_id": tftypes.String, "id": tftypes.String,
}}

func (tf *terraform) importBy(resource string, account any, id string) *tfprotov6.ImportResourceStateResponse {
	tf.Helper()
	resp, err := tf.ImportResourceState(tf.Context(), &tfprotov6.ImportResourceStateRequest{
		TypeName: resource,
		Identity: &tfprotov6.ResourceIdentityData{IdentityData: tf.encode(identityType, map[string]tftypes.Value{
			"account_id": tftypes.NewValue(tftypes.String, account), "id": tftypes.NewValue(tftypes.String, id),
		})},
	})
	if err != nil {
		tf.Fatal(err)
	}
	return resp
}

func (tf *terraform) decode(kind tftypes.Type, value *tfprotov6.DynamicValue,
) (object map[string]tftypes.Value, null bool) {
	tf.Helper()
	decoded, err := value.Unmarshal(kind)
	if err != nil {
		tf.Fatal(err)
	}
	if decoded.IsNull() {
		return nil, true
	}
	if err := decoded.As(&object); err != nil {
		tf.Fatal(err)
	}
	return object, false
}

func TestImportByIdentityAndRead(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	caller, err := apitest.Read[api.Caller](account.API.WhoAmI(t.Context()))
	providertest.Expect(t, http.StatusOK, caller, err)
	owner := caller.Value.AccountId

	ranges := []string{"192.0.2.0/24"}
	rule, err := apitest.Read[api.FirewallRule](account.API.CreateFirewallRule(t.Context(), nil,
		api.FirewallRuleInput{IpRanges: &ranges}))
	providertest.Expect(t, http.StatusCreated, rule, err)
	allowed, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil,
		api.SignupDomainInput{Domain: "example.com"}))
	providertest.Expect(t, http.StatusCreated, allowed, err)
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	integration := account.Activate("manager@example.com", token)

	for _, row := range []struct {
		resource, id string
		attribute    string // an attribute that only a read brings
		removed      func() // null where a removed object stays in the state
	}{
		{"scimbridge_firewall_rule", rule.Value.Id, "action", func() {
			resp, err := apitest.Read[struct{}](account.API.DeleteFirewallRule(t.Context(), rule.Value.Id, nil))
			providertest.Expect(t, http.StatusNoContent, resp, err)
		}},
		{"scimbridge_signup_domain", "example.com", "domain", func() {
			resp, err := apitest.Read[struct{}](account.API.DeleteSignupDomain(t.Context(), "example.com", nil))
			providertest.Expect(t, http.StatusNoContent, resp, err)
		}},
		{"scimbridge_provisioning", *integration.Id, "session", nil},
		{"scimbridge_firewall_policy", owner, "default_action", nil},
		{"scimbridge_signup_domains", owner, "domains", nil},
	} {
		t.Run(row.resource, func(t *testing.T) {
			tf := newTerraform(t, account)
			kind := tf.schemas.ResourceSchemas[row.resource].ValueType()

			foreign := tf.importBy(row.resource, "another", row.id)
			if len(foreign.Diagnostics) != 1 || !strings.Contains(foreign.Diagnostics[0].Summary, "Another account") {
				t.Errorf("import of another account's object: %v", foreign.Diagnostics)
			}
			imported := tf.importBy(row.resource, nil, row.id)
			if len(imported.Diagnostics) > 0 || len(imported.ImportedResources) != 1 {
				t.Fatalf("import: %v", imported.Diagnostics)
			}
			it := imported.ImportedResources[0]
			read := func(of *tfprotov6.DynamicValue, id *tfprotov6.ResourceIdentityData,
				private []byte) *tfprotov6.ReadResourceResponse {
				t.Helper()
				resp, err := tf.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
					TypeName: row.resource, CurrentState: of, CurrentIdentity: id, Private: private,
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(resp.Diagnostics) > 0 {
					t.Fatalf("read: %s: %s", resp.Diagnostics[0].Summary, resp.Diagnostics[0].Detail)
				}
				return resp
			}
			state := read(it.State, it.Identity, it.Private)
			object, null := tf.decode(kind, state.NewState)
			if null || object[row.attribute].IsNull() {
				t.Errorf("the read after the import brought no %s", row.attribute)
			}
			is, _ := tf.decode(identityType, state.NewIdentity.IdentityData)
			want := map[string]string{"account_id": owner, "id": row.id}
			for name, value := range want {
				if !is[name].Equal(tftypes.NewValue(tftypes.String, value)) {
					t.Errorf("identity %s is %s, want %q", name, is[name], value)
				}
			}
			if row.removed == nil {
				return
			}
			row.removed()
			tf = newTerraform(t, account) // another run: within one, what was read stands
			// Terraform before 1.12 sends no identity.
			if _, null := tf.decode(kind, read(state.NewState, nil, state.Private).NewState); !null {
				t.Error("a removed object stays in the state")
			}
		})
	}
}

// The same with a real Terraform that supports identities.
func TestTerraformKeepsIdentitiesAndImportsByThem(t *testing.T) {
	t.Parallel()
	providertest.Identity.Need(t)
	for resourceType, arguments := range map[string]string{
		"scimbridge_firewall_rule":   `ip_ranges = ["192.0.2.0/24"]`,
		"scimbridge_firewall_policy": "default_action = \"report\"\n  rules = {}",
		"scimbridge_signup_domain":   `domain = "example.com"`,
		"scimbridge_signup_domains":  `domains = ["example.org"]`,
	} {
		t.Run(resourceType, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			caller, err := apitest.Read[api.Caller](account.API.WhoAmI(t.Context()))
			providertest.Expect(t, http.StatusOK, caller, err)
			address := resourceType + ".it"
			config := fmt.Sprintf("%s\nresource %q \"it\" {\n  %s\n}\n",
				account.ProviderBlock(), resourceType, arguments)
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					{
						Config: config,
						ConfigStateChecks: []statecheck.StateCheck{
							statecheck.ExpectIdentityValue(address, tfjsonpath.New("account_id"),
								knownvalue.StringExact(caller.Value.AccountId)),
							statecheck.ExpectIdentityValueMatchesState(address, tfjsonpath.New("id")),
						},
					},
					{Config: config, ResourceName: address, ImportState: true,
						ImportStateKind: resource.ImportBlockWithResourceIdentity},
				},
			})
		})
	}
}
