package firewall

import (
	"context"
	"fmt"

	tfattr "github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

// A matchAttribute describes a kind of match in Terraform, as far as the account's
// table of kinds does not. Its name is the kind's.
type matchAttribute struct {
	kind        firewall.Kind
	setType     basetypes.SetTypable
	found       string // description in an existing rule: "Countries that it matches."
	argument    string // description of the argument
	validators  []validator.Set
	suppression []planmodifier.Set // ignores another spelling
	// field returns the attribute's field in a model.
	field func(*ruleModel) attr.Texts
}

// matchAttributes has a row for each of [firewall.Kinds], which a test checks.
var matchAttributes = []matchAttribute{
	{
		kind: firewall.IPRanges, setType: attr.CIDRsType(),
		found: "IP ranges that it matches.",
		argument: "IP addresses, or networks in CIDR notation without host bits. Exactly one of " + namesInDocs() +
			" is required. Changes in place; another spelling is not a change.",
		validators:  []validator.Set{attr.AreRanges()},
		suppression: []planmodifier.Set{attr.SuppressEquivalentRanges()},
		field:       func(m *ruleModel) attr.Texts { return &m.IPRanges },
	},
	{
		kind: firewall.Countries, setType: attr.CodesType(),
		found: "Countries that it matches.",
		argument: "Countries, as ISO 3166-1 alpha-2 codes in either case. " +
			"An address whose country is unknown matches none. The account needs an IP database for them. " +
			"Changes in place.",
		validators:  []validator.Set{attr.AreCountries()},
		suppression: []planmodifier.Set{attr.SuppressEquivalentCodes()},
		field:       func(m *ruleModel) attr.Texts { return &m.Countries },
	},
	{
		kind: firewall.Continents, setType: attr.CodesType(),
		found: "Continents that it matches.",
		argument: "Continents: " + inDocs(firewall.ContinentCodes()) + ", in either case. " +
			"The account needs an IP database for them. Changes in place.",
		validators:  []validator.Set{attr.AreContinents()},
		suppression: []planmodifier.Set{attr.SuppressEquivalentCodes()},
		field:       func(m *ruleModel) attr.Texts { return &m.Continents },
	},
	{
		kind: firewall.AnonymousIPs, setType: attr.AnonymousIPsType(),
		found: "Kinds of anonymous addresses that it matches.",
		argument: "Kinds of anonymous addresses: " + inDocs(firewall.AnonymousKinds()) +
			". The account needs an IP database for them. Changes in place.",
		validators: []validator.Set{attr.AreAnonymousIPs()},
		field:      func(m *ruleModel) attr.Texts { return &m.AnonymousIPs },
	},
}

// checkKinds refuses a rule unless exactly one kind of match is given. An unknown value
// may be given or not.
//
// The framework's validators search an attribute's siblings in the whole
// configuration, which for ten thousand rules in one policy is quadratic.
func checkKinds(at path.Path, valueOf func(matchAttribute) tfattr.Value) (diags diag.Diagnostics) {
	given := 0
	for _, a := range matchAttributes {
		switch value := valueOf(a); {
		case value.IsUnknown():
			return nil
		case !value.IsNull():
			given++
		}
	}
	if given != 1 {
		diags.AddAttributeError(at, "Invalid Attribute Combination", fmt.Sprintf(
			"A rule has one kind of match: exactly one of %s is required, not %d.",
			firewall.KindNames("and"), given))
	}
	return diags
}

// hasOneKind is checkKinds for the rules of a policy.
type hasOneKind struct{}

func (hasOneKind) Description(context.Context) string { return "one of " + firewall.KindNames("and") }

func (v hasOneKind) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (hasOneKind) ValidateObject(_ context.Context, req validator.ObjectRequest, resp *validator.ObjectResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	given := req.ConfigValue.Attributes()
	resp.Diagnostics.Append(checkKinds(req.Path, func(a matchAttribute) tfattr.Value {
		return given[string(a.kind)]
	})...)
}
