package firewall

import (
	"fmt"
	"strings"
)

const lockOutTitle = "Firewall change would lock out"

// foreseen says who would be shut out, from where, and by what; name gives the
// deciding rule a name, empty for the default action.
func foreseen(out []shutOut, name func(by string) string) string {
	var lines strings.Builder
	lines.WriteString("After this change, the account's firewall would shut out\n")
	for i, s := range out {
		if i == maxListed {
			fmt.Fprintf(&lines, "  - and %d more\n", len(out)-maxListed)
			break
		}
		by := name(s.by)
		if by == "" {
			by = "the default action"
		}
		fmt.Fprintf(&lines, "  - %s: by %s\n", s, by)
	}
	return lines.String()
}

// afterARule says what comes of it: a single rule is written among others.
func afterARule(deleted bool) string {
	if deleted {
		return "\nThe account refuses to shut out whoever runs Terraform; a bridge it lets go. If another rule of this configuration lets them in, " +
			"name it in depends_on, or keep both in a scimbridge_firewall_policy. Otherwise, set allow_lockout = true and apply, before destroying."
	}
	return "\nThe account refuses that, unless another rule of this configuration lets them in first: name that rule in depends_on, " +
		"or keep both in a scimbridge_firewall_policy, which is written at once. Set allow_lockout = true if shutting them out is meant."
}

const afterThePolicy = "\nNothing was changed. Let them in by a rule with a lower priority number, or set allow_lockout = true if shutting them out is meant."

// ruleByID names a rule that is no resource's own; the default action is none.
func ruleByID(id string) string {
	if id == "" {
		return ""
	}
	return "rule " + id
}
