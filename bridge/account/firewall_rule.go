package account

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A RuleInput is what a request says of a rule. Lists that it leaves out are nil.
type RuleInput struct {
	ID                                         string          // in a whole policy: the rule that it is
	Action                                     firewall.Action // allow if empty
	IPRanges, Countries, Continents, Anonymous []string
	Priority                                   *int // by the action if nil
	Description                                string
}

// parse makes a rule of in, which stands at a JSON pointer of the request.
func (in RuleInput) parse(at string) (firewall.Rule, error) {
	r := firewall.Rule{ID: in.ID, Action: in.Action, Description: in.Description}
	if r.Action == "" {
		r.Action = firewall.Allow
	}
	r.Priority = r.Action.DefaultPriority()
	if in.Priority != nil {
		r.Priority = *in.Priority
	}
	// Without a database such a rule would match nobody, which is a hole if
	// it denies and a lock-out if it allows.
	for _, kind := range []struct {
		name   string
		values []string
	}{{"countries", in.Countries}, {"continents", in.Continents}, {"anonymous_ips", in.Anonymous}} {
		if kind.values != nil {
			return r, &Error{
				Status: http.StatusUnprocessableEntity, Code: "ip_database_required", Title: "An IP database is required",
				Detail:  fmt.Sprintf("this build has no IP database, and only one can answer %s; write the rule with ip_ranges", kind.name),
				Details: Details{Field: at + "/" + kind.name},
			}
		}
	}
	for i, text := range in.IPRanges {
		prefix, err := firewall.ParseRange(text)
		if err != nil {
			return r, InvalidValue(at+"/ip_ranges/"+strconv.Itoa(i), "%v", err)
		}
		r.IPRanges = append(r.IPRanges, prefix)
	}
	if err := r.Validate(); err != nil {
		return r, InvalidValue(at, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return r, nil
}

// update applies in, which stands at a JSON pointer of the request. newID
// names the rules that are new, by their index.
func (f *Firewall) update(in FirewallUpdate, at string, newID func(int) string) error {
	if in.DefaultAction != nil {
		if !in.DefaultAction.Valid() {
			return InvalidValue(at+"/default_action", "action %q is not known; use allow, report or deny", *in.DefaultAction)
		}
		f.DefaultAction = *in.DefaultAction
	}
	if in.Rules == nil {
		return nil
	}
	rules := make([]FirewallRule, 0, len(*in.Rules))
	for i, input := range *in.Rules {
		at := at + "/rules/" + strconv.Itoa(i)
		rule, err := input.parse(at)
		if err != nil {
			return err
		}
		switch {
		case rule.ID == "":
			rule.ID = newID(i)
		case f.find(rule.ID) < 0:
			return InvalidValue(at+"/id", "there is no firewall rule %q to keep; leave the id out to make a new one", rule.ID)
		case (Firewall{Rules: rules}).find(rule.ID) >= 0:
			return InvalidValue(at+"/id", "the firewall rule %q is given twice", rule.ID)
		}
		rules = append(rules, FirewallRule{Rule: rule})
	}
	f.Rules = rules
	return nil
}

// kindIPRanges is the kind of rule whose values are addresses and networks.
const kindIPRanges = "ip_ranges"

func rowFrom(r FirewallRule) store.FirewallRule {
	values := make([]string, len(r.IPRanges))
	for i, p := range r.IPRanges {
		values[i] = firewall.FormatRange(p)
	}
	return store.FirewallRule{
		ID: r.ID, Action: string(r.Action), Priority: r.Priority, Description: r.Description, Version: r.Version,
		Kind: kindIPRanges, Values: store.List(values),
	}
}

// ruleFrom refuses what it cannot evaluate: passing over a rule of a kind
// that this build does not know could let in whom it shuts out.
func ruleFrom(row store.FirewallRule) (FirewallRule, error) {
	r := FirewallRule{Version: row.Version, Rule: firewall.Rule{
		ID: row.ID, Action: firewall.Action(row.Action), Priority: row.Priority, Description: row.Description,
	}}
	if row.Kind != kindIPRanges {
		return r, fmt.Errorf("firewall rule %s is of kind %q, which this build cannot evaluate", row.ID, row.Kind)
	}
	var values []string
	if err := json.Unmarshal([]byte(row.Values), &values); err != nil {
		return r, fmt.Errorf("reading firewall rule %s: %w", row.ID, err)
	}
	r.IPRanges = make([]netip.Prefix, len(values))
	for i, text := range values {
		var err error
		if r.IPRanges[i], err = firewall.ParseRange(text); err != nil {
			return r, fmt.Errorf("reading firewall rule %s: %w", row.ID, err)
		}
	}
	return r, nil
}
