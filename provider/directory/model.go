package directory

import (
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

const defaultOverlap = "15m"

type model struct {
	URL                types.String `tfsdk:"url"`
	Token              types.String `tfsdk:"token_wo"`
	TokenVersion       types.Int64  `tfsdk:"token_wo_version"`
	BearerToken        types.String `tfsdk:"bearer_token_wo"`
	BearerTokenVersion types.Int64  `tfsdk:"bearer_token_wo_version"`
	Overlap            types.String `tfsdk:"overlap"`
	Session            types.String `tfsdk:"session"`
	SessionFingerprint types.String `tfsdk:"session_fingerprint"`
}

// withSession returns m with a session.
func (m model) withSession(file session.File) model {
	m.Session, m.SessionFingerprint = types.StringValue(file.String()), types.StringValue(file.Fingerprint())
	m.Token, m.BearerToken = types.StringNull(), types.StringNull() // write-only
	return m
}

// withNewSession returns m with an unknown session, which the apply seals.
func (m model) withNewSession() model {
	m.Session, m.SessionFingerprint = types.StringUnknown(), types.StringUnknown()
	return m
}

// sameURL reports whether two addresses differ in spelling alone.
func sameURL(a, b types.String) bool {
	x, errX := session.ParseDirectoryURL(a.ValueString())
	y, errY := session.ParseDirectoryURL(b.ValueString())
	return errX == nil && errY == nil && x == y
}
