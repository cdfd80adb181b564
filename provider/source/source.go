// Package source is what the provider's data sources have in common: each
// completes one model with the client of the account. What they read is theirs.
package source

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// A DataSource reads a model M.
type DataSource[M any] struct {
	TypeName   string // in a configuration
	Schema     func() schema.Schema
	Validators []datasource.ConfigValidator
	// Read completes a model that has what the configuration says. If it adds
	// an error, nothing is read.
	Read func(ctx context.Context, c *client.Client, m *M, diags *diag.Diagnostics)
}

// New is the data source as the framework asks for it.
func New[M any](d DataSource[M]) datasource.DataSource { return &dataSource[M]{definition: d} }

type dataSource[M any] struct {
	definition DataSource[M]
	client     *client.Client
}

var (
	_ datasource.DataSourceWithConfigure        = (*dataSource[struct{}])(nil)
	_ datasource.DataSourceWithConfigValidators = (*dataSource[struct{}])(nil)
)

// Metadata implements datasource.DataSource.
func (d *dataSource[M]) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = d.definition.TypeName
}

// Configure implements datasource.DataSourceWithConfigure.
func (d *dataSource[M]) Configure(_ context.Context, req datasource.ConfigureRequest,
	resp *datasource.ConfigureResponse) {
	d.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

// Schema implements datasource.DataSource.
func (d *dataSource[M]) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = d.definition.Schema()
}

// ConfigValidators implements datasource.DataSourceWithConfigValidators.
func (d *dataSource[M]) ConfigValidators(context.Context) []datasource.ConfigValidator {
	return d.definition.Validators
}

// Read implements datasource.DataSource.
func (d *dataSource[M]) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m M
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if d.definition.Read(ctx, d.client, &m, &resp.Diagnostics); !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}
