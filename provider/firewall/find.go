package firewall

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
)

// find is the one rule whose values are exactly those listed in text,
// separated by commas, in any order and spelling.
func find(rules []api.FirewallRule, text string) (api.FirewallRule, error) {
	var wanted []string
	for value := range strings.SplitSeq(text, ",") {
		value = formatRange(strings.TrimSpace(value))
		if len(value) == 2 { // a country or a continent
			value = attr.FormatCode(value)
		}
		wanted = append(wanted, value)
	}
	slices.Sort(wanted)
	var found []api.FirewallRule
	for _, rule := range rules {
		if slices.Equal(values(rule), wanted) {
			found = append(found, rule)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return api.FirewallRule{}, fmt.Errorf("no rule has the id %q or exactly these values. The account's rules:\n%s", text, listing(rules))
	default:
		return api.FirewallRule{}, fmt.Errorf("%d rules have exactly these values; import by id:\n%s", len(found), listing(found))
	}
}

// maxListed is how many rules an error lists; nobody reads more.
const maxListed = 50

func listing(rules []api.FirewallRule) string {
	if len(rules) == 0 {
		return "  (none)"
	}
	var lines strings.Builder
	for i, rule := range rules {
		if i == maxListed {
			fmt.Fprintf(&lines, "  and %d more\n", len(rules)-maxListed)
			break
		}
		fmt.Fprintf(&lines, "  %s  %s\n", rule.Id, describe(rule))
	}
	return strings.TrimSuffix(lines.String(), "\n")
}

// describe is a rule in one line.
func describe(rule api.FirewallRule) string {
	return fmt.Sprintf("%s, priority %d: %s", rule.Action, rule.Priority, strings.Join(values(rule), ","))
}
