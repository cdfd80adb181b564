package account

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// What an attempt comes to, beside the codes of refusals.
const (
	resultOK       = "ok"
	resultReported = "reported"
	resultBlocked  = string(api.ErrorCodeFirewallBlocked)
)

// A ruling is what the firewall says of one request.
type ruling struct {
	Address netip.Addr
	Result  string // resultOK, resultReported or resultBlocked
	RuleID  string // empty if the default action decided
	// Seen is why that rule matched, as far as an IP database was asked.
	Seen firewall.Subject

	rule     *firewall.Rule // the rule of RuleID
	disabled bool           // nobody is refused at present
}

// judge asks the firewall. What it says holds for this moment only: a change,
// also one by another process, is seen by the next request.
func (a *Account) judge(ctx context.Context, tx *store.Tx, address netip.Addr) (ruling, error) {
	g, err := a.guard(ctx, tx)
	if err != nil {
		return ruling{}, err
	}
	return a.ruleOn(g, address)
}

// A guard is the firewall as it stands.
type guard struct {
	disabledUntil time.Time
	policy        firewall.Compiled
	unreadable    error // why there is no policy; the break-glass helps all the same
}

func (a *Account) guard(ctx context.Context, tx *store.Tx) (guard, error) {
	row, err := tx.Firewall(ctx)
	if err != nil {
		return guard{}, err
	}
	g := guard{disabledUntil: row.DisabledUntil}
	g.policy, err = a.compiled(ctx, tx, row)
	if err != nil && g.disabledUntil.After(a.Time()) {
		g.unreadable, err = err, nil
	}
	return g, err
}

func (a *Account) ruleOn(g guard, address netip.Addr) (ruling, error) {
	r := ruling{Address: address, Result: resultOK}
	switch {
	case g.disabledUntil.After(a.Time()):
		r.disabled = true
		return r, nil
	case g.unreadable != nil:
		return r, g.unreadable
	}
	policy := g.policy
	subject := firewall.Subject{Address: address}
	if len(policy.Questions()) > 0 {
		if err := a.answerable(policy.Questions()); err != nil {
			return r, err
		}
		subject = a.IPData.Subject(address)
	}
	action, rule := policy.Decide(subject)
	r.Seen = firewall.Subject{Address: address}
	if rule != nil {
		r.RuleID, r.Seen, r.rule = rule.ID, rule.Seen(subject), rule
	}
	switch action {
	case firewall.Deny:
		r.Result = resultBlocked
	case firewall.Report:
		r.Result = resultReported
	}
	return r, nil
}

// because says in brackets why a rule matched; nothing for one of ranges.
func because(seen firewall.Subject) string {
	switch {
	case seen.Country != "":
		return " (country " + seen.Country + ")"
	case seen.Continent != "":
		return " (continent " + seen.Continent + ")"
	case len(seen.Anonymous) > 0:
		return " (" + listed(seen.Anonymous) + ")"
	default:
		return ""
	}
}

// answerable refuses to judge by rules that no database here can answer.
// CheckFirewall keeps a server from starting like that, but one with other
// databases may have written the rules since: whoever guesses then lets in
// whom they shut out, or shuts out whom they let in.
func (a *Account) answerable(questions []string) error {
	missing := a.IPData.Missing(questions)
	if len(missing) == 0 {
		return nil
	}
	return databaseRequired(http.StatusServiceUnavailable, missing,
		"the firewall has rules on %s, which no IP database of this server can tell of an address; start every server of the account with the same --ip-database files", listed(missing))
}

// rulesNamed bounds how many rules an error names.
const rulesNamed = 20

// CheckFirewall refuses an account whose firewall this server cannot
// evaluate: that is no reason to let everybody in.
func (a *Account) CheckFirewall(ctx context.Context) error {
	f, err := a.Firewall(ctx)
	if err != nil {
		return err
	}
	var unanswered []string
	for _, r := range f.Rules {
		if missing := a.IPData.Missing(r.Questions()); len(missing) > 0 {
			unanswered = append(unanswered, fmt.Sprintf("rule %s (%s)", r.ID, listed(missing)))
		}
	}
	if len(unanswered) == 0 {
		return nil
	}
	if more := len(unanswered) - rulesNamed; more > 0 {
		unanswered = append(unanswered[:rulesNamed], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("the firewall has rules that no loaded IP database can answer: %s; give one that can with --ip-database FILE", listed(unanswered))
}

// An AddressVerdict says whether an address gets in, and what is known of it.
type AddressVerdict struct {
	firewall.Subject
	firewall.Verdict
}

// EvaluateFirewall says whether addresses would get in under the present
// policy with a proposed change, which may change nothing. Rules that the
// proposal adds are called new-1, new-2 and so on, by their place in it.
func (a *Account) EvaluateFirewall(ctx context.Context, addresses []string, proposed FirewallUpdate) ([]AddressVerdict, error) {
	if len(addresses) == 0 || len(addresses) > 1000 {
		return nil, InvalidValue("/addresses", "ask about 1 to 1000 addresses at once, not %d", len(addresses))
	}
	policy, err := a.proposed(ctx, proposed)
	if err != nil {
		return nil, err
	}
	if err := a.answerable(policy.Questions()); err != nil {
		return nil, err
	}
	verdicts := make([]AddressVerdict, len(addresses))
	for i, text := range addresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, InvalidValue("/addresses/"+strconv.Itoa(i), "%q is not an IP address", text)
		}
		subject := a.IPData.Subject(address)
		verdicts[i] = AddressVerdict{subject, policy.Evaluate(subject)}
	}
	return verdicts, nil
}

// proposed is the present policy with a change that is not made.
func (a *Account) proposed(ctx context.Context, change FirewallUpdate) (policy firewall.Compiled, err error) {
	if change != (FirewallUpdate{}) {
		f, err := a.Firewall(ctx)
		if err != nil {
			return policy, err
		}
		err = f.update(change, "/policy", a.IPData, func(i int) string { return "new-" + strconv.Itoa(i+1) })
		return f.policy().Compile(), err
	}
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, err := tx.Firewall(ctx)
		if err != nil {
			return err
		}
		policy, err = a.compiled(ctx, tx, row)
		return err
	})
	return policy, err
}

// checkLockout refuses a change of the policy that shuts out its own caller
// or a bridge at work. Whom the present policy shuts out already is no
// reason to refuse: behind the break-glass, a policy must be repairable step
// by step.
func (a *Account) checkLockout(ctx context.Context, tx *store.Tx, before, after firewall.Compiled, isNew func(id string) bool, sparesBridges bool) error {
	if err := a.answerable(after.Questions()); err != nil {
		return err
	}
	known := func(id string) string {
		if isNew(id) {
			return "new" // its id is not given out: the rule will never be
		}
		return id
	}
	shutOut := func(address netip.Addr) (out lockedOut, yes bool) {
		subject := a.IPData.Subject(address)
		action, rule := after.Decide(subject)
		if action.Passes() || !before.Evaluate(subject).Passes() {
			return out, false
		}
		if rule == nil {
			return lockedOut{why: firewall.Subject{Address: subject.Address}}, true
		}
		return lockedOut{ruleID: known(rule.ID), rule: decidingRule(*rule), why: rule.Seen(subject)}, true
	}
	if caller := CallerFrom(ctx); caller.Kind == ByToken {
		if out, yes := shutOut(caller.Address); yes {
			return wouldLockOut("caller", "", out)
		}
	}
	if sparesBridges {
		return nil
	}
	bridges, err := tx.LiveBridges(ctx, a.Time())
	if err != nil {
		return err
	}
	for _, b := range bridges {
		address, err := netip.ParseAddr(b.Address)
		if err != nil {
			return fmt.Errorf("reading bridge %s: %w", b.Instance, err)
		}
		if out, yes := shutOut(address); yes {
			return wouldLockOut("bridge", b.Instance, out)
		}
	}
	return nil
}

// lockedOut is how a policy shuts out an address that another lets in.
type lockedOut struct {
	ruleID string // empty for the default action, "new" for a rule to be made
	rule   *DecidingRule
	why    firewall.Subject
}

func wouldLockOut(who, instance string, out lockedOut) *Error {
	why := out.why
	whom, by := "you, at ", "no rule would let that address in and the default action would deny it"
	if who == "bridge" {
		whom = "the bridge " + instance + ", at "
	}
	switch out.ruleID {
	case "":
	case "new":
		by = "the new rule would deny that address" + because(why)
	default:
		by = out.rule.named(out.ruleID) + " would deny that address" + because(why)
	}
	e := Conflict(api.ErrorCodeWouldLockOut, "Would lock out",
		"this change would lock out %s%s: %s; allow the address by an earlier rule first, or repeat with allow_lockout=true", whom, why.Address, by)
	e.Details = Details{
		Who: who, Instance: instance, Address: why.Address.String(), RuleID: out.ruleID, Rule: out.rule,
		Country: why.Country, Continent: why.Continent, Anonymous: why.Anonymous,
	}
	return e
}
