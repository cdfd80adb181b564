package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

type directoryResource struct{ client *client.Client }

var (
	_ resource.ResourceWithConfigure   = (*directoryResource)(nil)
	_ resource.ResourceWithIdentity    = (*directoryResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*directoryResource)(nil)
	_ resource.ResourceWithImportState = (*directoryResource)(nil)
)

// New is the resource scimbridge_directory.
func New() resource.Resource { return &directoryResource{} }

var (
	tokenPath   = path.Root("token_wo")
	bearerPath  = path.Root("bearer_token_wo")
	versionPath = path.Root("bearer_token_wo_version")
)

// Metadata implements resource.Resource.
func (r *directoryResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_directory"
	resp.ResourceBehavior.MutableIdentity = true // it is the session, which is sealed again
}

// Configure implements resource.ResourceWithConfigure.
func (r *directoryResource) Configure(_ context.Context, req resource.ConfigureRequest,
	resp *resource.ConfigureResponse,
) {
	r.client = client.WithoutAccount(req.ProviderData, &resp.Diagnostics)
}

// ModifyPlan says when the session is sealed again, and refuses what the apply would refuse.
func (r *directoryResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse,
) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var state, plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	created := req.State.Raw.IsNull()
	if !created {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ephemeral := r.isEphemeral(config)
	if ephemeral && config.BearerTokenVersion.IsNull() {
		resp.Diagnostics.AddAttributeError(versionPath, "An ephemeral token needs bearer_token_wo_version",
			"bearer_token_wo comes from scimbridge_bearer_token, which generates another token in every plan and "+
				"every apply. Set bearer_token_wo_version = 1, and increment it to rotate the token.")
		return
	}
	if created {
		resp.Diagnostics.Append(missing(config)...)
		return
	}
	c := decide(state, config, ephemeral)
	if !config.URL.IsUnknown() && sameURL(config.URL, state.URL) {
		plan.URL = state.URL // another spelling
	}
	if c.seals() {
		plan = plan.withNewSession()
		title, text := c.describe(state, plan)
		resp.Diagnostics.AddWarning(title, text)
	}
	if c.url || c.bearer || c.token {
		resp.Diagnostics.Append(missing(config)...)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// isEphemeral reports whether the bearer token is of scimbridge_bearer_token.
func (r *directoryResource) isEphemeral(config model) bool {
	token, err := session.ParseToken(config.BearerToken.ValueString())
	return err == nil && r.client != nil && r.client.Noted(client.EphemeralToken+token.Fingerprint())
}

// missing are the errors for tokens that sealing needs.
func missing(config model) (diags diag.Diagnostics) {
	if config.BearerToken.IsNull() {
		diags.AddAttributeError(bearerPath, "Bearer token required", "The session is sealed under the bearer token, "+
			"and bearer_token_wo is null. Set it to the token that the identity provider uses, or to a new one from "+
			"scim-bridge token.")
	}
	if config.Token.IsNull() {
		diags.AddAttributeError(tokenPath, "Token of the SCIM server required", "The session is sealed with the "+
			"server's token, which Terraform does not store, and token_wo is null. Set it to the token that the "+
			"server gave for this bridge.")
	}
	return diags
}

// Create implements resource.Resource.
func (r *directoryResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	save(ctx, model{}, plan, config, resp.Identity, &resp.State, &resp.Diagnostics)
}

// Read implements resource.Resource. The session is in the state and nowhere else.
func (r *directoryResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, "", state.Session.ValueString())...)
}

// Update implements resource.Resource.
func (r *directoryResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan, config model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if plan.Session.IsUnknown() && !decide(state, config, r.isEphemeral(config)).seals() {
		plan.Session, plan.SessionFingerprint = state.Session, state.SessionFingerprint // what was unknown is the same
	}
	save(ctx, state, plan, config, resp.Identity, &resp.State, &resp.Diagnostics)
}

// save seals the session if that was planned, and stores the state.
func save(ctx context.Context, state, plan, config model, id *tfsdk.ResourceIdentity, to *tfsdk.State,
	diags *diag.Diagnostics,
) {
	file, err := session.Parse(plan.Session.ValueString())
	if plan.Session.IsUnknown() {
		diags.Append(missing(config)...)
		overlap, fault := time.ParseDuration(plan.Overlap.ValueString())
		if fault != nil {
			diags.AddAttributeError(path.Root("overlap"), "Invalid overlap", fault.Error())
		}
		if diags.HasError() {
			return
		}
		file, err = seal(config, overlap, state.Session.ValueString(), time.Now())
	}
	if err != nil {
		diags.AddError("Cannot seal the session", err.Error())
		return
	}
	plan = plan.withSession(file)
	diags.Append(identity.Set(ctx, id, "", plan.Session.ValueString())...)
	diags.Append(to.Set(ctx, plan)...)
}

// Delete implements resource.Resource. A bridge that has the session goes on with it.
func (r *directoryResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {
}

// ImportState imports the sealed session itself, plain or in base64.
func (r *directoryResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse,
) {
	const how = "Import the text of the session, for instance:\n\n" +
		"import {\n  to = scimbridge_directory.<name>\n  id = file(\"session\")\n}"
	id := req.ID
	if id == "" && req.Identity != nil {
		resp.Diagnostics.Append(req.Identity.GetAttribute(ctx, path.Root("id"), &id)...)
	}
	text, ok := session.Sealed(id)
	if !ok {
		resp.Diagnostics.AddError("Not a session", "The id of the import is not a sealed session. "+how)
		return
	}
	file, err := session.Parse(text)
	if err != nil {
		resp.Diagnostics.AddError("Cannot read the session", fmt.Sprintf("%v. %s", err, how))
		return
	}
	h := file.Entries[0].Header
	if h.Kind() != session.KindDirectory {
		resp.Diagnostics.AddError("The session is for an account", fmt.Sprintf("It is a session of the account %q, "+
			"which scimbridge_provisioning manages.", h.AccountID))
		return
	}
	imported := model{URL: types.StringValue(h.DirectoryURL), Overlap: types.StringValue(defaultOverlap)}
	imported = imported.withSession(file)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, "", file.String())...)
	resp.Diagnostics.Append(resp.State.Set(ctx, imported)...)
}
