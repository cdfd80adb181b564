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

// A policyWrite is what one apply makes of the account's policy.
type policyWrite struct {
	defaultAction api.FirewallAction
	managesRules  bool                     // rules are the resource's
	rules         map[string]firewall.Rule // by name; with an id if the rule is there
	keepsOthers   bool                     // rules of others stay
	adopts        bool                     // of those, one that is the same as a new rule becomes it
	removed       map[string]bool          // ids of rules that go, though others stay
	before        *firewall.Policy         // what the plan started from, as far as it is the resource's
	version       *string                  // of the policy when it was planned; nil: any
	allowLockout  *bool
}

// maxCollisions bounds how often a write gives way to other writers of the
// same moment.
const maxCollisions = 50

// errMoved says that the policy is not what the plan started from.
var errMoved = errors.New("the firewall policy was changed after it was planned; run terraform apply again: " +
	"it starts from what is there now")

// replacesAll reports whether no rule of others stays.
func (w policyWrite) replacesAll() bool { return w.managesRules && !w.keepsOthers }

// do writes the policy in one request, and none if the account has it
// already: then it was made by a request whose answer was lost, or by hand.
//
// Beside rules of others, a rule that it would remove stays if a
// scimbridge_firewall_rule of the same run has taken it over. Without others
// there is no such resource: the plan refuses it (Conflict.WouldRemove).
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
		return w.attempt(ctx, c) // nobody else's change can help
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
			return nil, last // somebody else's change stands where the plan expected none
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
		last = err // and look at what is there now
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

// unchanged asks that a rule stay what it is, to the order of its values.
func unchanged(rule api.FirewallRule) api.FirewallRuleInput {
	in := api.FirewallRuleInput{Id: &rule.Id, Action: &rule.Action, Priority: &rule.Priority,
		Description: &rule.Description}
	for _, match := range api.Matches(rule) {
		api.SetMatch(&in, match)
	}
	return in
}

// isDone reports whether the account has what is to be written.
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

// ids are the ids of the rules to be written, by name, if the account has them all.
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

// free are the ids of the rules that no rule to be written has, by all but the
// id.
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

// startsFrom reports whether what the resource owns is still what the plan
// started from; what others own beside it may have changed.
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

// newPolicyWrite is what makes the state (nil: there is none yet) what is planned.
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
		diags.AddError("Unknown firewall rules", "The rules are not known in an apply; this is a bug in the provider.")
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

// written is the planned model with what only the write could tell.
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
		diags.AddError("The firewall policy is not what was written", fmt.Sprintf(
			"The account took the policy, and has other rules now:\n%s\n\n"+
				"Somebody changed them at the same moment. Run terraform apply again.",
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
