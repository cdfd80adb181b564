package account

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// What an attempt comes to, beside the codes of refusals.
const (
	resultOK       = "ok"
	resultReported = "reported"
	resultBlocked  = "firewall_blocked"
)

// A ruling is what the firewall says of one request.
type ruling struct {
	Address netip.Addr
	Result  string // resultOK, resultReported or resultBlocked
	RuleID  string // empty if the default action decided
}

// judge asks the firewall. What it says holds for this moment only: a change,
// also one by another process, is seen by the next request.
func (a *Account) judge(ctx context.Context, tx *store.Tx, address netip.Addr) (ruling, error) {
	r := ruling{Address: address, Result: resultOK}
	row, err := tx.Firewall(ctx)
	if err != nil || row.DisabledUntil.After(a.now()) {
		return r, err
	}
	policy, err := a.parsed.get(row.Version, func() (Firewall, error) { return a.readFirewall(ctx, tx) })
	if err != nil {
		return r, err
	}
	verdict := policy.Evaluate(firewall.Subject{Address: address})
	r.RuleID = verdict.RuleID
	switch verdict.Action {
	case firewall.Deny:
		r.Result = resultBlocked
	case firewall.Report:
		r.Result = resultReported
	}
	return r, nil
}

// refusal is the error for a request that is shut out, and nil for others.
func (r ruling) refusal() error {
	if r.Result != resultBlocked {
		return nil
	}
	by := "no rule lets it in and the default action denies"
	if r.RuleID != "" {
		by = "rule " + r.RuleID + " denies it"
	}
	return &Error{
		Status: http.StatusForbidden, Code: resultBlocked, Title: "Blocked by the firewall",
		Detail:  fmt.Sprintf("the account's firewall blocks the address %s: %s", r.Address, by),
		Details: Details{Address: r.Address.String(), RuleID: r.RuleID},
	}
}

// parsedPolicy keeps the policy in the form that is evaluated for as long as
// its version in the database stands. It must be filled from what is
// committed only: a version that is rolled back is given again.
type parsedPolicy struct {
	last atomic.Pointer[versionedPolicy]
}

type versionedPolicy struct {
	version int64
	firewall.Policy
}

func (p *parsedPolicy) get(version int64, read func() (Firewall, error)) (firewall.Policy, error) {
	if last := p.last.Load(); last != nil && last.version == version {
		return last.Policy, nil
	}
	f, err := read()
	if err != nil {
		return firewall.Policy{}, err
	}
	now := &versionedPolicy{version, f.policy().Sorted()}
	p.last.Store(now)
	return now.Policy, nil
}

// An AddressVerdict says whether an address gets in.
type AddressVerdict struct {
	Address netip.Addr
	firewall.Verdict
}

// EvaluateFirewall says whether addresses would get in under the present
// policy with a proposed change, which may change nothing. Rules that the
// proposal adds are called new-1, new-2 and so on, by their place in it.
func (a *Account) EvaluateFirewall(ctx context.Context, addresses []string, proposed FirewallUpdate) ([]AddressVerdict, error) {
	if len(addresses) == 0 || len(addresses) > 1000 {
		return nil, InvalidValue("/addresses", "ask about 1 to 1000 addresses at once, not %d", len(addresses))
	}
	f, err := a.Firewall(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.update(proposed, "/policy", func(i int) string { return "new-" + strconv.Itoa(i+1) }); err != nil {
		return nil, err
	}
	policy := f.policy().Sorted()
	verdicts := make([]AddressVerdict, len(addresses))
	for i, text := range addresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, InvalidValue("/addresses/"+strconv.Itoa(i), "%q is not an IP address", text)
		}
		address = firewall.Normalize(address)
		verdicts[i] = AddressVerdict{address, policy.Evaluate(firewall.Subject{Address: address})}
	}
	return verdicts, nil
}

// checkLockout refuses a change of the policy that shuts out its own caller
// or a bridge at work. Whom the present policy shuts out already is no
// reason to refuse: behind the break-glass, a policy must be repairable step
// by step.
func (a *Account) checkLockout(ctx context.Context, tx *store.Tx, before, after firewall.Policy, sparesBridges bool) error {
	before, after = before.Sorted(), after.Sorted()
	known := func(v firewall.Verdict) string {
		if v.RuleID == "" || slices.ContainsFunc(before.Rules, func(r firewall.Rule) bool { return r.ID == v.RuleID }) {
			return v.RuleID
		}
		return "new" // its id is not given out: the rule will never be
	}
	shutOut := func(address netip.Addr) (firewall.Verdict, bool) {
		subject := firewall.Subject{Address: address}
		verdict := after.Evaluate(subject)
		return verdict, !verdict.Passes() && before.Evaluate(subject).Passes()
	}
	if caller := CallerFrom(ctx); caller.Kind == ByToken {
		if verdict, out := shutOut(caller.Address); out {
			return wouldLockOut("caller", "", caller.Address, known(verdict))
		}
	}
	if sparesBridges {
		return nil
	}
	bridges, err := tx.LiveBridges(ctx, a.now())
	if err != nil {
		return err
	}
	for _, b := range bridges {
		address, err := netip.ParseAddr(b.Address)
		if err != nil {
			return fmt.Errorf("reading bridge %s: %w", b.Instance, err)
		}
		if verdict, out := shutOut(address); out {
			return wouldLockOut("bridge", b.Instance, address, known(verdict))
		}
	}
	return nil
}

func wouldLockOut(who, instance string, address netip.Addr, ruleID string) *Error {
	whom, by := "you, at ", "no rule would let that address in and the default action would deny it"
	if who == "bridge" {
		whom = "the bridge " + instance + ", at "
	}
	switch ruleID {
	case "":
	case "new":
		by = "the new rule would deny that address"
	default:
		by = "rule " + ruleID + " would deny that address"
	}
	e := Conflict("would_lock_out", "Would lock out",
		"this change would lock out %s%s: %s; allow the address by an earlier rule first, or repeat with allow_lockout=true", whom, address, by)
	e.Details = Details{Who: who, Instance: instance, Address: address.String(), RuleID: ruleID}
	return e
}
