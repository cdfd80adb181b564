package firewall

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/source"
)

// NewPolicyData is the data source scimbridge_firewall_policy.
func NewPolicyData() datasource.DataSource {
	return source.New(source.DataSource[policyDataModel]{
		TypeName: "scimbridge_firewall_policy", Schema: policyDataSchema, Read: readPolicyData,
	})
}

type policyDataModel struct {
	DefaultAction types.String `tfsdk:"default_action"`
	Rules         []ruleModel  `tfsdk:"rules"`
	Enforced      types.Bool   `tfsdk:"enforced"`
}

func policyDataSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "The account's firewall, including rules that Terraform does not manage.",
		Attributes: map[string]schema.Attribute{
			"default_action": schema.StringAttribute{
				Computed: true, MarkdownDescription: "The action if no rule matches: `allow`, `report` or `deny`.",
			},
			"rules": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "All rules, in the order of evaluation.",
				NestedObject: schema.NestedAttributeObject{Attributes: readAttributes()},
			},
			"enforced": schema.BoolAttribute{
				Computed: true, MarkdownDescription: "False while the firewall is disabled by `scim-bridge account " +
					"firewall disable`.",
			},
		},
	}
}

func readPolicyData(ctx context.Context, c *client.Client, m *policyDataModel, diags *diag.Diagnostics) {
	found, err := c.Firewall(ctx)
	if err != nil {
		diags.Append(c.Diagnose("read the firewall policy", err))
		return
	}
	*m = policyDataModel{
		DefaultAction: types.StringValue(string(found.DefaultAction)),
		Rules:         make([]ruleModel, len(found.Rules)),
		Enforced:      types.BoolValue(found.Enforced),
	}
	for i, rule := range rulesOf(found.Firewall) {
		m.Rules[i] = toModel(rule)
	}
}
