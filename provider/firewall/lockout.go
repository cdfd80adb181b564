package firewall

import (
	"cmp"
	"fmt"
	"strings"
)

const lockOutTitle = "Firewall change would lock out"

// describeLockouts is who would be shut out, from where, by what, and what let
// it in until now; name gives a rule a name, empty for the default action.
func describeLockouts(out []lockout, name func(id string) string) string {
	var lines strings.Builder
	lines.WriteString("After this change, the account's firewall would shut out\n")
	for i, s := range out {
		if i == maxListed {
			fmt.Fprintf(&lines, "  - and %d more\n", len(out)-maxListed)
			break
		}
		fmt.Fprintf(&lines, "  - %s: by %s", s, cmp.Or(name(s.by), "the default action"))
		if s.until != "" {
			fmt.Fprintf(&lines, "; until now let in by %s", name(s.until))
		}
		lines.WriteByte('\n')
	}
	return lines.String()
}

// singleRuleRemedy is what to do about a rule that is written among others.
func singleRuleRemedy(deleted bool) string {
	if deleted {
		return "\nThe account refuses to shut out whoever runs Terraform; a bridge it lets go. " +
			"If another rule of this configuration lets them in, name it in depends_on, " +
			"or keep both in a scimbridge_firewall_policy. Otherwise, set allow_lockout = true and apply, before destroying."
	}
	return "\nThe account refuses that, unless another rule of this configuration lets them in first: " +
		"name that rule in depends_on, or keep both in a scimbridge_firewall_policy, which is written at once. " +
		"Set allow_lockout = true if shutting them out is meant."
}

const policyRemedy = "\nNothing was changed. Let them in by a rule with a lower priority number, " +
	"or set allow_lockout = true if shutting them out is meant."
