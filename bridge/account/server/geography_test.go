package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
)

// The world of these tests: the administrator sits in Germany, the bridge at
// a cloud provider in France, and a Tor exit in Brazil.
const tor = "203.0.113.5"

func world(t *testing.T) *conversation {
	t.Helper()
	c := converse(t)
	var err error
	c.account.IPData, err = ipdata.Open(
		ipdatatest.Write(t, "Country", map[string]ipdatatest.Record{
			home + "/32": ipdatatest.Country("DE", "EU"), office + "/32": ipdatatest.Country("FR", "EU"),
			tor + "/32": ipdatatest.Country("BR", "SA"),
		}),
		ipdatatest.Write(t, "Anonymous", map[string]ipdatatest.Record{
			office + "/32": ipdatatest.Flags("is_hosting_provider", "is_anonymous_vpn"),
			tor + "/32":    ipdatatest.Flags("is_tor_exit_node"),
		}),
	)
	ok(t, err)
	return c
}

func countries(action api.FirewallAction, codes ...string) api.FirewallRuleInput {
	return api.FirewallRuleInput{Action: &action, Countries: &codes}
}

func denyContinents(codes ...api.Continent) api.FirewallRuleInput {
	return api.FirewallRuleInput{Action: new(api.Deny), Continents: &codes}
}

func denyKinds(kinds ...api.AnonymousIP) api.FirewallRuleInput {
	return api.FirewallRuleInput{Action: new(api.Deny), AnonymousIps: &kinds}
}

// A caller that is blocked for its country or network gets the reason at sign-in
// and at each request, with what the rule saw; so does the administrator.
func TestRulesOnWhereAndWhat(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		rule api.FirewallRuleInput
		seen string // country, continent, anonymous kinds
		why  string
	}{
		{"a country", countries(api.Deny, "BR", "FR"), "FR  []", "denies it (country FR)"},
		{"a continent", denyContinents("EU"), " EU []", "denies it (continent EU)"},
		{"kinds of anonymous addresses", denyKinds(api.Tor, api.CloudProvider, api.PublicProxy), "  [cloud_provider]",
			"denies it (cloud_provider)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := world(t)
			creds := c.activate(t)
			bridge := c.mustSignIn(t, creds, "bridge-1")
			problem, err := policy(api.Allow, rule(api.Allow, home), row.rule)(t.Context(), c, true)
			ok(t, err)
			equal(t, "writing the rule", codeOf(problem), "")
			id := c.firewall(t).Rules[1].Id

			r, err := apitest.Read[api.HeartbeatAnswer](bridge.SendHeartbeat(t.Context(), api.Heartbeat{
				State: "healthy", Problems: []string{},
			}))
			ok(t, err)
			_, atSignIn := c.signIn(t, creds, "bridge-1")
			who, err := apitest.Read[api.Caller](c.as(t, c.admin, office).WhoAmI(t.Context()))
			ok(t, err)
			for what, p := range map[string]*api.Problem{
				"a request": r.Problem, "signing in": atSignIn, "an administrator's request": who.Problem,
			} {
				if codeOf(p) != "firewall_blocked" || p.Details == nil {
					t.Fatalf("%s: %+v", what, p)
				}
				d := p.Details
				equal(t, what+" at rule", deref(d.RuleId), id)
				equal(t, what+" seen", fmt.Sprintf("%s %s %v", deref(d.Country),
					deref(d.Continent), kindsOf(d.AnonymousIps)),
					row.seen)
				if !strings.Contains(*p.Detail, row.why) {
					t.Errorf("%s says %q", what, *p.Detail)
				}
			}
			last := c.provisioning(t).LastRefusal
			equal(t, "last refusal", fmt.Sprintf("%s %s %v", last.Code, deref(last.RuleId), kindsOf(last.AnonymousIps)),
				fmt.Sprintf("firewall_blocked %s %v", id, kindsOf(r.Problem.Details.AnonymousIps)))

			problem, err = policy(api.Allow, rule(api.Allow, home, office), row.rule)(t.Context(), c, true)
			ok(t, err)
			equal(t, "an allow rule before it", codeOf(problem), "")
			equal(t, "the same session after the cure", beat(t, bridge), "")
		})
	}
}

// An unknown country matches no rule; report allows and records.
func TestUnknownAndReported(t *testing.T) {
	t.Parallel()
	c := world(t)
	bridge := c.mustSignIn(t, c.activate(t), "bridge-1")
	problem, err := policy(api.Allow, countries(api.Deny, "US", "BR"), denyKinds(api.Tor, api.PublicProxy),
		countries(api.Report, "FR"))(t.Context(), c, false)
	ok(t, err)
	equal(t, "writing", codeOf(problem), "")
	equal(t, "reported", beat(t, bridge), "")
	unknown, err := apitest.Read[api.Caller](c.as(t, c.admin, "192.0.2.99").WhoAmI(t.Context()))
	ok(t, err)
	equal(t, "from an unknown place", unknown.Status, http.StatusOK)

	page, err := apitest.Read[api.SignInAttemptPage](c.ListSignInAttempts(t.Context(), nil))
	ok(t, err)
	var results []string
	for _, a := range page.Value.Items {
		results = append(results, a.Result)
	}
	slices.Sort(results)
	equal(t, "attempts", strings.Join(results, " "), "ok reported")
}

// The lock-out check and the decisions know what the rules see.
func TestGuardAndVerdictsKnowThePlace(t *testing.T) {
	t.Parallel()
	c := world(t)
	c.mustSignIn(t, c.activate(t), "bridge-1")
	for _, row := range []struct {
		name string
		rule api.FirewallRuleInput
		want string // who, address, what was seen
	}{
		{"the caller's country", countries(api.Deny, "DE"), "caller " + home + " DE  []"},
		{"the caller's continent", denyContinents("EU"), "caller " + home + "  EU []"},
		{"the bridge's country", countries(api.Deny, "FR"), "bridge " + office + " FR  []"},
		{"the bridge's network", denyKinds(api.CloudProvider, api.Vpn), "bridge " + office + "   [cloud_provider vpn]"},
		{"no caller or bridge", denyKinds(api.Tor), ""},
	} {
		problem, err := create(row.rule)(t.Context(), c, false)
		ok(t, err)
		if row.want == "" {
			equal(t, row.name, codeOf(problem), "")
			continue
		}
		equal(t, row.name, codeOf(problem), "would_lock_out")
		d := problem.Details
		equal(t, row.name, fmt.Sprintf("%s %s %s %s %v", *d.Who, *d.Address, deref(d.Country), deref(d.Continent),
			kindsOf(d.AnonymousIps)), row.want)
	}
	r, err := apitest.Read[api.Evaluation](c.EvaluateFirewall(t.Context(), api.EvaluationInput{
		Addresses: []string{home, office, tor, "2001:db8::1"},
		Policy: &api.FirewallUpdate{
			Rules: &[]api.FirewallRuleInput{denyKinds(api.Vpn), countries(api.Report, "BR")},
		},
	}))
	ok(t, err)
	var got []string
	for _, v := range r.Value.Verdicts {
		got = append(got, fmt.Sprintf("%s %s %s %s %v", v.Action, deref(v.RuleId), deref(v.Country), deref(v.Continent),
			kindsOf(v.AnonymousIps)))
	}
	equal(t, "verdicts", strings.Join(got, "; "),
		"allow  DE EU []; deny new-1 FR EU [cloud_provider vpn]; report new-2 BR SA [tor]; allow    []")
}

// A rule comes back as it was written, in each of its kinds.
func TestRuleKindsAreKept(t *testing.T) {
	t.Parallel()
	c := world(t)
	for _, body := range []string{
		`"countries":["FR","XK"]`, `"continents":["AN","OC"]`, `"anonymous_ips":["tor","cloud_provider"]`,
		`"ip_ranges":["203.0.113.0/24"]`,
	} {
		made := c.raw(t, "POST", "/v1/firewall/rules", `{"action":"report",`+body+`}`)
		if made.Status != http.StatusCreated || !strings.Contains(made.Text, body) {
			t.Fatalf("making a rule of %s: %s", body, made.Text)
		}
		if all := c.raw(t, "GET", "/v1/firewall", ""); !strings.Contains(all.Text, body) {
			t.Errorf("the rule of %s is not in the policy: %s", body, all.Text)
		}
	}
	for _, row := range []struct{ body, says string }{
		{`{"countries":["ZZ"]}`, `country "ZZ"`},
		{`{"countries":["de"]}`, "in upper case"},
		{`{"countries":["DE"],"continents":["EU"]}`, "exactly one"},
		{`{"countries":[]}`, "exactly one"},
	} {
		p := c.raw(t, "POST", "/v1/firewall/rules", row.body).Problem
		if p.Code != "invalid_value" || !strings.Contains(deref(p.Detail), row.says) {
			t.Errorf("%s: %+v", row.body, p)
		}
	}
}

// A server whose databases cannot answer the rules that another has written
// does not guess, and says what it lacks; with the firewall disabled it serves.
func TestServersWithOtherDatabases(t *testing.T) {
	t.Parallel()
	c := world(t)
	made, err := apitest.Read[api.FirewallRule](c.CreateFirewallRule(t.Context(), nil, denyKinds(api.Tor)))
	ok(t, err)
	other, err := account.Load(t.Context(), c.account.Store)
	ok(t, err)
	other.Now = c.clock.Now
	if err := other.CheckFirewall(t.Context()); err == nil || !strings.Contains(err.Error(), made.Value.Id+" (tor)") {
		t.Errorf("another server would start: %v", err)
	}
	srv := httptest.NewServer(server.New(server.Config{
		Account: other, Logger: hclog.NewNullLogger(),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}))
	defer srv.Close()
	there := &conversation{url: srv.URL, admin: c.admin}
	r := there.raw(t, "GET", "/v1/firewall", "")
	equal(t, "its status", r.Status, http.StatusServiceUnavailable)
	equal(t, "its code", r.Problem.Code, "ip_database_required")
	equal(t, "what is missing", fmt.Sprint(*r.Problem.Details.Missing), "[tor]")

	_, err = other.DisableFirewall(t.Context(), time.Hour)
	ok(t, err)
	equal(t, "while the firewall is disabled", there.raw(t, "GET", "/v1/firewall", "").Status, http.StatusOK)
	disabled, err := other.DisableFirewall(t.Context(), time.Hour)
	ok(t, err)
	if disabled.Unknown == nil || !strings.Contains(disabled.Unknown.Error(), "--ip-database") {
		t.Errorf("without the IP databases, the blocked callers cannot be known, but: %v", disabled.Unknown)
	}
	equal(t, "mending it there", there.raw(t, "DELETE", "/v1/firewall/rules/"+made.Value.Id, "").Status,
		http.StatusNoContent)
	_, err = c.account.DisableFirewall(t.Context(), 0)
	ok(t, err)
	equal(t, "without the rule", there.raw(t, "GET", "/v1/firewall", "").Status, http.StatusOK)
}

func kindsOf(kinds *[]api.AnonymousIP) []api.AnonymousIP {
	if kinds == nil {
		return nil
	}
	return *kinds
}
