package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A managed is one resource of a run: its type, and its arguments as JSON. With
// no arguments it is destroyed.
type managed struct{ name, kind, arguments string }

// Terraform plans each resource a second time during the apply, in another
// process, when its siblings may exist already, and refuses a plan that differs
// from the first. So the test plans everything, and then plans again and applies
// each, in every order.
func TestASecondPlanIsTheFirstWhateverSiblingsDid(t *testing.T) {
	t.Parallel()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	single := func(name, ip string) managed {
		return managed{name, "scimbridge_firewall_rule", fmt.Sprintf(`{"ip_ranges": [%q]}`, ip)}
	}
	policy := func(arguments string) managed {
		return managed{"policy", "scimbridge_firewall_policy", `{"default_action": "report"` + arguments + `}`}
	}
	integration := managed{"integration", "scimbridge_provisioning", fmt.Sprintf(
		`{"manager_email": "manager@example.com", "bearer_token_wo": %q}`, token.Reveal())}
	domain := managed{"domain", "scimbridge_signup_domain", `{"domain": "one.example"}`}
	list := func(mode string, domains string) managed {
		arguments := fmt.Sprintf(`{"domains": [%s], "on_unmanaged": %q}`, domains, mode)
		return managed{"list", "scimbridge_signup_domains", arguments}
	}
	rollout := managed{"rollout", "scimbridge_rollout",
		`{"revision": "r1", "on_unready": "warn", "timeouts": {"create": "1s"}}`}
	office := `, "rules": {"office": {"ip_ranges": ["192.0.2.0/24"]}}`
	seen := make(map[string]bool)
	for _, row := range []struct {
		name string
		runs [][]managed // each after the other
	}{
		{"a list that reports, beside a single domain", [][]managed{{list("report", `"a.example"`), domain}}},
		{"a list that changes while a single domain goes", [][]managed{
			{list("report", `"a.example"`), domain},
			{list("report", `"a.example", "b.example"`), {"domain", "scimbridge_signup_domain", ""}},
		}},
		{"a list that turns to report beside a new domain", [][]managed{
			{list("remove", `"a.example"`)},
			{list("report", `"a.example"`), domain},
		}},
		{"a policy that reports, beside a single rule", [][]managed{
			{policy(office + `, "on_unmanaged": "report"`), single("rule", "198.51.100.0/24")},
		}},
		{"a policy without rules beside a single rule", [][]managed{{policy(""), single("rule", "198.51.100.0/24")}}},
		{"a policy that first manages rules beside a new rule", [][]managed{
			{policy("")}, {policy(office + `, "on_unmanaged": "report"`), single("rule", "198.51.100.0/24")},
		}},
		{"a policy that changes while a rule does", [][]managed{
			{policy(office + `, "on_unmanaged": "report"`), single("rule", "198.51.100.0/24")},
			{policy(`, "rules": {"home": {"ip_ranges": ["192.0.2.0/24"]}}, "on_unmanaged": "report"`),
				single("rule", "198.51.100.0/25")},
		}},
		{"a roll-out beside a rule", [][]managed{{rollout, single("rule", "198.51.100.0/24")}}},
		{"an integration beside all of it", [][]managed{{integration, single("rule", "198.51.100.0/24"), domain}}},
	} {
		for _, run := range row.runs {
			for _, o := range run {
				seen[o.kind] = true
			}
		}
		last := row.runs[len(row.runs)-1]
		for _, order := range orders(len(last)) {
			t.Run(fmt.Sprintf("%s, applied as %v", row.name, order), func(t *testing.T) {
				t.Parallel()
				account := providertest.NewAccount(t)
				states := make(map[string]*tfprotov6.DynamicValue)
				private := make(map[string][]byte)
				for i, run := range row.runs {
					if i < len(row.runs)-1 {
						runOnce(t, account, run, orders(len(run))[0], states, private)
						continue
					}
					runOnce(t, account, run, order, states, private)
				}
			})
		}
	}
	server := newSchemas(t)
	for kind := range server.ResourceSchemas {
		// These read nothing of the account in a plan.
		if !seen[kind] && kind != "scimbridge_deployment" && kind != "scimbridge_directory" {
			t.Errorf("no run has a %s", kind)
		}
	}
}

// The plan refuses a policy that shuts the caller out. Within an apply that has
// begun to write, an error of the plan of a creation could leave what it
// replaces deposed: the creation itself is refused.
func TestALockOutWithinTheApplyIsAnErrorOfTheCreation(t *testing.T) {
	t.Parallel()
	account := providertest.NewAccount(t)
	tf := newTerraform(t, account)
	policy := managed{"policy", "scimbridge_firewall_policy", `{"default_action": "deny", "rules": {}}`}
	kind := tf.schemas.ResourceSchemas[policy.kind].ValueType()
	plan := func(private []byte) *tfprotov6.PlanResourceChangeResponse {
		resp, err := tf.PlanResourceChange(t.Context(), &tfprotov6.PlanResourceChangeRequest{
			TypeName: policy.kind, PriorState: tf.prior(kind, nil), ProposedNewState: tf.proposed(policy, nil),
			Config: tf.config(policy), PriorPrivate: private,
		})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	said := func(diags []*tfprotov6.Diagnostic, severity tfprotov6.DiagnosticSeverity, words string) {
		t.Helper()
		if len(diags) != 1 || diags[0].Severity != severity || !strings.Contains(diags[0].Detail, words) {
			for _, d := range diags {
				t.Logf("%s: %s: %s", d.Severity, d.Summary, d.Detail)
			}
			t.Fatalf("want one of severity %s with %q", severity, words)
		}
	}
	first := plan(nil)
	said(first.Diagnostics, tfprotov6.DiagnosticSeverityError, "the machine that runs Terraform")

	domain := managed{"domain", "scimbridge_signup_domain", `{"domain": "one.example"}`}
	planned, private := tf.planned(domain, nil, nil)
	domainKind := tf.schemas.ResourceSchemas[domain.kind].ValueType()
	applied, err := tf.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: domain.kind, PriorState: tf.prior(domainKind, nil), Config: tf.config(domain),
		PlannedState: tf.dynamic(domainKind, planned), PlannedPrivate: private,
	})
	tf.expectNoErrors("apply the domain", applied.Diagnostics, err)

	second := plan(first.PlannedPrivate)
	if len(second.Diagnostics) > 0 {
		t.Errorf("the second plan says %s: %s", second.Diagnostics[0].Summary, second.Diagnostics[0].Detail)
	}
	made, err := tf.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: policy.kind, PriorState: tf.prior(kind, nil), Config: tf.config(policy),
		PlannedState: second.PlannedState, PlannedPrivate: second.PlannedPrivate,
	})
	if err != nil {
		t.Fatal(err)
	}
	said(made.Diagnostics, tfprotov6.DiagnosticSeverityError, "would_lock_out")
}

func newSchemas(t *testing.T) *tfprotov6.GetProviderSchemaResponse {
	t.Helper()
	schemas, err := providertest.Server(t).GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return schemas
}

// orders returns all permutations of n indices.
func orders(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, order := range orders(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(order), at, n-1))
		}
	}
	return all
}

// runOnce refreshes and plans all objects, and then plans again and applies
// each, as Terraform does.
func runOnce(t *testing.T, account *providertest.Account, run []managed, order []int,
	states map[string]*tfprotov6.DynamicValue, private map[string][]byte,
) {
	t.Helper()
	planning, applying := newTerraform(t, account), newTerraform(t, account)
	first := make(map[string]tftypes.Value)
	for _, o := range run {
		if states[o.name] != nil {
			read, err := planning.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
				TypeName: o.kind, CurrentState: states[o.name], Private: private[o.name],
			})
			planning.expectNoErrors("read "+o.name, read.Diagnostics, err)
			states[o.name], private[o.name] = read.NewState, read.Private
		}
		first[o.name], _ = planning.planned(o, states[o.name], private[o.name])
	}
	for _, i := range order {
		o := run[i]
		second, secondPrivate := applying.planned(o, states[o.name], private[o.name])
		if at, ok := refines(first[o.name], second); !ok {
			t.Fatalf("%s: the second plan differs at %s:\nfirst  %s\nsecond %s", o.name, at, first[o.name], second)
		}
		kind := applying.schemas.ResourceSchemas[o.kind].ValueType()
		applied, err := applying.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
			TypeName: o.kind, PriorState: applying.prior(kind, states[o.name]), Config: applying.config(o),
			PlannedState: applying.dynamic(kind, second), PlannedPrivate: secondPrivate,
		})
		applying.expectNoErrors("apply "+o.name, applied.Diagnostics, err)
		made, err := applied.NewState.Unmarshal(kind)
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := refines(second, made); !ok {
			t.Fatalf("%s: what was made differs from the plan at %s:\nplan %s\nmade %s", o.name, at, second, made)
		}
		states[o.name], private[o.name] = applied.NewState, applied.Private
		if o.arguments == "" {
			delete(states, o.name)
		}
	}
}

func (tf *terraform) expectNoErrors(what string, diags []*tfprotov6.Diagnostic, err error) {
	tf.Helper()
	if err != nil {
		tf.Fatalf("%s: %v", what, err)
	}
	for _, d := range diags {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			tf.Fatalf("%s: %s: %s", what, d.Summary, d.Detail)
		}
	}
}

func (tf *terraform) dynamic(kind tftypes.Type, value tftypes.Value) *tfprotov6.DynamicValue {
	tf.Helper()
	encoded, err := tfprotov6.NewDynamicValue(kind, value)
	if err != nil {
		tf.Fatal(err)
	}
	return &encoded
}

func (tf *terraform) prior(kind tftypes.Type, state *tfprotov6.DynamicValue) *tfprotov6.DynamicValue {
	if state == nil {
		return tf.dynamic(kind, tftypes.NewValue(kind, nil))
	}
	return state
}

// config encodes an object's configuration.
func (tf *terraform) config(o managed) *tfprotov6.DynamicValue {
	tf.Helper()
	kind := tf.schemas.ResourceSchemas[o.kind].ValueType()
	var arguments any
	if o.arguments != "" {
		if err := json.Unmarshal([]byte(o.arguments), &arguments); err != nil {
			tf.Fatal(err)
		}
	}
	return tf.dynamic(kind, valueOf(kind, arguments))
}

// planned returns what the provider plans for an object.
func (tf *terraform) planned(o managed, state *tfprotov6.DynamicValue, private []byte) (tftypes.Value, []byte) {
	tf.Helper()
	kind := tf.schemas.ResourceSchemas[o.kind].ValueType()
	config := tf.config(o)
	resp, err := tf.PlanResourceChange(tf.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: o.kind, PriorState: tf.prior(kind, state), ProposedNewState: tf.proposed(o, state), Config: config,
		PriorPrivate: private,
	})
	if err != nil {
		tf.Fatal(err)
	}
	tf.expectNoErrors("plan "+o.name, resp.Diagnostics, nil)
	value, err := resp.PlannedState.Unmarshal(kind)
	if err != nil {
		tf.Fatal(err)
	}
	return value, resp.PlannedPrivate
}

// proposed is the configuration with what is computed as it was.
func (tf *terraform) proposed(o managed, state *tfprotov6.DynamicValue) *tfprotov6.DynamicValue {
	tf.Helper()
	schema := tf.schemas.ResourceSchemas[o.kind]
	kind := schema.ValueType()
	config, null := tf.decode(kind, tf.config(o))
	if null {
		return tf.config(o)
	}
	var before map[string]tftypes.Value
	if state != nil {
		before, _ = tf.decode(kind, state)
	}
	for _, attribute := range schema.Block.Attributes {
		switch {
		case attribute.WriteOnly:
			config[attribute.Name] = tftypes.NewValue(attribute.Type, nil)
		case attribute.Computed && config[attribute.Name].IsNull() && before != nil:
			config[attribute.Name] = before[attribute.Name]
		}
	}
	return tf.dynamic(kind, tftypes.NewValue(kind, config))
}

// valueOf converts a JSON value to a type; what it leaves out is null.
func valueOf(kind tftypes.Type, from any) tftypes.Value {
	switch kind := kind.(type) {
	case tftypes.Object:
		given, ok := from.(map[string]any)
		if !ok {
			return tftypes.NewValue(kind, nil)
		}
		values := make(map[string]tftypes.Value)
		for name, of := range kind.AttributeTypes {
			values[name] = valueOf(of, given[name])
		}
		return tftypes.NewValue(kind, values)
	case tftypes.Map:
		given, ok := from.(map[string]any)
		if !ok {
			return tftypes.NewValue(kind, nil)
		}
		values := make(map[string]tftypes.Value)
		for name, value := range given {
			values[name] = valueOf(kind.ElementType, value)
		}
		return tftypes.NewValue(kind, values)
	case tftypes.Set:
		given, ok := from.([]any)
		if !ok {
			return tftypes.NewValue(kind, nil)
		}
		values := make([]tftypes.Value, len(given))
		for i, value := range given {
			values[i] = valueOf(kind.ElementType, value)
		}
		return tftypes.NewValue(kind, values)
	}
	return tftypes.NewValue(kind, from)
}

// refines reports whether a later value equals an earlier one except where that
// was unknown; at is where it differs.
func refines(earlier, later tftypes.Value) (at string, ok bool) {
	if !earlier.IsKnown() {
		return "", true
	}
	if earlier.IsNull() || earlier.IsFullyKnown() || !later.IsKnown() || later.IsNull() {
		return "", earlier.Equal(later)
	}
	var a, b map[string]tftypes.Value
	if earlier.As(&a) != nil || later.As(&b) != nil {
		return "", earlier.Equal(later)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
		return "its keys", false
	}
	for name := range a {
		if at, ok := refines(a[name], b[name]); !ok {
			return strings.TrimSuffix(name+"."+at, "."), false
		}
	}
	return "", true
}
