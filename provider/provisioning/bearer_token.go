package provisioning

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

type bearerTokenResource struct{ client *client.Client }

var _ ephemeral.EphemeralResourceWithConfigure = (*bearerTokenResource)(nil)

// NewBearerToken is the ephemeral resource scimbridge_bearer_token.
func NewBearerToken() ephemeral.EphemeralResource { return &bearerTokenResource{} }

type bearerTokenModel struct {
	Token       types.String `tfsdk:"token"`
	Fingerprint types.String `tfsdk:"fingerprint"`
}

func (e *bearerTokenResource) Metadata(_ context.Context, _ ephemeral.MetadataRequest,
	resp *ephemeral.MetadataResponse,
) {
	resp.TypeName = "scimbridge_bearer_token"
}

func (e *bearerTokenResource) Configure(_ context.Context, req ephemeral.ConfigureRequest,
	resp *ephemeral.ConfigureResponse,
) {
	e.client = client.WithoutAccount(req.ProviderData, &resp.Diagnostics)
}

func (e *bearerTokenResource) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A new bearer token. It is not stored.\n\n" +
			"Every plan and every apply generates another one. Use it with `bearer_token_wo_version` of " +
			"`scimbridge_provisioning`: then only a change of that number rotates. Store the same token with the " +
			"write-only argument of a secret store, with the same version; otherwise it is lost.",
		Attributes: map[string]schema.Attribute{
			"token": schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: "The token."},
			"fingerprint": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The token's fingerprint, as in a session's header.",
			},
		},
	}
}

func (e *bearerTokenResource) Open(ctx context.Context, _ ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	token, err := session.NewToken()
	if err != nil {
		resp.Diagnostics.AddError("Cannot generate a bearer token", err.Error())
		return
	}
	if e.client != nil {
		e.client.Note(client.EphemeralToken + token.Fingerprint())
	}
	resp.Diagnostics.Append(resp.Result.Set(ctx, bearerTokenModel{
		Token:       types.StringValue(token.Reveal()),
		Fingerprint: types.StringValue(token.Fingerprint()),
	})...)
}

// checkEphemeral refuses a token of scimbridge_bearer_token without a version: every plan
// would rotate.
func checkEphemeral(c *client.Client, config model, diags *diag.Diagnostics) {
	token, err := fingerprint(config.BearerToken)
	if err != nil || token == "" || !config.BearerTokenVersion.IsNull() || !c.Noted(client.EphemeralToken+token) {
		return
	}
	diags.AddAttributeError(versionPath, "An ephemeral token needs bearer_token_wo_version",
		"bearer_token_wo comes from scimbridge_bearer_token, which generates another token in every plan and every "+
			"apply. Set bearer_token_wo_version = 1, and increment it to rotate the token.")
}
