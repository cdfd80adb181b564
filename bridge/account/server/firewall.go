package server

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

func (h administration) GetFirewall(ctx context.Context, _ api.GetFirewallRequestObject) (api.GetFirewallResponseObject, error) {
	f, err := h.account.Firewall(ctx)
	if err != nil {
		return nil, err
	}
	out := policy(f)
	return api.GetFirewall200JSONResponse{Body: out, Headers: api.GetFirewall200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) UpdateFirewall(ctx context.Context, r api.UpdateFirewallRequestObject) (api.UpdateFirewallResponseObject, error) {
	f, err := h.account.UpdateFirewall(ctx, policyUpdate(r.Body), text(r.Params.IfMatch), yes(r.Params.AllowLockout))
	if err != nil {
		return nil, err
	}
	out := policy(f)
	return api.UpdateFirewall200JSONResponse{Body: out, Headers: api.UpdateFirewall200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) ListFirewallRules(ctx context.Context, r api.ListFirewallRulesRequestObject) (api.ListFirewallRulesResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	page, err := h.account.FirewallRules(ctx, cursor, limit)
	if err != nil {
		return nil, err
	}
	return api.ListFirewallRules200JSONResponse{Items: each(page.Items, rule), NextCursor: optional(page.Next)}, nil
}

func (h administration) GetFirewallRule(ctx context.Context, r api.GetFirewallRuleRequestObject) (api.GetFirewallRuleResponseObject, error) {
	found, err := h.account.FirewallRule(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	out := rule(found)
	return api.GetFirewallRule200JSONResponse{Body: out, Headers: api.GetFirewallRule200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) CreateFirewallRule(ctx context.Context, r api.CreateFirewallRuleRequestObject) (api.CreateFirewallRuleResponseObject, error) {
	made, err := h.account.CreateFirewallRule(ctx, ruleInput(*r.Body), yes(r.Params.AllowLockout))
	if err != nil {
		return nil, err
	}
	out := rule(made)
	return api.CreateFirewallRule201JSONResponse{Body: out, Headers: api.CreateFirewallRule201ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) ReplaceFirewallRule(ctx context.Context, r api.ReplaceFirewallRuleRequestObject) (api.ReplaceFirewallRuleResponseObject, error) {
	replaced, err := h.account.ReplaceFirewallRule(ctx, r.Id, ruleInput(*r.Body), text(r.Params.IfMatch), yes(r.Params.AllowLockout))
	if err != nil {
		return nil, err
	}
	out := rule(replaced)
	return api.ReplaceFirewallRule200JSONResponse{Body: out, Headers: api.ReplaceFirewallRule200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) DeleteFirewallRule(ctx context.Context, r api.DeleteFirewallRuleRequestObject) (api.DeleteFirewallRuleResponseObject, error) {
	if err := h.account.DeleteFirewallRule(ctx, r.Id, text(r.Params.IfMatch), yes(r.Params.AllowLockout)); err != nil {
		return nil, err
	}
	return api.DeleteFirewallRule204Response{}, nil
}

func (h administration) EvaluateFirewall(ctx context.Context, r api.EvaluateFirewallRequestObject) (api.EvaluateFirewallResponseObject, error) {
	verdicts, err := h.account.EvaluateFirewall(ctx, r.Body.Addresses, policyUpdate(r.Body.Policy))
	if err != nil {
		return nil, err
	}
	return api.EvaluateFirewall200JSONResponse{Verdicts: each(verdicts, verdict)}, nil
}

func policy(f account.Firewall) api.Firewall {
	out := api.Firewall{
		DefaultAction: api.FirewallAction(f.DefaultAction), Rules: each(f.Rules, rule),
		Enforced: f.Enforced, Etag: account.ETag(f.Version),
	}
	if !f.Enforced {
		out.DisabledUntil = moment(f.DisabledUntil)
		out.Etag = tagOf(f.Version, "not enforced") // as it will be without a write
	}
	return out
}

func policyUpdate(in *api.FirewallUpdate) account.FirewallUpdate {
	var out account.FirewallUpdate
	if in == nil {
		return out
	}
	if in.DefaultAction != nil {
		out.DefaultAction = new(firewall.Action(*in.DefaultAction))
	}
	if in.Rules != nil {
		out.Rules = new(each(*in.Rules, ruleInput))
	}
	return out
}

func rule(r account.FirewallRule) api.FirewallRule {
	return api.FirewallRule{
		Id: r.ID, Action: api.FirewallAction(r.Action), Priority: r.Priority, Description: r.Description, Etag: account.ETag(r.Version),
		IpRanges: list(each(r.IPRanges, firewall.FormatRange)), Countries: list(r.Countries),
		Continents: list(each(r.Continents, continent)), AnonymousIps: list(each(r.Anonymous, anonymousIP)),
	}
}

func ruleInput(in api.FirewallRuleInput) account.RuleInput {
	out := account.RuleInput{ID: text(in.Id), Description: text(in.Description), Priority: in.Priority}
	if in.Action != nil {
		out.Action = firewall.Action(*in.Action)
	}
	if in.IpRanges != nil {
		out.IPRanges = *in.IpRanges
	}
	if in.Countries != nil {
		out.Countries = append([]string{}, *in.Countries...)
	}
	if in.Continents != nil {
		out.Continents = each(*in.Continents, func(c api.Continent) string { return string(c) })
	}
	if in.AnonymousIps != nil {
		out.Anonymous = each(*in.AnonymousIps, func(k api.AnonymousIP) string { return string(k) })
	}
	return out
}

func verdict(v account.AddressVerdict) api.Verdict {
	return api.Verdict{
		Address: v.Address.String(), Action: api.FirewallAction(v.Action), RuleId: optional(v.RuleID),
		Country: optional(v.Country), Continent: optional(v.Continent), AnonymousIps: list(each(v.Anonymous, anonymousIP)),
	}
}

func continent(code string) api.Continent     { return api.Continent(code) }
func anonymousIP(kind string) api.AnonymousIP { return api.AnonymousIP(kind) }

// list is nil for an empty list, which the API leaves out.
func list[T any](items []T) *[]T {
	if len(items) == 0 {
		return nil
	}
	return &items
}

func yes(b *bool) bool { return b != nil && *b }
