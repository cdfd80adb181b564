package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

// Schema implements resource.Resource.
func (r *directoryResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A SCIM 2.0 server as the far side of a bridge, instead of an account.\n\n" +
			"It seals the server's address and token under the bridge's bearer token, as `session`, which a " +
			"`scimbridge_deployment` takes. The session can be in the state, because the token that opens it never " +
			"is. It needs no account: `account_url` and `account_token` of the provider may be left out. " +
			"The apply calls neither the server nor a bridge.\n\n" +
			"Another `bearer_token_wo` (or `bearer_token_wo_version`) rotates the bridge's token; the old one stays " +
			"valid until the `overlap` ends. Another `token_wo` (or `token_wo_version`) seals the server's new " +
			"token, and the identity provider needs nothing. [The guide](../guides/scim-server.md) says more.",
		Attributes: map[string]schema.Attribute{
			"url": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "Base address of the server, which `/Users` follows; `http` on loopback " +
					"addresses only. It is readable in the session. Another address replaces the session without an " +
					"overlap.",
				Validators: []validator.String{checker{"the address of a SCIM server", checkURL}},
			},
			"token_wo": schema.StringAttribute{
				Optional:  true,
				Sensitive: true,
				WriteOnly: true,
				MarkdownDescription: "The server's token for the bridge. Required where a session is sealed, " +
					"otherwise optional. It is not stored; the plan compares it with the sealed one if " +
					"`bearer_token_wo` opens the session.",
				Validators: []validator.String{checker{"a token", checkToken}},
			},
			"token_wo_version": schema.Int64Attribute{
				Optional:            true,
				MarkdownDescription: "If set, only a change of this number seals another token of the server.",
			},
			"bearer_token_wo": schema.StringAttribute{
				Optional:  true,
				Sensitive: true,
				WriteOnly: true,
				MarkdownDescription: "The bearer token that the session is sealed under and that the identity " +
					"provider uses; `scim-bridge token` generates one. Required where a session is sealed, otherwise " +
					"optional. It is not stored; the plan compares its fingerprint with the session's.",
				Validators: []validator.String{checker{"a bearer token", checkBearer}},
			},
			"bearer_token_wo_version": schema.Int64Attribute{
				Optional: true,
				MarkdownDescription: "If set, only a change of this number rotates the bearer token. Required with " +
					"`scimbridge_bearer_token`.",
			},
			"overlap": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(defaultOverlap),
				MarkdownDescription: "How long the old bearer token stays valid after a rotation, for instance `1h`; " +
					"at most `720h`; `0s` ends it immediately. Default `15m`.",
				Validators: []validator.String{checker{"a duration from 0s to 720h", checkOverlap}},
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

// IdentitySchema implements resource.ResourceWithIdentity.
func (r *directoryResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identity.Schema("The sealed session, which is nowhere but in the state. Leave account_id " +
		"out on import: there is no account.")
}

func checkURL(text string) error {
	_, err := session.ParseDirectoryURL(text)
	return err
}

// checkToken and parseBearer have an error of their own for an empty text, which comes
// from an empty environment variable. Their errors do not quote a token.
func checkToken(text string) error {
	if text == "" {
		return errors.New("the server's token is empty. If no token is needed, it must be null: unset the variable, " +
			"since an empty TF_VAR_... is an empty text")
	}
	_, err := session.ParseDirectoryToken(text)
	return err
}

func checkBearer(text string) error {
	_, err := parseBearer(text)
	return err
}

func parseBearer(text string) (session.Token, error) {
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
	case overlap < 0 || overlap > session.MaxOverlap || overlap%time.Second != 0:
		return fmt.Errorf("%q is out of range: whole seconds, from 0s to 720h", text)
	}
	return nil
}

// A checker validates a text; the errors of valid must not contain secrets.
type checker struct {
	what  string
	valid func(string) error
}

// Description implements validator.String.
func (c checker) Description(context.Context) string { return "must be " + c.what }

// MarkdownDescription implements validator.String.
func (c checker) MarkdownDescription(context.Context) string { return "must be " + c.what }

// ValidateString implements validator.String.
func (c checker) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := c.valid(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Not "+c.what, err.Error())
	}
}
