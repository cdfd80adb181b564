package attr

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
)

// Spellings are the domains of a set of Domain: from the one spelling on the
// wire to the one in the set. What is null, unknown or no domain is left out,
// and whole is false then.
func Spellings(set basetypes.SetValue) (spellings map[string]string, whole bool) {
	spellings, whole = make(map[string]string), !set.IsNull() && !set.IsUnknown()
	for _, element := range set.Elements() {
		value, ok := element.(Domain)
		if !ok || value.IsNull() || value.IsUnknown() {
			whole = false
			continue
		}
		name, err := spell(value.ValueString())
		if err != nil {
			whole = false
			continue
		}
		spellings[name] = value.ValueString()
	}
	return spellings, whole
}

// AreDomains refuses a set of Domain with an element that ParseDomain refuses,
// and one with two spellings of the same domain.
func AreDomains() validator.Set { return areDomains{} }

type areDomains struct{}

func (areDomains) Description(context.Context) string {
	return "host names, without scheme, port or path"
}
func (d areDomains) MarkdownDescription(ctx context.Context) string { return d.Description(ctx) }

func (areDomains) ValidateSet(_ context.Context, req validator.SetRequest, resp *validator.SetResponse) {
	first := make(map[string]string)
	for _, element := range req.ConfigValue.Elements() {
		value, ok := element.(Domain)
		if !ok || value.IsNull() || value.IsUnknown() {
			continue
		}
		text, at := value.ValueString(), req.Path.AtSetValue(value)
		name, err := ParseDomain(text)
		if err != nil {
			resp.Diagnostics.AddAttributeError(at, "Invalid domain", err.Error())
			continue
		}
		if twin, seen := first[name]; seen {
			resp.Diagnostics.AddAttributeError(at, "Domain given twice",
				fmt.Sprintf("%q and %q are the same domain; leave one out.", twin, text))
		}
		first[name] = text
	}
}

// KeepDomainSpellings plans no change when a set of domains means what it
// meant before.
func KeepDomainSpellings() planmodifier.Set { return keepDomains{} }

type keepDomains struct{}

func (keepDomains) Description(context.Context) string {
	return "other spellings of the same domains are no change"
}
func (k keepDomains) MarkdownDescription(ctx context.Context) string { return k.Description(ctx) }

func (keepDomains) PlanModifySet(_ context.Context, req planmodifier.SetRequest, resp *planmodifier.SetResponse) {
	state, okState := Spellings(req.StateValue)
	plan, okPlan := Spellings(req.PlanValue)
	if !okState || !okPlan || len(state) != len(plan) {
		return
	}
	for name := range plan {
		if _, ok := state[name]; !ok {
			return
		}
	}
	resp.PlanValue = req.StateValue
}
