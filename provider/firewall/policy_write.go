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
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// A revision is what one apply makes of the account's policy.
type revision struct {
	defaultAction api.FirewallAction
	managed       bool              // rules are the resource's
	rules         map[string]wanted // by name; with an id if the rule is there
	keeps         bool              // rules of others stay
	adopts        bool              // of those, one that is the same as a new rule becomes it
	drops         map[string]bool   // ids of rules that go, though others stay
	before        *api.Firewall     // what the plan started from, as far as it is the resource's
	version       *string           // of the policy when it was planned; nil: any
	allowLockout  *bool
}

// maxCollisions bounds how often a write gives way to other writers of the
// same moment.
const maxCollisions = 50

// errMoved says that the policy is not what the plan started from.
var errMoved = errors.New("the firewall policy was changed after it was planned; run terraform apply again: it starts from what is there now")

// write makes the revision in one request, and none if the account has it
// already: then it was made by a request whose answer was lost, or by hand.
//
// A rule that it would remove, and that a single one of the same run has taken
// over, stays.
func (v revision) write(ctx context.Context, c *client.Client) (*client.Firewall, error) {
	handover := client.Once[handover](c)
	drops := make(map[string]bool)
	for id := range v.drops {
		if handover.Destroy(id) {
			drops[id] = true
			defer handover.Destroyed(id)
		}
	}
	v.drops = drops
	if v.managed && !v.keeps {
		return v.attempt(ctx, c) // nobody else's change can help
	}
	return client.Patiently(ctx, c, func() (*client.Firewall, error) { return v.attempt(ctx, c) })
}

func (v revision) attempt(ctx context.Context, c *client.Client) (*client.Firewall, error) {
	var last error
	for range maxCollisions {
		present, err := c.Firewall(ctx)
		if err != nil {
			return nil, err
		}
		if v.holds(present) {
			return present, nil
		}
		if last != nil && v.managed && !v.keeps {
			return nil, last // somebody else's change stands where the plan expected none
		}
		match := v.version
		if match == nil || !v.managed || v.keeps {
			if !v.startsFrom(present) {
				return nil, errMoved
			}
			match = &present.Etag
		}
		now, err := client.Call[api.Firewall](c.API.UpdateFirewall(ctx,
			&api.UpdateFirewallParams{IfMatch: match, AllowLockout: v.allowLockout}, v.body(present)))
		if client.Code(err) != api.ErrorCodeVersionMismatch {
			return client.NewFirewall(now), err
		}
		last = err // and look at what is there now
	}
	return nil, last
}

func (v revision) body(present *client.Firewall) api.FirewallUpdate {
	update := api.FirewallUpdate{DefaultAction: &v.defaultAction}
	if !v.managed {
		return update
	}
	rules := make([]api.FirewallRuleInput, 0, len(v.rules))
	mine := make(map[string]bool)
	free := make(map[string][]string)
	if v.adopts {
		free = v.free(present)
	}
	for _, name := range slices.Sorted(maps.Keys(v.rules)) {
		rule := v.rules[name]
		if twins := free[alike(rule.asRule(""))]; rule.Id == nil && len(twins) > 0 {
			rule.Id, free[alike(rule.asRule(""))] = &twins[0], twins[1:]
		}
		if rule.Id != nil {
			mine[*rule.Id] = true
		}
		rules = append(rules, api.FirewallRuleInput(rule))
	}
	if v.keeps {
		for _, rule := range present.Rules {
			if !mine[rule.Id] && !v.drops[rule.Id] {
				rules = append(rules, inputOf(rule))
			}
		}
	}
	update.Rules = &rules
	return update
}

// holds tells whether the account has what the revision makes.
func (v revision) holds(present *client.Firewall) bool {
	if present.DefaultAction != v.defaultAction {
		return false
	}
	if !v.managed {
		return true
	}
	ids, ok := v.ids(present)
	if !ok || !v.keeps && len(ids) != len(present.Rules) {
		return false
	}
	for id := range v.drops {
		if _, there := present.ByID[id]; there {
			return false
		}
	}
	return true
}

// ids are the ids of the revision's rules by name, if the account has them all.
func (v revision) ids(present *client.Firewall) (ids map[string]string, ok bool) {
	ids = make(map[string]string)
	for name, rule := range v.rules {
		if rule.Id == nil {
			continue
		}
		if found, there := present.ByID[*rule.Id]; !there || !rule.is(found) {
			return nil, false
		}
		ids[name] = *rule.Id
	}
	free := v.free(present)
	for _, name := range slices.Sorted(maps.Keys(v.rules)) {
		if ids[name] != "" {
			continue
		}
		key := alike(v.rules[name].asRule(""))
		if len(free[key]) == 0 {
			return nil, false
		}
		ids[name], free[key] = free[key][0], free[key][1:]
	}
	return ids, true
}

// free are the ids of the rules that are nobody's in the revision, by all but
// the id.
func (v revision) free(present *client.Firewall) map[string][]string {
	taken := make(map[string]bool)
	for _, rule := range v.rules {
		if rule.Id != nil {
			taken[*rule.Id] = true
		}
	}
	free := make(map[string][]string)
	for _, rule := range present.Rules {
		if !taken[rule.Id] && !v.drops[rule.Id] {
			free[alike(rule)] = append(free[alike(rule)], rule.Id)
		}
	}
	return free
}

// startsFrom tells whether what the resource owns is still what the plan
// started from; what others own beside it may have changed.
func (v revision) startsFrom(present *client.Firewall) bool {
	if v.before == nil {
		return true
	}
	if present.DefaultAction != v.before.DefaultAction {
		return false
	}
	for _, rule := range v.before.Rules {
		if found, there := present.ByID[rule.Id]; !there || alike(found) != alike(rule) {
			return false
		}
	}
	return true
}

// revisionOf is what makes the state (nil: there is none yet) what is planned.
func revisionOf(ctx context.Context, state *policyModel, plan policyModel, version *string) (revision, diag.Diagnostics) {
	v := revision{
		defaultAction: api.FirewallAction(plan.DefaultAction.ValueString()),
		managed:       !plan.Rules.IsNull(),
		keeps:         plan.reports(),
		rules:         make(map[string]wanted),
		drops:         make(map[string]bool),
		version:       version,
		allowLockout:  plan.AllowLockout.ValueBoolPointer(),
	}
	planned, whole, diags := rulesIn(ctx, plan.Rules)
	if !whole {
		diags.AddError("Unknown firewall rules", "The rules are not known in an apply; this is a bug in the provider.")
		return v, diags
	}
	kept := make(map[string]bool)
	for name, rule := range planned {
		wanted, d := rule.wanted(ctx)
		diags.Append(d...)
		if id := rule.ID.ValueString(); id != "" {
			wanted.Id = &id
			kept[id] = true
		}
		v.rules[name] = wanted
	}
	if state == nil {
		return v, diags
	}
	v.adopts = v.keeps && state.managesNone()
	v.before = &api.Firewall{DefaultAction: api.FirewallAction(state.DefaultAction.ValueString())}
	if !v.managed {
		return v, diags
	}
	held, d := state.held(ctx)
	diags.Append(d...)
	unmanaged, _, d := rulesIn(ctx, plan.UnmanagedRules)
	diags.Append(d...)
	for _, rule := range held.own {
		wanted, d := rule.wanted(ctx)
		diags.Append(d...)
		id := rule.ID.ValueString()
		v.before.Rules = append(v.before.Rules, wanted.asRule(id))
		if _, stays := unmanaged[id]; !kept[id] && !stays {
			v.drops[id] = true
		}
	}
	return v, diags
}

// made is the planned model with what only the write could tell.
func (v revision) made(ctx context.Context, account string, plan policyModel, now *client.Firewall) (policyModel, diag.Diagnostics) {
	plan.ID = types.StringValue(account)
	if !v.managed {
		plan.UnmanagedRules = noRules()
		return plan, nil
	}
	ids, ok := v.ids(now)
	planned, _, diags := rulesIn(ctx, plan.Rules)
	if !ok {
		diags.AddError("The firewall policy is not what was written", fmt.Sprintf(
			"The account took the policy, and has other rules now:\n%s\n\nSomebody changed them at the same moment. Run terraform apply again.", listing(now.Rules)))
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
	plan.Rules, d = mapOf(ctx, planned)
	diags.Append(d...)
	if plan.UnmanagedRules.IsUnknown() {
		unmanaged := make(map[string]ruleModel)
		for _, rule := range now.Rules {
			if v.keeps && !mine[rule.Id] {
				unmanaged[rule.Id], d = modelOf(ctx, rule)
				diags.Append(d...)
			}
		}
		plan.UnmanagedRules, d = mapOf(ctx, unmanaged)
		diags.Append(d...)
	}
	return plan, diags
}
