package provisioning

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A renewal is what an apply does to the credentials.
type renewal int

const (
	keep       renewal = iota // nothing: the sealed session is valid
	rotate                    // new credentials; the current ones stay valid for the overlap
	activate                  // new credentials; the current ones, if any, end immediately
	deactivate                // active = false
)

// decide compares the plan with the account's state at the last read.
//
// Made is the id of the integration that Terraform last activated or imported; empty if
// it deactivated that one, or during an import. Unusable is the account's reason to refuse
// the sealed credentials; empty if it accepts them. Token is the fingerprint of
// bearer_token_wo; empty if that is null or unknown.
//
// Why is set if the integration was changed outside Terraform.
func decide(state, plan model, made string, unusable api.ErrorCode, token string) (do renewal, why string) {
	if !plan.Active.IsUnknown() && !plan.Active.ValueBool() {
		if state.Active.ValueBool() {
			return deactivate, ""
		}
		return keep, ""
	}
	if !state.Active.ValueBool() {
		if made != "" {
			why = "The integration was deactivated outside Terraform."
		}
		return activate, why
	}
	if made != "" && made != state.ID.ValueString() {
		return activate, fmt.Sprintf("The integration %q was deactivated and %q was activated outside Terraform.",
			made, state.ID.ValueString())
	}
	file, err := session.Parse(state.Session.ValueString())
	if err != nil {
		return activate, fmt.Sprintf("The sealed session in the account cannot be used: %v.", err)
	}
	newest := file.Entries[0].Header
	if newest.Epoch != state.Epoch.ValueInt64() {
		return activate, fmt.Sprintf("The Provision Manager's Master Password, Secret Key or e-mail address was "+
			"changed outside Terraform: "+
			"the account is at epoch %d and the sealed session is for epoch %d, so no bridge can sign in with it.",
			state.Epoch.ValueInt64(), newest.Epoch)
	}
	switch {
	case unusable == api.ErrorCodeTwoFactorEnforced:
		return activate, "Two-factor authentication was enforced on the account after the session was sealed, " +
			"so no bridge can sign in with it. Credentials that are enrolled under the policy are exempt from it."
	case unusable != "":
		return activate, fmt.Sprintf("The account refuses the credentials in the sealed session (%s), so no bridge "+
			"can sign in with it.", unusable)
	}
	if plan.ManagerEmail.IsUnknown() || !sameAddress(plan.ManagerEmail, state.ManagerEmail) {
		return rotate, "" // the credentials are bound to the address
	}
	if versionDecides(state, plan) {
		if !state.BearerTokenVersion.Equal(plan.BearerTokenVersion) {
			return rotate, ""
		}
		return keep, ""
	}
	if token != "" && token != newest.TokenFingerprint {
		return rotate, ""
	}
	return keep, ""
}

// versionDecides reports whether the version argument, not the token, decides about a
// rotation: an ephemeral token is new in every run. After an import the state has no
// version, which then cannot decide.
func versionDecides(state, plan model) bool {
	return !state.BearerTokenVersion.IsNull() && !plan.BearerTokenVersion.IsNull()
}

// fingerprint returns the fingerprint of a configured token; empty if it is null or
// unknown.
func fingerprint(text types.String) (string, error) {
	if text.IsNull() || text.IsUnknown() {
		return "", nil
	}
	token, err := parseToken(text.ValueString())
	if err != nil {
		return "", err
	}
	return token.Fingerprint(), nil
}

// sameAddress reports whether two texts are the same sign-in address.
func sameAddress(a, b types.String) bool {
	return signin.NormalizeEmail(a.ValueString()) == signin.NormalizeEmail(b.ValueString())
}
