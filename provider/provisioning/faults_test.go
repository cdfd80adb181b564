package provisioning_test

import (
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

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// Healing that fails must not leave the account without an integration: no
// other bridge could come in, and the next plan would blame somebody for it.
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
			fmt.Fprint(w, `{"type":"about:blank","title":"Refused","status":422,"code":"invalid_value","detail":"not today"}`)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
