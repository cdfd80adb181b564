package provisioning

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

const defaultOverlap = "15m"

type model struct {
	ID                 types.String `tfsdk:"id"`
	ManagerEmail       types.String `tfsdk:"manager_email"`
	IdP                types.String `tfsdk:"idp"`
	Active             types.Bool   `tfsdk:"active"`
	BearerToken        types.String `tfsdk:"bearer_token_wo"`
	BearerTokenVersion types.Int64  `tfsdk:"bearer_token_wo_version"`
	Overlap            types.String `tfsdk:"overlap"`
	SuspensionLimit    types.String `tfsdk:"suspension_limit"`
	DeletionProtection types.Bool   `tfsdk:"deletion_protection"`
	Epoch              types.Int64  `tfsdk:"epoch"`
	Session            types.String `tfsdk:"session"`
	SessionFingerprint types.String `tfsdk:"session_fingerprint"`
}

// fromAPI returns m with the account's values. Values that the account does not store
// (overlap, deletion protection, the token's version) stay, or are the defaults after an
// import.
func (m model) fromAPI(p api.Provisioning) model {
	m.Active = types.BoolValue(p.Active)
	if p.Id != nil || m.ID.IsUnknown() {
		m.ID = stringOrNull(p.Id)
	}
	if p.ManagerEmail != nil && !sameAddress(types.StringValue(*p.ManagerEmail), m.ManagerEmail) {
		m.ManagerEmail = types.StringPointerValue(p.ManagerEmail)
	}
	if p.Active {
		m.IdP = stringOrNull(p.Idp)
		m.SuspensionLimit = types.StringValue(suspension.DefaultLimit)
		if p.SuspensionLimit != nil && *p.SuspensionLimit != "" {
			m.SuspensionLimit = types.StringPointerValue(p.SuspensionLimit)
		}
	}
	if m.Overlap.IsNull() {
		m.Overlap = types.StringValue(defaultOverlap)
	}
	if m.DeletionProtection.IsNull() {
		m.DeletionProtection = types.BoolValue(false)
	}
	return m.withCredentials(p)
}

func (m model) withCredentials(p api.Provisioning) model {
	m.Epoch, m.Session, m.SessionFingerprint = types.Int64Null(), types.StringNull(), types.StringNull()
	if !p.Active {
		return m
	}
	m.Epoch, m.Session = types.Int64PointerValue(p.Epoch), stringOrNull(p.Session)
	if file, err := session.Parse(m.Session.ValueString()); err == nil {
		m.SessionFingerprint = types.StringValue(file.Fingerprint())
	}
	return m
}

// applied returns the state after an apply: the plan, and the account's values where
// the plan has none.
func (m model) applied(p api.Provisioning) model {
	now := m.fromAPI(p)
	fill(&m.ID, now.ID)
	fill(&m.Epoch, now.Epoch)
	fill(&m.Session, now.Session)
	fill(&m.SessionFingerprint, now.SessionFingerprint)
	m.BearerToken = types.StringNull() // write-only
	return m
}

func fill[T attr.Value](to *T, value T) {
	if (*to).IsUnknown() {
		*to = value
	}
}

// toLimit returns the suspension limit for the API, where empty means the default.
func (m model) toLimit() *string {
	text := m.SuspensionLimit.ValueString()
	if text == suspension.DefaultLimit {
		text = ""
	}
	return &text
}

func stringOrNull(text *string) types.String {
	if text == nil || *text == "" {
		return types.StringNull()
	}
	return types.StringPointerValue(text)
}

func importBlock(id string) string {
	return fmt.Sprintf("import {\n  to = scimbridge_provisioning.<name>\n  id = %q\n}", id)
}
