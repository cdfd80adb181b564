package deploy

import (
	"strings"
	"testing"
)

func TestVariablesThatTheDeploymentSetsAreRefusedWithTheArgumentToUse(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, want string }{
		{"HTTPS_PROXY", ""},
		{"TZ", ""},
		{"GODEBUG", ""},
		{"SSL_CERT_FILE", ""},
		{"scimbridge_log_level", ""}, // the bridge reads no such variable
		{"", "not the name of a variable"},
		{"A=B", "not the name of a variable"},
		{"A\x00", "not the name of a variable"},
		{"GOMEMLIMIT", "size"},
		{"CREDENTIALS_DIRECTORY", "unseal_token_wo"},
		{"SCIMBRIDGE_PUBLIC_URL", "use settings.public_url"},
		{"SCIMBRIDGE_ACCOUNT_URL", "use settings.account_url"},
		{"SCIMBRIDGE_CONFIRMATION_INTERVAL", "use settings.confirmation_interval"},
		{"SCIMBRIDGE_LOG_LEVEL", "use settings.log_level"},
		{"SCIMBRIDGE_LOG_FORMAT", "use settings.log_format"},
		{"SCIMBRIDGE_SOURCE_ADDRESS", "use settings.source_address"},
		{"SCIMBRIDGE_TRUSTED_PROXIES", "use settings.trusted_proxies"},
		{"SCIMBRIDGE_INSECURE_HTTP", "use settings.insecure_http"},
		{"SCIMBRIDGE_MONITORING_TOKEN_FILE", "use settings.monitoring_token_wo"},
		{"SCIMBRIDGE_SESSION", "use session"},
		{"SCIMBRIDGE_UNSEAL_TOKEN_FILE", "use unseal and unseal_token_wo"},
		{"SCIMBRIDGE_LISTEN", "sets that itself"},
		{"SCIMBRIDGE_DATA_DIR", "sets that itself"},
		{"SCIMBRIDGE_REVISION", "sets that itself"},
		{"SCIMBRIDGE_DRAIN_DELAY", "sets that itself"},
		{"SCIMBRIDGE_ANYTHING", "use settings"},
		{"SCIMBRIDGE_", "use settings"},
		{"OP_SESSION", "use session"},
		{"OP_PORT", "sets that itself"},
		{"OP_JSON_LOGS", "use settings.log_format"},
		{"OP_DEBUG", "use settings.log_level"},
		{"OP_CONFIRMATION_INTERVAL", "use settings.confirmation_interval"},
		{"OP_TLS_DOMAIN", "use settings.tls_domain"},
		{"OP_LETSENCRYPT_EMAIL", "use settings.acme_email"},
		{"SCIMBRIDGE_TLS_DOMAIN", "use settings.tls_domain"},
		{"SCIMBRIDGE_ACME_EMAIL", "use settings.acme_email"},
		{"SCIMBRIDGE_ACME_DIRECTORY", "HTTPS in front"},
		{"OP_PING_SERVER", "at the bridge's own address"},
		{"OP_TLS_KEY_FILE", "HTTPS in front"},
		{"SCIMBRIDGE_TLS_CERT_FILE", "HTTPS in front"},
		{"OP_ANYTHING", "use settings"},
	} {
		err := CheckVariable(row.name)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%q: %v, want %q", row.name, err, row.want)
		}
	}
}
