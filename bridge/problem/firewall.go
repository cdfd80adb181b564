package problem

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DatabasePlaceholder stands in a command for an account's database setting
// that is not known.
const DatabasePlaceholder = "DATABASE"

// DisableFirewall is the command that lifts an account's firewall for a time,
// or, for "0s", ends that. The database is a FactDatabase, which may be empty.
func DisableFirewall(database, duration string) string {
	if database == "" {
		database = DatabasePlaceholder
	}
	return "scim-bridge account firewall disable --database " + quoteShell(database) + " --for " + duration
}

// whereToRun is where the command is run, and what its placeholders stand for.
func whereToRun(facts map[string]string) string {
	if facts[FactDatabase] != "" {
		return "on the account's machine"
	}
	return "on the account's machine, where " + DatabasePlaceholder +
		" is a placeholder for what the account service was started with as --database"
}

// RuleName is how a text names the firewall rule of the facts.
func RuleName(facts map[string]string) string {
	var known []string
	if d := facts[FactRuleDescription]; d != "" {
		known = append(known, strconv.Quote(d))
	}
	if p := facts[FactRulePriority]; p != "" {
		known = append(known, "priority "+p)
	}
	if at := facts[FactRuleChangedAt]; at != "" {
		known = append(known, "as it is since "+at)
	}
	name := "firewall rule " + facts[FactRuleID]
	if len(known) == 0 {
		return name
	}
	return name + " (" + strings.Join(known, ", ") + ")"
}

// allowByDefault is the priority of an allow rule that names none.
const allowByDefault = 100

// isFirst reports whether the rule that denies has the lowest priority that
// there is: no rule can be placed before it.
func isFirst(facts map[string]string) bool { return facts[FactRulePriority] == "0" }

// priorityBefore is the line that puts an allow rule before the one that
// denies: among equals, what forbids comes first.
func priorityBefore(facts map[string]string) string {
	p, err := strconv.Atoi(facts[FactRulePriority])
	if err != nil || p > allowByDefault {
		return ""
	}
	return fmt.Sprintf("  priority    = %d\n", max(0, p-1))
}

// hclRule is the rule that denies, as it is but for its priority and values.
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

// moveDenying is the block that makes room before a rule of priority 0; empty
// where there is room, or where the rule's values are not known.
func moveDenying(facts map[string]string) string {
	values := ruleValues(facts)
	if !isFirst(facts) || values == nil {
		return ""
	}
	return "\n\n" + hclRule(facts, "denying", "1", values)
}

// otherAddresses is the second way out of a rule on cloud providers, as a
// comment: only one of the two is to be pasted.
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
	default: // what the rule names is not known
		block = "resource \"scimbridge_firewall_rule\" \"anonymous\" {\n" +
			"  action        = \"deny\"\n" +
			"  anonymous_ips = [" + quoteList(otherKinds(facts[FactAnonymous])) + "] # those of them that it has now\n" +
			"}\n"
	}
	text := "\n\n# Or, without an allow rule, let the rule that denies be about other addresses:\n#\n"
	for line := range strings.Lines(block) {
		text += strings.TrimRight("# "+line, " \n") + "\n"
	}
	return text
}

// addresses are the IP ranges of the allow rule.
func addresses(facts map[string]string) string {
	if facts[FactAddress] == "" {
		return `"<the bridge's address>"`
	}
	return quoteList(strings.Split(facts[FactAddress], ", "))
}
