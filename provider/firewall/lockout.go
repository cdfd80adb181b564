package firewall

import (
	"cmp"
	"fmt"
	"strings"
)

const lockOutTitle = "Firewall change would lock out"

// describeLockouts lists who would be locked out, at which address, by which rule, and
// which rule allows it now. Name returns a rule's name, empty for the default action.
func describeLockouts(out []lockout, name func(id string) string) string {
	var lines strings.Builder
	lines.WriteString("After this change, the account's firewall would block\n")
	for i, s := range out {
		if i == maxListed {
			fmt.Fprintf(&lines, "  - and %d more\n", len(out)-maxListed)
			break
		}
		fmt.Fprintf(&lines, "  - %s: by %s", s, cmp.Or(name(s.by), "the default action"))
		if s.until != "" {
			fmt.Fprintf(&lines, "; now allowed by %s", name(s.until))
		}
		lines.WriteByte('\n')
	}
	return lines.String()
}

// singleRuleRemedy is the remedy for a rule in a resource of its own.
func singleRuleRemedy(deleted bool) string {
	if deleted {
		return "\nThe account refuses a deletion that locks out the machine that runs Terraform, but not one that " +
			"locks out a bridge. If another rule of this configuration allows them, name it in depends_on, " +
			"or keep both in a scimbridge_firewall_policy. Otherwise, " +
			"set allow_lockout = true and apply before you destroy."
	}
	return "\nThe account refuses this, unless another rule of this configuration allows them first: " +
		"name that rule in depends_on, or keep both in a scimbridge_firewall_policy, " +
		"which is written in one request. To lock them out intentionally, set allow_lockout = true."
}

const policyRemedy = "\nNothing was changed. Allow them by a rule with a lower priority number, " +
	"or set allow_lockout = true to lock them out intentionally."
