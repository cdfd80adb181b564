package firewall

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

type policyData struct{ client *client.Client }

var _ datasource.DataSourceWithConfigure = (*policyData)(nil)

// NewPolicyData is the data source scimbridge_firewall_policy.
func NewPolicyData() datasource.DataSource { return &policyData{} }

type policyDataModel struct {
	DefaultAction types.String `tfsdk:"default_action"`
	Rules         []ruleModel  `tfsdk:"rules"`
	Enforced      types.Bool   `tfsdk:"enforced"`
}

func (d *policyData) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "scimbridge_firewall_policy"
}

func (d *policyData) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (d *policyData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The account's firewall, whoever manages it.",
		Attributes: map[string]schema.Attribute{
			"default_action": schema.StringAttribute{
				Computed: true, MarkdownDescription: "The action if no rule matches: `allow`, `report` or `deny`.",
			},
			"rules": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "All rules, in the order in which they are tried.",
				NestedObject: schema.NestedAttributeObject{Attributes: readAttributes()},
			},
			"enforced": schema.BoolAttribute{
				Computed: true, MarkdownDescription: "False while the firewall is disabled by `scim-bridge account firewall disable`.",
			},
		},
	}
}

func (d *policyData) Read(ctx context.Context, _ datasource.ReadRequest, resp *datasource.ReadResponse) {
	found, err := d.client.Firewall(ctx)
	if err != nil {
		resp.Diagnostics.Append(d.client.Diagnose("read the firewall policy", err))
		return
	}
	m := policyDataModel{
		DefaultAction: types.StringValue(string(found.DefaultAction)),
		Rules:         make([]ruleModel, len(found.Rules)),
		Enforced:      types.BoolValue(found.Enforced),
	}
	for i, rule := range rulesOf(found.Firewall) {
		m.Rules[i] = toModel(rule)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}
