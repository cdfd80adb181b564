package attr

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func TestParseDomain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text, want, fault string
	}{
		{"a plain domain stays", "example.com", "example.com", ""},
		{"case is folded", "Example.COM", "example.com", ""},
		{"an international domain becomes A-labels", "bücher.example", "xn--bcher-kva.example", ""},
		{"A-labels stay", "xn--bcher-kva.example", "xn--bcher-kva.example", ""},
		{"a scheme is named with the host to write", "https://example.com/path", "",
			`write its host name, "example.com"`},
		{"a space is named", "example .com", "", "contains a space"},
		{"an e-mail address is named with the domain to write", "ada@example.com", "", `"example.com"`},
		{"a wildcard is named", "*.example.com", "", "an entry of its own"},
		{"a port is named", "example.com:443", "", "port or a path"},
		{"a path is named", "example.com/x", "", "port or a path"},
		{"a leading dot is named", ".example.com", "", `write "example.com"`},
		{"a public suffix is named", "Co.UK", "", `"Co.UK" is a public suffix`},
		{"a top-level domain is named", "com", "", "public suffix"},
		{"a bare label is named", "localhost", "", "public suffix"},
		{"an IP address is no name", "10.0.0.1", "", `"10.0.0.1" is an IP address`},
		{"an IP address in wide digits is none either", "１０.0.0.1", "", "is an IP address"},
		{"a suffix that an organisation runs may be its own domain", "github.io", "github.io", ""},
		{"nothing is no domain", "", "", "no domain"},
		{"an underscore is no domain", "a_b.example", "", "no domain"},
		{"an overlong label is no domain", strings.Repeat("a", 64) + ".example", "", "no domain"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseDomain(row.text)
			if row.fault != "" {
				if err == nil || !strings.Contains(err.Error(), row.fault) {
					t.Errorf("got %q, %v; want an error with %q", got, err, row.fault)
				}
				return
			}
			if err != nil || got != row.want {
				t.Errorf("got %q, %v; want %q", got, err, row.want)
			}
		})
	}
}

func set(texts ...string) types.Set {
	elements := make([]attr.Value, len(texts))
	for i, text := range texts {
		elements[i] = CIDR{types.StringValue(text)}
	}
	return types.SetValueMust(CIDRType{}, elements)
}

func TestRangesAreCheckedAtPlanTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		set   types.Set
		fault string
	}{
		{"addresses and networks of both families pass", set("192.0.2.1", "198.51.100.0/24", "2001:db8::/32"), ""},
		{"host bits are refused, naming the network", set("192.0.2.7/24"), "192.0.2.0/24"},
		{"a name is refused", set("example.com"), `"example.com"`},
		{"two spellings of one range are refused, naming both", set("192.0.2.1", "192.0.2.1/32"),
			`"192.0.2.1" and "192.0.2.1/32"`},
		{"what is unknown is left for later",
			types.SetValueMust(CIDRType{}, []attr.Value{CIDR{types.StringUnknown()}}), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var resp validator.SetResponse
			AreRanges().ValidateSet(t.Context(),
				validator.SetRequest{Path: path.Root("ip_ranges"), ConfigValue: row.set}, &resp)
			if row.fault == "" {
				if resp.Diagnostics.HasError() {
					t.Errorf("refused: %v", resp.Diagnostics)
				}
				return
			}
			if resp.Diagnostics.ErrorsCount() != 1 || !strings.Contains(resp.Diagnostics[0].Detail(), row.fault) {
				t.Errorf("diagnostics %v, want one with %q", resp.Diagnostics, row.fault)
			}
		})
	}
}

func TestAnotherSpellingIsNoChange(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		state, plan types.Set
		keeps       bool
	}{
		{"a bare address and its /32", set("192.0.2.1"), set("192.0.2.1/32"), true},
		{"long and short IPv6, in another order", set("2001:db8::1", "192.0.2.0/24"),
			set("192.0.2.0/24", "2001:0db8:0::0001"), true},
		{"another range", set("192.0.2.1"), set("192.0.2.2"), false},
		{"one more range", set("192.0.2.1"), set("192.0.2.1", "192.0.2.2"), false},
		{"no state yet", types.SetNull(CIDRType{}), set("192.0.2.1"), false},
		{"a plan that is not known", set("192.0.2.1"), types.SetUnknown(CIDRType{}), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resp := planmodifier.SetResponse{PlanValue: row.plan}
			SuppressEquivalentRanges().PlanModifySet(t.Context(), planmodifier.SetRequest{
				StateValue: row.state, PlanValue: row.plan,
			}, &resp)
			if kept := resp.PlanValue.Equal(row.state); kept != row.keeps {
				t.Errorf("planned %s, kept: %v", resp.PlanValue, kept)
			}
		})
	}
}

func TestAnotherSpellingOfDomainsIsNoChange(t *testing.T) {
	t.Parallel()
	domains := func(texts ...string) types.Set {
		elements := make([]attr.Value, len(texts))
		for i, text := range texts {
			elements[i] = NewDomain(text)
		}
		return types.SetValueMust(DomainType{}, elements)
	}
	for _, row := range []struct {
		name        string
		state, plan types.Set
		keeps       bool
	}{
		{"case and A-labels, in another order", domains("Bücher.example", "a.example"),
			domains("A.example", "xn--bcher-kva.example"), true},
		{"another domain", domains("a.example"), domains("b.example"), false},
		{"one more domain", domains("a.example"), domains("a.example", "b.example"), false},
		{"no state yet", types.SetNull(DomainType{}), domains(), false},
		{"a plan that is not known", domains("a.example"), types.SetUnknown(DomainType{}), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resp := planmodifier.SetResponse{PlanValue: row.plan}
			SuppressEquivalentDomains().PlanModifySet(t.Context(), planmodifier.SetRequest{
				StateValue: row.state, PlanValue: row.plan,
			}, &resp)
			if kept := resp.PlanValue.Equal(row.state); kept != row.keeps {
				t.Errorf("planned %s, kept: %v", resp.PlanValue, kept)
			}
		})
	}
}

func TestSpellingsAreEqualInMeaning(t *testing.T) {
	t.Parallel()
	equal := func(ok bool, diags interface{ HasError() bool }) bool { return ok && !diags.HasError() }
	ctx := context.Background()
	if a, d := (CIDR{types.StringValue("192.0.2.1")}).StringSemanticEquals(ctx,
		CIDR{types.StringValue("192.0.2.1/32")}); !equal(a, d) {
		t.Error("a bare address differs from its /32")
	}
	if a, d := (CIDR{types.StringValue("0.0.0.0/0")}).StringSemanticEquals(ctx,
		CIDR{types.StringValue("::/0")}); equal(a,
		d) {
		t.Error("all of IPv4 equals all of IPv6")
	}
	if a, d := NewDomain("Bücher.example").StringSemanticEquals(ctx, NewDomain("xn--bcher-kva.example")); !equal(a, d) {
		t.Error("an international domain differs from its A-labels")
	}
	if a, d := NewDomain("no domain").StringSemanticEquals(ctx, NewDomain("no domain either")); equal(a, d) {
		t.Error("what is no domain equals something")
	}
}
