package firewall

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

type caller struct{ client *client.Client }

var _ datasource.DataSourceWithConfigure = (*caller)(nil)

// NewCaller is the data source scimbridge_caller.
func NewCaller() datasource.DataSource { return &caller{} }

type callerModel struct {
	Address     types.String `tfsdk:"address"`
	AccountID   types.String `tfsdk:"account_id"`
	AccountName types.String `tfsdk:"account_name"`
}

func (d *caller) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "scimbridge_caller"
}

func (d *caller) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (d *caller) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The caller, as the account sees it. Allow its address before you set the firewall's default action to `deny`.\n\n" +
			"It is the address of the machine that runs this plan. If that varies (laptops, hosted runners), a rule made from it " +
			"changes with every run; write your network's ranges instead.",
		Attributes: map[string]schema.Attribute{
			"address":      schema.StringAttribute{Computed: true, MarkdownDescription: "IP address from which this run reaches the account."},
			"account_id":   schema.StringAttribute{Computed: true, MarkdownDescription: "The account's id."},
			"account_name": schema.StringAttribute{Computed: true, MarkdownDescription: "The account's name."},
		},
	}
}

func (d *caller) Read(ctx context.Context, _ datasource.ReadRequest, resp *datasource.ReadResponse) {
	found, err := d.client.Caller(ctx)
	if err != nil {
		resp.Diagnostics.Append(d.client.Diagnose("ask the account who is calling", err))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, callerModel{
		Address:     types.StringValue(found.Address),
		AccountID:   types.StringValue(found.AccountId),
		AccountName: types.StringValue(found.AccountName),
	})...)
}
