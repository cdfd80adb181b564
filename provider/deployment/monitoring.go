package deployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// monitoringValidator refuses texts that are no monitoring tokens. Its errors never quote the value.
type monitoringValidator struct{}

func (monitoringValidator) Description(context.Context) string { return "must be a monitoring token" }
func (monitoringValidator) MarkdownDescription(context.Context) string {
	return "must be a monitoring token"
}

func (monitoringValidator) ValidateString(_ context.Context, req validator.StringRequest,
	resp *validator.StringResponse,
) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := deploy.ParseMonitoringToken(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, invalidMonitoring, capitalize(err.Error())+".")
	}
}

const invalidMonitoring = "Invalid monitoring token"

var monitoringPath = path.Root("settings").AtName("monitoring_token_wo")

// addMonitoring adds the monitoring token, which only the configuration has, to a specification. Known
// is false while it is unknown if there is one.
func (m model) addMonitoring(ctx context.Context, spec *deploy.Spec) (known bool, diags diag.Diagnostics) {
	if m.Settings.IsUnknown() {
		return false, nil
	}
	if m.Settings.IsNull() {
		return true, nil
	}
	var s settingsModel
	diags.Append(m.Settings.As(ctx, &s, basetypes.ObjectAsOptions{})...)
	if s.MonitoringTokenWO.IsUnknown() {
		return false, diags
	}
	if diags.HasError() || s.MonitoringTokenWO.IsNull() {
		return true, diags
	}
	token, err := deploy.ParseMonitoringToken(s.MonitoringTokenWO.ValueString())
	if err != nil { // it was unknown during the validation
		diags.AddAttributeError(monitoringPath, invalidMonitoring, capitalize(err.Error())+".")
		return false, diags
	}
	if isBearerToken(token, spec.Session) || token.Reveal() == m.UnsealTokenWO.ValueString() {
		diags.AddAttributeError(monitoringPath, "The monitoring token is the bearer token",
			"A monitor must not hold the bearer token, which may change people and groups. Choose another text, for "+
				"instance what scim-bridge token prints.")
		return false, diags
	}
	spec.Monitoring = &deploy.Monitoring{Version: s.MonitoringTokenWOVersion.ValueInt64Pointer(), Token: token}
	return true, diags
}

// isBearerToken reports whether a monitoring token opens the session.
func isBearerToken(token deploy.MonitoringToken, sealed string) bool {
	bearer, err := session.ParseToken(token.Reveal())
	if err != nil {
		return false
	}
	file, err := session.Parse(sealed)
	if err != nil {
		return false
	}
	_, ok := file.Match(bearer)
	return ok
}
