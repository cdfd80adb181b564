package signup

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/source"
)

// NewDomainsData is the data source scimbridge_signup_domains.
func NewDomainsData() datasource.DataSource {
	return source.New(source.DataSource[domainsDataModel]{
		TypeName: "scimbridge_signup_domains", Schema: domainsDataSchema, Read: readDomainsData,
	})
}

type domainsDataModel struct {
	Domains attr.Domains `tfsdk:"domains"`
}

func domainsDataSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "The domains that the account allows for sign-up, managed by Terraform or not.",
		Attributes: map[string]schema.Attribute{
			"domains": schema.SetAttribute{
				Computed: true, CustomType: attr.DomainsType(),
				MarkdownDescription: "The domains, in lower case and IDNA form.",
			},
		},
	}
}

func readDomainsData(ctx context.Context, c *client.Client, m *domainsDataModel, diags *diag.Diagnostics) {
	names, err := allowed(ctx, c)
	if err != nil {
		diags.Append(c.Diagnose("list the sign-up domains", err))
		return
	}
	m.Domains = toSet(names)
}
