package deploy

import (
	"errors"
	"fmt"
	"strings"
)

// CheckVariable refuses variables of a container that the deployment sets itself, or by which
// the bridge would not be what the arguments say. The error names the argument to use.
func CheckVariable(name string) error {
	switch {
	case name == "" || strings.ContainsAny(name, "=\x00"):
		return fmt.Errorf("%q is not the name of a variable", name)
	case name == "GOMEMLIMIT":
		return errors.New("GOMEMLIMIT follows size, or memory of docker: set that instead")
	case name == "CREDENTIALS_DIRECTORY":
		return errors.New("CREDENTIALS_DIRECTORY would give the bridge a session and tokens of a service manager: " +
			"use session, unseal_token_wo and settings.monitoring_token_wo instead")
	}
	if flag, ok := strings.CutPrefix(name, "SCIMBRIDGE_"); ok {
		return fmt.Errorf("the variable %s is one of the bridge's own: %s", name, instead(flag))
	}
	if strings.HasPrefix(name, "OP_") {
		return fmt.Errorf("the variable %s is one of the vendor's bridge, which this one reads too: %s", name,
			instead(vendorFlags[name]))
	}
	return nil
}

// vendorFlags are the flags that the vendor's variables set.
var vendorFlags = map[string]string{
	"OP_SESSION":               "SESSION",
	"OP_PORT":                  "LISTEN",
	"OP_CONFIRMATION_INTERVAL": "CONFIRMATION_INTERVAL",
	"OP_JSON_LOGS":             "LOG_FORMAT",
	"OP_PRETTY_LOGS":           "LOG_FORMAT",
	"OP_DEBUG":                 "LOG_LEVEL",
	"OP_TRACE":                 "LOG_LEVEL",
	"OP_TLS_DOMAIN":            "TLS_DOMAIN",
	"OP_LETSENCRYPT_DOMAIN":    "TLS_DOMAIN",
	"OP_TLS_CERT_FILE":         "TLS_CERT_FILE",
	"OP_TLS_KEY_FILE":          "TLS_KEY_FILE",
	"OP_LETSENCRYPT_EMAIL":     "ACME_EMAIL",
	"OP_PING_SERVER":           "PING_LISTEN",
}

// instead returns what to do in the place of a variable for a flag of `scim-bridge serve`.
func instead(variable string) string {
	for _, f := range new(Settings).flags() {
		if variable == strings.ToUpper(strings.ReplaceAll(f.name, "-", "_")) {
			return "use settings." + strings.ToLower(variable) + " instead"
		}
	}
	if strings.HasPrefix(variable, "TLS_") || strings.HasPrefix(variable, "ACME_") {
		return "a deployment gives the bridge no certificate but by settings.tls_domain: use that, or put a proxy " +
			"with HTTPS in front, and remove it"
	}
	switch variable {
	case "INSECURE_HTTP":
		return "use settings.insecure_http instead"
	case "MONITORING_TOKEN_FILE", "MONITORING_TOKEN":
		return "use settings.monitoring_token_wo instead"
	case "SESSION":
		return "use session instead"
	case "PING_LISTEN":
		return "/ping answers at the bridge's own address; remove it"
	case "UNSEAL_TOKEN_FILE":
		return "use unseal and unseal_token_wo instead"
	case "LISTEN", "DATA_DIR", "REVISION", "DRAIN_DELAY", "TAKE_OVER":
		return "the deployment sets that itself; remove it"
	}
	return "use settings, session and unseal instead"
}
