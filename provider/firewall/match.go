package firewall

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// checkKinds refuses a rule, which stands at a path, unless exactly one of the
// kinds of things that it may match is given. What is unknown may be either.
//
// The validators that come with the framework look for an attribute's
// siblings in the whole configuration, which for each of ten thousand rules
// of one policy is ten thousand rules.
func checkKinds(at path.Path, kinds ...attr.Value) (diags diag.Diagnostics) {
	given := 0
	for _, kind := range kinds {
		switch {
		case kind.IsUnknown():
			return nil
		case !kind.IsNull():
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
	resp.Diagnostics.Append(checkKinds(req.Path, given["ip_ranges"], given["countries"], given["continents"], given["anonymous_ips"])...)
}
