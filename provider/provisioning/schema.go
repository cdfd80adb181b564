package provisioning

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

var (
	tokenPath   = path.Root("bearer_token_wo")
	versionPath = path.Root("bearer_token_wo_version")
)

func (r *integrationResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The account's provisioning integration. While it is active, a bridge can sign in and " +
			"provision people and groups.\n\n" +
			"Activating it creates a Provision Manager with generated secrets. " +
			"They leave Terraform only in `session`, sealed under the bearer token. The session can be in the state, " +
			"because the token that opens it never is. A new token in `bearer_token_wo` (or a new " +
			"`bearer_token_wo_version`) rotates the credentials and the session; " +
			"the old ones stay valid until the `overlap` ends. If the manager's password, " +
			"key or address is changed outside Terraform, two-factor authentication is enforced on the account, " +
			"or the integration is deactivated outside Terraform, the plan shows this, " +
			"and one apply activates it again.\n\n" +
			"An account has at most one active integration. The last contact of a bridge and the last refusal are in " +
			"the data source `scimbridge_bridge_status`.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The integration's id. It changes when the integration is activated again.",
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"manager_email": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "E-mail address of the Provision Manager. The credentials are bound to it: a " +
					"new address rotates them.",
				Validators: []validator.String{textValidator("an e-mail address", checkEmail)},
			},
			"idp": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The identity provider's name, for display.",
				Validators:          []validator.String{stringvalidator.UTF8LengthBetween(1, 100)},
			},
			"active": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(true),
				MarkdownDescription: "Whether provisioning is active. `false` deactivates it, which ends all " +
					"bridges' sessions immediately. Default `true`.",
			},
			"bearer_token_wo": schema.StringAttribute{
				Optional:  true,
				Sensitive: true,
				WriteOnly: true,
				MarkdownDescription: "The bearer token that the session is sealed under and that the identity " +
					"provider uses; `scim-bridge token` generates one. Required to activate and to rotate, otherwise " +
					"optional. It is not stored; the plan compares its fingerprint with the session's.",
				Validators: []validator.String{textValidator("a bearer token", checkToken)},
			},
			"bearer_token_wo_version": schema.Int64Attribute{
				Optional: true,
				MarkdownDescription: "If set, only a change of this number rotates. Required with " +
					"`scimbridge_bearer_token`. After an import the plan shows it as an update in place, without a " +
					"rotation.",
			},
			"overlap": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(defaultOverlap),
				MarkdownDescription: "How long the old token and session stay valid after a rotation, " +
					"for instance `1h`; at most `720h`; `0s` ends them immediately. Default `15m`. " +
					"After an import the plan shows any other value as an update in place, " +
					"which changes nothing in the account.",
				Validators: []validator.String{textValidator("a duration from 0s to 720h", checkOverlap)},
			},
			"suspension_limit": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(suspension.DefaultLimit),
				MarkdownDescription: "How much provisioning may take away in a period: the larger of a number and a " +
					"percentage, or `off`. Suspensions and removals from groups are counted apart, over all bridges; " +
					"the percentage is of the people with access, or of the memberships. What is beyond it is held: " +
					"the identity provider sees it done, and the people keep their access and their groups until an " +
					"operator approves it. Raising the limit approves as many of the holds, the oldest first, as it " +
					"allows. [The guide](../guides/mass-suspension.md) says more. Default `" +
					suspension.DefaultLimit + "`.",
				Validators: []validator.String{textValidator("a suspension limit", checkSuspensionLimit)},
			},
			"deletion_protection": schema.BoolAttribute{
				Optional:            true,
				Computed:            true,
				Default:             booldefault.StaticBool(false),
				MarkdownDescription: "Refuse to destroy the integration. Default `false`.",
			},
			"epoch": schema.Int64Attribute{
				Computed: true,
				MarkdownDescription: "The number of the credential generation. It changes with the manager's " +
					"credentials.",
				PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			},
			"session": schema.StringAttribute{
				Computed:  true,
				Sensitive: true,
				MarkdownDescription: "The sealed session, for a bridge. Only the bearer token opens it. It is marked " +
					"sensitive only to keep plans readable. During an overlap it includes the previous session.",
				PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"session_fingerprint": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Fingerprint of the sealed session. The bridge's status page shows the same.",
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
		},
	}
}

func (r *integrationResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identity.Schema("The integration's id.")
}

func checkSuspensionLimit(text string) error {
	if text == "" { // for the account that is the default, but here it says nothing
		return fmt.Errorf("the suspension limit is empty; write %q, or leave it out", suspension.DefaultLimit)
	}
	_, err := suspension.ParseLimit(text)
	return err
}

func checkEmail(text string) error {
	address, err := mail.ParseAddress(text)
	if err != nil || address.Address != text {
		return fmt.Errorf("%q is not an e-mail address; write for instance \"provision@example.com\"", text)
	}
	return nil
}

// checkToken validates a token. Its errors do not quote it.
func checkToken(text string) error {
	_, err := parseToken(text)
	return err
}

// parseToken has an error of its own for an empty text, which comes from an empty
// environment variable.
func parseToken(text string) (session.Token, error) {
	if text == "" {
		return session.Token{}, errors.New("the bearer token is empty. If no token is needed, it must be null: unset " +
			"the variable, since an empty TF_VAR_... is an empty text. scim-bridge token generates a new token")
	}
	return session.ParseToken(text)
}

func checkOverlap(text string) error {
	overlap, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a duration; write for instance \"15m\" or \"1h30m\"", text)
	case overlap < 0 || overlap > 30*24*time.Hour || overlap%time.Second != 0:
		return fmt.Errorf("%q is out of range: whole seconds, from 0s to 720h", text)
	}
	return nil
}

// textValidator returns a validator that calls valid, whose errors must not contain
// secrets.
func textValidator(what string, valid func(string) error) validator.String {
	return checker{what, valid}
}

type checker struct {
	what  string
	valid func(string) error
}

func (c checker) Description(context.Context) string         { return "must be " + c.what }
func (c checker) MarkdownDescription(context.Context) string { return "must be " + c.what }

func (c checker) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := c.valid(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Not "+c.what, err.Error())
	}
}
