package provider_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// An object is a resource's state and its configuration.
type object struct {
	state, config *tfprotov6.DynamicValue
	private       []byte
}

// adopt imports objects and reads them, as a first run over a full account does.
func (tf *terraform) adopt(resource string, ids ...string) []object {
	tf.Helper()
	kind := tf.schemas.ResourceSchemas[resource].ValueType()
	objects := make([]object, len(ids))
	for i, id := range ids {
		imported, err := tf.ImportResourceState(tf.Context(), &tfprotov6.ImportResourceStateRequest{
			TypeName: resource, ID: id,
		})
		if err != nil || len(imported.Diagnostics) > 0 {
			tf.Fatalf("import %s %s: %v, %v", resource, id, err, imported.Diagnostics)
		}
		it := imported.ImportedResources[0]
		read, err := tf.ReadResource(tf.Context(), &tfprotov6.ReadResourceRequest{
			TypeName: resource, CurrentState: it.State, Private: it.Private,
		})
		if err != nil || len(read.Diagnostics) > 0 {
			tf.Fatalf("read %s %s: %v, %v", resource, id, err, read.Diagnostics)
		}
		state, err := read.NewState.Unmarshal(kind)
		if err != nil {
			tf.Fatal(err)
		}
		config, err := tftypes.Transform(state, withoutComputed)
		if err != nil {
			tf.Fatal(err)
		}
		written, err := tfprotov6.NewDynamicValue(kind, config)
		if err != nil {
			tf.Fatal(err)
		}
		objects[i] = object{read.NewState, &written, read.Private}
	}
	return objects
}

// withoutComputed removes computed attributes from a state.
func withoutComputed(at *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
	switch last := at.LastStep(); last {
	case tftypes.AttributeName("id"), tftypes.AttributeName("unmanaged_rules"),
		tftypes.AttributeName("unmanaged_domains"):
		return tftypes.NewValue(v.Type(), nil), nil
	}
	return v, nil
}

// plan does for each object what a plan does, and returns the planned states.
func (tf *terraform) plan(resource string, objects []object) []*tfprotov6.DynamicValue {
	tf.Helper()
	states := make([]*tfprotov6.DynamicValue, len(objects))
	for i, o := range objects {
		read, err := tf.ReadResource(tf.Context(), &tfprotov6.ReadResourceRequest{
			TypeName: resource, CurrentState: o.state, Private: o.private,
		})
		if err != nil || len(read.Diagnostics) > 0 {
			tf.Fatalf("read: %v, %v", err, read.Diagnostics)
		}
		states[i] = tf.planChange(resource, o.config, &tfprotov6.PlanResourceChangeRequest{
			PriorState: read.NewState, ProposedNewState: read.NewState, PriorPrivate: read.Private,
		})
	}
	return states
}

// planCreation plans to make objects in the place of those that the state has,
// as the second plan of a replacement does.
func (tf *terraform) planCreation(resource string, objects []object) {
	tf.Helper()
	none := tf.encode(tf.schemas.ResourceSchemas[resource].ValueType(), nil)
	for _, o := range objects {
		tf.planChange(resource, o.config, &tfprotov6.PlanResourceChangeRequest{
			PriorState: none, ProposedNewState: o.config, PriorPrivate: o.private,
		})
	}
}

func (tf *terraform) planChange(resource string, config *tfprotov6.DynamicValue,
	req *tfprotov6.PlanResourceChangeRequest) *tfprotov6.DynamicValue {
	tf.Helper()
	checked, err := tf.ValidateResourceConfig(tf.Context(), &tfprotov6.ValidateResourceConfigRequest{
		TypeName: resource, Config: config,
	})
	if err != nil || len(checked.Diagnostics) > 0 {
		tf.Fatalf("validate: %v, %v", err, checked.Diagnostics)
	}
	req.TypeName, req.Config = resource, config
	planned, err := tf.PlanResourceChange(tf.Context(), req)
	if err != nil || len(planned.Diagnostics) > 0 {
		tf.Fatalf("plan: %v, %v", err, planned.Diagnostics)
	}
	return planned.PlannedState
}

// expectNoChanges compares what was planned with what there was.
func (tf *terraform) expectNoChanges(resource string, objects []object, states []*tfprotov6.DynamicValue) {
	tf.Helper()
	kind := tf.schemas.ResourceSchemas[resource].ValueType()
	for i, o := range objects {
		before, err := o.state.Unmarshal(kind)
		if err != nil {
			tf.Fatal(err)
		}
		after, err := states[i].Unmarshal(kind)
		if err != nil {
			tf.Fatal(err)
		}
		if !after.Equal(before) {
			tf.Fatalf("the plan of an unchanged %s changes it:\n%s\n%s", resource, before, after)
		}
	}
}

// filled is an account with many rules and as many sign-up domains, and their ids.
func filled(t testing.TB, n int) (account *providertest.Account, owner string, rules, domains []string) {
	t.Helper()
	account = providertest.NewAccount(t)
	rules = fillRules(t, account, n)
	for i := range n {
		name := fmt.Sprintf("d%d.example", i)
		made, err := apitest.Read[api.SignupDomain](account.API.CreateSignupDomain(t.Context(), nil,
			api.SignupDomainInput{Domain: name}))
		providertest.Expect(t, http.StatusCreated, made, err)
		domains = append(domains, name)
	}
	caller, err := apitest.Read[api.Caller](account.API.WhoAmI(t.Context()))
	providertest.Expect(t, http.StatusOK, caller, err)
	return account, caller.Value.AccountId, rules, domains
}

func fillRules(t testing.TB, account *providertest.Account, n int) (ids []string) {
	t.Helper()
	inputs := make([]api.FirewallRuleInput, n)
	for i := range inputs {
		inputs[i].IpRanges = &[]string{fmt.Sprintf("10.%d.%d.0/24", i/250, i%250)}
	}
	policy, err := apitest.Read[api.Firewall](account.API.UpdateFirewall(t.Context(), nil,
		api.FirewallUpdate{Rules: &inputs}))
	providertest.Expect(t, http.StatusOK, policy, err)
	for _, rule := range policy.Value.Rules {
		ids = append(ids, rule.Id)
	}
	return ids
}

// cost is what something took for each of n objects: allocations, which are
// the same on every machine, and all calls of the account.
func cost(account *providertest.Account, n int, do func()) (allocations float64, calls int) {
	asked := strings.Count(account.Log(), "route=")
	before := mallocs()
	do()
	return float64(mallocs()-before) / float64(n), strings.Count(account.Log(), "route=") - asked
}

func mallocs() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}

// It counts the allocations of the whole process, so no other test may run beside it.
func TestAPlanOverManyObjectsIsLinear(t *testing.T) {
	const few, many = 100, 400
	perObject := make(map[string]float64) // with few
	for _, n := range []int{few, many} {
		account, owner, rules, domains := filled(t, n)
		for _, row := range []struct {
			resource string
			ids      []string
			growth   float64 // of what an object costs, from few to many
		}{
			{"scimbridge_firewall_rule", rules, 1.1},
			{"scimbridge_signup_domain", domains, 1.1},
			{"scimbridge_firewall_policy", []string{owner}, 1.1},
			// The framework compares the whole set before and after with each
			// element looked for from the start: that share grows.
			{"scimbridge_signup_domains", []string{owner}, 2.5},
		} {
			objects := newTerraform(t, account).adopt(row.resource, row.ids...)
			tf := newTerraform(t, account) // another run
			var states []*tfprotov6.DynamicValue
			plan, calls := cost(account, n, func() { states = tf.plan(row.resource, objects) })
			tf.expectNoChanges(row.resource, objects, states)
			if calls > 2 {
				t.Errorf("a plan over %d %s made %d calls, want one to know the account and one list",
					n, row.resource, calls)
			}
			t.Logf("%d %s: %.0f allocations an object", n, row.resource, plan)
			if n == few {
				perObject[row.resource] = plan
			} else if was := perObject[row.resource]; plan > was*row.growth {
				t.Errorf("a plan over %s costs %.0f allocations an object with %d of them, and %.0f with %d",
					row.resource, was,
					few, plan, many)
			}
		}
	}
}

// A rule costs the same among ten thousand: for one rule, nothing is read,
// copied or searched in the whole policy.
func TestARuleOfAPlanCostsTheSameAmongTenThousand(t *testing.T) {
	const sample = 50
	var reading, creating float64 // among few
	for _, n := range []int{100, 10_000} {
		account := providertest.NewAccount(t)
		rules := fillRules(t, account, n)
		objects := newTerraform(t, account).adopt("scimbridge_firewall_rule", rules[:sample]...)
		tf := newTerraform(t, account) // another run
		tf.plan("scimbridge_firewall_rule", objects[:1])
		tf.planCreation("scimbridge_firewall_rule", objects[:1]) // the facts of the run are known now
		read, calls := cost(account, sample, func() { tf.plan("scimbridge_firewall_rule", objects[1:]) })
		create, more := cost(account, sample, func() { tf.planCreation("scimbridge_firewall_rule", objects[1:]) })
		t.Logf("among %d: %.0f allocations to plan a rule that is there, %.0f to plan a new one", n, read, create)
		if calls+more > 0 {
			t.Errorf("among %d rules, %d calls were made for what the run knows", n, calls+more)
		}
		if reading == 0 {
			reading, creating = read, create
		}
		if read > 1.1*reading || create > 1.1*creating {
			t.Errorf("among %d rules, one costs %.0f and %.0f allocations; among few, %.0f and %.0f",
				n, read, create, reading,
				creating)
		}
	}
}
