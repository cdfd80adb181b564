package firewall

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/source"
)

// NewVerdict is the data source scimbridge_firewall_verdict.
func NewVerdict() datasource.DataSource {
	return source.New(source.DataSource[decisionModel]{
		TypeName: "scimbridge_firewall_verdict", Schema: decisionSchema, Read: readDecision,
	})
}

type decisionModel struct {
	Address      types.String      `tfsdk:"address"`
	Action       types.String      `tfsdk:"action"`
	Passes       types.Bool        `tfsdk:"passes"`
	RuleID       types.String      `tfsdk:"rule_id"`
	Country      types.String      `tfsdk:"country"`
	Continent    types.String      `tfsdk:"continent"`
	AnonymousIPs attr.AnonymousIPs `tfsdk:"anonymous_ips"`
}

func decisionSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Whether the account's current firewall policy allows an address, " +
			"and which rule decides. Use it in `check` blocks and postconditions. " +
			"Add `depends_on` to evaluate the policy that this configuration writes.",
		Attributes: map[string]schema.Attribute{
			"address": schema.StringAttribute{Required: true, MarkdownDescription: "An IP address."},
			"action":  schema.StringAttribute{Computed: true, MarkdownDescription: "`allow`, `report` or `deny`."},
			"passes": schema.BoolAttribute{
				Computed: true, MarkdownDescription: "Whether the address is allowed: true unless `action` is `deny`.",
			},
			"rule_id": schema.StringAttribute{
				Computed: true, MarkdownDescription: "The rule that decides; null if the default action does.",
			},
			"country": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The address's country, if the account has a database that knows it.",
			},
			"continent": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The address's continent, if the account has a database that knows it.",
			},
			"anonymous_ips": schema.SetAttribute{
				Computed: true, CustomType: attr.AnonymousIPsType(),
				MarkdownDescription: "The kinds of anonymous address that " +
					"apply; null if unknown.",
			},
		},
	}
}

func readDecision(ctx context.Context, c *client.Client, m *decisionModel, diags *diag.Diagnostics) {
	address, err := netip.ParseAddr(m.Address.ValueString())
	if err != nil {
		diags.AddAttributeError(path.Root("address"), "Invalid IP address",
			fmt.Sprintf("%q is not an IP address; write one address, for instance \"192.0.2.1\".",
				m.Address.ValueString()))
		return
	}
	answer, err := client.Call[api.Evaluation](c.API.EvaluateFirewall(ctx,
		api.EvaluationInput{Addresses: []string{firewall.Normalize(address).String()}}))
	if err == nil && len(answer.Verdicts) != 1 {
		err = fmt.Errorf("evaluating one address: the account answered for %d", len(answer.Verdicts))
	}
	if err != nil {
		diags.Append(c.Diagnose("evaluate the firewall for "+address.String(), err))
		return
	}
	found := answer.Verdicts[0]
	m.Action = types.StringValue(string(found.Action))
	m.Passes = types.BoolValue(firewall.Action(found.Action).Passes())
	m.RuleID = types.StringPointerValue(found.RuleId)
	m.Country = types.StringPointerValue(found.Country)
	m.Continent = types.StringPointerValue(found.Continent)
	m.AnonymousIPs.SetTexts(api.Facts(found)[firewall.Anonymous])
}
