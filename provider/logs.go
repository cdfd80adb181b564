package provider

import (
	"os"
	"strings"
)

// SilenceUnheardLogs stops the libraries that the provider is made of from
// logging every step they take, unless somebody asked Terraform for logs.
// Terraform takes all lines of a provider, some fifty for a resource in a
// plan, and throws them away; over many resources that was half of what a
// plan cost.
func SilenceUnheardLogs() {
	if !logsWanted(os.Environ()) {
		_ = os.Setenv("TF_LOG_SDK", "off") // cannot fail for this name
	}
}

// logsWanted tells whether a variable asks for logs: of all, of providers, of
// one provider, or of the libraries.
func logsWanted(environ []string) bool {
	for _, variable := range environ {
		name, level, _ := strings.Cut(variable, "=")
		wanted := name == "TF_LOG" || strings.HasPrefix(name, "TF_LOG_PROVIDER") || strings.HasPrefix(name, "TF_LOG_SDK")
		if wanted && level != "" && !strings.EqualFold(level, "off") {
			return true
		}
	}
	return false
}
