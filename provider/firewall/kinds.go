package firewall

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// checkKinds refuses a rule, which stands at a path, unless it matches exactly
// one kind of thing. What is unknown may be either.
//
// The validators that come with the framework look for an attribute's
// siblings in the whole configuration, which for each of ten thousand rules
// of one policy is ten thousand rules.
func checkKinds(at path.Path, ranges, countries, continents, anonymous types.Set) (diags diag.Diagnostics) {
	given := 0
	for _, set := range []types.Set{ranges, countries, continents, anonymous} {
		switch {
		case set.IsUnknown():
			return nil
		case !set.IsNull():
			given++
		}
	}
	if given != 1 {
		diags.AddAttributeError(at, "Invalid Attribute Combination", fmt.Sprintf(
			"A rule matches one kind of thing: one (and only one) of ip_ranges, countries, continents and anonymous_ips is required, and there are %d.", given))
	}
	return diags
}

// hasOneKind is checkKinds for the rules of a policy.
type hasOneKind struct{}

func (hasOneKind) Description(context.Context) string {
	return "one of ip_ranges, countries, continents and anonymous_ips"
}

func (v hasOneKind) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (hasOneKind) ValidateObject(_ context.Context, req validator.ObjectRequest, resp *validator.ObjectResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	given := req.ConfigValue.Attributes()
	set := func(name string) types.Set {
		value, _ := given[name].(types.Set) // the schema says that it is one
		return value
	}
	resp.Diagnostics.Append(checkKinds(req.Path, set("ip_ranges"), set("countries"), set("continents"), set("anonymous_ips"))...)
}
