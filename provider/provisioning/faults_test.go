package provisioning_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// Healing that fails must not leave the account without an integration: no
// other bridge could sign in, and the next plan would report a change outside Terraform.
func TestHealingThatFailsLeavesTheIntegrationAsItWas(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token := newToken(t)
	var broken atomic.Bool
	configured := strings.Replace(config(account, given(token)), account.URL, refusing(t, account.URL, &broken), 1)
	var before api.Provisioning
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{Config: configured, ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{
				PreConfig: func() {
					twoFactor(t, account, true)
					before = integration(t, account)
					broken.Store(true)
				},
				Config:           configured,
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate, renews()),
				ExpectError:      regexp.MustCompile(`not\s+today`),
			},
			{
				PreConfig: func() {
					if now := integration(t, account); !now.Active || *now.Id != *before.Id || now.Etag != before.Etag {
						t.Errorf("the failed apply left %+v, before it was %+v", now, before)
					}
					broken.Store(false)
				},
				Config:            configured,
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate, renews()),
				ConfigStateChecks: []statecheck.StateCheck{signsIn{account, token}},
			},
		},
	})
}

// A network that fails leaves neither an integration that Terraform does not
// know nor credentials that are of no use: the apply ends right, the next plan
// is empty, and the session in the state signs in.
func TestFaultsOfTheNetwork(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, method, path string
		fault              providertest.Fault
	}{
		{"provisioning is activated, and the answer lost", "POST", "/v1/provisioning", providertest.AnswerLost},
		{"provisioning is activated, and the answer cut", "POST", "/v1/provisioning", providertest.AnswerCut},
		{"provisioning is activated on a bad day", "POST", "/v1/provisioning", providertest.TurnedAway(500)},
		{"credentials are rotated, and the answer lost", "POST", "/v1/provisioning/rotate", providertest.AnswerLost},
		{"credentials are rotated on a bad day", "POST", "/v1/provisioning/rotate", providertest.TurnedAway(502)},
		{"the integration is changed, and the answer lost", "PATCH", "/v1/provisioning", providertest.AnswerLost},
		{"the integration ends, and the answer is lost", "DELETE", "/v1/provisioning", providertest.AnswerLost},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			provider, met := account.Behind(t, row.method, row.path, row.fault)
			first, second := newToken(t), newToken(t)
			through := func(arguments ...string) string {
				return strings.Replace(config(account, arguments...), account.ProviderBlock(), provider, 1)
			}
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				CheckDestroy: func(*terraform.State) error {
					if integration(t, account).Active {
						return errors.New("the integration outlives its resource")
					}
					return nil
				},
				Steps: []resource.TestStep{
					{
						Config:            through(given(first)),
						ConfigPlanChecks:  planned(plancheck.ResourceActionCreate),
						ConfigStateChecks: []statecheck.StateCheck{signsIn{account, first}},
					},
					{
						Config:            through(given(second)),
						ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate, renews()),
						ConfigStateChecks: []statecheck.StateCheck{signsIn{account, second}},
					},
					{
						Config:            through(given(second), `idp = "okta"`),
						ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
						ConfigStateChecks: []statecheck.StateCheck{signsIn{account, second}},
					},
				},
			})
			if !met() {
				t.Error("no request met the fault: the test proves nothing")
			}
		})
	}
}

// refusing serves the account, and while broken refuses new credentials.
func refusing(t *testing.T, account string, broken *atomic.Bool) (proxyURL string) {
	t.Helper()
	target, err := url.Parse(account)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/provisioning") && broken.Load() {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"type":"about:blank","title":"Refused","status":422,"code":"invalid_value",`+
				`"detail":"not today"}`)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
