package store

import (
	"context"
	"time"
)

// A Firewall is the policy without its rules.
type Firewall struct {
	DefaultAction string
	DisabledUntil time.Time // zero, or past, while it is not disabled
	// Version moves with every change of the policy or of a rule.
	Version int64
	// Revision names what the policy and its rules say, and nothing else ever,
	// as a version does that was rolled back.
	Revision string
}

// A FirewallRule is one rule. Values is a JSON array of what Kind says.
type FirewallRule struct {
	ID, Action   string
	Priority     int
	Kind, Values string
	Description  string
	Version      int64
	ChangedAt    time.Time // of what the rule says; zero for rules from before it was kept
	ContentHash  string    // the same for rules that are the same in all but the id
}

const firewallRuleColumns = `id, action, priority, kind, match_values, description, version, likeness, changed_at`

func scanFirewallRule(row Scanner) (r FirewallRule, err error) {
	return r, row.Scan(&r.ID, &r.Action, &r.Priority, &r.Kind, &r.Values, &r.Description, &r.Version, &r.ContentHash,
		(*Time)(&r.ChangedAt))
}

// Firewall reads the policy.
func (tx *Tx) Firewall(ctx context.Context) (f Firewall, err error) {
	err = tx.QueryRow(ctx, `SELECT default_action, disabled_until, version, revision FROM firewall`).
		Scan(&f.DefaultAction, (*Time)(&f.DisabledUntil), &f.Version, &f.Revision)
	return f, err
}

// UpdateFirewall writes the policy and moves its version.
func (tx *Tx) UpdateFirewall(ctx context.Context, f Firewall) error {
	return tx.Send(ctx, `UPDATE firewall SET default_action = ?, disabled_until = ?, revision = ?, `+
		`version = version + 1`,
		f.DefaultAction, Micros(f.DisabledUntil), f.Revision)
}

// FirewallRules lists every rule.
func (tx *Tx) FirewallRules(ctx context.Context) ([]FirewallRule, error) {
	return All(ctx, tx, scanFirewallRule, `SELECT `+firewallRuleColumns+` FROM firewall_rules`)
}

// FirewallRulesAfter lists up to limit rules by id, from the one after an id.
func (tx *Tx) FirewallRulesAfter(ctx context.Context, id string, limit int) ([]FirewallRule, error) {
	return All(ctx, tx, scanFirewallRule, `SELECT `+firewallRuleColumns+` FROM firewall_rules WHERE id > ? ORDER BY `+
		`id LIMIT ?`, id, limit)
}

// FirewallRule reads one rule.
func (tx *Tx) FirewallRule(ctx context.Context, id string) (FirewallRule, bool, error) {
	return One(ctx, tx, scanFirewallRule, `SELECT `+firewallRuleColumns+` FROM firewall_rules WHERE id = ?`, id)
}

// FirewallRuleByContent finds a rule by its content hash; of several, the same each time.
func (tx *Tx) FirewallRuleByContent(ctx context.Context, hash string) (FirewallRule, bool, error) {
	return One(ctx, tx, scanFirewallRule, `SELECT `+firewallRuleColumns+` FROM firewall_rules WHERE likeness = ? `+
		`ORDER BY id LIMIT 1`, hash)
}

// PutFirewallRule writes a rule, new or not; its version is the caller's to move.
func (tx *Tx) PutFirewallRule(ctx context.Context, r FirewallRule) error {
	return tx.Send(ctx, `INSERT INTO firewall_rules (`+firewallRuleColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET action = excluded.action, priority = excluded.priority, kind = excluded.kind,
			match_values = excluded.match_values, description = excluded.description, version = excluded.version,
			likeness = excluded.likeness, changed_at = excluded.changed_at`,
		r.ID, r.Action, r.Priority, r.Kind, r.Values, r.Description, r.Version, r.ContentHash, Micros(r.ChangedAt))
}

// DeleteFirewallRule reports whether there was one.
func (tx *Tx) DeleteFirewallRule(ctx context.Context, id string) (bool, error) {
	return affected(tx.Exec(ctx, `DELETE FROM firewall_rules WHERE id = ?`, id))
}
