package stories

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The configuration that terraform query generates for an account's rules and
// domains is imported without a change.
func TestAQueriedAccountIsImportedWithoutAChange(t *testing.T) {
	t.Parallel()
	providertest.Query.Need(t)
	account := providertest.NewAccount(t,
		"--ip-database="+ipdatatest.Write(t, "GeoLite2-Country", map[string]ipdatatest.Record{
			"127.0.0.0/8": ipdatatest.Country("CH", "EU"),
		}),
		"--ip-database="+ipdatatest.Write(t, "GeoLite2-ASN", map[string]ipdatatest.Record{
			"127.0.0.0/8": ipdatatest.ASN(13335),
		}))
	for _, rule := range []api.FirewallRuleInput{
		{IpRanges: &[]string{"127.0.0.1", "192.0.2.0/24", "2001:db8::/32"}, Description: new("here")},
		{Countries: &[]string{"CH", "AT"}, Priority: new(7)},
		{Continents: &[]api.Continent{"EU"}, Action: new(api.Report)},
		{AnonymousIps: &[]api.AnonymousIP{api.CloudProvider}, Action: new(api.Deny),
			Description: new(`not "${them}" \ %{nor} 'those'`)},
	} {
		made, err := apitest.Read[api.FirewallRule](account.API.CreateFirewallRule(t.Context(), nil, rule))
		providertest.Expect(t, http.StatusCreated, made, err)
	}
	for _, domain := range []string{"example.com", "xn--bcher-kva.example"} {
		made, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil,
			api.SignupDomainInput{Domain: domain}))
		providertest.Expect(t, http.StatusCreated, made, err)
	}

	w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+account.URL,
		"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
	w.config(requirements)
	query := func(lists string, arguments ...string) string {
		t.Helper()
		write(t, filepath.Join(w.dir, "account.tfquery.hcl"), lists)
		code, out := w.run(nil, append([]string{"query", "-no-color"}, arguments...)...)
		if code != 0 {
			t.Fatalf("terraform query ended with %d:\n%s", code, out)
		}
		return out
	}

	denied := query(`
list "scimbridge_firewall_rule" "denied" {
  provider = scimbridge
  config {
    action = "deny"
  }
}
`)
	if found := strings.Count(denied, "list.scimbridge_firewall_rule"); found != 1 {
		t.Errorf("%d rules deny, one does:\n%s", found, denied)
	}

	all := query(`
list "scimbridge_firewall_rule" "all" {
  provider = scimbridge
}
list "scimbridge_signup_domain" "all" {
  provider = scimbridge
}
`, "-generate-config-out=generated.tf")
	for _, want := range []string{
		"here", "allow, priority 7: AT,CH", "report, priority", "${them}", "example.com", "xn--bcher-kva.example",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the list lacks %q:\n%s", want, all)
		}
	}
	if out := w.apply(nil); !strings.Contains(out, "6 imported, 0 added, 0 changed, 0 destroyed") {
		t.Errorf("not a clean import:\n%s", out)
	}
	w.plan(nil).expectNoChanges(t)
}
