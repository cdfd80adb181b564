package firewall

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// find returns the only rule whose values are exactly those in text, separated by
// commas, in any order and spelling.
func find(rules []firewall.Rule, text string) (firewall.Rule, error) {
	desired := make(map[firewall.Kind][]string)
	for _, a := range matchAttributes {
		for value := range strings.SplitSeq(text, ",") {
			desired[a.kind] = append(desired[a.kind], a.field(&ruleModel{}).CanonicalOf(strings.TrimSpace(value)))
		}
		slices.Sort(desired[a.kind])
	}
	var found []firewall.Rule
	for _, rule := range rules {
		if values, ok := desired[rule.Match.Kind]; ok && slices.Equal(rule.Match.Values, values) {
			found = append(found, rule)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return firewall.Rule{},
			fmt.Errorf("no rule has the id %q or exactly these values. The account's rules:\n%s", text,
				listing(rules))
	default:
		return firewall.Rule{}, fmt.Errorf("%d rules have exactly these values; import by id:\n%s", len(found),
			listing(found))
	}
}

// maxListed is the maximum number of rules in an error.
const maxListed = 50

func listing(rules []firewall.Rule) string {
	if len(rules) == 0 {
		return "  (none)"
	}
	var lines strings.Builder
	for i, rule := range rules {
		if i == maxListed {
			fmt.Fprintf(&lines, "  and %d more\n", len(rules)-maxListed)
			break
		}
		fmt.Fprintf(&lines, "  %s  %s\n", rule.ID, describe(rule))
	}
	return strings.TrimSuffix(lines.String(), "\n")
}
