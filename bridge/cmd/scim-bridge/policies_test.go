package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A bridge at a cloud provider that a rule shuts out tells both ways out, and
// each of them works without touching its process.
func TestABridgeAtACloudProvider(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	account.model.IPData = openIPData(t, map[string]ipdatatest.Record{
		"127.0.0.9/32": ipdatatest.ASN(16509), "127.0.0.1/32": ipdatatest.ASN(64500), "192.0.2.9/32": {
			"is_tor_exit_node": true,
		},
	})
	pair := account.activate()
	b := serve(t, folder(t, pair.sealed), "--source-address", "127.0.0.9")
	if got := ask(t, "GET", b.url("/Users"), pair.token.Reveal(), ""); got.status != 200 {
		t.Fatalf("before: %d %s", got.status, got.body)
	}
	setRules := func(rules ...api.FirewallRuleInput) {
		t.Helper()
		rules = append([]api.FirewallRuleInput{}, rules...) // none at all are [], and not null
		done, err := apitest.Read[api.Firewall](account.admin.UpdateFirewall(t.Context(),
			&api.UpdateFirewallParams{AllowLockout: new(true)}, api.FirewallUpdate{Rules: &rules}))
		if err != nil || done.Value == nil {
			t.Fatalf("changing the firewall: %v %s", err, done.Body)
		}
	}
	denied := api.FirewallRuleInput{Action: new(api.Deny), AnonymousIps: &[]api.AnonymousIP{api.CloudProvider, api.Tor}}
	for _, way := range []struct {
		name string
		cure func()
	}{
		{"an allow rule before it", func() {
			setRules(api.FirewallRuleInput{IpRanges: &[]string{"127.0.0.9"}}, denied)
		}},
		{"no rule on cloud providers", func() { setRules() }},
	} {
		setRules(denied)
		b.awaitProblem("firewall_blocked_cloud_provider")
		s := b.status()
		p := s.Problems[0]
		if s.State != control.Refused || p.Details["address"] != "127.0.0.9" ||
			p.Details["anonymous_ips"] != "cloud_provider" || p.Details["rule_id"] == "" {
			t.Errorf("%s: while blocked: %+v", way.name, s)
		}
		for _, remedy := range []string{`ip_ranges   = ["127.0.0.9"]`, `#   anonymous_ips = ["tor"]`} {
			if !strings.Contains(p.Terraform, remedy) {
				t.Errorf("%s: the blocks lack %s:\n%s", way.name, remedy, p.Terraform)
			}
		}
		log := b.logText()
		if !strings.Contains(log, problem.LogFirewallBlocked+": problem=firewall_blocked_cloud_provider "+
			"address=127.0.0.9 rule_id="+p.Details["rule_id"]+" anonymous_ips=cloud_provider") {
			t.Errorf("%s: the reason is not in the log", way.name)
		}
		way.cure()
		b.awaitState(control.Ready)
		if after := b.status(); after.PID != s.PID || len(after.Problems) != 0 {
			t.Errorf("%s: after the cure: %+v", way.name, after)
		}
	}
}

// Two-factor authentication, enforced after activation, shuts the bridge out
// in the vendor's words; a session sealed under the policy lets it in again.
func TestTwoFactorEnforcedAfterActivation(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	old := account.activate()
	dir := folder(t, old.sealed)
	b := serve(t, dir)
	if got := ask(t, "GET", b.url("/Users"), old.token.Reveal(), ""); got.status != 200 {
		t.Fatalf("before: %d %s", got.status, got.body)
	}
	set, err := apitest.Read[api.TwoFactorPolicy](account.admin.SetTwoFactorPolicy(t.Context(), nil,
		api.TwoFactorPolicyInput{Enforced: true}))
	if err != nil || set.Value == nil {
		t.Fatalf("enforcing two-factor authentication: %v %s", err, set.Body)
	}
	got := ask(t, "GET", b.url("/Users"), old.token.Reveal(), "")
	if got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("SCIM under the policy: %d %s", got.status, got.body)
	}
	b.awaitProblem("two_factor_enforced")
	if !strings.Contains(b.logText(),
		problem.LogSignInFailed+": problem=two_factor_enforced reason=two_factor_enforced") {
		t.Error("the vendor's words are not in the log")
	}
	b.terminate()

	fresh := account.rotate(old, 0)
	if err := session.WriteFile(filepath.Join(dir, "session"), fresh.sealed); err != nil {
		t.Fatal(err)
	}
	b = serve(t, dir)
	if got := ask(t, "GET", b.url("/Users"), fresh.token.Reveal(), ""); got.status != 200 {
		t.Errorf("with credentials made under the policy: %d %s", got.status, got.body)
	}
	if codes := b.codes(); len(codes) != 0 {
		t.Errorf("problems after the cure: %v", codes)
	}
}

func openIPData(t *testing.T, records map[string]ipdatatest.Record) *ipdata.Databases {
	t.Helper()
	databases, err := ipdata.Open(ipdatatest.Write(t, "test", records))
	if err != nil {
		t.Fatal(err)
	}
	return databases
}
