// Package identity owns the resource identity that all resources share: the
// account, and the object's id within it.
package identity

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// Schema returns the identity's schema; object describes the id.
func Schema(object string) identityschema.Schema {
	return identityschema.Schema{
		Attributes: map[string]identityschema.Attribute{
			"account_id": identityschema.StringAttribute{
				OptionalForImport: true,
				Description:       "The account. Left out on import: the account that answers.",
			},
			"id": identityschema.StringAttribute{
				RequiredForImport: true,
				Description:       object,
			},
		},
	}
}

// Set stores the identity. A Read must call it before anything else can fail:
// Terraform before 1.12 keeps no identity, and the framework refuses a Read that
// returns none.
func Set(ctx context.Context, to *tfsdk.ResourceIdentity, account, id string) diag.Diagnostics {
	if to == nil { // the client of the protocol has no identities
		return nil
	}
	diags := to.SetAttribute(ctx, path.Root("account_id"), account)
	diags.Append(to.SetAttribute(ctx, path.Root("id"), id)...)
	return diags
}

// Imported returns the id of an import, and the account. An identity that names
// another account than the one that answers is an error.
func Imported(ctx context.Context, c *client.Client, req resource.ImportStateRequest,
	diags *diag.Diagnostics,
) (id, account string, ok bool) {
	caller, err := c.Caller(ctx)
	if err != nil {
		diags.Append(c.Diagnose("reach the account", err))
		return "", "", false
	}
	if req.ID != "" {
		return req.ID, caller.AccountId, true
	}
	var owner *string
	diags.Append(req.Identity.GetAttribute(ctx, path.Root("account_id"), &owner)...)
	diags.Append(req.Identity.GetAttribute(ctx, path.Root("id"), &id)...)
	if diags.HasError() {
		return "", "", false
	}
	if owner != nil && !c.CheckOwner(*owner, caller.AccountId, diags) {
		return "", "", false
	}
	return id, caller.AccountId, true
}
