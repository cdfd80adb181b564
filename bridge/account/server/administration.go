package server

import (
	"context"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

// administration implements the API except for people and groups.
type administration struct {
	account   *account.Account
	directory *directory.Directory
}

func (h administration) WhoAmI(ctx context.Context, _ api.WhoAmIRequestObject) (api.WhoAmIResponseObject, error) {
	caller := account.CallerFrom(ctx)
	return api.WhoAmI200JSONResponse{
		AccountId: h.account.ID, AccountName: h.account.Name, Address: caller.Address.String(), TokenId: caller.ID,
	}, nil
}

func (h administration) GetAccount(context.Context, api.GetAccountRequestObject) (api.GetAccountResponseObject, error) {
	log := toAuditLog(h.account.AuditFinding())
	return api.GetAccount200JSONResponse{
		Id: h.account.ID, Name: h.account.Name, CreatedAt: h.account.CreatedAt, AuditLog: &log,
	}, nil
}

func toAuditLog(found account.AuditFinding) api.AuditLog {
	log := api.AuditLog{
		State: api.AuditLogIntact, VerifiedAt: optionalTime(found.VerifiedAt), ChangedSince: optionalTime(found.Since),
	}
	if found.Newest.Sequence > 0 {
		log.Newest = optional(found.Newest.String())
	}
	switch {
	case len(found.Faults) > 0:
		log.State, log.Faults = api.AuditLogChanged, &found.Faults
	case found.VerifiedAt.IsZero():
		log.State = api.AuditLogUnverified
	}
	return log
}

func (h administration) ListTokens(
	ctx context.Context, r api.ListTokensRequestObject,
) (api.ListTokensResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	page, err := h.account.Tokens(ctx, cursor, limit)
	if err != nil {
		return nil, err
	}
	return api.ListTokens200JSONResponse{Items: toAll(page.Items, ToToken), NextCursor: optional(page.Next)}, nil
}

func (h administration) CreateToken(
	ctx context.Context, r api.CreateTokenRequestObject,
) (api.CreateTokenResponseObject, error) {
	in := account.TokenInput{Name: r.Body.Name}
	if r.Body.Scope != nil {
		in.Scope = string(*r.Body.Scope)
	}
	if r.Body.ExpiresAt != nil {
		in.ExpiresAt = *r.Body.ExpiresAt
	}
	t, secret, err := h.account.IssueToken(ctx, in)
	if err != nil {
		return nil, err
	}
	out := ToToken(t)
	out.Secret = &secret
	return api.CreateToken201JSONResponse(out), nil
}

func (h administration) RevokeToken(
	ctx context.Context, r api.RevokeTokenRequestObject,
) (api.RevokeTokenResponseObject, error) {
	if err := h.account.RevokeToken(ctx, r.Id); err != nil {
		return nil, err
	}
	return api.RevokeToken204Response{}, nil
}

func (h administration) ListSignInAttempts(
	ctx context.Context, r api.ListSignInAttemptsRequestObject,
) (api.ListSignInAttemptsResponseObject, error) {
	page, err := h.attempts(ctx, value(r.Params.Since), r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return api.ListSignInAttempts200JSONResponse(page), nil
}

func (h administration) ListSignInAttemptsForBridge(
	ctx context.Context, r api.ListSignInAttemptsForBridgeRequestObject,
) (api.ListSignInAttemptsForBridgeResponseObject, error) {
	page, err := h.attempts(ctx, time.Time{}, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return api.ListSignInAttemptsForBridge200JSONResponse(page), nil
}

func (h administration) attempts(
	ctx context.Context, since time.Time, from *api.Cursor, most *api.Limit,
) (api.SignInAttemptPage, error) {
	cursor, limit, err := paging(from, most)
	if err != nil {
		return api.SignInAttemptPage{}, err
	}
	page, err := h.account.Attempts(ctx, since, cursor, limit)
	return api.SignInAttemptPage{Items: toAll(page.Items, toAttempt), NextCursor: optional(page.Next)}, err
}

func (h administration) ListAuditEvents(
	ctx context.Context, r api.ListAuditEventsRequestObject,
) (api.ListAuditEventsResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	page, err := h.account.AuditEvents(ctx, cursor, limit)
	if err != nil {
		return nil, err
	}
	return api.ListAuditEvents200JSONResponse{
		Items: toAll(page.Items, toAuditEvent), NextCursor: optional(page.Next),
	}, nil
}

// ToToken returns a token as the API has it, without its secret.
func ToToken(t account.Token) api.Token {
	return api.Token{
		Id: t.ID, Name: t.Name, CreatedAt: t.CreatedAt, LastUsedAt: optionalTime(t.LastUsedAt),
		Scope: api.TokenScope(t.Scope), ExpiresAt: optionalTime(t.ExpiresAt),
	}
}

func toAttempt(t account.Attempt) api.SignInAttempt {
	return api.SignInAttempt{
		FirstTime: t.First, LastTime: t.Last, Count: t.Count, Address: t.Address, Result: t.Result,
		Email: optional(t.Email), Instance: optional(t.Instance), RuleId: optional(t.RuleID),
	}
}

func toAuditEvent(e account.AuditEvent) api.AuditEvent {
	return api.AuditEvent{
		Id: e.ID, Time: e.Time, Actor: e.Actor, Action: e.Action, Object: e.Object,
		Address: optional(e.Address), Summary: optional(e.Summary),
	}
}

// paging reads the parameters that all lists share.
func paging(cursor *api.Cursor, limit *api.Limit) (string, int, error) {
	n := 100
	if limit != nil {
		n = *limit
	}
	if n < 1 || n > 1000 {
		return "", 0, account.InvalidValue("/limit", "the limit is %d; choose 1 to 1000", n)
	}
	return value(cursor), n, nil
}

// toAll translates a list. It never returns nil, which would be null in JSON.
func toAll[From, To any](items []From, translate func(From) To) []To {
	all := make([]To, len(items))
	for i, item := range items {
		all[i] = translate(item)
	}
	return all
}

// optionalTime returns nil for the zero time, which the API omits.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
