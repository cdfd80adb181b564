package rollout

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

const idDescription = "The revision that it was created or imported with."

func (r *rolloutResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identity.Schema(idDescription)
}

func (r *rolloutResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Waits for bridges that something else deploys: a Kubernetes Deployment, " +
			"an ECS service, Cloud Run, Container Apps, compose, a systemd unit.\n\n" +
			"The workload passes `revision` to its bridges as `--revision`. " +
			"An apply waits until the account hears from `bridges` of them, " +
			"and says cause and remedy if the account refuses them. " +
			"It asks the account's list of bridges and needs no credentials of the platform. " +
			"A bridge that has not signed in, because it has not started or is sealed, is not on that list.\n\n" +
			"If fewer bridges are left later, the plan shows an update, and the apply waits for them again. " +
			"Destroying it ends no bridge.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed: true, MarkdownDescription: idDescription,
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"revision": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "What the workload passes to its bridges as `--revision`: " +
					"any text that changes with what is deployed, for instance a digest of image, " +
					"session and settings.",
				Validators: []validator.String{stringvalidator.UTF8LengthBetween(1, 200)},
			},
			"bridges": schema.Int64Attribute{
				Optional: true, Computed: true, Default: int64default.StaticInt64(1),
				MarkdownDescription: "How many bridges to wait for. Default `1`.",
				Validators:          []validator.Int64{int64validator.Between(1, 1000)},
			},
			"on_unready": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(deploy.OnUnreadyFail),
				MarkdownDescription: "What an apply does if the bridges do not become ready: `warn` or `fail`. " +
					"Problems that another resource may solve, like a firewall that blocks them, " +
					"are a warning in either case. Default `fail`.",
				Validators: []validator.String{stringvalidator.OneOf(deploy.OnUnreadyWarn, deploy.OnUnreadyFail)},
			},
			"timeouts": timeouts.Attributes(ctx, timeouts.Opts{
				Create: true, CreateDescription: "How long to wait. Default `10m`.",
				Update: true, UpdateDescription: "How long to wait. Default `10m`.",
			}),

			"instances": schema.SetAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "The bridges of this revision that the account hears from.",
			},
			"version": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Their program's version; several are joined by a comma. Null without a bridge.",
			},
			"egress_addresses": schema.SetAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "Their addresses as the account last saw them, also of those that it refuses: " +
					"for the `ip_ranges` of a `scimbridge_firewall_rule`.",
			},
			"problems": schema.ListAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "Codes of the problems that they see, and of those for which they are refused.",
			},
		},
	}
}
