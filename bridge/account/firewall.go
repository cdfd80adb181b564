package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A Firewall is the account's stored policy.
type Firewall struct {
	DefaultAction firewall.Action
	Rules         []FirewallRule // in the order of evaluation
	DisabledUntil time.Time      // zero or in the past while the firewall is enforced
	Disabled      bool           // no address is refused
	Version       int64          // increases with every change, also of a rule
}

// A FirewallRule is a stored rule.
type FirewallRule struct {
	firewall.Rule
	Version int64
}

// A FirewallUpdate changes the policy. Nil fields are not changed.
type FirewallUpdate struct {
	DefaultAction *firewall.Action
	Rules         *[]firewall.Rule // all rules; one with an id replaces the rule with this id
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
func (a *Account) FirewallRules(ctx context.Context, cursor string, limit int) (page Page[FirewallRule], err error) {
	var after string
	if err := ReadCursor(cursor, &after); err != nil {
		return page, err
	}
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		rows, err := tx.FirewallRulesAfter(ctx, after, limit+1)
		if err != nil {
			return err
		}
		rules, err := fromRows(rows)
		page = PageOf(rules, limit, func(r FirewallRule) []any { return []any{r.ID} })
		return err
	})
	return page, err
}

// FirewallRule reads one rule.
func (a *Account) FirewallRule(ctx context.Context, id string) (r FirewallRule, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		r, err = readRule(ctx, tx, id)
		return err
	})
	return r, err
}

// UpdateFirewall changes the default action, or all rules, or both.
func (a *Account) UpdateFirewall(
	ctx context.Context, in FirewallUpdate, ifMatch string, allowLockout bool,
) (f Firewall, err error) {
	err = a.changeFirewall(ctx, firewallChange{
		action: "firewall.update", object: "firewall", allowLockout: allowLockout,
		work: func(ctx context.Context, tx *store.Tx, d *draft) error {
			before, err := a.readFirewall(ctx, tx)
			if err != nil {
				return err
			}
			if err := CheckVersion(ifMatch, before.Version); err != nil {
				return err
			}
			f = before
			f.Rules = slices.Clone(before.Rules)
			if err := f.update(in, "", a.IPData, func(int) string { return a.NewID() }); err != nil {
				return err
			}
			d.defaultAction, d.edits = f.DefaultAction, differences(before, &f)
			if d.changes() {
				f.Version++
				f.sort()
			}
			return nil
		},
	})
	if err != nil {
		return Firewall{}, err
	}
	return f, nil
}

// CreateFirewallRule adds a rule. A duplicate, equal in all but the id, is refused: it
// would have no effect, and its author does not know of the first.
func (a *Account) CreateFirewallRule(ctx context.Context, in firewall.Rule, allowLockout bool) (FirewallRule, error) {
	if in.ID != "" {
		return FirewallRule{}, InvalidValue("/id", "the account chooses the id of a new rule; omit the id")
	}
	rule, err := parseRule(in, "", a.IPData)
	if err != nil {
		return FirewallRule{}, err
	}
	rule.ID = a.NewID()
	made := FirewallRule{Rule: rule, Version: 1}
	err = a.changeFirewall(ctx, firewallChange{
		action: "firewall.rule.create", object: rule.ID, allowLockout: allowLockout,
		work: func(ctx context.Context, tx *store.Tx, d *draft) error {
			twin, found, err := tx.FirewallRuleByContent(ctx, contentHash(rule))
			if err != nil {
				return err
			}
			if found {
				return ruleExists(twin.ID)
			}
			d.edits = []edit{{to: &made}}
			return nil
		},
	})
	if err != nil {
		return FirewallRule{}, err
	}
	return made, nil
}

// ReplaceFirewallRule replaces a rule and keeps its id.
func (a *Account) ReplaceFirewallRule(
	ctx context.Context, id string, in firewall.Rule, ifMatch string, allowLockout bool,
) (after FirewallRule, err error) {
	if in.ID != "" && in.ID != id {
		return FirewallRule{},
			InvalidValue("/id", "the rule's id is %q and cannot change to %q; omit the id", id, in.ID)
	}
	rule, err := parseRule(in, "", a.IPData)
	if err != nil {
		return FirewallRule{}, err
	}
	rule.ID = id
	err = a.changeFirewall(ctx, firewallChange{
		action: "firewall.rule.replace", object: id, allowLockout: allowLockout,
		work: func(ctx context.Context, tx *store.Tx, d *draft) error {
			before, err := ruleAt(ctx, tx, id, ifMatch)
			if err != nil {
				return err
			}
			if after = before; reflect.DeepEqual(before.Rule, rule) {
				return nil
			}
			after = FirewallRule{Rule: rule, Version: before.Version + 1}
			d.edits = []edit{{from: &before, to: &after}}
			return nil
		},
	})
	if err != nil {
		return FirewallRule{}, err
	}
	return after, nil
}

// DeleteFirewallRule deletes a rule. It is refused if it would lock out the caller,
// but not if it would lock out a bridge: when a bridge is removed, its rule may be
// deleted first.
func (a *Account) DeleteFirewallRule(ctx context.Context, id, ifMatch string, allowLockout bool) error {
	return a.changeFirewall(ctx, firewallChange{
		action: "firewall.rule.delete", object: id, allowLockout: allowLockout, ignoreBridges: true,
		work: func(ctx context.Context, tx *store.Tx, d *draft) error {
			before, err := ruleAt(ctx, tx, id, ifMatch)
			d.edits = []edit{{from: &before}}
			return err
		},
	})
}

// maxDisabled is how long the firewall can be disabled. To allow addresses for
// longer, change the policy.
const maxDisabled = 24 * time.Hour

// DisableFirewall is the break-glass: until d has passed the firewall refuses
// no request, and its rules stay as they are. It describes the disabled
// firewall; callers that were refused within the last hour are among those that
// it would block. A d of 0 enforces the firewall again, and returns nil.
func (a *Account) DisableFirewall(ctx context.Context, d time.Duration) (disabled *DisabledFirewall, err error) {
	if d < 0 || d > maxDisabled {
		return nil, fmt.Errorf("disabling the firewall for %s: choose 0s (enforce it again) to %s", d, maxDisabled)
	}
	return disabled, a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		f, err := tx.Firewall(ctx)
		if err != nil {
			return err
		}
		if d == 0 {
			f.DisabledUntil = time.Time{}
			return errors.Join(tx.UpdateFirewall(ctx, f), a.Audit(ctx, tx, "firewall.enforce", "firewall", ""))
		}
		f.DisabledUntil = a.Time().Add(d)
		refused, unknown := a.refusedRecently(ctx, tx)
		described := a.disabledFirewall(ctx, tx, f, refused)
		described.Unknown = errors.Join(described.Unknown, unknown)
		disabled = &described
		return errors.Join(tx.UpdateFirewall(ctx, f),
			a.Audit(ctx, tx, "firewall.disable", "firewall", "until %s", f.DisabledUntil.Format(time.RFC3339)))
	})
}

// A firewallChange is one write of the policy.
type firewallChange struct {
	action, object string // for the audit
	allowLockout   bool
	ignoreBridges  bool // refuse only if the caller would be locked out
	// work computes the change from the state in the transaction.
	work func(context.Context, *store.Tx, *draft) error
}

// A draft is the outcome of a change to the policy.
type draft struct {
	before        store.Firewall
	defaultAction firewall.Action
	edits         []edit
}

// An edit is the change of one rule. From is nil for a new rule, to for a deleted one.
type edit struct{ from, to *FirewallRule }

func (d draft) changes() bool {
	return len(d.edits) > 0 || string(d.defaultAction) != d.before.DefaultAction
}

// changeFirewall makes all changes of the policy: it computes the differences, checks
// them for lock-outs, and writes them. Without a difference it writes nothing and
// keeps the version. The cost of changing one rule does not depend on the number of
// rules.
func (a *Account) changeFirewall(ctx context.Context, c firewallChange) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, err := tx.Firewall(ctx)
		if err != nil {
			return err
		}
		d := draft{before: row, defaultAction: firewall.Action(row.DefaultAction)}
		if err := c.work(ctx, tx, &d); err != nil || !d.changes() {
			return err
		}
		before, err := a.policyOf(ctx, tx, row)
		if err != nil {
			return err
		}
		after := d.compile(before)
		if !c.allowLockout {
			if err := a.checkLockout(ctx, tx, before, after, d.isNew, c.ignoreBridges); err != nil {
				return err
			}
		}
		revision := a.NewID()
		if err := d.write(ctx, tx, revision, a.Time()); err != nil {
			return err
		}
		a.policies.Put(revision, after, d.weight())
		return a.Audit(ctx, tx, c.action, c.object, "default action %s, %d rules", d.defaultAction, after.Len())
	})
}

// compile applies the draft to the compiled policy before it.
func (d draft) compile(before firewall.Compiled) firewall.Compiled {
	after := before.WithDefault(d.defaultAction)
	for _, e := range d.edits {
		if e.from != nil {
			after = after.Without(&e.from.Rule)
		}
		if e.to != nil {
			after = after.With(&e.to.Rule)
		}
	}
	return after
}

// weight returns the cost of caching the drafted policy.
func (d draft) weight() (weight int) {
	for _, e := range d.edits {
		if weight++; e.to != nil {
			weight += firewall.Weight(&e.to.Rule)
		}
	}
	return weight
}

// isNew reports whether the draft adds the rule.
func (d draft) isNew(id string) bool {
	return slices.ContainsFunc(d.edits, func(e edit) bool { return e.from == nil && e.to.ID == id })
}

func (d draft) write(ctx context.Context, tx *store.Tx, revision string, now time.Time) error {
	for _, e := range d.edits {
		if e.to != nil {
			if err := tx.PutFirewallRule(ctx, toRow(*e.to, now)); err != nil {
				return err
			}
		} else if _, err := tx.DeleteFirewallRule(ctx, e.from.ID); err != nil {
			return err
		}
	}
	return tx.UpdateFirewall(ctx, store.Firewall{
		DefaultAction: string(d.defaultAction), DisabledUntil: d.before.DisabledUntil, Revision: revision,
	})
}

// differences returns the edits that lead from before to after, and sets the
// versions of after's rules.
func differences(before Firewall, after *Firewall) (edits []edit) {
	had, stays := before.index(), after.index()
	for i := range before.Rules {
		if _, ok := stays[before.Rules[i].ID]; !ok {
			edits = append(edits, edit{from: &before.Rules[i]})
		}
	}
	for i := range after.Rules {
		r := after.Rules[i] // a copy: the list is sorted later
		r.Version = 1
		e := edit{to: &r}
		if i, ok := had[r.ID]; ok {
			e.from = &before.Rules[i]
			r.Version = e.from.Version
			if reflect.DeepEqual(e.from.Rule, r.Rule) {
				e.to = nil
			} else {
				r.Version++
			}
		}
		after.Rules[i].Version = r.Version
		if e.to != nil {
			edits = append(edits, e)
		}
	}
	return edits
}

// readRule reads a rule; a missing one is a NotFound error.
func readRule(ctx context.Context, tx *store.Tx, id string) (FirewallRule, error) {
	row, found, err := tx.FirewallRule(ctx, id)
	if err != nil {
		return FirewallRule{}, err
	}
	if !found {
		return FirewallRule{}, NotFound("firewall rule", id)
	}
	return fromRow(row)
}

// ruleAt reads a rule and checks its version against If-Match.
func ruleAt(ctx context.Context, tx *store.Tx, id, ifMatch string) (FirewallRule, error) {
	r, err := readRule(ctx, tx, id)
	if err != nil {
		return r, err
	}
	return r, CheckVersion(ifMatch, r.Version)
}

// policyOf returns the compiled policy of row's revision. It is read and compiled
// only if it is not cached: after a start, and when another process wrote it.
func (a *Account) policyOf(ctx context.Context, tx *store.Tx, row store.Firewall) (firewall.Compiled, error) {
	if policy, ok := a.policies.Get(row.Revision); ok {
		return policy, nil
	}
	f, err := a.readFirewall(ctx, tx)
	if err != nil {
		return firewall.Compiled{}, err
	}
	policy := f.policy().Compile()
	weight := 0
	for i := range f.Rules {
		weight += firewall.Weight(&f.Rules[i].Rule)
	}
	a.policies.Put(row.Revision, policy, weight)
	return policy, nil
}

func (a *Account) readFirewall(ctx context.Context, tx *store.Tx) (Firewall, error) {
	row, err := tx.Firewall(ctx)
	if err != nil {
		return Firewall{}, err
	}
	f := Firewall{
		DefaultAction: firewall.Action(row.DefaultAction),
		DisabledUntil: row.DisabledUntil,
		Disabled:      row.DisabledUntil.After(a.Time()),
		Version:       row.Version,
	}
	rows, err := tx.FirewallRules(ctx)
	if err != nil {
		return Firewall{}, err
	}
	if f.Rules, err = fromRows(rows); err != nil {
		return Firewall{}, err
	}
	f.sort()
	return f, nil
}

// policy returns the policy to evaluate.
func (f Firewall) policy() firewall.Policy {
	p := firewall.Policy{DefaultAction: f.DefaultAction}
	for _, r := range f.Rules {
		p.Rules = append(p.Rules, r.Rule)
	}
	return p
}

// sort sorts the rules in the order of evaluation.
func (f *Firewall) sort() {
	order := make(map[string]int, len(f.Rules))
	for i, r := range f.policy().Sorted().Rules {
		order[r.ID] = i
	}
	slices.SortFunc(f.Rules, func(x, y FirewallRule) int { return cmp.Compare(order[x.ID], order[y.ID]) })
}

// index returns the position of each rule by id.
func (f Firewall) index() map[string]int {
	at := make(map[string]int, len(f.Rules))
	for i, r := range f.Rules {
		at[r.ID] = i
	}
	return at
}
