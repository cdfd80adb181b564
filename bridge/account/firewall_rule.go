package account

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// parseRule returns a rule of a request, where it stands at a JSON pointer, as
// it is kept: every value of its match in its one form.
func parseRule(r firewall.Rule, at string, data *ipdata.Databases) (firewall.Rule, error) {
	match, err := firewall.ParseMatch(r.Match.Kind, r.Match.Values)
	if e, ok := errors.AsType[*firewall.ValueError](err); ok {
		return r, InvalidValue(at+"/"+string(match.Kind)+"/"+strconv.Itoa(e.Index), "%v", e)
	}
	r.Match = match
	if err := r.Validate(); err != nil {
		return r, InvalidValue(at, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	// Without a database such a rule would match nobody, which is a hole if
	// it denies and a lock-out if it allows.
	if missing := data.Missing(match.RequiredData()); len(missing) > 0 {
		e := databaseRequired(http.StatusUnprocessableEntity, missing,
			"no IP database of the account can tell %s of an address; "+
				"start the account service with an --ip-database that can, or write the rule with ip_ranges", listed(missing))
		e.Field = at + "/" + string(match.Kind)
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
	for i, rule := range *in.Rules {
		at := at + "/rules/" + strconv.Itoa(i)
		rule, err := parseRule(rule, at, data)
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

func toRow(r FirewallRule, now time.Time) store.FirewallRule {
	return store.FirewallRule{
		ID: r.ID, Action: string(r.Action), Priority: r.Priority, Description: r.Description, Version: r.Version,
		Kind: string(r.Match.Kind), Values: store.List(r.Match.Values), ContentHash: contentHash(r.Rule), ChangedAt: now,
	}
}

// contentHash is equal for rules that are the same in all but the id: their
// values are a set.
func contentHash(r firewall.Rule) string {
	set := slices.Compact(slices.Sorted(slices.Values(r.Match.Values)))
	text, err := json.Marshal([]any{r.Action, r.Priority, r.Match.Kind, set, r.Description})
	if err != nil {
		panic(err) // strings and a number always have a JSON form
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

func ruleExists(id string) *Error {
	e := Conflict(api.ErrorCodeFirewallRuleExists, "The firewall rule exists",
		"the rule %s is the same in action, values, priority and description; keep that one, or change what this one says",
		id)
	e.ExistingID = id
	return e
}

func fromRows(rows []store.FirewallRule) ([]FirewallRule, error) {
	all := make([]FirewallRule, len(rows))
	for i, row := range rows {
		var err error
		if all[i], err = fromRow(row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// fromRow refuses what it cannot evaluate: passing over a rule of a kind
// that this build does not know could let in what it shuts out.
func fromRow(row store.FirewallRule) (FirewallRule, error) {
	r := FirewallRule{Version: row.Version, Rule: firewall.Rule{
		ID: row.ID, Action: firewall.Action(row.Action), Priority: row.Priority, Description: row.Description,
	}}
	var values []string
	err := json.Unmarshal([]byte(row.Values), &values)
	if err == nil {
		r.Match, err = firewall.ParseMatch(firewall.Kind(row.Kind), values)
	}
	if err != nil {
		return r, fmt.Errorf("reading firewall rule %s, of kind %q: %w", row.ID, row.Kind, err)
	}
	return r, nil
}
