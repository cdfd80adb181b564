package attr

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
)

func codeSet(texts ...string) types.Set {
	elements := make([]attr.Value, len(texts))
	for i, text := range texts {
		elements[i] = Code{types.StringValue(text)}
	}
	return types.SetValueMust(CodeType{}, elements)
}

func TestCodesAreCheckedAtPlanTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		check validator.Set
		set   types.Set
		fault string
	}{
		{"countries in either case pass", AreCountries(), codeSet("CH", "at", "De", "XK"), ""},
		{"an unassigned code is refused", AreCountries(), codeSet("ZZ"),
			`"ZZ" is no country; write an ISO 3166-1 alpha-2 code`},
		{"a name is refused", AreCountries(), codeSet("Switzerland"), `"Switzerland" is no country`},
		{"an alpha-3 code is refused", AreCountries(), codeSet("CHE"), `"CHE"`},
		{"what people call Great Britain is put right", AreCountries(), codeSet("uk"), `write "GB"`},
		{"two spellings of one country are refused", AreCountries(), codeSet("CH", "ch"),
			`"CH" and "ch" are the same country`},
		{"what is unknown is left for later", AreCountries(),
			types.SetValueMust(CodeType{}, []attr.Value{Code{basetypes.NewStringUnknown()}}), ""},
		{"continents in either case pass", AreContinents(), codeSet("EU", "na"), ""},
		{"no continent is refused, naming all", AreContinents(), codeSet("XX"), "AF, AN, AS, EU, NA, OC, SA"},
		{"a country is no continent", AreContinents(), codeSet("UK"), "one of AF"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var resp validator.SetResponse
			row.check.ValidateSet(t.Context(),
				validator.SetRequest{Path: path.Root("codes"), ConfigValue: row.set}, &resp)
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

func TestAnotherCaseIsNoChange(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		state, plan types.Set
		keeps       bool
	}{
		{"lower and upper case, in another order", codeSet("CH", "at"), codeSet("AT", "ch"), true},
		{"another country", codeSet("CH"), codeSet("AT"), false},
		{"one more country", codeSet("CH"), codeSet("CH", "AT"), false},
		{"no state yet", types.SetNull(CodeType{}), codeSet("CH"), false},
		{"a plan that is not known", codeSet("CH"), types.SetUnknown(CodeType{}), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resp := planmodifier.SetResponse{PlanValue: row.plan}
			SuppressEquivalentCodes().PlanModifySet(t.Context(), planmodifier.SetRequest{
				StateValue: row.state, PlanValue: row.plan,
			}, &resp)
			if kept := resp.PlanValue.Equal(row.state); kept != row.keeps {
				t.Errorf("planned %s, kept: %v", resp.PlanValue, kept)
			}
		})
	}
	if same, _ := (Code{types.StringValue("ch")}).StringSemanticEquals(t.Context(),
		Code{types.StringValue("CH")}); !same {
		t.Error("ch differs from CH in meaning")
	}
}
