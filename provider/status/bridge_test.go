package status_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

func TestMain(m *testing.M) {
	os.Exit(providertest.Run(m))
}

func config(account *providertest.Account, url, monitoring string) string {
	return fmt.Sprintf(`
provider "scimbridge" {
  account_url      = %q
  account_token    = %q
  monitoring_token = %s
}
data "scimbridge_bridge_status" "it" {
  url = %q
}
`, account.URL, account.Token, monitoring, url)
}

var withToken = fmt.Sprintf("%q", providertest.MonitoringToken)

func has(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue("data.scimbridge_bridge_status.it", tfjsonpath.New(attribute), value)
}

func read(t *testing.T, config string, checks ...statecheck.StateCheck) {
	t.Helper()
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps:                    []resource.TestStep{{Config: config, ConfigStateChecks: checks}},
	})
}

func newToken(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestASealedBridge(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	bridge := providertest.NewBridge(t, *account.Activate("manager@example.com", newToken(t)).Session, "r1", nil)

	read(t, config(account, bridge.URL, withToken),
		has("state", knownvalue.StringExact("sealed")),
		has("revision", knownvalue.StringExact("r1")),
		has("problems", knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("sealed")})),
		has("source", knownvalue.StringExact("bridge")),
		has("reason", knownvalue.Null()))
	read(t, config(account, bridge.URL, "null"), // the account has never heard of it
		has("state", knownvalue.StringExact("sealed")),
		has("problems", knownvalue.Null()),
		has("source", knownvalue.Null()))
}

func TestABridgeThatIsSignedIn(t *testing.T) {
	t.Parallel()
	account, token := providertest.NewAccount(t), newToken(t)
	bridge := providertest.NewBridge(t, *account.Activate("manager@example.com", token).Session, "r7", &token)
	waitUntil(t, bridge.URL, "healthy")

	read(t, config(account, bridge.URL, withToken),
		has("state", knownvalue.StringExact("healthy")),
		has("problems", knownvalue.ListExact(nil)),
		has("source", knownvalue.StringExact("bridge")),
		has("last_contact", knownvalue.NotNull()),
		has("last_refusal", knownvalue.Null()))
	read(t, config(account, bridge.URL, "null"),
		has("state", knownvalue.StringExact("healthy")),
		has("last_contact", knownvalue.NotNull()),
		has("revision", knownvalue.StringExact("r7")),
		has("problems", knownvalue.ListExact(nil)),
		has("source", knownvalue.StringExact("account")))
}

func TestABridgeThatDoesNotAnswerStopsNoPlan(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	bridge := providertest.NewBridge(t, *account.Activate("manager@example.com", newToken(t)).Session, "r1", nil)
	bridge.Stop()
	read(t, config(account, bridge.URL, withToken),
		has("state", knownvalue.StringExact("unreachable")),
		has("problems", knownvalue.Null()),
		has("reason", knownvalue.StringRegexp(regexp.MustCompile("connection refused"))))
	read(t, config(account, account.URL, withToken), // something else listens there
		has("state", knownvalue.StringExact("unreachable")))
}

// What the account last refused is told though the bridge itself is gone.
func TestTheLastRefusalIsTheAccounts(t *testing.T) {
	t.Parallel()
	account, token := providertest.NewAccount(t), newToken(t)
	sealed := *account.Activate("manager@example.com", token).Session
	ended, err := apitest.Read[struct{}](account.API.DeactivateProvisioning(t.Context(), nil))
	providertest.Expect(t, http.StatusNoContent, ended, err)
	account.Activate("manager@example.com", newToken(t)) // the sealed credentials are another's
	bridge := providertest.NewBridge(t, sealed, "r1", &token)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for refused := false; !refused; <-tick.C {
		p, err := apitest.Read[api.Provisioning](account.API.GetProvisioning(ctx))
		providertest.Expect(t, http.StatusOK, p, err)
		refused = p.Value.LastRefusal != nil
	}
	bridge.Stop()
	read(t, config(account, bridge.URL, withToken),
		has("state", knownvalue.StringExact("unreachable")),
		statecheck.ExpectKnownValue("data.scimbridge_bridge_status.it", tfjsonpath.New("last_refusal").AtMapKey("code"),
			knownvalue.NotNull()))
}

// waitUntil polls the bridge, which signs in by itself.
func waitUntil(t *testing.T, url, state string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var seen struct{ State string }
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/ready", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("state is %q, want %q: %v", seen.State, state, err)
		}
		err = json.NewDecoder(resp.Body).Decode(&seen)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if seen.State == state {
			return
		}
		<-tick.C
	}
}
