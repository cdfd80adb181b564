package api_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// A kind of match, and what it needs to know of an address, are members of
// openapi.yaml by the names of the firewall's table. A row without its members
// would be a rule that no client can write or read.
func TestEveryKindOfMatchIsInTheContract(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	property := func(schema, name string) {
		if doc.Components.Schemas[schema].Value.Properties[name] == nil {
			t.Errorf("%s has no member %s", schema, name)
		}
	}
	kinds := doc.Components.Schemas["DecidingRule"].Value.Properties["kind"].Value.Enum
	for _, kind := range firewall.Kinds() {
		property("FirewallRule", string(kind))
		property("FirewallRuleInput", string(kind))
		if !slices.Contains(kinds, any(string(kind))) {
			t.Errorf("DecidingRule.kind may not be %s", kind)
		}
	}
	for _, kind := range kinds {
		if !slices.Contains(firewall.Kinds(), firewall.Kind(kind.(string))) {
			t.Errorf("DecidingRule.kind may be %s, which no rule can match by", kind)
		}
	}
	for _, fact := range firewall.FactNames() {
		property("Verdict", string(fact))
		property("ProblemDetails", string(fact))
	}
	for name, values := range map[string][]string{
		"Continent": firewall.ContinentCodes(), "AnonymousIP": firewall.AnonymousKinds(),
	} {
		var listed []string
		for _, value := range doc.Components.Schemas[name].Value.Enum {
			listed = append(listed, value.(string))
		}
		if !slices.Equal(listed, values) {
			t.Errorf("%s is one of %v, and the firewall knows %v", name, listed, values)
		}
	}
	if !t.Failed() {
		expectMembers(t)
	}
}

// expectMembers holds that a match goes into a rule and comes out of it again,
// as does what is known of an address; both leave everything else alone.
func expectMembers(t *testing.T) {
	t.Helper()
	for _, kind := range firewall.Kinds() {
		want := firewall.Match{Kind: kind, Values: []string{"b", "a"}}
		rule, input := api.FirewallRule{Id: "x"}, api.FirewallRuleInput{}
		api.SetMatch(&rule, want)
		api.SetMatch(&input, want)
		for what, got := range map[string][]firewall.Match{"a rule": api.Matches(rule),
			"an input": api.Matches(input)} {
			if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Errorf("%s, %s: %+v", kind, what, got)
			}
		}
	}
	both := api.FirewallRuleInput{Countries: &[]string{"DE"}, Continents: &[]api.Continent{"EU"}, IpRanges: &[]string{}}
	if got := api.Matches(both); len(got) != 2 {
		t.Errorf("of two matches and an empty one: %+v", got)
	}
	want := firewall.Facts{firewall.Country: {"DE"}, firewall.Anonymous: {"tor", "vpn"}}
	verdict := api.Verdict{Address: "192.0.2.1"}
	api.SetFacts(&verdict, want)
	if got := api.Facts(verdict); !reflect.DeepEqual(got, want) || *verdict.Country != "DE" ||
		verdict.Continent != nil {
		t.Errorf("got %+v of %+v", got, verdict)
	}
}
