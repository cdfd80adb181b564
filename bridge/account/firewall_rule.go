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

// parseRule returns a request's rule with its values in canonical form, as it is
// stored; at is its JSON pointer.
func parseRule(r firewall.Rule, at string, data *ipdata.Databases) (firewall.Rule, error) {
	match, err := firewall.ParseMatch(r.Match.Kind, r.Match.Values)
	if e, ok := errors.AsType[*firewall.ValueError](err); ok {
		return r, InvalidValue(at+"/"+string(match.Kind)+"/"+strconv.Itoa(e.Index), "%v", e)
	}
	r.Match = match
	if err := r.Validate(); err != nil {
		return r, InvalidValue(at, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	// Without a database such a rule would match no address: a hole if it denies,
	// a lock-out if it allows.
	if missing := data.Missing(match.RequiredData()); len(missing) > 0 {
		e := databaseRequired(http.StatusUnprocessableEntity, missing,
			"no IP database of the account has %s; "+
				"start the account service with an --ip-database that has it, or use ip_ranges in the rule",
			listed(missing))
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

// listed joins words for a text.
func listed(words []string) string { return strings.Join(words, ", ") }

// update applies in, whose JSON pointer in the request is at. NewID returns the id of
// a new rule by its index.
func (f *Firewall) update(in FirewallUpdate, at string, data *ipdata.Databases, newID func(int) string) error {
	if in.DefaultAction != nil {
		if !in.DefaultAction.Valid() {
			return InvalidValue(at+"/default_action", "unknown action %q; use allow, report or deny", *in.DefaultAction)
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
			return InvalidValue(at+"/id", "there is no firewall rule %q; omit the id to create a rule", rule.ID)
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
		Kind: string(r.Match.Kind), Values: store.List(r.Match.Values),
		ContentHash: contentHash(r.Rule), ChangedAt: now,
	}
}

// contentHash is equal for rules that are equal in all but the id. Their values are a
// set.
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
		"the rule %s has the same action, values, priority and description; use that one, or change this one",
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

// fromRow refuses a rule of an unknown kind: ignoring it could allow addresses that
// it denies.
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
