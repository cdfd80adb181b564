package deployment

import (
	"context"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

type model struct {
	targetsModel

	ID                 types.String   `tfsdk:"id"`
	Name               types.String   `tfsdk:"name"`
	Session            types.String   `tfsdk:"session"`
	Unseal             types.String   `tfsdk:"unseal"`
	UnsealTokenWO      types.String   `tfsdk:"unseal_token_wo"`
	Settings           types.Object   `tfsdk:"settings"`
	Size               types.String   `tfsdk:"size"`
	RedeployTriggers   types.Map      `tfsdk:"redeploy_triggers"`
	OnUnready          types.String   `tfsdk:"on_unready"`
	DeletionProtection types.Bool     `tfsdk:"deletion_protection"`
	Timeouts           timeouts.Value `tfsdk:"timeouts"`

	URL              types.String `tfsdk:"url"`
	SCIMURL          types.String `tfsdk:"scim_url"`
	Version          types.String `tfsdk:"version"`
	Revision         types.String `tfsdk:"revision"`
	ObservedRevision types.String `tfsdk:"observed_revision"`
	Status           types.String `tfsdk:"status"`
	Problems         types.List   `tfsdk:"problems"`
	EgressAddress    types.String `tfsdk:"egress_address"`
}

type settingsModel struct {
	PublicURL            types.String `tfsdk:"public_url"`
	AccountURL           types.String `tfsdk:"account_url"`
	TLSDomain            types.String `tfsdk:"tls_domain"`
	ACMEEmail            types.String `tfsdk:"acme_email"`
	SuspensionLimit      types.String `tfsdk:"suspension_limit"`
	ConfirmationInterval types.String `tfsdk:"confirmation_interval"`
	LogLevel             types.String `tfsdk:"log_level"`
	LogFormat            types.String `tfsdk:"log_format"`
	SourceAddress        types.String `tfsdk:"source_address"`
	TrustedProxies       types.List   `tfsdk:"trusted_proxies"`
	InsecureHTTP         types.Bool   `tfsdk:"insecure_http"`

	MonitoringTokenWO        types.String `tfsdk:"monitoring_token_wo"` // null except in the configuration
	MonitoringTokenWOVersion types.Int64  `tfsdk:"monitoring_token_wo_version"`
}

var settingsTypes = map[string]attr.Type{
	"public_url": types.StringType, "account_url": types.StringType, "confirmation_interval": types.StringType,
	"suspension_limit": types.StringType, "tls_domain": types.StringType, "acme_email": types.StringType,
	"log_level": types.StringType, "log_format": types.StringType, "source_address": types.StringType,
	"trusted_proxies": types.ListType{ElemType: types.StringType}, "insecure_http": types.BoolType,
	"monitoring_token_wo": types.StringType, "monitoring_token_wo_version": types.Int64Type,
}

// toSpec returns the specification to deploy, without the monitoring token: see addMonitoring. Known
// is false while a part of it is unknown.
func (m model) toSpec(ctx context.Context) (spec deploy.Spec, known bool, diags diag.Diagnostics) {
	for _, v := range []attr.Value{m.Session, m.Unseal, m.Settings, m.Size, m.RedeployTriggers} {
		if v.IsUnknown() {
			return deploy.Spec{}, false, nil
		}
	}
	known = true
	spec = deploy.Spec{
		Name:    m.Name.ValueString(),
		Session: m.Session.ValueString(),
		Unseal:  deploy.Unseal(m.Unseal.ValueString()),
		Size:    deploy.Size(m.Size.ValueString()),
		Memo:    m.toMemo(),
	}
	if file, err := session.Parse(spec.Session); err == nil {
		spec.Session = file.String() // in the form that the target stores
	}
	if !m.Settings.IsNull() {
		var s settingsModel
		diags.Append(m.Settings.As(ctx, &s, basetypes.ObjectAsOptions{})...)
		for _, v := range []attr.Value{s.PublicURL, s.AccountURL, s.TLSDomain, s.ACMEEmail, s.ConfirmationInterval,
			s.SuspensionLimit, s.LogLevel, s.LogFormat, s.SourceAddress, s.TrustedProxies, s.InsecureHTTP} {
			known = known && !v.IsUnknown()
		}
		var proxies []types.String
		if !s.TrustedProxies.IsUnknown() {
			diags.Append(s.TrustedProxies.ElementsAs(ctx, &proxies, false)...)
		}
		texts := make([]string, len(proxies))
		for i, p := range proxies {
			known = known && !p.IsUnknown()
			texts[i] = p.ValueString()
		}
		spec.Settings = deploy.Settings{
			PublicURL: s.PublicURL.ValueString(), AccountURL: s.AccountURL.ValueString(),
			TLSDomain: s.TLSDomain.ValueString(), ACMEEmail: s.ACMEEmail.ValueString(),
			SuspensionLimit:      s.SuspensionLimit.ValueString(),
			ConfirmationInterval: s.ConfirmationInterval.ValueString(),
			LogLevel:             s.LogLevel.ValueString(), LogFormat: s.LogFormat.ValueString(),
			SourceAddress: s.SourceAddress.ValueString(), TrustedProxies: strings.Join(texts, ","),
			InsecureHTTP: s.InsecureHTTP.ValueBool(),
		}
	}
	var whole bool
	spec.Triggers, whole = toTriggers(m.RedeployTriggers)
	return spec, known && whole && !diags.HasError(), diags
}

// toTriggers returns the triggers that are not null; nil if there are none.
func toTriggers(of types.Map) (values map[string]string, known bool) {
	known = !of.IsUnknown()
	for key, value := range of.Elements() {
		known = known && !value.IsUnknown()
		text, ok := value.(types.String)
		if !ok || text.IsNull() {
			continue
		}
		if values == nil {
			values = map[string]string{}
		}
		values[key] = text.ValueString()
	}
	return values, known
}

// timeoutNames are the operations that have a timeout.
var timeoutNames = []string{"create", "update", "delete"}

// toMemo returns values that only Terraform needs. The target stores them for an import.
func (m model) toMemo() map[string]string {
	memo := map[string]string{"on_unready": m.OnUnready.ValueString()}
	if m.DeletionProtection.ValueBool() {
		memo["deletion_protection"] = "true"
	}
	for name, value := range m.Timeouts.Attributes() {
		if text, ok := value.(types.String); ok && text.ValueString() != "" {
			memo["timeouts."+name] = text.ValueString()
		}
	}
	return memo
}

// fromMemo sets the values that the first Read after an import takes from the deployment.
func (m *model) fromMemo(memo map[string]string) {
	m.OnUnready = types.StringValue(memo["on_unready"])
	if m.OnUnready.ValueString() == "" {
		m.OnUnready = types.StringValue(deploy.OnUnreadyWarn)
	}
	m.DeletionProtection = types.BoolValue(memo["deletion_protection"] == "true")
	attributes, set := map[string]attr.Value{}, false
	for _, name := range timeoutNames {
		attributes[name] = types.StringNull()
		if text := memo["timeouts."+name]; text != "" {
			attributes[name], set = types.StringValue(text), true
		}
	}
	if set {
		m.Timeouts = timeouts.Value{
			Object: types.ObjectValueMust(m.Timeouts.AttributeTypes(context.Background()), attributes),
		}
	}
}

// fromState sets the observed values. A value that means the same as the prior one keeps
// its spelling.
func (m *model) fromState(ctx context.Context, k kind, id string, s deploy.State) diag.Diagnostics {
	var diags, d diag.Diagnostics
	m.Name = types.StringValue(s.Spec.Name)
	m.Unseal = types.StringValue(string(s.Spec.Unseal))
	m.Size = types.StringValue(string(s.Spec.Size))
	if before, err := session.Parse(m.Session.ValueString()); err != nil || before.String() != s.Spec.Session {
		m.Session = types.StringNull()
		if s.Spec.Session != "" {
			m.Session = types.StringValue(s.Spec.Session)
		}
	}
	diags.Append(m.setTarget(ctx, k, s.Config)...)
	if m.Settings.IsNull() || m.Settings.IsUnknown() {
		m.Settings = types.ObjectNull(settingsTypes)
	}
	if s.Spec.Settings != (deploy.Settings{}) || s.Spec.Monitoring != nil || !m.Settings.IsNull() {
		m.Settings, d = settingsFromSpec(ctx, s.Spec, m.Settings)
		diags.Append(d...)
	}
	if before, known := toTriggers(m.RedeployTriggers); !known || !maps.Equal(before, s.Spec.Triggers) {
		m.RedeployTriggers = types.MapNull(types.StringType)
		if len(s.Spec.Triggers) > 0 {
			m.RedeployTriggers, d = types.MapValueFrom(ctx, types.StringType, s.Spec.Triggers)
			diags.Append(d...)
		}
	}
	diags.Append(m.setComputed(ctx, id, s)...)
	return diags
}

// setComputed sets the computed attributes.
func (m *model) setComputed(ctx context.Context, id string, s deploy.State) diag.Diagnostics {
	m.ID = types.StringValue(id)
	m.Revision = types.StringValue(observedRevision(s))
	m.ObservedRevision = types.StringValue(s.ObservedRevision)
	diags := m.setStatus(ctx, s)
	version, egress := "", ""
	if s.Bridge != nil {
		version, egress = s.Bridge.Version, s.Bridge.EgressAddress
	}
	if version != "" || m.Version.IsUnknown() {
		m.Version = stringOrNull(version)
	}
	if egress != "" || m.EgressAddress.IsUnknown() {
		m.EgressAddress = stringOrNull(egress)
	}
	if url := address(s.Spec.Settings.PublicURL, s.Spec.Settings.TLSDomain, s.URL); url != "" || m.URL.IsUnknown() {
		m.URL, m.SCIMURL = stringOrNull(url), stringOrNull(scimURL(url))
	}
	return diags
}

// observedRevision returns the revision and what was changed by other means, which no argument
// shows, so that the plan shows it.
func observedRevision(s deploy.State) string {
	if len(s.Drift) == 0 {
		return s.Revision
	}
	return s.Revision + " (" + strings.Join(s.Drift, "; ") + ")"
}

// setStatus sets status and problems.
func (m *model) setStatus(ctx context.Context, s deploy.State) (diags diag.Diagnostics) {
	m.Status = types.StringValue(string(s.Status()))
	m.Problems, diags = types.ListValueFrom(ctx, types.StringType, s.Problems())
	return diags
}

// address returns the URL of the bridge: its public URL, or that of its domain, or else the target's;
// empty if none is known.
func address(publicURL, domain, url string) string {
	if publicURL != "" {
		return strings.TrimRight(publicURL, "/")
	}
	if ascii, err := hostName(domain); domain != "" && err == nil {
		return "https://" + ascii
	}
	return url
}

func scimURL(address string) string {
	if address == "" {
		return ""
	}
	return address + "/scim/v2"
}

func settingsFromSpec(ctx context.Context, spec deploy.Spec, before types.Object) (types.Object, diag.Diagnostics) {
	s := spec.Settings
	m := settingsModel{
		PublicURL: stringOrNull(s.PublicURL), AccountURL: stringOrNull(s.AccountURL),
		TLSDomain: stringOrNull(s.TLSDomain), ACMEEmail: stringOrNull(s.ACMEEmail),
		SuspensionLimit:      stringOrNull(s.SuspensionLimit),
		ConfirmationInterval: stringOrNull(s.ConfirmationInterval),
		LogLevel:             stringOrNull(s.LogLevel), LogFormat: stringOrNull(s.LogFormat),
		SourceAddress:  stringOrNull(s.SourceAddress),
		TrustedProxies: types.ListNull(types.StringType),
	}
	if spec.Monitoring != nil {
		m.MonitoringTokenWOVersion = types.Int64PointerValue(spec.Monitoring.Version)
	}
	if s.InsecureHTTP {
		m.InsecureHTTP = types.BoolValue(true)
	} else if prior, ok := before.Attributes()["insecure_http"].(types.Bool); ok && !prior.IsNull() &&
		!prior.IsUnknown() {
		m.InsecureHTTP = types.BoolValue(false) // means the same as null
	}
	var diags diag.Diagnostics
	if s.TrustedProxies != "" {
		m.TrustedProxies, diags = types.ListValueFrom(ctx, types.StringType, strings.Split(s.TrustedProxies, ","))
	} else if list, ok := before.Attributes()["trusted_proxies"].(types.List); ok && !list.IsNull() &&
		len(list.Elements()) == 0 && !list.IsUnknown() {
		m.TrustedProxies = list // [] means the same as leaving it out
	}
	object, d := types.ObjectValueFrom(ctx, settingsTypes, m)
	diags.Append(d...)
	return object, diags
}

func stringOrNull(text string) types.String {
	if text == "" {
		return types.StringNull()
	}
	return types.StringValue(text)
}

// accountOf returns the account in a session's header; empty if it cannot be read.
func accountOf(sealed string) string {
	file, err := session.Parse(sealed)
	if err != nil || len(file.Entries) == 0 {
		return ""
	}
	return file.Entries[0].Header.AccountID
}
