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
	rotate                    // new credentials; the present ones remain valid for the overlap
	activate                  // new credentials; the present ones, if any, end at once
	deactivate                // active = false
)

// decide compares the plan with the account's state at the last read.
//
// made is the id of the integration that Terraform activated or imported last;
// empty if it deactivated that one, or is importing one. unusable is the account's
// reason to refuse the sealed credentials; empty if it accepts them. token is the
// fingerprint of bearer_token_wo; empty if that is null or unknown.
//
// why is set if the integration was changed outside of Terraform.
func decide(state, plan model, made string, unusable api.ErrorCode, token string) (do renewal, why string) {
	if !plan.Active.IsUnknown() && !plan.Active.ValueBool() {
		if state.Active.ValueBool() {
			return deactivate, ""
		}
		return keep, ""
	}
	if !state.Active.ValueBool() {
		if made != "" {
			why = "The integration was deactivated outside of Terraform."
		}
		return activate, why
	}
	if made != "" && made != state.ID.ValueString() {
		return activate, fmt.Sprintf("The integration %q was deactivated, and %q activated, outside of Terraform.",
			made, state.ID.ValueString())
	}
	file, err := session.Parse(state.Session.ValueString())
	if err != nil {
		return activate, fmt.Sprintf("The sealed session in the account cannot be used: %v.", err)
	}
	newest := file.Entries[0].Header
	if newest.Epoch != state.Epoch.ValueInt64() {
		return activate, fmt.Sprintf("The Provision Manager's Master Password, Secret Key or e-mail address was "+
			"changed outside of Terraform: "+
			"the account is at epoch %d, the sealed session was made for epoch %d, and no bridge can sign in with it.",
			state.Epoch.ValueInt64(), newest.Epoch)
	}
	switch {
	case unusable == api.ErrorCodeTwoFactorEnforced:
		return activate, "Two-factor authentication was enforced on the account after the sealed session was made, " +
			"and no bridge can sign in with it. Credentials that are made under the policy are exempt from it."
	case unusable != "":
		return activate, fmt.Sprintf("The account refuses the credentials in the sealed session (%s), and no bridge "+
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

// versionDecides reports whether the version argument decides that the token is a
// new one, and not the token itself: an ephemeral token is new in every run. A
// version that the state does not have (after an import) cannot decide.
func versionDecides(state, plan model) bool {
	return !state.BearerTokenVersion.IsNull() && !plan.BearerTokenVersion.IsNull()
}

// fingerprint returns the fingerprint of a token in the configuration; empty if it is
// null or unknown.
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

// sameAddress reports whether two texts are the same address for a sign-in.
func sameAddress(a, b types.String) bool {
	return signin.NormalizeEmail(a.ValueString()) == signin.NormalizeEmail(b.ValueString())
}
