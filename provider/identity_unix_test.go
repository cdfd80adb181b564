//go:build unix

package provider_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	state "github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A deployment is identified by where it runs, and must belong to the account that answers.
func TestADeploymentIsImportedByIdentity(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	dataDir := filepath.Join(t.TempDir(), "bridge")
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config: account.ProviderBlock() + fmt.Sprintf(`
resource "scimbridge_provisioning" "it" {
  manager_email   = "manager@example.com"
  bearer_token_wo = %[1]q
}
resource "scimbridge_deployment" "it" {
  name            = "test"
  session         = scimbridge_provisioning.it.session
  unseal_token_wo = %[1]q
  process         = { listen = %[2]q, data_dir = %[3]q, binary = %[4]q }
}
`, token.Reveal(), providertest.FreeAddress(t), dataDir, providertest.Binary(t)),
			Check: func(*state.State) error {
				const deployment = "scimbridge_deployment"
				id := "process:" + dataDir
				tf := newTerraform(t, account)
				foreign := tf.importBy(deployment, "another", id)
				if len(foreign.Diagnostics) != 1 ||
					!strings.Contains(foreign.Diagnostics[0].Summary, "belongs to another account") {
					t.Errorf("import of another account's deployment: %v", foreign.Diagnostics)
				}
				imported := tf.importBy(deployment, nil, id)
				if len(imported.Diagnostics) > 0 || len(imported.ImportedResources) != 1 {
					t.Fatalf("import: %v", imported.Diagnostics)
				}
				it := imported.ImportedResources[0]
				read, err := tf.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
					TypeName: deployment, CurrentState: it.State, CurrentIdentity: it.Identity, Private: it.Private,
				})
				if err != nil || len(read.Diagnostics) > 0 {
					t.Fatalf("read: %v, %v", err, read.Diagnostics)
				}
				deployed, _ := tf.decode(tf.schemas.ResourceSchemas[deployment].ValueType(), read.NewState)
				for name, want := range map[string]string{"id": id, "status": "ready", "name": "test"} {
					if !deployed[name].Equal(tftypes.NewValue(tftypes.String, want)) {
						t.Errorf("%s is %s, want %q", name, deployed[name], want)
					}
				}
				return nil
			},
		}},
	})
}
