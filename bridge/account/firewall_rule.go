package account

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
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
func (in RuleInput) parse(at string, data *ipdata.Databases) (firewall.Rule, error) {
	r := firewall.Rule{
		ID: in.ID, Action: in.Action, Description: in.Description,
		Countries: in.Countries, Continents: in.Continents, Anonymous: in.Anonymous,
	}
	if r.Action == "" {
		r.Action = firewall.Allow
	}
	r.Priority = r.Action.DefaultPriority()
	if in.Priority != nil {
		r.Priority = *in.Priority
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
	// Without a database such a rule would match nobody, which is a hole if
	// it denies and a lock-out if it allows.
	if missing := data.Missing(r.Questions()); len(missing) > 0 {
		kind, _ := match(r)
		e := databaseRequired(http.StatusUnprocessableEntity, missing,
			"no IP database of the account can tell %s of an address; start the account service with an --ip-database that can, or write the rule with ip_ranges", listed(missing))
		e.Field = at + "/" + kind
		return r, e
	}
	return r, nil
}

func databaseRequired(status int, missing []string, format string, args ...any) *Error {
	return &Error{
		Status: status, Code: api.ErrorCodeIpDatabaseRequired, Title: "An IP database is required",
		Detail: fmt.Sprintf(format, args...), Details: Details{Missing: missing},
	}
}

// listed joins words for people.
func listed(words []string) string { return strings.Join(words, ", ") }

// update applies in, which stands at a JSON pointer of the request. newID
// names the rules that are new, by their index.
func (f *Firewall) update(in FirewallUpdate, at string, data *ipdata.Databases, newID func(int) string) error {
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
	present := f.index()
	given := make(map[string]bool)
	for i, input := range *in.Rules {
		at := at + "/rules/" + strconv.Itoa(i)
		rule, err := input.parse(at, data)
		if err != nil {
			return err
		}
		_, there := present[rule.ID]
		switch {
		case rule.ID == "":
			rule.ID = newID(i)
		case !there:
			return InvalidValue(at+"/id", "there is no firewall rule %q to keep; leave the id out to make a new one", rule.ID)
		case given[rule.ID]:
			return InvalidValue(at+"/id", "the firewall rule %q is given twice", rule.ID)
		}
		given[rule.ID] = true
		rules = append(rules, FirewallRule{Rule: rule})
	}
	f.Rules = rules
	return nil
}

// The kinds of rules, as the API and the store name them.
const (
	kindIPRanges   = "ip_ranges"
	kindCountries  = "countries"
	kindContinents = "continents"
	kindAnonymous  = "anonymous_ips"
)

// match is what a rule matches, as text.
func match(r firewall.Rule) (kind string, values []string) {
	switch {
	case len(r.Countries) > 0:
		return kindCountries, r.Countries
	case len(r.Continents) > 0:
		return kindContinents, r.Continents
	case len(r.Anonymous) > 0:
		return kindAnonymous, r.Anonymous
	}
	for _, p := range r.IPRanges {
		values = append(values, firewall.FormatRange(p))
	}
	return kindIPRanges, values
}

func rowFrom(r FirewallRule, now time.Time) store.FirewallRule {
	kind, values := match(r.Rule)
	return store.FirewallRule{
		ID: r.ID, Action: string(r.Action), Priority: r.Priority, Description: r.Description, Version: r.Version,
		Kind: kind, Values: store.List(values), Likeness: likeness(r.Rule), ChangedAt: now,
	}
}

// likeness is the same for rules that are the same in all but the id: their
// values are a set.
func likeness(r firewall.Rule) string {
	kind, values := match(r)
	set := slices.Compact(slices.Sorted(slices.Values(values)))
	text, err := json.Marshal([]any{r.Action, r.Priority, kind, set, r.Description})
	if err != nil {
		panic(err) // texts and a number always have a JSON form
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

func ruleExists(id string) *Error {
	e := Conflict(api.ErrorCodeFirewallRuleExists, "The firewall rule exists",
		"the rule %s is the same in action, values, priority and description; keep that one, or change what this one says", id)
	e.ExistingID = id
	return e
}

func rulesFrom(rows []store.FirewallRule) ([]FirewallRule, error) {
	all := make([]FirewallRule, len(rows))
	for i, row := range rows {
		var err error
		if all[i], err = ruleFrom(row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// ruleFrom refuses what it cannot evaluate: passing over a rule of a kind
// that this build does not know could let in whom it shuts out.
func ruleFrom(row store.FirewallRule) (FirewallRule, error) {
	r := FirewallRule{Version: row.Version, Rule: firewall.Rule{
		ID: row.ID, Action: firewall.Action(row.Action), Priority: row.Priority, Description: row.Description,
	}}
	var values []string
	if err := json.Unmarshal([]byte(row.Values), &values); err != nil {
		return r, fmt.Errorf("reading firewall rule %s: %w", row.ID, err)
	}
	switch row.Kind {
	case kindCountries:
		r.Countries = values
	case kindContinents:
		r.Continents = values
	case kindAnonymous:
		r.Anonymous = values
	case kindIPRanges:
		r.IPRanges = make([]netip.Prefix, len(values))
		for i, text := range values {
			var err error
			if r.IPRanges[i], err = firewall.ParseRange(text); err != nil {
				return r, fmt.Errorf("reading firewall rule %s: %w", row.ID, err)
			}
		}
	default:
		return r, fmt.Errorf("firewall rule %s is of kind %q, which this build cannot evaluate", row.ID, row.Kind)
	}
	return r, nil
}
