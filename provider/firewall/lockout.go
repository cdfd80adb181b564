package firewall

import (
	"fmt"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
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

// Who owns all rules, and who owns one, learn of each other through notes.
const (
	noteWhole = "firewall: all rules"
	noteRule  = "firewall: a rule"
)

const twoOwners = "This configuration holds a scimbridge_firewall_policy that owns all rules and removes those that it does not list, " +
	"and a scimbridge_firewall_rule, which it would remove.\n\n" +
	"Move the rule into the policy's rules; or let the policy live beside single rules, with on_unmanaged = \"report\" or without rules."

// ownedWhole notes a single rule, and tells whether a policy of this run owns
// all of them. Each side notes first and looks then: at least one sees both.
func ownedWhole(c *client.Client) bool {
	c.Note(noteRule)
	return c.Noted(noteWhole)
}

// ownedSingly notes a policy that owns all rules, and tells whether the run
// has single ones.
func ownedSingly(c *client.Client) bool {
	c.Note(noteWhole)
	return c.Noted(noteRule)
}
