package firewall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// A policyWrite is the write of the account's policy in an apply.
type policyWrite struct {
	defaultAction api.FirewallAction
	managesRules  bool                     // the resource manages rules
	rules         map[string]firewall.Rule // by name; with an id if the rule exists
	keepsOthers   bool                     // unmanaged rules are kept
	adopts        bool                     // an unmanaged rule that equals a new one is adopted
	removed       map[string]bool          // ids of rules to remove, if others are kept
	before        *firewall.Policy         // the resource's part of the policy when it was planned
	version       *string                  // of the policy when it was planned; nil for any
	allowLockout  *bool
}

// maxCollisions is how often a write is repeated after concurrent changes.
const maxCollisions = 50

// errMoved is the error for a policy that was changed after it was planned.
var errMoved = errors.New("the firewall policy was changed after it was planned; run terraform apply again")

// replacesAll reports whether no unmanaged rule is kept.
func (w policyWrite) replacesAll() bool { return w.managesRules && !w.keepsOthers }

// do writes the policy in one request. It sends none if the account has the policy
// already, for instance after a request whose answer was lost.
//
// If unmanaged rules are kept, a rule to remove is kept too if a
// scimbridge_firewall_rule of the same run has adopted it. If not, the plan refuses such
// a resource (Conflict.WouldRemove).
func (w policyWrite) do(ctx context.Context, c *client.Client) (*client.Firewall, error) {
	handover := client.PerRun[handover](c)
	removed := make(map[string]bool)
	for id := range w.removed {
		if handover.Destroy(id) {
			removed[id] = true
			defer handover.Destroyed(id)
		}
	}
	w.removed = removed
	if w.replacesAll() {
		return w.attempt(ctx, c) // no other resource's change can help
	}
	return client.RetryConflicts(ctx, c, func() (*client.Firewall, error) { return w.attempt(ctx, c) })
}

func (w policyWrite) attempt(ctx context.Context, c *client.Client) (*client.Firewall, error) {
	var last error
	for range maxCollisions {
		present, err := c.Firewall(ctx)
		if err != nil {
			return nil, err
		}
		if w.isDone(present) {
			return present, nil
		}
		if last != nil && w.replacesAll() {
			return nil, last // a change from elsewhere that the plan did not know
		}
		match := w.version
		if match == nil || !w.replacesAll() {
			if !w.startsFrom(present) {
				return nil, errMoved
			}
			match = &present.Etag
		}
		now, err := client.Call[api.Firewall](c.API.UpdateFirewall(ctx,
			&api.UpdateFirewallParams{IfMatch: match, AllowLockout: w.allowLockout}, w.body(present)))
		if client.Code(err) != api.ErrorCodeVersionMismatch {
			return client.NewFirewall(now), err
		}
		last = err // and read the policy again
	}
	return nil, last
}

func (w policyWrite) body(present *client.Firewall) api.FirewallUpdate {
	update := api.FirewallUpdate{DefaultAction: &w.defaultAction}
	if !w.managesRules {
		return update
	}
	rules := make([]api.FirewallRuleInput, 0, len(w.rules))
	mine := make(map[string]bool)
	free := make(map[string][]string)
	if w.adopts {
		free = w.free(present)
	}
	for _, name := range slices.Sorted(maps.Keys(w.rules)) {
		rule := w.rules[name]
		if twins := free[contentKey(rule)]; rule.ID == "" && len(twins) > 0 {
			rule.ID, free[contentKey(rule)] = twins[0], twins[1:]
		}
		if rule.ID != "" {
			mine[rule.ID] = true
		}
		rules = append(rules, toInput(rule))
	}
	if w.keepsOthers {
		for _, rule := range present.Rules {
			if !mine[rule.Id] && !w.removed[rule.Id] {
				rules = append(rules, unchanged(rule))
			}
		}
	}
	update.Rules = &rules
	return update
}

// unchanged returns the input that keeps a rule, including the order of its values.
func unchanged(rule api.FirewallRule) api.FirewallRuleInput {
	in := api.FirewallRuleInput{Id: &rule.Id, Action: &rule.Action, Priority: &rule.Priority,
		Description: &rule.Description}
	for _, match := range api.Matches(rule) {
		api.SetMatch(&in, match)
	}
	return in
}

// isDone reports whether the account already has the policy.
func (w policyWrite) isDone(present *client.Firewall) bool {
	if present.DefaultAction != w.defaultAction {
		return false
	}
	if !w.managesRules {
		return true
	}
	ids, ok := w.ids(present)
	if !ok || !w.keepsOthers && len(ids) != len(present.Rules) {
		return false
	}
	for id := range w.removed {
		if _, there := present.ByID[id]; there {
			return false
		}
	}
	return true
}

// ids returns the ids of the rules to write, by name, if all exist.
func (w policyWrite) ids(present *client.Firewall) (ids map[string]string, ok bool) {
	ids = make(map[string]string)
	for name, rule := range w.rules {
		if rule.ID == "" {
			continue
		}
		if found, there := present.ByID[rule.ID]; !there || !equals(rule, fromAPI(found)) {
			return nil, false
		}
		ids[name] = rule.ID
	}
	free := w.free(present)
	for _, name := range slices.Sorted(maps.Keys(w.rules)) {
		if ids[name] != "" {
			continue
		}
		key := contentKey(w.rules[name])
		if len(free[key]) == 0 {
			return nil, false
		}
		ids[name], free[key] = free[key][0], free[key][1:]
	}
	return ids, true
}

// free returns the ids of the existing rules that the write does not name, by content.
func (w policyWrite) free(present *client.Firewall) map[string][]string {
	taken := make(map[string]bool)
	for _, rule := range w.rules {
		taken[rule.ID] = true
	}
	free := make(map[string][]string)
	for _, rule := range rulesOf(present.Firewall) {
		if !taken[rule.ID] && !w.removed[rule.ID] {
			free[contentKey(rule)] = append(free[contentKey(rule)], rule.ID)
		}
	}
	return free
}

// startsFrom reports whether the resource's part of the policy is as it was planned.
// Unmanaged rules may have changed.
func (w policyWrite) startsFrom(present *client.Firewall) bool {
	if w.before == nil {
		return true
	}
	if firewall.Action(present.DefaultAction) != w.before.DefaultAction {
		return false
	}
	for _, rule := range w.before.Rules {
		if found, there := present.ByID[rule.ID]; !there || !equals(fromAPI(found), rule) {
			return false
		}
	}
	return true
}

// newPolicyWrite returns the write that leads from the state (nil for a creation) to the
// plan.
func newPolicyWrite(ctx context.Context, state *policyModel, plan policyModel, version *string,
) (policyWrite, diag.Diagnostics) {
	w := policyWrite{
		defaultAction: api.FirewallAction(plan.DefaultAction.ValueString()),
		managesRules:  !plan.Rules.IsNull(),
		keepsOthers:   plan.reports(),
		rules:         make(map[string]firewall.Rule),
		removed:       make(map[string]bool),
		version:       version,
		allowLockout:  plan.AllowLockout.ValueBoolPointer(),
	}
	planned, whole, diags := rulesIn(ctx, plan.Rules)
	if !whole {
		diags.AddError("Unknown firewall rules",
			"Some rules were unknown during the apply. This is a bug in the provider.")
		return w, diags
	}
	stays := make(map[string]bool)
	for name, rule := range planned {
		w.rules[name] = rule.toRule()
		stays[rule.ID.ValueString()] = true
	}
	if state == nil {
		return w, diags
	}
	managed, d := state.managed(ctx)
	diags.Append(d...)
	w.adopts = w.keepsOthers && !managed.any
	w.before = &firewall.Policy{DefaultAction: state.defaultAction()}
	if !w.managesRules {
		return w, diags
	}
	unmanaged, _, d := rulesIn(ctx, plan.UnmanagedRules)
	diags.Append(d...)
	for id, rule := range managed.byID() {
		w.before.Rules = append(w.before.Rules, rule.toRule())
		if _, reported := unmanaged[id]; !stays[id] && !reported {
			w.removed[id] = true
		}
	}
	return w, diags
}

// written returns the planned model with the values that the write determined.
func (w policyWrite) written(ctx context.Context, account string, plan policyModel, now *client.Firewall,
) (policyModel, diag.Diagnostics) {
	plan.ID = types.StringValue(account)
	if !w.managesRules {
		plan.UnmanagedRules = noRules()
		return plan, nil
	}
	ids, ok := w.ids(now)
	planned, _, diags := rulesIn(ctx, plan.Rules)
	if !ok {
		diags.AddError("Firewall policy changed during the write", fmt.Sprintf(
			"The account accepted the policy and now has other rules:\n%s\n\n"+
				"They were changed at the same time outside this run. Run terraform apply again.",
			listing(rulesOf(now.Firewall))))
		return plan, diags
	}
	mine := make(map[string]bool)
	for name, rule := range planned {
		rule.ID = types.StringValue(ids[name])
		mine[ids[name]] = true
		if rule.Priority.IsUnknown() {
			rule.Priority = types.Int64Value(int64(now.ByID[ids[name]].Priority))
		}
		planned[name] = rule
	}
	var d diag.Diagnostics
	plan.Rules, d = toMap(ctx, planned)
	diags.Append(d...)
	if plan.UnmanagedRules.IsUnknown() {
		unmanaged := make(map[string]ruleModel)
		for _, rule := range rulesOf(now.Firewall) {
			if w.keepsOthers && !mine[rule.ID] {
				unmanaged[rule.ID] = toModel(rule)
			}
		}
		plan.UnmanagedRules, d = toMap(ctx, unmanaged)
		diags.Append(d...)
	}
	return plan, diags
}
