package account

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// The results of an attempt, in addition to the codes of refusals.
const (
	resultOK       = "ok"
	resultReported = "reported"
	resultBlocked  = string(api.ErrorCodeFirewallBlocked)
)

// A decision is the firewall's decision about one request.
type decision struct {
	firewall.Decision
	Address  netip.Addr
	Result   string         // resultOK, resultReported or resultBlocked
	Reason   firewall.Facts // the facts from the IP database by which the rule matched
	disabled bool           // the firewall is disabled: no address is refused
}

// decide evaluates the firewall. The result must not be kept: the next request sees
// a change, also one by another process.
func (a *Account) decide(ctx context.Context, tx *store.Tx, address netip.Addr) (decision, error) {
	state, err := a.firewallState(ctx, tx)
	if err != nil {
		return decision{}, err
	}
	return a.decideBy(state, address)
}

// firewallState returns the firewall's state in a transaction.
func (a *Account) firewallState(ctx context.Context, tx *store.Tx) (firewall.State, error) {
	row, err := tx.Firewall(ctx)
	if err != nil {
		return firewall.State{}, err
	}
	state := firewall.State{DisabledUntil: row.DisabledUntil}
	state.Policy, state.Unreadable = a.policyOf(ctx, tx, row)
	if state.Unreadable != nil && !state.Disabled(a.Time()) {
		return state, state.Unreadable
	}
	return state, nil
}

func (a *Account) decideBy(state firewall.State, address netip.Addr) (d decision, err error) {
	d = decision{Address: address, Result: resultOK}
	subject, now := firewall.Subject{Address: address}, a.Time()
	if required := state.RequiredData(now); len(required) > 0 {
		if err := a.requireData(required); err != nil {
			return d, err
		}
		subject = a.IPData.Subject(address)
	}
	if d.Decision, d.disabled, err = state.Decide(subject, now); err != nil {
		return d, err
	}
	if d.Rule != nil {
		d.Reason = d.Rule.Match.MatchReason(subject)
	}
	switch d.Action {
	case firewall.Allow:
	case firewall.Deny:
		d.Result = resultBlocked
	case firewall.Report:
		d.Result = resultReported
	}
	return d, nil
}

// inBrackets returns why a rule matched, in brackets; empty for a rule on ranges.
func inBrackets(reason firewall.Facts) string {
	if len(reason) == 0 {
		return ""
	}
	return " (" + reason.String() + ")"
}

// requireData refuses to evaluate rules whose data no database of this server has.
// CheckFirewall prevents a start in that state, but a server with other databases may
// have written such rules since, and a guess could allow what they deny.
func (a *Account) requireData(required []string) error {
	missing := a.IPData.Missing(required)
	if len(missing) == 0 {
		return nil
	}
	return databaseRequired(http.StatusServiceUnavailable, missing,
		"the firewall has rules on %s, which no IP database of this server has; "+
			"start every server of the account with the same --ip-database files", listed(missing))
}

// rulesNamed is the maximum number of rules that an error names.
const rulesNamed = 20

// CheckFirewall refuses an account whose firewall this server cannot evaluate. It
// must not allow all addresses instead.
func (a *Account) CheckFirewall(ctx context.Context) error {
	f, err := a.Firewall(ctx)
	if err != nil {
		return err
	}
	var unanswered []string
	for _, r := range f.Rules {
		if missing := a.IPData.Missing(r.Match.RequiredData()); len(missing) > 0 {
			unanswered = append(unanswered, fmt.Sprintf("rule %s (%s)", r.ID, listed(missing)))
		}
	}
	if len(unanswered) == 0 {
		return nil
	}
	if more := len(unanswered) - rulesNamed; more > 0 {
		unanswered = append(unanswered[:rulesNamed], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("the firewall has rules that no loaded IP database can evaluate: %s; "+
		"load one that can with --ip-database FILE",
		listed(unanswered))
}

// An AddressDecision is the firewall's decision about an address, with the facts
// about it.
type AddressDecision struct {
	firewall.Subject
	firewall.Decision
}

// EvaluateFirewall evaluates addresses under the current policy with a proposed
// change, which may be empty. Rules that the proposal adds have the ids new-1, new-2
// and so on, by position.
func (a *Account) EvaluateFirewall(
	ctx context.Context, addresses []string, proposed FirewallUpdate,
) ([]AddressDecision, error) {
	if len(addresses) == 0 || len(addresses) > 1000 {
		return nil, InvalidValue("/addresses", "a request has 1 to 1000 addresses, not %d", len(addresses))
	}
	policy, err := a.proposed(ctx, proposed)
	if err != nil {
		return nil, err
	}
	if err := a.requireData(policy.RequiredData()); err != nil {
		return nil, err
	}
	decisions := make([]AddressDecision, len(addresses))
	for i, text := range addresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, InvalidValue("/addresses/"+strconv.Itoa(i), "%q is not an IP address", text)
		}
		subject := a.IPData.Subject(address)
		decisions[i] = AddressDecision{subject, policy.Decide(subject)}
	}
	return decisions, nil
}

// proposed returns the current policy with a change applied, without writing it.
func (a *Account) proposed(ctx context.Context, change FirewallUpdate) (policy firewall.Compiled, err error) {
	if change != (FirewallUpdate{}) {
		f, err := a.Firewall(ctx)
		if err != nil {
			return policy, err
		}
		if err := f.update(change, "/policy", a.IPData, func(i int) string {
			return "new-" + strconv.Itoa(i+1)
		}); err != nil {
			return policy, err
		}
		return f.policy().Compile(), nil
	}
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, err := tx.Firewall(ctx)
		if err != nil {
			return err
		}
		policy, err = a.policyOf(ctx, tx, row)
		return err
	})
	return policy, err
}
