package provider

import (
	"os"
	"strings"
)

// SilenceUnheardLogs turns off the logs of the provider's libraries unless an
// environment variable asks for logs. Otherwise Terraform reads some fifty
// lines for each resource in a plan and discards them, which took half of the
// time of a plan over many resources.
func SilenceUnheardLogs() {
	if !logsWanted(os.Environ()) {
		_ = os.Setenv("TF_LOG_SDK", "off") // cannot fail for this name
	}
}

// logsWanted reports whether a variable asks for logs: all of them, those of
// providers, of one provider, or of the libraries.
func logsWanted(environ []string) bool {
	for _, variable := range environ {
		name, level, _ := strings.Cut(variable, "=")
		wanted := name == "TF_LOG" || strings.HasPrefix(name, "TF_LOG_PROVIDER") ||
			strings.HasPrefix(name, "TF_LOG_SDK")
		if wanted && level != "" && !strings.EqualFold(level, "off") {
			return true
		}
	}
	return false
}
