package problem

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DatabasePlaceholder is used in a command if the account's database is not known.
const DatabasePlaceholder = "DATABASE"

// DisableFirewall returns the command that disables an account's firewall for a
// duration, or enforces it again for "0s". The database is a FactDatabase, which may
// be empty.
func DisableFirewall(database, duration string) string {
	if database == "" {
		database = DatabasePlaceholder
	}
	return "scim-bridge account firewall disable --database " + QuoteShell(database) + " --for " + duration
}

// decideHolds is the command on the account's machine.
func decideHolds(database, command string) string {
	return "scim-bridge account holds " + command + " --database " + QuoteShell(cmp.Or(database, DatabasePlaceholder))
}

// decideHeld is the command on the machine of a bridge that holds something itself.
func decideHeld(dataDir, command string) string {
	return "scim-bridge holds " + command + " --data-dir " + QuoteShell(dataDir)
}

// whereToRun says where the command is run, and what its placeholder means.
func whereToRun(facts map[string]string) string {
	if facts[FactDatabase] != "" {
		return "on the account's machine"
	}
	return "on the account's machine, where " + DatabasePlaceholder +
		" is a placeholder for the value of the account service's --database"
}

// RuleName returns a text's name for the firewall rule in facts.
func RuleName(facts map[string]string) string {
	var known []string
	if d := facts[FactRuleDescription]; d != "" {
		known = append(known, strconv.Quote(d))
	}
	if p := facts[FactRulePriority]; p != "" {
		known = append(known, "priority "+p)
	}
	if at := facts[FactRuleChangedAt]; at != "" {
		known = append(known, "last changed at "+at)
	}
	name := "firewall rule " + facts[FactRuleID]
	if len(known) == 0 {
		return name
	}
	return name + " (" + strings.Join(known, ", ") + ")"
}

// allowByDefault is the default priority of an allow rule.
const allowByDefault = 100

// isFirst reports whether the denying rule has the lowest possible priority, so
// that no rule can precede it.
func isFirst(facts map[string]string) bool { return facts[FactRulePriority] == "0" }

// priorityBefore returns the line that gives an allow rule a lower priority than the
// denying rule: with equal priorities, deny wins.
func priorityBefore(facts map[string]string) string {
	p, err := strconv.Atoi(facts[FactRulePriority])
	if err != nil || p > allowByDefault {
		return ""
	}
	return fmt.Sprintf("  priority    = %d\n", max(0, p-1))
}

// hclRule writes the denying rule with another priority and other values.
func hclRule(facts map[string]string, name string, priority string, values []string) string {
	kind := facts[FactRuleKind]
	width := max(len("description"), len(kind))
	var b strings.Builder
	fmt.Fprintf(&b, "import {\n  to = scimbridge_firewall_rule.%s\n  id = %s\n}\n\n", name, quoteHCL(facts[FactRuleID]))
	fmt.Fprintf(&b, "resource \"scimbridge_firewall_rule\" \"%s\" {\n", name)
	line := func(key, value string) { fmt.Fprintf(&b, "  %-*s = %s\n", width, key, value) }
	line("action", quoteHCL("deny"))
	line(kind, "["+quoteList(values)+"]")
	line("priority", priority)
	if d := facts[FactRuleDescription]; d != "" {
		line("description", quoteHCL(d))
	}
	b.WriteString("}\n")
	return b.String()
}

func ruleValues(facts map[string]string) []string {
	if facts[FactRuleValues] == "" || facts[FactRuleKind] == "" {
		return nil
	}
	return strings.Split(facts[FactRuleValues], ", ")
}

// moveDenying returns the block that moves a denying rule away from priority 0. It
// is empty if the rule has another priority or its values are not known.
func moveDenying(facts map[string]string) string {
	values := ruleValues(facts)
	if !isFirst(facts) || values == nil {
		return ""
	}
	return "\n\n" + hclRule(facts, "denying", "1", values)
}

// otherAddresses returns the alternative remedy for a rule on cloud providers, as a
// comment: only one of the two should be pasted.
func otherAddresses(facts map[string]string) string {
	values := ruleValues(facts)
	var block string
	switch rest := slices.DeleteFunc(slices.Clone(values), func(kind string) bool {
		return slices.Contains(cloudKinds(facts[FactAnonymous]), kind)
	}); {
	case len(rest) > 0:
		block = hclRule(facts, "anonymous", facts[FactRulePriority], rest)
	case len(values) > 0:
		return ""
	default: // the rule's values are not known
		block = "resource \"scimbridge_firewall_rule\" \"anonymous\" {\n" +
			"  action        = \"deny\"\n" +
			"  anonymous_ips = [" + quoteList(otherKinds(facts[FactAnonymous])) + "] # those that it has now\n" +
			"}\n"
	}
	text := "\n\n# Or, instead of the allow rule, change the addresses of the deny rule:\n#\n"
	for line := range strings.Lines(block) {
		text += strings.TrimRight("# "+line, " \n") + "\n"
	}
	return text
}

// addresses returns the IP ranges of the allow rule.
func addresses(facts map[string]string) string {
	if facts[FactAddress] == "" {
		return `"<the bridge's address>"`
	}
	return quoteList(strings.Split(facts[FactAddress], ", "))
}
