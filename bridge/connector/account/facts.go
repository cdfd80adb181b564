package account

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// The bounds of a fact, and of one that is a sentence or a list, in bytes.
const (
	maxFact   = 300
	maxDetail = 1000
)

// maxBlocked bounds how many callers FactBlocked names; the account sends as many.
const maxBlocked = 20

// toFacts makes a problem's facts of what the account tells beside an error.
func toFacts(d *api.ProblemDetails) problem.Facts {
	facts := problem.Facts{}
	if d == nil {
		return facts
	}
	for fact, value := range map[string]*string{
		problem.FactAddress: d.Address, problem.FactRuleID: d.RuleId,
		problem.FactCountry: d.Country, problem.FactContinent: d.Continent, problem.FactDatabase: d.Database,
	} {
		if value != nil {
			facts[fact] = inputtext.ShortLine(*value, maxFact)
		}
	}
	if d.AnonymousIps != nil {
		facts[problem.FactAnonymous] = joined(*d.AnonymousIps)
	}
	if r := d.Rule; r != nil {
		facts[problem.FactRulePriority] = strconv.Itoa(r.Priority)
		facts[problem.FactRuleDescription] = inputtext.ShortLine(r.Description, maxDetail)
		facts[problem.FactRuleKind] = inputtext.ShortLine(string(r.Kind), maxFact)
		if r.ChangedAt != nil {
			facts[problem.FactRuleChangedAt] = r.ChangedAt.UTC().Format(time.RFC3339)
		}
		// A part of them would make another rule of the block that a remedy shows.
		if values := strings.Join(value(r.Values), ", "); values != "" && len(values) <= maxDetail {
			facts[problem.FactRuleValues] = inputtext.Line(values)
		}
	}
	return facts
}

// joined writes the kinds as a fact.
func joined(kinds []api.AnonymousIP) string {
	words := make([]string, len(kinds))
	for i, kind := range kinds {
		words[i] = string(kind)
	}
	return inputtext.ShortLine(strings.Join(words, ", "), maxFact)
}

// FirewallDisabled is what is known of a firewall that the break-glass holds open.
type FirewallDisabled struct {
	Since time.Time // when this bridge learned of it
	Facts problem.Facts
}

// ToFirewallDisabled is nil while the firewall is enforced. before is what was
// known of it until now, if it was disabled already.
func ToFirewallDisabled(answer api.HeartbeatAnswer, before *FirewallDisabled, now time.Time) *FirewallDisabled {
	if answer.FirewallEnforced {
		return nil
	}
	disabled := &FirewallDisabled{Since: now, Facts: problem.Facts{}}
	if before != nil {
		disabled.Since = before.Since
	}
	if answer.WouldBlock != nil {
		disabled.Facts = toBlockedFacts(*answer.WouldBlock)
		disabled.Facts[problem.FactChecked] = "true"
	}
	if answer.FirewallDisabledUntil != nil {
		disabled.Facts[problem.FactExpires] = answer.FirewallDisabledUntil.UTC().Format(time.RFC3339)
	}
	if answer.Database != nil {
		disabled.Facts[problem.FactDatabase] = inputtext.ShortLine(*answer.Database, maxDetail)
	}
	return disabled
}

// toBlockedFacts lists the callers that the firewall will block when it is
// enforced again. The rule is the one with the lowest priority: what goes before
// it goes before the others, too.
func toBlockedFacts(blocked []api.ProblemDetails) problem.Facts {
	if len(blocked) == 0 {
		return problem.Facts{}
	}
	blocked = slices.SortedStableFunc(slices.Values(blocked), func(a, b api.ProblemDetails) int {
		return cmp.Or(cmp.Compare(priorityOf(a), priorityOf(b)), cmp.Compare(value(a.Address), value(b.Address)))
	})
	facts := toFacts(&blocked[0])
	var who, addresses []string
	for _, d := range blocked[:min(len(blocked), maxBlocked)] {
		name := "an administrator"
		switch {
		case value(d.Who) == "bridge":
			name = "the bridge " + inputtext.ShortLine(value(d.Instance), maxFact)
		case value(d.Name) != "":
			name = "the administrator's token " + strconv.Quote(inputtext.ShortLine(value(d.Name), maxFact))
		}
		by := "by the default action"
		if d.Rule != nil {
			by = "by " + problem.RuleName(toFacts(&d))
		}
		address := inputtext.ShortLine(value(d.Address), maxFact)
		who = append(who, name+" at "+address+" "+by)
		if !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	facts[problem.FactBlocked] = strings.Join(who, "; ")
	facts[problem.FactAddress] = strings.Join(addresses, ", ")
	return facts
}

// priorityOf is higher than any for the default action, which goes last.
func priorityOf(d api.ProblemDetails) int {
	if d.Rule == nil {
		return 1 << 30
	}
	return d.Rule.Priority
}

func (d *FirewallDisabled) equal(other *FirewallDisabled) bool {
	if d == nil || other == nil {
		return d == other
	}
	return d.Facts[problem.FactBlocked] == other.Facts[problem.FactBlocked] &&
		d.Facts[problem.FactExpires] == other.Facts[problem.FactExpires]
}

// report adds the problem to the report of a bridge that is signed in.
func (d *FirewallDisabled) report(r *health.Report) {
	r.State = health.Degraded
	r.Problems = append(r.Problems, problem.New(problem.FirewallDisabled, d.Since, d.Facts))
}
