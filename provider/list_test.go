package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// list sends what terraform query sends. That needs Terraform 1.14; by protocol,
// tests with an older version cover it too.
func (tf *terraform) list(resource string, config map[string]tftypes.Value, whole bool, limit int64,
) []tfprotov6.ListResourceResult {
	tf.Helper()
	lister, ok := tf.ProviderServer.(tfprotov6.ListResourceServer)
	if !ok {
		tf.Fatal("the server lists nothing")
	}
	schema := tf.schemas.ListResourceSchemas[resource]
	if schema == nil {
		tf.Fatalf("%s cannot be listed", resource)
	}
	encoded := tf.encode(schema.ValueType(), config)
	checked, err := lister.ValidateListResourceConfig(tf.Context(), &tfprotov6.ValidateListResourceConfigRequest{
		TypeName: resource, Config: encoded,
	})
	if err != nil || len(checked.Diagnostics) > 0 {
		tf.Fatalf("validate: %v, %v", err, checked.Diagnostics)
	}
	stream, err := lister.ListResource(tf.Context(), &tfprotov6.ListResourceRequest{
		TypeName: resource, Config: encoded, IncludeResource: whole, Limit: limit,
	})
	if err != nil {
		tf.Fatal(err)
	}
	results := slices.Collect(stream.Results)
	for _, r := range results {
		if len(r.Diagnostics) > 0 {
			tf.Fatalf("list %s: %s: %s", resource, r.Diagnostics[0].Summary, r.Diagnostics[0].Detail)
		}
	}
	return results
}

func TestRulesAndDomainsAreListed(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	deny, allow := api.Deny, api.Allow
	for _, rule := range []api.FirewallRuleInput{
		{Action: &deny, IpRanges: &[]string{"192.0.2.0/24"}, Description: new("guests")},
		{Action: &allow, IpRanges: &[]string{"127.0.0.0/8"}},
	} {
		made, err := apitest.Read[api.FirewallRule](account.API.CreateFirewallRule(t.Context(), nil, rule))
		providertest.Expect(t, http.StatusCreated, made, err)
	}
	for _, domain := range []string{"b.example", "a.example"} {
		made, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil,
			api.SignupDomainInput{Domain: domain}))
		providertest.Expect(t, http.StatusCreated, made, err)
	}
	caller, err := apitest.Read[api.Caller](account.API.WhoAmI(t.Context()))
	providertest.Expect(t, http.StatusOK, caller, err)

	rules, domains := "scimbridge_firewall_rule", "scimbridge_signup_domain"
	all := map[string]tftypes.Value{"action": tftypes.NewValue(tftypes.String, nil)}
	onlyDeny := map[string]tftypes.Value{"action": tftypes.NewValue(tftypes.String, "deny")}
	for _, row := range []struct {
		name, resource string
		config         map[string]tftypes.Value
		limit          int64
		want           []string // display names, in order
	}{
		{"rules in the order of evaluation", rules, all, 100, []string{"allow, priority 100: 127.0.0.0/8", "guests"}},
		{"rules with one action", rules, onlyDeny, 100, []string{"guests"}},
		{"no more rules than asked for", rules, all, 1, []string{"allow, priority 100: 127.0.0.0/8"}},
		{"domains in alphabetical order", domains, nil, 100, []string{"a.example", "b.example"}},
		{"no more domains than asked for", domains, nil, 1, []string{"a.example"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			tf := newTerraform(t, account)
			kind := tf.schemas.ResourceSchemas[row.resource].ValueType()
			bare := tf.list(row.resource, row.config, false, row.limit)
			var names []string
			for _, r := range bare {
				names = append(names, r.DisplayName)
				if r.Resource != nil {
					t.Errorf("%s comes with its values, which were not asked for", r.DisplayName)
				}
			}
			if !slices.Equal(names, row.want) {
				t.Fatalf("listed %q, want %q", names, row.want)
			}
			for _, r := range tf.list(row.resource, row.config, true, row.limit) {
				is, _ := tf.decode(identityType, r.Identity.IdentityData)
				if !is["account_id"].Equal(tftypes.NewValue(tftypes.String, caller.Value.AccountId)) {
					t.Errorf("account_id is %s", is["account_id"])
				}
				listed, _ := tf.decode(kind, r.Resource)
				if !listed["id"].Equal(is["id"]) {
					t.Errorf("id is %s, and %s in the identity", listed["id"], is["id"])
				}
				// What is imported by that identity is what was listed: a plan
				// of the generated configuration changes nothing.
				imported := tf.importBy(row.resource, nil, text(t, is["id"])).ImportedResources[0]
				read, err := tf.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
					TypeName: row.resource, CurrentState: imported.State, CurrentIdentity: imported.Identity,
					Private: imported.Private,
				})
				if err != nil || len(read.Diagnostics) > 0 {
					t.Fatalf("read: %v, %v", err, read.Diagnostics)
				}
				if state, _ := tf.decode(kind, read.NewState); !tftypes.NewValue(kind,
					state).Equal(tftypes.NewValue(kind,
					listed)) {
					t.Errorf("listed %s\nread   %s", listed, state)
				}
			}
		})
	}
}

func TestAListThatTheAccountRefusesSaysWhy(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	account.Token = "sba_wrong"
	for name, schema := range newTerraform(t, account).schemas.ListResourceSchemas {
		tf := newTerraform(t, account) // within one run, only the first failure has the whole text
		config := make(map[string]tftypes.Value)
		for _, a := range schema.Block.Attributes {
			config[a.Name] = tftypes.NewValue(a.Type, nil)
		}
		stream, err := tf.ProviderServer.(tfprotov6.ListResourceServer).ListResource(t.Context(),
			&tfprotov6.ListResourceRequest{
				TypeName: name, Config: tf.encode(schema.ValueType(), config), Limit: 10,
			})
		if err != nil {
			t.Fatal(err)
		}
		results := slices.Collect(stream.Results)
		if len(results) != 1 || len(results[0].Diagnostics) != 1 ||
			!strings.Contains(results[0].Diagnostics[0].Detail, "SCIMBRIDGE_ACCOUNT_TOKEN") {
			t.Errorf("%s: %+v, want the account's refusal with its remedy", name, results)
		}
	}
}

func text(t *testing.T, value tftypes.Value) (text string) {
	t.Helper()
	if err := value.As(&text); err != nil {
		t.Fatal(err)
	}
	return text
}
