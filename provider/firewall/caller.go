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

// NewCaller is the data source scimbridge_caller.
func NewCaller() datasource.DataSource {
	return source.New(source.DataSource[callerModel]{
		TypeName: "scimbridge_caller", Schema: callerSchema, Read: readCaller,
	})
}

type callerModel struct {
	Address     types.String `tfsdk:"address"`
	AccountID   types.String `tfsdk:"account_id"`
	AccountName types.String `tfsdk:"account_name"`
}

func callerSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "The caller as the account sees it. " +
			"Allow its address before you set the firewall's default action to `deny`.\n\n" +
			"It is the address of the machine that runs this plan. If that varies (laptops, hosted runners), " +
			"a rule with it changes with every run; use your network's ranges instead.",
		Attributes: map[string]schema.Attribute{
			"address": schema.StringAttribute{
				Computed: true, MarkdownDescription: "IP address from which this run reaches the account.",
			},
			"account_id":   schema.StringAttribute{Computed: true, MarkdownDescription: "The account's id."},
			"account_name": schema.StringAttribute{Computed: true, MarkdownDescription: "The account's name."},
		},
	}
}

func readCaller(ctx context.Context, c *client.Client, m *callerModel, diags *diag.Diagnostics) {
	found, err := c.Caller(ctx)
	if err != nil {
		diags.Append(c.Diagnose("read the caller from the account", err))
		return
	}
	*m = callerModel{
		Address:     types.StringValue(found.Address),
		AccountID:   types.StringValue(found.AccountId),
		AccountName: types.StringValue(found.AccountName),
	}
}
