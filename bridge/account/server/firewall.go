package server

import (
	"context"
	"strconv"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

func (h administration) GetFirewall(ctx context.Context, _ api.GetFirewallRequestObject,
) (api.GetFirewallResponseObject, error) {
	f, err := h.account.Firewall(ctx)
	if err != nil {
		return nil, err
	}
	out := toFirewall(f)
	return api.GetFirewall200JSONResponse{Body: out, Headers: api.GetFirewall200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) UpdateFirewall(ctx context.Context, r api.UpdateFirewallRequestObject,
) (api.UpdateFirewallResponseObject, error) {
	update, err := fromUpdate(r.Body, "")
	if err != nil {
		return nil, err
	}
	f, err := h.account.UpdateFirewall(ctx, update, value(r.Params.IfMatch), yes(r.Params.AllowLockout))
	if err != nil {
		return nil, err
	}
	out := toFirewall(f)
	return api.UpdateFirewall200JSONResponse{Body: out, Headers: api.UpdateFirewall200ResponseHeaders{ETag: &out.Etag}},
		nil
}

func (h administration) ListFirewallRules(
	ctx context.Context, r api.ListFirewallRulesRequestObject,
) (api.ListFirewallRulesResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	page, err := h.account.FirewallRules(ctx, cursor, limit)
	if err != nil {
		return nil, err
	}
	return api.ListFirewallRules200JSONResponse{Items: toAll(page.Items, toRule), NextCursor: optional(page.Next)}, nil
}

func (h administration) GetFirewallRule(ctx context.Context, r api.GetFirewallRuleRequestObject,
) (api.GetFirewallRuleResponseObject, error) {
	found, err := h.account.FirewallRule(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	out := toRule(found)
	return api.GetFirewallRule200JSONResponse{
			Body: out, Headers: api.GetFirewallRule200ResponseHeaders{ETag: &out.Etag},
		},
		nil
}

func (h administration) CreateFirewallRule(ctx context.Context, r api.CreateFirewallRuleRequestObject,
) (api.CreateFirewallRuleResponseObject, error) {
	rule, err := fromRuleInput(*r.Body, "")
	if err != nil {
		return nil, err
	}
	made, err := h.account.CreateFirewallRule(ctx, rule, yes(r.Params.AllowLockout))
	if err != nil {
		return nil, err
	}
	out := toRule(made)
	return api.CreateFirewallRule201JSONResponse{
		Body: out, Headers: api.CreateFirewallRule201ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func (h administration) ReplaceFirewallRule(ctx context.Context, r api.ReplaceFirewallRuleRequestObject,
) (api.ReplaceFirewallRuleResponseObject, error) {
	rule, err := fromRuleInput(*r.Body, "")
	if err != nil {
		return nil, err
	}
	replaced, err := h.account.ReplaceFirewallRule(ctx, r.Id, rule, value(r.Params.IfMatch), yes(r.Params.AllowLockout))
	if err != nil {
		return nil, err
	}
	out := toRule(replaced)
	return api.ReplaceFirewallRule200JSONResponse{
		Body: out, Headers: api.ReplaceFirewallRule200ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func (h administration) DeleteFirewallRule(ctx context.Context, r api.DeleteFirewallRuleRequestObject,
) (api.DeleteFirewallRuleResponseObject, error) {
	if err := h.account.DeleteFirewallRule(ctx, r.Id, value(r.Params.IfMatch), yes(r.Params.AllowLockout)); err != nil {
		return nil, err
	}
	return api.DeleteFirewallRule204Response{}, nil
}

func (h administration) EvaluateFirewall(ctx context.Context, r api.EvaluateFirewallRequestObject,
) (api.EvaluateFirewallResponseObject, error) {
	proposed, err := fromUpdate(r.Body.Policy, "/policy")
	if err != nil {
		return nil, err
	}
	decisions, err := h.account.EvaluateFirewall(ctx, r.Body.Addresses, proposed)
	if err != nil {
		return nil, err
	}
	return api.EvaluateFirewall200JSONResponse{Verdicts: toAll(decisions, toVerdict)}, nil
}

func toFirewall(f account.Firewall) api.Firewall {
	out := api.Firewall{
		DefaultAction: api.FirewallAction(f.DefaultAction), Rules: toAll(f.Rules, toRule),
		Enforced: !f.Disabled, Etag: account.ETag(f.Version),
	}
	if f.Disabled {
		out.DisabledUntil = optionalTime(f.DisabledUntil)
		out.Etag = tagOf(f.Version, "not enforced") // enforcement returns without a write
	}
	return out
}

// fromUpdate translates a change of the policy; at is its JSON pointer in the request.
func fromUpdate(in *api.FirewallUpdate, at string) (account.FirewallUpdate, error) {
	var out account.FirewallUpdate
	if in == nil {
		return out, nil
	}
	if in.DefaultAction != nil {
		out.DefaultAction = new(firewall.Action(*in.DefaultAction))
	}
	if in.Rules == nil {
		return out, nil
	}
	rules := make([]firewall.Rule, len(*in.Rules))
	for i, input := range *in.Rules {
		var err error
		if rules[i], err = fromRuleInput(input, at+"/rules/"+strconv.Itoa(i)); err != nil {
			return out, err
		}
	}
	out.Rules = &rules
	return out, nil
}

func toRule(r account.FirewallRule) api.FirewallRule {
	out := api.FirewallRule{
		Id: r.ID, Action: api.FirewallAction(r.Action), Priority: r.Priority, Description: r.Description,
		Etag: account.ETag(r.Version),
	}
	api.SetMatch(&out, r.Match)
	return out
}

// fromRuleInput translates a rule, with defaults for absent members; at is its JSON
// pointer in the request.
func fromRuleInput(in api.FirewallRuleInput, at string) (firewall.Rule, error) {
	out := firewall.Rule{ID: value(in.Id), Action: firewall.Allow, Description: value(in.Description)}
	if in.Action != nil {
		out.Action = firewall.Action(*in.Action)
	}
	out.Priority = out.Action.DefaultPriority()
	if in.Priority != nil {
		out.Priority = *in.Priority
	}
	matches := api.Matches(in)
	if len(matches) == 0 {
		return out, nil // the account reports this with its other faults
	}
	var err error
	if out.Match, err = firewall.OneMatch(matches); err != nil {
		return out, account.InvalidValue(at, "%v", err)
	}
	return out, nil
}

func toVerdict(d account.AddressDecision) api.Verdict {
	out := api.Verdict{Address: d.Address.String(), Action: api.FirewallAction(d.Action), RuleId: optional(d.RuleID())}
	api.SetFacts(&out, d.Facts)
	return out
}

// optionalList returns nil for an empty list, which the API omits.
func optionalList[T any](items []T) *[]T {
	if len(items) == 0 {
		return nil
	}
	return &items
}

func yes(b *bool) bool { return b != nil && *b }
