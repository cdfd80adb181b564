package account

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A Firewall is the account's policy as it is kept.
type Firewall struct {
	DefaultAction firewall.Action
	Rules         []FirewallRule // in the order in which they are asked
	DisabledUntil time.Time      // the break-glass; zero or past while enforced
	Enforced      bool
	Version       int64 // moves with every change, also of a rule
}

// A FirewallRule is a rule as it is kept.
type FirewallRule struct {
	firewall.Rule
	Version int64
}

// A FirewallUpdate changes the policy; what is nil stays.
type FirewallUpdate struct {
	DefaultAction *firewall.Action
	Rules         *[]RuleInput // all of them
}

// Firewall reads the policy.
func (a *Account) Firewall(ctx context.Context) (f Firewall, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		f, err = a.readFirewall(ctx, tx)
		return err
	})
	return f, err
}

// FirewallRules lists rules by id.
func (a *Account) FirewallRules(ctx context.Context, cursor string, limit int) (Page[FirewallRule], error) {
	after, err := nameFrom(cursor)
	if err != nil {
		return Page[FirewallRule]{}, err
	}
	f, err := a.Firewall(ctx)
	if err != nil {
		return Page[FirewallRule]{}, err
	}
	rules := slices.DeleteFunc(f.Rules, func(r FirewallRule) bool { return r.ID <= after })
	slices.SortFunc(rules, func(x, y FirewallRule) int { return cmp.Compare(x.ID, y.ID) })
	return pageOf(rules, limit, func(r FirewallRule) string { return cursorOf(r.ID) }), nil
}

// FirewallRule reads one rule.
func (a *Account) FirewallRule(ctx context.Context, id string) (r FirewallRule, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, found, err := tx.FirewallRule(ctx, id)
		if err != nil {
			return err
		}
		if !found {
			return NotFound("firewall rule", id)
		}
		r, err = ruleFrom(row)
		return err
	})
	return r, err
}

// UpdateFirewall changes the default action, or all rules, or both.
func (a *Account) UpdateFirewall(ctx context.Context, in FirewallUpdate, ifMatch string, allowLockout bool) (Firewall, error) {
	return a.changeFirewall(ctx, firewallChange{
		action: "firewall.update", object: "firewall", allowLockout: allowLockout,
		apply: func(f *Firewall) error {
			if err := checkVersion(ifMatch, f.Version); err != nil {
				return err
			}
			return f.update(in, "", a.IPData, func(int) string { return a.newID() })
		},
	})
}

// CreateFirewallRule adds a rule.
func (a *Account) CreateFirewallRule(ctx context.Context, in RuleInput, allowLockout bool) (FirewallRule, error) {
	if in.ID != "" {
		return FirewallRule{}, InvalidValue("/id", "the account chooses the id of a new rule; leave it out")
	}
	rule, err := in.parse("", a.IPData)
	if err != nil {
		return FirewallRule{}, err
	}
	rule.ID = a.newID()
	after, err := a.changeFirewall(ctx, firewallChange{
		action: "firewall.rule.create", object: rule.ID, allowLockout: allowLockout,
		apply: func(f *Firewall) error {
			f.Rules = append(f.Rules, FirewallRule{Rule: rule})
			return nil
		},
	})
	if err != nil {
		return FirewallRule{}, err
	}
	return after.Rules[after.find(rule.ID)], nil
}

// ReplaceFirewallRule changes everything about a rule but its id.
func (a *Account) ReplaceFirewallRule(ctx context.Context, id string, in RuleInput, ifMatch string, allowLockout bool) (FirewallRule, error) {
	if in.ID != "" && in.ID != id {
		return FirewallRule{}, InvalidValue("/id", "the rule is %q and cannot become %q; leave the id out", id, in.ID)
	}
	rule, err := in.parse("", a.IPData)
	if err != nil {
		return FirewallRule{}, err
	}
	rule.ID = id
	after, err := a.changeFirewall(ctx, firewallChange{
		action: "firewall.rule.replace", object: id, allowLockout: allowLockout,
		apply: func(f *Firewall) error {
			i, err := f.match(id, ifMatch)
			if err == nil {
				f.Rules[i].Rule = rule
			}
			return err
		},
	})
	if err != nil {
		return FirewallRule{}, err
	}
	return after.Rules[after.find(id)], nil
}

// DeleteFirewallRule removes a rule. It is refused for the caller's sake
// only: whoever takes a bridge down takes down its rule first or last, and
// must be able to.
func (a *Account) DeleteFirewallRule(ctx context.Context, id, ifMatch string, allowLockout bool) error {
	_, err := a.changeFirewall(ctx, firewallChange{
		action: "firewall.rule.delete", object: id, allowLockout: allowLockout, sparesBridges: true,
		apply: func(f *Firewall) error {
			i, err := f.match(id, ifMatch)
			if err == nil {
				f.Rules = slices.Delete(f.Rules, i, i+1)
			}
			return err
		},
	})
	return err
}

// maxBreakGlass bounds the break-glass; who needs more changes the policy.
const maxBreakGlass = 24 * time.Hour

// DisableFirewall is the break-glass: for a time nobody is refused, and
// every rule stays as it is. A duration of 0 ends it.
func (a *Account) DisableFirewall(ctx context.Context, d time.Duration) (until time.Time, err error) {
	if d < 0 || d > maxBreakGlass {
		return until, fmt.Errorf("disabling the firewall for %s: choose 0s (enforce it again) to %s", d, maxBreakGlass)
	}
	if d > 0 {
		until = a.now().Add(d)
	}
	return until, a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		f, err := tx.Firewall(ctx)
		if err != nil {
			return err
		}
		f.DisabledUntil = until
		if err := tx.UpdateFirewall(ctx, f); err != nil {
			return err
		}
		if d == 0 {
			return a.audit(ctx, tx, "firewall.enforce", "firewall", "")
		}
		return a.audit(ctx, tx, "firewall.disable", "firewall", "until %s", until.Format(time.RFC3339))
	})
}

// A firewallChange is one write of the policy.
type firewallChange struct {
	action, object string // for the audit
	allowLockout   bool
	sparesBridges  bool // refused for the caller's sake only
	apply          func(*Firewall) error
}

// changeFirewall is the one way in which the policy changes: what it will be
// is worked out whole, held against who would be shut out, and the difference
// written. No difference writes nothing, and no version moves.
func (a *Account) changeFirewall(ctx context.Context, c firewallChange) (after Firewall, err error) {
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		before, err := a.readFirewall(ctx, tx)
		if err != nil {
			return err
		}
		after = before
		after.Rules = slices.Clone(before.Rules)
		if err := c.apply(&after); err != nil {
			return err
		}
		if !c.allowLockout {
			if err := a.checkLockout(ctx, tx, before.policy(), after.policy(), c.sparesBridges); err != nil {
				return err
			}
		}
		changed, err := writeRules(ctx, tx, before, &after)
		if err != nil {
			return err
		}
		if !changed && after.DefaultAction == before.DefaultAction {
			return nil
		}
		if err := tx.UpdateFirewall(ctx, store.Firewall{
			DefaultAction: string(after.DefaultAction), DisabledUntil: after.DisabledUntil,
		}); err != nil {
			return err
		}
		after.Version++
		after.sort()
		return a.audit(ctx, tx, c.action, c.object, "default action %s, %d rules", after.DefaultAction, len(after.Rules))
	})
	return after, err
}

// writeRules writes what differs between two policies and gives each rule of
// the second its version.
func writeRules(ctx context.Context, tx *store.Tx, before Firewall, after *Firewall) (changed bool, err error) {
	had, stays := before.index(), after.index()
	for _, old := range before.Rules {
		if _, ok := stays[old.ID]; ok {
			continue
		}
		changed = true
		if _, err := tx.DeleteFirewallRule(ctx, old.ID); err != nil {
			return changed, err
		}
	}
	for i := range after.Rules {
		r := &after.Rules[i]
		r.Version = 1
		if i, ok := had[r.ID]; ok {
			r.Version = before.Rules[i].Version
			if reflect.DeepEqual(before.Rules[i].Rule, r.Rule) {
				continue
			}
			r.Version++
		}
		changed = true
		if err := tx.PutFirewallRule(ctx, rowFrom(*r)); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

func (a *Account) readFirewall(ctx context.Context, tx *store.Tx) (Firewall, error) {
	row, err := tx.Firewall(ctx)
	if err != nil {
		return Firewall{}, err
	}
	f := Firewall{
		DefaultAction: firewall.Action(row.DefaultAction),
		DisabledUntil: row.DisabledUntil,
		Enforced:      !row.DisabledUntil.After(a.now()),
		Version:       row.Version,
	}
	rows, err := tx.FirewallRules(ctx)
	if err != nil {
		return Firewall{}, err
	}
	for _, row := range rows {
		r, err := ruleFrom(row)
		if err != nil {
			return Firewall{}, err
		}
		f.Rules = append(f.Rules, r)
	}
	f.sort()
	return f, nil
}

// policy is what gets evaluated.
func (f Firewall) policy() firewall.Policy {
	p := firewall.Policy{DefaultAction: f.DefaultAction}
	for _, r := range f.Rules {
		p.Rules = append(p.Rules, r.Rule)
	}
	return p
}

// sort puts the rules into the order in which they are asked.
func (f *Firewall) sort() {
	order := make(map[string]int, len(f.Rules))
	for i, r := range f.policy().Sorted().Rules {
		order[r.ID] = i
	}
	slices.SortFunc(f.Rules, func(x, y FirewallRule) int { return cmp.Compare(order[x.ID], order[y.ID]) })
}

// index says where each rule is, by its id.
func (f Firewall) index() map[string]int {
	at := make(map[string]int, len(f.Rules))
	for i, r := range f.Rules {
		at[r.ID] = i
	}
	return at
}

// find returns the index of a rule, or -1.
func (f Firewall) find(id string) int {
	return slices.IndexFunc(f.Rules, func(r FirewallRule) bool { return r.ID == id })
}

// match finds the rule that a request is about, in the version it is about.
func (f Firewall) match(id, ifMatch string) (int, error) {
	i := f.find(id)
	if i < 0 {
		return i, NotFound("firewall rule", id)
	}
	return i, checkVersion(ifMatch, f.Rules[i].Version)
}
