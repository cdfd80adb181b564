package examples

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// newer are the files that not every version of Terraform can read. They are
// also checked by the provider's protocol.
var newer = map[string]providertest.Feature{
	"import-by-identity.tf":     providertest.Identity,
	"action.tf":                 providertest.Actions,
	"list-resource.tfquery.hcl": providertest.Query,
}

func TestTheProviderAcceptsExamplesForNewerVersions(t *testing.T) {
	t.Parallel()
	checker := newChecker(t)
	for name := range newer {
		files, err := filepath.Glob("*/*/" + name)
		if err != nil || len(files) == 0 {
			t.Fatalf("no example is called %s (%v)", name, err)
		}
		for _, file := range files {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if faults := checker.faults(t, string(text)); len(faults) > 0 {
					t.Error(faults)
				}
			})
		}
	}
}

func TestMistakesInExamplesForNewerVersionsAreFound(t *testing.T) {
	t.Parallel()
	checker := newChecker(t)
	lines := strings.NewReplacer("{ ", "{\n", " }", "\n}", " ;", "\n") // HCL wants them
	for _, row := range []struct {
		name, example, want string
	}{
		{"an action that is none", `action "scimbridge_reboot" "it" {}`, "scimbridge_reboot"},
		{"an argument that is none", `action "scimbridge_redeploy" "it" { config { bridge = "process:/srv" ` +
			`} }`, "bridge"},
		{"an argument that is missing",
			`action "scimbridge_redeploy" "it" { config { timeout = "9s" } }`, "deployment"},
		{"an argument of another form", `action "scimbridge_redeploy" "it" { config { deployment = "office" ` +
			`} }`, "process:"},
		{"a filter that matches nothing", `list "scimbridge_firewall_rule" "it" { config { action = "drop" ` +
			`} }`, "drop"},
		{"a list that is none", `list "scimbridge_provisioning" "it" {}`, "scimbridge_provisioning"},
		{"an import of nothing we have", `import { to = scimbridge_bridge.it ; identity = { id = "x" } }`,
			"scimbridge_bridge"},
		{"an identity with another key",
			`import { to = scimbridge_firewall_rule.it ; identity = { rule = "x" } }`, "rule"},
		{"an identity without its id",
			`import { to = scimbridge_firewall_rule.it ; identity = { account_id = "x" } }`, "id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if faults := checker.faults(t, lines.Replace(row.example)); !slices.ContainsFunc(faults,
				func(fault string) bool {
					return strings.Contains(fault, row.want)
				}) {
				t.Errorf("found %q, want one with %q", faults, row.want)
			}
		})
	}
}

// A checker validates examples by the provider's protocol, as a newer Terraform would.
type checker struct {
	server     tfprotov6.ProviderServer
	schemas    *tfprotov6.GetProviderSchemaResponse
	identities map[string]*tfprotov6.ResourceIdentitySchema
}

func newChecker(t *testing.T) checker {
	t.Helper()
	server := providertest.Server(t)
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	identities, err := server.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return checker{server, schemas, identities.IdentitySchemas}
}

// faults returns what is wrong with an example of list, action and import blocks.
func (c checker) faults(t *testing.T, example string) (faults []string) {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(example), "example")
	if diags.HasErrors() {
		return []string{diags.Error()}
	}
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		switch b.Type {
		case "import":
			faults = append(faults, c.ofImport(b.Body.Attributes)...)
		case "action":
			schema := c.schemas.ActionSchemas[b.Labels[0]]
			if schema == nil {
				faults = append(faults, "no action "+b.Labels[0])
				continue
			}
			config, wrong := argumentsOf(b, schema.Schema)
			resp, err := c.server.(tfprotov6.ActionServer).ValidateActionConfig(t.Context(),
				&tfprotov6.ValidateActionConfigRequest{ActionType: b.Labels[0], Config: config})
			if err != nil {
				t.Fatal(err)
			}
			faults = append(append(faults, wrong...), told(resp.Diagnostics)...)
		case "list":
			schema := c.schemas.ListResourceSchemas[b.Labels[0]]
			if schema == nil {
				faults = append(faults, "no list "+b.Labels[0])
				continue
			}
			config, wrong := argumentsOf(b, schema)
			resp, err := c.server.(tfprotov6.ListResourceServer).ValidateListResourceConfig(t.Context(),
				&tfprotov6.ValidateListResourceConfigRequest{TypeName: b.Labels[0], Config: config})
			if err != nil {
				t.Fatal(err)
			}
			faults = append(append(faults, wrong...), told(resp.Diagnostics)...)
		}
	}
	return faults
}

func (c checker) ofImport(attributes hclsyntax.Attributes) (faults []string) {
	to, diags := hcl.AbsTraversalForExpr(attributes["to"].Expr)
	if diags.HasErrors() {
		return []string{diags.Error()}
	}
	schema := c.identities[to.RootName()]
	if schema == nil {
		return []string{"no identity of " + to.RootName()}
	}
	identity, diags := attributes["identity"].Expr.Value(nil)
	if diags.HasErrors() {
		return []string{diags.Error()}
	}
	given := identity.AsValueMap()
	for _, a := range schema.IdentityAttributes {
		if _, ok := given[a.Name]; !ok && a.RequiredForImport {
			faults = append(faults, to.RootName()+" is not imported without "+a.Name)
		}
		delete(given, a.Name)
	}
	for name := range given {
		faults = append(faults, fmt.Sprintf("%s is not identified by %s", to.RootName(), name))
	}
	return faults
}

// argumentsOf encodes what the config block within a block says.
func argumentsOf(b *hclsyntax.Block, schema *tfprotov6.Schema) (config *tfprotov6.DynamicValue, faults []string) {
	values := make(map[string]json.RawMessage)
	for _, a := range schema.Block.Attributes {
		values[a.Name] = json.RawMessage("null")
	}
	for _, within := range b.Body.Blocks {
		for name, attribute := range within.Body.Attributes {
			if _, known := values[name]; !known {
				faults = append(faults, b.Labels[0]+" has no "+name)
				continue
			}
			value, diags := attribute.Expr.Value(nil)
			if diags.HasErrors() {
				faults = append(faults, diags.Error())
				continue
			}
			text, err := ctyjson.Marshal(value, value.Type())
			if err != nil {
				faults = append(faults, err.Error())
				continue
			}
			values[name] = text
		}
	}
	for _, a := range schema.Block.Attributes {
		if a.Required && string(values[a.Name]) == "null" {
			faults = append(faults, b.Labels[0]+" needs "+a.Name)
		}
	}
	text, err := json.Marshal(values)
	if err != nil {
		faults = append(faults, err.Error())
	}
	return &tfprotov6.DynamicValue{JSON: text}, faults
}

func told(diagnostics []*tfprotov6.Diagnostic) (faults []string) {
	for _, d := range diagnostics {
		faults = append(faults, d.Summary+": "+d.Detail)
	}
	return faults
}
