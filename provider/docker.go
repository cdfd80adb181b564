package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
)

// dockerBlock describes how container engines are reached.
func dockerBlock() schema.Block {
	return schema.SingleNestedBlock{
		MarkdownDescription: "The container engine of deployments with the target `docker`, and how it is reached. " +
			"Without this block it is the engine that the `docker` command would use.",
		Attributes: map[string]schema.Attribute{
			"host": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Address of the engine's API: " +
					"`unix:///var/run/docker.sock` or `tcp://host:port`. A deployment's own `host` comes before it. " +
					"May also be given as `DOCKER_HOST`.",
				Validators: []validator.String{notEmpty("docker.host", "DOCKER_HOST")},
			},
		},
	}
}

type dockerModel struct {
	Host types.String `tfsdk:"host"`
}

// toEngine returns the configuration in the block docker.
func toEngine(ctx context.Context, block types.Object) (config engine.Config, diags diag.Diagnostics) {
	if block.IsUnknown() {
		return engine.Config{Unknown: []string{"docker"}}, nil
	}
	var m dockerModel
	if !block.IsNull() {
		diags = block.As(ctx, &m, basetypes.ObjectAsOptions{})
	}
	config.Host = m.Host.ValueString()
	if m.Host.IsUnknown() {
		config.Unknown = append(config.Unknown, "docker.host")
	}
	return config, diags
}
