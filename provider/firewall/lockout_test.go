package firewall_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The rule that lets the caller in comes late in the same apply: the refused
// one waits for it.
func TestARuleWaitsForTheOneThatLetsThemIn(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	config := func(deny string) string {
		return account.ProviderBlock() + fmt.Sprintf(`
resource "scimbridge_firewall_rule" "deny" {
  action    = "deny"
  ip_ranges = ["127.0.0.0/8"]
%s
}
resource "scimbridge_firewall_rule" "late" {
  ip_ranges  = ["127.0.0.1"]
  depends_on = [terraform_data.first]
}
resource "terraform_data" "first" {
  provisioner "local-exec" { command = "sleep 1" }
}
`, deny)
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{
			{
				Config: config(""),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("scimbridge_firewall_rule.deny", plancheck.ResourceActionCreate),
					plancheck.ExpectResourceAction("scimbridge_firewall_rule.late", plancheck.ResourceActionCreate),
				}},
			},
			{ // a destroy may delete the rule that lets the caller in before the one that denies it
				Config: config("allow_lockout = true"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("scimbridge_firewall_rule.deny", plancheck.ResourceActionUpdate),
				}},
			},
		},
	})
	if n := refused(account); n == 0 {
		t.Error("the account refused nothing: the test proves nothing")
	}
}

func refused(account *providertest.Account) (n int) {
	for line := range strings.Lines(account.Log()) {
		if strings.Contains(line, "code=would_lock_out") {
			n++
		}
	}
	return n
}

func TestThePolicyKnowsWhomItWouldShutOut(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	for _, row := range []struct{ name, arguments, want string }{
		{
			"by the default action", "default_action = \"deny\"\n  rules = {}",
			`(?s)with scimbridge_firewall_policy.it.*default_action = "deny".*` +
				`the machine that runs Terraform, at 127\.0\.0\.1: ` +
				`by the\s+default action.*allow_lockout = true`,
		},
		{
			"by a rule, which is named", "default_action = \"allow\"\n  rules = {\n" +
				"    no = { action = \"deny\", ip_ranges = [\"127.0.0.1\"], priority = 1 }\n" +
				"    late = { ip_ranges = [\"127.0.0.0/8\"], priority = 2 }\n  }",
			`(?s)the machine that runs Terraform, at 127\.0\.0\.1: by rule "no"`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resource.UnitTest(t, resource.TestCase{
				ProtoV6ProviderFactories: providertest.Factories(t),
				Steps: []resource.TestStep{
					{Config: policy(account, row.arguments), PlanOnly: true, ExpectError: regexp.MustCompile(row.want)},
				},
			})
		})
	}
	t.Run("unless it is meant", func(t *testing.T) {
		t.Parallel()
		resource.UnitTest(t, resource.TestCase{
			ProtoV6ProviderFactories: providertest.Factories(t),
			Steps: []resource.TestStep{{
				Config:   policy(account, "default_action = \"deny\"\n  rules = {}\n  allow_lockout = true"),
				PlanOnly: true, ExpectNonEmptyPlan: true,
			}},
		})
	})
}

// A bridge that is signed in is named with its address, beside the caller.
func TestThePolicyNamesTheBridgeItWouldShutOut(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	sealed := account.Activate("manager@example.com", token).Session
	if sealed == nil {
		t.Fatal("the account keeps no session")
	}
	providertest.NewBridge(t, *sealed, "1", &token)
	deadline := time.Now().Add(time.Minute)
	for live := false; !live; {
		page, err := apitest.Read[api.BridgePage](account.API.ListBridges(t.Context(), nil))
		providertest.Expect(t, http.StatusOK, page, err)
		live = len(page.Value.Items) == 1 && page.Value.Items[0].Live
		if time.Now().After(deadline) {
			t.Fatalf("the bridge has not signed in: %s", page.Body)
		}
	}
	resource.UnitTest(t, resource.TestCase{
		ProtoV6ProviderFactories: providertest.Factories(t),
		Steps: []resource.TestStep{{
			Config: policy(account, "default_action = \"deny\"\n  rules = {\n"+
				"    elsewhere = { ip_ranges = [\"192.0.2.0/24\"] }\n  }"),
			PlanOnly: true,
			ExpectError: regexp.MustCompile(
				`(?s)- the machine that runs Terraform, at 127\.0\.0\.1: by the default action\s+` +
					`- the bridge "[^"]+", at\s+127\.0\.0\.1:\s+by\s+the\s+default\s+action`),
		}},
	})
}

// What a plan says of one rule after the other, over the protocol: the order
// in which Terraform plans is its own.
func TestAPlanWarnsOfLockOuts(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	mine := add(t, account, "the caller's", "127.0.0.1")
	deny := api.Deny
	yes := true
	resp, err := apitest.Read[api.Firewall](account.API.UpdateFirewall(t.Context(),
		&api.UpdateFirewallParams{AllowLockout: &yes}, api.FirewallUpdate{DefaultAction: &deny}))
	providertest.Expect(t, http.StatusOK, resp, err)

	denies := aRule{action: "deny", priority: 1, ranges: []string{"127.0.0.0/8"}}
	allows := aRule{action: "allow", priority: 0, ranges: []string{"127.0.0.1"}}
	for _, row := range []struct {
		name  string
		rules []aRule
		want  []string // of each: what the warning says, or nothing
	}{
		{"a rule that denies the caller", []aRule{denies},
			[]string{"the machine that runs Terraform, at 127.0.0.1: by this rule"}},
		{"after one that lets it in", []aRule{allows, denies}, []string{"", ""}},
		{"before one that lets it in", []aRule{denies, allows}, []string{"by this rule", ""}},
		{"a second that denies it gets no second warning",
			[]aRule{denies, {action: "deny", priority: 2, ranges: []string{"127.0.0.0/8"}}},
			[]string{"by this rule", ""}},
		{"unless it is meant",
			[]aRule{{action: "deny", priority: 1, ranges: []string{"127.0.0.0/8"}, allowLockout: true}},
			[]string{""}},
		{"a rule about others", []aRule{{action: "deny", priority: 1, ranges: []string{"192.0.2.0/24"}}}, []string{""}},
		{"its own rule, destroyed", []aRule{{id: mine, destroy: true}}, []string{"by the default action"}},
		{"its own rule, changed", []aRule{{id: mine, action: "allow", priority: 100, ranges: []string{"127.0.0.2"}}},
			[]string{"by the default action"}},
		{"its own rule, when nothing changes",
			[]aRule{{id: mine, action: "allow", priority: 100, ranges: []string{"127.0.0.1"}, same: true}},
			[]string{""}},
		{"what is unknown", []aRule{{action: "deny", priority: 1}}, []string{""}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			tf := configured(t, account)
			for i, rule := range row.rules {
				diags := tf.plan(rule)
				if row.want[i] == "" {
					if len(diags) != 0 {
						t.Errorf("rule %d: %s: %s", i, diags[0].Summary, diags[0].Detail)
					}
					continue
				}
				if len(diags) != 1 || diags[0].Severity != tfprotov6.DiagnosticSeverityWarning ||
					!strings.Contains(diags[0].Detail, row.want[i]) {
					t.Errorf("rule %d: diagnostics %+v, want one warning with %q", i, diags, row.want[i])
				}
			}
		})
	}
}

// aRule is one rule as Terraform plans it.
type aRule struct {
	id, action    string
	priority      int
	ranges        []string // nil: unknown
	allowLockout  bool
	destroy, same bool
}

type protocol struct {
	*testing.T
	tfprotov6.ProviderServer
	kind tftypes.Object
}

func configured(t *testing.T, account *providertest.Account) protocol {
	t.Helper()
	server := providertest.Server(t)
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	block := schemas.Provider.ValueType().(tftypes.Object)
	values := make(map[string]tftypes.Value)
	for name, of := range block.AttributeTypes {
		values[name] = tftypes.NewValue(of, nil)
	}
	values["account_url"] = tftypes.NewValue(tftypes.String, account.URL)
	values["account_token"] = tftypes.NewValue(tftypes.String, account.Token)
	p := protocol{t, server, schemas.ResourceSchemas["scimbridge_firewall_rule"].ValueType().(tftypes.Object)}
	resp, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		Config: p.dynamic(block, tftypes.NewValue(block, values)),
	})
	if err != nil || len(resp.Diagnostics) > 0 {
		t.Fatalf("configure: %v, %v", err, resp.Diagnostics)
	}
	return p
}

func (p protocol) dynamic(kind tftypes.Type, value tftypes.Value) *tfprotov6.DynamicValue {
	p.Helper()
	encoded, err := tfprotov6.NewDynamicValue(kind, value)
	if err != nil {
		p.Fatal(err)
	}
	return &encoded
}

// rule is a rule's value; computed is what its id is while it is new.
func (p protocol) rule(r aRule, computed any) tftypes.Value {
	values := make(map[string]tftypes.Value)
	for name, of := range p.kind.AttributeTypes {
		values[name] = tftypes.NewValue(of, nil)
	}
	values["id"] = tftypes.NewValue(tftypes.String, computed)
	if r.id != "" {
		values["id"] = tftypes.NewValue(tftypes.String, r.id)
	}
	values["action"] = tftypes.NewValue(tftypes.String, r.action)
	values["priority"] = tftypes.NewValue(tftypes.Number, r.priority)
	values["description"] = tftypes.NewValue(tftypes.String, "")
	if r.allowLockout {
		values["allow_lockout"] = tftypes.NewValue(tftypes.Bool, true)
	}
	ranges := p.kind.AttributeTypes["ip_ranges"]
	values["ip_ranges"] = tftypes.NewValue(ranges, tftypes.UnknownValue)
	if r.ranges != nil {
		elements := make([]tftypes.Value, len(r.ranges))
		for i, text := range r.ranges {
			elements[i] = tftypes.NewValue(tftypes.String, text)
		}
		values["ip_ranges"] = tftypes.NewValue(ranges, elements)
	}
	return tftypes.NewValue(p.kind, values)
}

func (p protocol) plan(r aRule) []*tfprotov6.Diagnostic {
	p.Helper()
	null := tftypes.NewValue(p.kind, nil)
	before, config, after := null,
		p.rule(aRule{action: r.action, priority: r.priority, ranges: r.ranges, allowLockout: r.allowLockout}, nil),
		p.rule(r, tftypes.UnknownValue)
	switch {
	case r.destroy:
		before, config, after = p.rule(aRule{
			id: r.id, action: "allow", priority: 100, ranges: []string{"127.0.0.1"},
		}, nil),
			null, null
	case r.same:
		before = after
	case r.id != "":
		before = p.rule(aRule{id: r.id, action: "allow", priority: 100, ranges: []string{"127.0.0.1"}}, nil)
	}
	resp, err := p.PlanResourceChange(p.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: "scimbridge_firewall_rule", PriorState: p.dynamic(p.kind, before),
		Config: p.dynamic(p.kind, config), ProposedNewState: p.dynamic(p.kind, after),
	})
	if err != nil {
		p.Fatal(err)
	}
	return resp.Diagnostics
}
