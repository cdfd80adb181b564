package account

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// checkLockout refuses a change of the policy that locks out its own caller or,
// unless they are ignored, an active bridge.
func (a *Account) checkLockout(
	ctx context.Context, tx *store.Tx, before, after firewall.Compiled, isNew func(id string) bool, ignoreBridges bool,
) error {
	if err := a.requireData(after.RequiredData()); err != nil {
		return err
	}
	check := func(who, instance string, address netip.Addr) error {
		if lockout, is := firewall.CheckLockout(before, after, a.IPData.Subject(address)); is {
			return wouldLockOut(who, instance, lockout, isNew)
		}
		return nil
	}
	if caller := CallerFrom(ctx); caller.Kind == ByToken {
		if err := check("caller", "", caller.Address); err != nil {
			return err
		}
	}
	if ignoreBridges {
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
		if err := check("bridge", b.Instance, address); err != nil {
			return err
		}
	}
	return nil
}

func wouldLockOut(who, instance string, lockout firewall.Lockout, isNew func(id string) bool) *Error {
	subject := "you, at "
	if who == "bridge" {
		subject = "the bridge " + instance + ", at "
	}
	details := Details{Who: who, Instance: instance, Address: lockout.Address.String()}
	by := "no rule would allow that address and the default action would deny it"
	if rule := lockout.By; rule != nil {
		details.Facts = rule.Match.MatchReason(lockout.Subject)
		details.Rule = &DecidingRule{Rule: *rule}
		details.RuleID = rule.ID
		by = details.Rule.named()
		if isNew(rule.ID) { // its id is not shown: the rule will not be created
			details.RuleID, by = "new", "the new rule"
		}
		by += " would deny that address" + inBrackets(details.Facts)
	}
	e := Conflict(api.ErrorCodeWouldLockOut, "Would lock out",
		"this change would lock out %s%s: %s; "+
			"first allow the address by a rule with a lower priority, or repeat with allow_lockout=true",
		subject, lockout.Address, by)
	e.Details = details
	return e
}
