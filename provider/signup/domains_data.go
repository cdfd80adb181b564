package signup

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

type domainsData struct{ client *client.Client }

var _ datasource.DataSourceWithConfigure = (*domainsData)(nil)

// NewDomainsData is the data source scimbridge_signup_domains.
func NewDomainsData() datasource.DataSource { return &domainsData{} }

type domainsDataModel struct {
	Domains attr.Domains `tfsdk:"domains"`
}

func (d *domainsData) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "scimbridge_signup_domains"
}

func (d *domainsData) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (d *domainsData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The domains that the account allows for sign-up, whoever manages them.",
		Attributes: map[string]schema.Attribute{
			"domains": schema.SetAttribute{
				Computed: true, CustomType: attr.DomainsType(),
				MarkdownDescription: "The domains, in lower case and IDNA form.",
			},
		},
	}
}

func (d *domainsData) Read(ctx context.Context, _ datasource.ReadRequest, resp *datasource.ReadResponse) {
	names, err := allowed(ctx, d.client)
	if err != nil {
		resp.Diagnostics.Append(d.client.Diagnose("list the sign-up domains", err))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, domainsDataModel{Domains: setOf(names)})...)
}
