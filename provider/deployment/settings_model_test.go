package deployment

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
)

// Every setting of the schema becomes a flag of the bridge, and is found again
// in what was deployed.
func TestEverySettingReachesTheBridgeAndComesBack(t *testing.T) {
	t.Parallel()
	var described resource.SchemaResponse
	New().Schema(t.Context(), resource.SchemaRequest{}, &described)
	settings := described.Schema.Attributes["settings"].(schema.SingleNestedAttribute)
	values := map[string]attr.Value{}
	for name, argument := range settings.Attributes {
		switch kind := argument.GetType().(type) {
		case basetypes.Int64Type: // of the monitoring token, which is no flag
			values[name] = types.Int64Value(7)
		case types.ListType:
			values[name] = types.ListValueMust(kind.ElemType, []attr.Value{types.StringValue("of " + name)})
		default:
			values[name] = types.StringValue("of " + name)
			if kind == types.BoolType {
				values[name] = types.BoolValue(true)
			}
		}
	}
	const token = "monitoring_token_wo"
	values[token] = types.StringValue("the-text-of-" + token)
	object := types.ObjectValueMust(settingsTypes, values)
	spec, known, diags := (&model{Settings: object}).toSpec(t.Context())
	if !known || diags.HasError() {
		t.Fatalf("known: %v, %v", known, diags)
	}
	if known, diags := (&model{Settings: object}).addMonitoring(t.Context(), &spec); !known || diags.HasError() {
		t.Fatalf("known: %v, %v", known, diags)
	}
	if m := spec.Monitoring; m == nil || m.Token.Reveal() != "the-text-of-"+token || *m.Version != 7 {
		t.Errorf("the monitoring token is deployed as %v", m)
	}
	flags := strings.Join(spec.Settings.Flags(), "\n") + "\n"
	for name := range settings.Attributes {
		if strings.HasPrefix(name, token) {
			continue
		}
		flag := "--" + strings.ReplaceAll(name, "_", "-")
		if !strings.Contains(flags, flag+"=of "+name+"\n") && !strings.Contains(flags, flag+"\n") {
			t.Errorf("settings.%s is not deployed as %s:\n%s", name, flag, flags)
		}
	}
	if fields := reflect.TypeOf(spec.Settings).NumField(); fields != len(values)-2 {
		t.Errorf("deploy.Settings has %d fields, and the schema %d settings", fields, len(values))
	}
	values[token] = types.StringNull() // it is write-only
	object = types.ObjectValueMust(settingsTypes, values)
	again, diags := settingsFromSpec(t.Context(), spec, types.ObjectNull(settingsTypes))
	if diags.HasError() || !again.Equal(object) {
		t.Errorf("what was deployed is read as %s, want %s (%v)", again, object, diags)
	}
}

// The identity provider reaches a bridge by what people call it.
func TestTheAddressIsThePublicURLOrTheDomainOrThePlace(t *testing.T) {
	t.Parallel()
	const place = "http://127.0.0.1:3002"
	for _, row := range []struct{ name, publicURL, domain, want string }{
		{"nothing is set", "", "", place},
		{"a public URL", "https://a.example.com/", "", "https://a.example.com"},
		{"a domain", "", "b.example.com", "https://b.example.com"},
		{"a domain as people write it", "", "B.Example.com.", "https://b.example.com"},
		{"a domain of another script", "", "bücher.example", "https://xn--bcher-kva.example"},
		{"both", "https://b.example.com:8443", "b.example.com", "https://b.example.com:8443"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := address(row.publicURL, row.domain, place); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}
