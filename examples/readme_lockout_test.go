package examples

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The README shows a plan that fails, and the configuration that it is of: the plan of that
// configuration prints the same lines, but for the addresses and the bridge's name.
func TestTheReadmeShowsWhatALockoutPrints(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```hcl\n(.*?)```\n\n```text\n(.*?)```").FindStringSubmatch(string(readme))
	if shown == nil {
		t.Fatal("the README shows no plan that fails")
	}
	account, instance := accountWithABridge(t)
	w := newWorkspace(t)
	w.write("main.tf", requiredProviders+account.ProviderBlock()+shown[1])
	code, out := w.run(nil, "plan", "-no-color", "-input=false")
	if code != 1 {
		t.Errorf("the plan ended with %d", code)
	}
	here := strings.NewReplacer("198.51.100.4", "127.0.0.1", "198.51.100.9", "127.0.0.1",
		"lcgo545l5lqo2ingjz5pmgwj5r", instance)
	rest, lines := out, 0
	for line := range strings.Lines(here.Replace(shown[2])) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		lines++
		var found bool
		if _, rest, found = strings.Cut(rest, line); !found {
			t.Fatalf("the plan does not print %q, or not in this order:\n%s", line, out)
		}
	}
	if lines < 6 {
		t.Errorf("the README shows %d lines: the test proves little", lines)
	}
}

const requiredProviders = `terraform {
  required_providers {
    scimbridge = { source = "scimbridge/scimbridge" }
  }
}
`

// accountWithABridge is an account with a bridge that has signed in, and the bridge's name there.
func accountWithABridge(t *testing.T) (account *providertest.Account, instance string) {
	t.Helper()
	account = providertest.NewAccount(t)
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	providertest.NewBridge(t, *account.Activate("manager@example.com", token).Session, "r1", &token)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(4 * time.Minute); time.Now().Before(deadline); <-tick.C {
		bridges, err := apitest.Read[api.BridgePage](account.API.ListBridges(t.Context(), nil))
		providertest.Expect(t, http.StatusOK, bridges, err)
		if all := bridges.Value.Items; len(all) == 1 && all[0].State != "refused" {
			return account, all[0].Instance
		}
	}
	t.Fatal("the bridge did not sign in")
	return nil, ""
}
