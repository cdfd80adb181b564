package provider_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	tfprovider "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/provider"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// Terraform and the account are told the version that the linker set.
func TestTheVersionIsTold(t *testing.T) {
	before := build.Version
	t.Cleanup(func() { build.Version = before })
	build.Version = "9.8.7-test"
	var agent string
	account := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		w.WriteHeader(http.StatusForbidden)
	}))
	defer account.Close()

	p := provider.New()
	var about tfprovider.MetadataResponse
	p.Metadata(t.Context(), tfprovider.MetadataRequest{}, &about)
	if about.Version != build.Version {
		t.Errorf("Terraform is told %q", about.Version)
	}
	var schema tfprovider.SchemaResponse
	p.Schema(t.Context(), tfprovider.SchemaRequest{}, &schema)
	text := func(value any) tftypes.Value { return tftypes.NewValue(tftypes.String, value) }
	arguments := map[string]tftypes.Value{"account_url": text(account.URL), "account_token": text("sba_x")}
	whole, ok := schema.Schema.Type().TerraformType(t.Context()).(tftypes.Object)
	if !ok {
		t.Fatalf("the schema is a %T", whole)
	}
	for name, of := range whole.AttributeTypes {
		if _, given := arguments[name]; !given {
			arguments[name] = tftypes.NewValue(of, nil)
		}
	}
	config := tfsdk.Config{Schema: schema.Schema, Raw: tftypes.NewValue(whole, arguments)}
	var configured tfprovider.ConfigureResponse
	p.Configure(t.Context(), tfprovider.ConfigureRequest{TerraformVersion: "1.14.0", Config: config}, &configured)
	c := client.Of(configured.ResourceData, &configured.Diagnostics)
	if configured.Diagnostics.HasError() {
		t.Fatal(configured.Diagnostics)
	}
	if _, err := c.Caller(t.Context()); err == nil ||
		agent != "terraform-provider-scimbridge/9.8.7-test Terraform/1.14.0" {
		t.Errorf("the account is told %q, %v", agent, err)
	}
}
