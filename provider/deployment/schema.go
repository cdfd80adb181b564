package deployment

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/objectplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

const (
	onUnreadyWarn = "warn"
	onUnreadyFail = "fail"
)

func idDescription() string {
	var forms []string
	for _, k := range kinds() {
		forms = append(forms, "`"+k.Prefix()+k.Place+"`")
	}
	return "The target's kind and the deployment's place there: " + strings.Join(forms, ", ") + "."
}

func (r *bridge) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "One deployment of the bridge.\n\n" +
			"It runs the sealed `session` of a `scimbridge_provisioning` and is replaced in place, without losing a request, when the " +
			"session, a setting or the bundled program changes. A deployment waits until the bridge has signed in to the account once.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: idDescription(),
			},
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "A name for people.",
				Validators:          []validator.String{stringvalidator.UTF8LengthBetween(1, 100)},
			},
			"session": schema.StringAttribute{
				Required:            true,
				Sensitive:           true,
				MarkdownDescription: "The sealed session, as `scimbridge_provisioning` has it. It may lie in the state: without the bearer token it opens nothing.",
				Validators:          []validator.String{check(validSession)},
			},
			"unseal": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(string(deploy.UnsealOnce)),
				MarkdownDescription: "`once`: the token is shown to the bridge when it is deployed, and a restart by anything else leaves it sealed until the next " +
					"request of the identity provider. `stored`: the token lies beside the bridge, readable by its user only. Default `once`.",
				Validators: []validator.String{stringvalidator.OneOf(string(deploy.UnsealOnce), string(deploy.UnsealStored))},
			},
			"unseal_token_wo": schema.StringAttribute{
				Optional:   true,
				Sensitive:  true,
				WriteOnly:  true,
				Validators: []validator.String{checkToken{}},
				MarkdownDescription: "The bearer token that opens `session`. Write-only: it is in no plan and no state, and never a reason for a change by itself. " +
					"Left out, a new bridge stays sealed until somebody shows it the token.",
			},
			"settings": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Flags of `scim-bridge serve`.",
				Attributes: map[string]schema.Attribute{
					"public_url": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "Where the identity provider reaches the bridge, if not at its own address: a site, without a path.",
						Validators:          []validator.String{check(validPublicURL)},
					},
					"account_url": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "Where the bridge reaches the account, if not at the address sealed in the session; `http` on loopback addresses only.",
						Validators:          []validator.String{check(validAccountURL)},
					},
					"confirmation_interval": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "How often people who accepted their invitation are confirmed, for instance `300s`; at least `30s`.",
						Validators:          []validator.String{check(validInterval)},
					},
					"log_level": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "`trace`, `debug`, `info`, `warn` or `error`.",
						Validators:          []validator.String{stringvalidator.OneOf("trace", "debug", "info", "warn", "error")},
					},
					"log_format": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "`text`, `json` or `pretty`.",
						Validators:          []validator.String{stringvalidator.OneOf("text", "json", "pretty")},
					},
					"source_address": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "The address that the bridge's own connections come from.",
						Validators:          []validator.String{check(validAddress)},
					},
					"trusted_proxies": schema.ListAttribute{
						Optional:            true,
						ElementType:         types.StringType,
						MarkdownDescription: "Addresses and networks whose `X-Forwarded-For` is believed.",
						Validators:          []validator.List{listvalidator.NoNullValues(), listvalidator.ValueStringsAre(check(validProxy))},
					},
					"insecure_http": schema.BoolAttribute{
						Optional: true,
						MarkdownDescription: "Serve plain HTTP on an address that other machines can reach, though no proxy with HTTPS is in front: " +
							"the bearer token crosses the network in clear.",
					},
				},
			},
			"size": schema.StringAttribute{
				Optional:            true,
				Computed:            true,
				Default:             stringdefault.StaticString(string(deploy.SizeBase)),
				MarkdownDescription: "How much memory the bridge aims to stay below: `base` (512 MiB), `high` (1 GiB) or `very_high` (2 GiB). Default `base`.",
				Validators:          []validator.String{stringvalidator.OneOf(string(deploy.SizeBase), string(deploy.SizeHigh), string(deploy.SizeVeryHigh))},
			},
			"redeploy_triggers": schema.MapAttribute{
				Optional:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Any values; a change of them replaces the running bridge, in place. A null one is as if it were left out.",
			},
			"on_unready": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(onUnreadyWarn),
				MarkdownDescription: "What it means that a bridge runs and does not become ready: `warn`, or `fail`, which makes the apply fail. " +
					"Problems that another resource may cure are a warning in either case. Default `warn`.",
				Validators: []validator.String{stringvalidator.OneOf(onUnreadyWarn, onUnreadyFail)},
			},
			"deletion_protection": schema.BoolAttribute{
				Optional:            true,
				Computed:            true,
				Default:             booldefault.StaticBool(false),
				MarkdownDescription: "Refuse to destroy or replace the deployment. Default `false`.",
			},
			"timeouts": timeouts.Attributes(ctx, timeouts.Opts{Create: true, Update: true, Delete: true}),

			"url": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Address of the bridge; its status page is there.",
			},
			"scim_url": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "SCIM base URL, to paste into the identity provider.",
			},
			"version": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Version of the bridge that runs. A plan that replaces the program says by which.",
			},
			"revision": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Names what runs: program, session and settings.",
			},
			"observed_revision": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The last revision that ran, was unsealed and signed in once. While it is another than `revision`, the roll-out is not over.",
			},
			"status": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "`ready`, `sealed`, `degraded` or `stopped`.",
			},
			"problems": schema.ListAttribute{
				Computed:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Codes of the problems that the bridge sees.",
			},
			"egress_address": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The bridge's address as the account saw it last, let in or not.",
			},
		},
	}
	all := kinds()
	for _, k := range all {
		k.argument.Required, k.argument.Optional = len(all) == 1, len(all) > 1 // then see ConfigValidators
		k.argument.PlanModifiers = append(k.argument.PlanModifiers, replaceForAnotherKind())
		resp.Schema.Attributes[k.Name] = k.argument
	}
}

// replaceForAnotherKind replaces a deployment whose target becomes one of another kind.
func replaceForAnotherKind() planmodifier.Object {
	const description = "Another kind of target replaces the deployment."
	return objectplanmodifier.RequiresReplaceIf(
		func(_ context.Context, req planmodifier.ObjectRequest, resp *objectplanmodifier.RequiresReplaceIfFuncResponse) {
			resp.RequiresReplace = req.StateValue.IsNull() != req.PlanValue.IsNull()
		}, description, description)
}
