package deployment

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
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

func idDescription() string {
	var forms []string
	for _, k := range kinds(Access{}) {
		forms = append(forms, "`"+k.Prefix()+k.Place+"`")
	}
	return "The target's kind and the deployment's place: " + strings.Join(forms, ", ") + "."
}

func (r *deploymentResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "One deployment of the bridge.\n\n" +
			"It runs the sealed `session` of a `scimbridge_provisioning`. If the session, a setting or the bundled " +
			"program changes, the bridge is replaced in place, and no request is lost. An apply waits until the " +
			"bridge has signed in to the account once.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: idDescription(),
			},
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "A name, for display.",
				Validators:          []validator.String{stringvalidator.UTF8LengthBetween(1, 100)},
			},
			"session": schema.StringAttribute{
				Required:  true,
				Sensitive: true,
				MarkdownDescription: "The sealed session of `scimbridge_provisioning`. It can be in the state, " +
					"since only the bearer token opens it.",
				Validators: []validator.String{textValidator(validSession)},
			},
			"unseal": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(string(deploy.UnsealOnce)),
				MarkdownDescription: "`once`: Terraform unseals the bridge when it deploys it. After any " +
					"other restart the bridge is sealed until the identity provider's next request. `stored`: the " +
					"token is stored in the bridge's data folder, readable only by its user. Default `once`.",
				Validators: []validator.String{stringvalidator.OneOf(string(deploy.UnsealOnce),
					string(deploy.UnsealStored))},
			},
			"unseal_token_wo": schema.StringAttribute{
				Optional:   true,
				Sensitive:  true,
				WriteOnly:  true,
				Validators: []validator.String{tokenValidator{}},
				MarkdownDescription: "The bearer token that opens `session`. Write-only: it is not in a plan or the " +
					"state, and changing only this argument plans nothing. " +
					"Without it a new bridge is sealed until it receives the token.",
			},
			"settings": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Flags of `scim-bridge serve`.",
				Attributes: map[string]schema.Attribute{
					"public_url": schema.StringAttribute{
						Optional: true,
						MarkdownDescription: "The URL at which the identity provider reaches the bridge, if it " +
							"differs from the bridge's address; without a path.",
						Validators: []validator.String{textValidator(validPublicURL)},
					},
					"account_url": schema.StringAttribute{
						Optional: true,
						MarkdownDescription: "The URL at which the bridge reaches the account, if it differs from " +
							"the one in the session; `http` on loopback addresses only.",
						Validators: []validator.String{textValidator(validAccountURL)},
					},
					"tls_domain": schema.StringAttribute{
						Optional: true,
						MarkdownDescription: "Host name of the bridge, such as `scim.example.com`: it serves HTTPS " +
							"by a certificate of Let's Encrypt, whose terms of service you accept by that, and " +
							"renews it. Port 443 of the name must lead to the bridge, without a proxy that ends " +
							"TLS. Not for pods. See the [guide](../guides/https.md).",
						Validators: []validator.String{textValidator(validTLSDomain)},
					},
					"acme_email": schema.StringAttribute{
						Optional: true,
						MarkdownDescription: "E-mail address for Let's Encrypt, with `tls_domain`. It may be left " +
							"out.",
						Validators: []validator.String{textValidator(validACMEEmail)},
					},
					"suspension_limit": schema.StringAttribute{
						Optional: true,
						MarkdownDescription: "With a session for a SCIM server: how many suspensions and removals " +
							"from groups the bridge tells the server at once; the rest it holds until that is " +
							"approved. " +
							"`max(10, 5%)/1h`, the default, allows 10, or 5 % if that is more, within one hour; " +
							"`off` sets no limit. What is held is in the data folder; a target with pods, which " +
							"keep none, needs `off`. An account has a limit of its own. See the " +
							"[guide](../guides/mass-suspension.md).",
						Validators: []validator.String{textValidator(validSuspensionLimit)},
					},
					"confirmation_interval": schema.StringAttribute{
						Optional: true,
						MarkdownDescription: "The interval at which people who accepted their invitation are " +
							"confirmed, for instance `300s`; at least `30s`.",
						Validators: []validator.String{textValidator(validInterval)},
					},
					"log_level": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "`trace`, `debug`, `info`, `warn` or `error`.",
						Validators: []validator.String{stringvalidator.OneOf("trace", "debug", "info",
							"warn", "error")},
					},
					"log_format": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "`text`, `json` or `pretty`.",
						Validators:          []validator.String{stringvalidator.OneOf("text", "json", "pretty")},
					},
					"source_address": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "The local address of the bridge's outbound connections.",
						Validators:          []validator.String{textValidator(validAddress)},
					},
					"trusted_proxies": schema.ListAttribute{
						Optional:    true,
						ElementType: types.StringType,
						MarkdownDescription: "Addresses and networks of proxies whose `X-Forwarded-For` header the " +
							"bridge trusts.",
						Validators: []validator.List{listvalidator.NoNullValues(),
							listvalidator.ValueStringsAre(textValidator(validProxy))},
					},
					"insecure_http": schema.BoolAttribute{
						Optional: true,
						MarkdownDescription: "Serve plain HTTP on an address that other machines can reach, without " +
							"a proxy with HTTPS in front. The bearer token then crosses the network unencrypted.",
					},
					"monitoring_token_wo": schema.StringAttribute{
						Optional:   true,
						Sensitive:  true,
						WriteOnly:  true,
						Validators: []validator.String{monitoringValidator{}},
						MarkdownDescription: "A monitoring token of your choice, which may read the bridge's " +
							"`/health` and `/metrics` and nothing else; the provider's `monitoring_token` is one. " +
							fmt.Sprintf("%d to %d characters of ASCII without blanks, and not the bearer token. ",
								deploy.MinMonitoringToken, deploy.MaxMonitoringToken) +
							"Write-only: it is not in a plan or the state. The target stores it as a secret. Without " +
							"it, or with null, the bridge has none.",
					},
					"monitoring_token_wo_version": schema.Int64Attribute{
						Optional: true,
						MarkdownDescription: "Change this number with `monitoring_token_wo`: that gives the running " +
							"bridge the new token, without a restart. A changed token alone plans nothing, and with " +
							"a version that stays it is not written with other changes either.",
						Validators: []validator.Int64{int64validator.AlsoRequires(
							path.MatchRelative().AtParent().AtName("monitoring_token_wo"))},
					},
				},
			},
			"version": schema.StringAttribute{
				Optional: true,
				Computed: true,
				MarkdownDescription: "The version of the bridge. If it is set, a newer provider keeps a bridge of " +
					"that version; otherwise the bridge follows the version that comes with the provider. " +
					"The plan shows from which version to which the bridge changes. It excludes arguments of the " +
					"target that name the program.",
				Validators: []validator.String{textValidator(validVersion)},
			},
			"size": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(string(deploy.SizeBase)),
				MarkdownDescription: "The bridge's soft memory limit: `base` (512 MiB), `high` (1 " +
					"GiB) or `very_high` (2 GiB). Default `base`. A container's own limit is a quarter above it. The " +
					"[guide](../guides/sizes.md) has what each is enough for.",
				Validators: []validator.String{stringvalidator.OneOf(string(deploy.SizeBase),
					string(deploy.SizeHigh), string(deploy.SizeVeryHigh))},
			},
			"redeploy_triggers": schema.MapAttribute{
				Optional:    true,
				ElementType: types.StringType,
				MarkdownDescription: "Any values. Changing one replaces the running bridge, in place. Null " +
					"values are ignored.",
			},
			"on_unready": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(deploy.OnUnreadyWarn),
				MarkdownDescription: "The result of an apply if the bridge runs but does not become ready: `warn` or " +
					"`fail`. Problems that another resource may solve are always a warning. Default `warn`.",
				Validators: []validator.String{stringvalidator.OneOf(deploy.OnUnreadyWarn, deploy.OnUnreadyFail)},
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
				MarkdownDescription: "URL of the bridge and its status page.",
			},
			"scim_url": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "SCIM base URL, for the identity provider.",
			},
			"revision": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Identifies the configured program, session and settings.",
			},
			"observed_revision": schema.StringAttribute{
				Computed: true,
				MarkdownDescription: "The last revision that ran, was unsealed and signed in once. If it differs " +
					"from `revision`, the roll-out is not complete.",
			},
			"status": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "`ready`, `sealed`, `degraded` or `stopped`.",
			},
			"problems": schema.ListAttribute{
				Computed:            true,
				ElementType:         types.StringType,
				MarkdownDescription: "Codes of the bridge's problems.",
			},
			"egress_address": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The bridge's address as the account last saw it, allowed or not.",
			},
		},
	}
	all := kinds(Access{})
	for _, k := range all {
		k.argument.Required, k.argument.Optional = len(all) == 1, len(all) > 1 // checked by ConfigValidators
		k.argument.PlanModifiers = append(k.argument.PlanModifiers, replaceForAnotherKind())
		resp.Schema.Attributes[k.Name] = k.argument
	}
}

// replaceForAnotherKind replaces a deployment whose kind of target changes.
func replaceForAnotherKind() planmodifier.Object {
	const description = "Another kind of target replaces the deployment."
	return objectplanmodifier.RequiresReplaceIf(
		func(_ context.Context, req planmodifier.ObjectRequest,
			resp *objectplanmodifier.RequiresReplaceIfFuncResponse) {
			resp.RequiresReplace = req.StateValue.IsNull() != req.PlanValue.IsNull()
		}, description, description)
}
