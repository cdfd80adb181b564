package attr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// CodeType is a string that means a code of a country or a continent, which
// people write in either case.
type CodeType struct{ basetypes.StringType }

// Code is a value of CodeType.
type Code struct{ basetypes.StringValue }

var _ basetypes.StringValuableWithSemanticEquals = Code{}

// NewCode makes a known value.
func NewCode(text string) Code { return Code{basetypes.NewStringValue(text)} }

// FormatCode gives a code's one spelling, the account's.
func FormatCode(text string) string { return strings.ToUpper(text) }

// Equal implements attr.Type.
func (t CodeType) Equal(o attr.Type) bool { _, ok := o.(CodeType); return ok }

// String implements attr.Type.
func (t CodeType) String() string { return "attr.CodeType" }

// ValueType implements attr.Type.
func (t CodeType) ValueType(context.Context) attr.Value { return Code{} }

// ValueFromString implements basetypes.StringTypable.
func (t CodeType) ValueFromString(_ context.Context, in basetypes.StringValue) (basetypes.StringValuable, diag.Diagnostics) {
	return Code{in}, nil
}

// ValueFromTerraform implements attr.Type.
func (t CodeType) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	value, err := t.StringType.ValueFromTerraform(ctx, in)
	if err != nil {
		return nil, err
	}
	return Code{value.(basetypes.StringValue)}, nil
}

// Type implements attr.Value.
func (v Code) Type(context.Context) attr.Type { return CodeType{} }

// Equal implements attr.Value.
func (v Code) Equal(o attr.Value) bool {
	other, ok := o.(Code)
	return ok && v.StringValue.Equal(other.StringValue)
}

// StringSemanticEquals implements basetypes.StringValuableWithSemanticEquals.
func (v Code) StringSemanticEquals(_ context.Context, o basetypes.StringValuable) (bool, diag.Diagnostics) {
	other, ok := o.(Code)
	return ok && FormatCode(v.ValueString()) == FormatCode(other.ValueString()), nil
}

// AreCountries refuses a set of Code with an element that is no country.
func AreCountries() validator.Set {
	return areCodes{what: "country", hint: "an ISO 3166-1 alpha-2 code, for instance \"CH\"", known: countries}
}

// AreContinents refuses a set of Code with an element that is no continent.
func AreContinents() validator.Set {
	return areCodes{what: "continent", hint: "one of " + strings.Join(continents, ", "), known: continents}
}

type areCodes struct {
	what, hint string
	known      []string // sorted
}

func (v areCodes) Description(context.Context) string { return "each must be " + v.hint }

func (v areCodes) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v areCodes) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
	first := make(map[string]string)
	for _, element := range req.ConfigValue.Elements() {
		value, ok := element.(Code)
		if !ok || value.IsNull() || value.IsUnknown() {
			continue
		}
		text, at := value.ValueString(), req.Path.AtSetValue(value)
		code := FormatCode(text)
		if _, found := slices.BinarySearch(v.known, code); !found {
			detail := fmt.Sprintf("%q is no %s; write %s.", text, v.what, v.hint)
			if meant := mistaken[code]; meant != "" && v.what == "country" {
				detail = fmt.Sprintf("%q is no ISO 3166-1 alpha-2 code; write %q.", text, meant)
			}
			resp.Diagnostics.AddAttributeError(at, "Unknown "+v.what, detail)
			continue
		}
		if twin, seen := first[code]; seen {
			resp.Diagnostics.AddAttributeError(at, strings.ToUpper(v.what[:1])+v.what[1:]+" given twice",
				fmt.Sprintf("%q and %q are the same %s; leave one out.", twin, text, v.what))
		}
		first[code] = text
	}
}

// KeepCodeSpelling plans no change when a set of codes means what it meant before.
func KeepCodeSpelling() planmodifier.Set { return keepCodes{} }

type keepCodes struct{}

func (keepCodes) Description(context.Context) string {
	return "the same codes in another case are no change"
}

func (k keepCodes) MarkdownDescription(ctx context.Context) string { return k.Description(ctx) }

func (keepCodes) PlanModifySet(_ context.Context, req planmodifier.SetRequest, resp *planmodifier.SetResponse) {
	state, okState := codes(req.StateValue)
	plan, okPlan := codes(req.PlanValue)
	if okState && okPlan && slices.Equal(state, plan) {
		resp.PlanValue = req.StateValue
	}
}

// codes are what a set stands for, sorted; not ok unless all are known.
func codes(set basetypes.SetValue) (all []string, ok bool) {
	if set.IsNull() || set.IsUnknown() {
		return nil, false
	}
	for _, element := range set.Elements() {
		value, isCode := element.(Code)
		if !isCode || value.IsNull() || value.IsUnknown() {
			return nil, false
		}
		all = append(all, FormatCode(value.ValueString()))
	}
	slices.Sort(all)
	return slices.Compact(all), true
}

var continents = []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}

// countries are the officially assigned codes of ISO 3166-1 alpha-2, and XK,
// user-assigned, by which the IP databases call Kosovo.
var countries = strings.Fields(`
	AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
	CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
	GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT
	JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
	MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY
	QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
	TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW`)

// mistaken are codes that people write for a country, and the one it has.
var mistaken = map[string]string{"UK": "GB", "EL": "GR"}
