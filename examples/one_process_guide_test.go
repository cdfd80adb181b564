package examples

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The guide's account and bridge are one process, and a rotation reaches the bridge without a restart.
func TestTheGuideOfOneProcessRunsAsPrinted(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "provider", "templates", "guides", "one-process.md"))
	if err != nil {
		t.Fatal(err)
	}
	account, bridge := providertest.FreeAddress(t), providertest.FreeAddress(t)
	blocks := blocksOf(t, string(guide), "## Run it")
	for i, b := range blocks {
		if strings.HasPrefix(b.text, "terraform destroy") { // before it ends, everybody asks once more
			again := "scim-bridge simulate --idp okta --url http://127.0.0.1:3002 --token-file bearer-token\n" +
				"scim-bridge status --local --control bridge\n"
			blocks[i].text = again + b.text
		}
	}
	install := "make mirror\nexport PATH=\"$PWD/bin:$PATH\" TF_CLI_CONFIG_FILE=\"$PWD/bin/terraformrc\"\n"
	blocks = append([]block{{text: install}}, blocks...)
	out, folder := paste(t, blocks, account, bridge)
	for _, want := range []string{
		"Apply complete! Resources: 2 added, 0 changed, 0 destroyed.",
		"@example.com: ", // the recipient of a mail
		"connection test   3      3      -        -",
		`"epoch": 2`,
		"Destroy complete! Resources: 2 destroyed.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	log, err := os.ReadFile(filepath.Join(folder, "serve.log"))
	if err != nil || strings.Count(string(log), "scim-bridge: starting") != 1 {
		t.Errorf("the bridge was not started once (%v):\n%s", err, log)
	}
}
