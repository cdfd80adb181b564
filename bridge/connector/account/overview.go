package account

import (
	"context"
	"net/http"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// Waiting implements bridge.Overview. Of an account that does not have it, the list of all
// who wait is searched and counted here.
func (c *Connector) Waiting(ctx context.Context, q bridge.WaitingQuery) (bridge.WaitingPage, error) {
	p, _, err := call[api.WaitingPage](ctx, c, request{repeatable: true, optional: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.ListWaiting(ctx, &api.ListWaitingParams{
				Cursor: optional(q.Cursor), Limit: &q.Limit, Kind: optional(string(q.Kind)), Search: optional(q.Search),
			}, auth)
		}})
	if isMissing(err) || bridge.CodeOf(err) == bridge.NotFound {
		people, err := c.Attention(ctx)
		if err != nil {
			return bridge.WaitingPage{}, err
		}
		return bridge.SearchWaiting(people, q, c.cfg.Now()), nil
	}
	counts := make(map[bridge.AttentionKind]int64, len(p.Counts))
	for kind, n := range p.Counts {
		counts[bridge.AttentionKind(kind)] = n
	}
	return bridge.WaitingPage{
		Items: each(p.Items, fromAttention), Next: value(p.NextCursor), Counts: counts, AsOf: p.AsOf,
	}, err
}

// Instances implements bridge.Overview.
func (c *Connector) Instances(ctx context.Context, limit int) ([]bridge.Instance, error) {
	p, _, err := call[api.BridgePage](ctx, c, request{repeatable: true, optional: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.ListBridgesForBridge(ctx, &api.ListBridgesForBridgeParams{Limit: &limit}, auth)
		}})
	return each(p.Items, fromBridge), missingIsNotFound(err)
}

func fromBridge(b api.Bridge) bridge.Instance {
	i := bridge.Instance{
		ID: b.Instance, Version: b.Version, Revision: b.Revision, Address: b.Address, FirstSeen: b.FirstSeen,
		LastContact: b.LastContact, State: b.State, Problems: b.Problems, Live: b.Live,
	}
	if b.LastRefusal != nil {
		i.Refused, i.RefusedAt = string(b.LastRefusal.Code), b.LastRefusal.Time
	}
	return i
}

// SignInAttempts implements bridge.Overview.
func (c *Connector) SignInAttempts(ctx context.Context, cursor string, limit int) (bridge.SignInPage, error) {
	p, _, err := call[api.SignInAttemptPage](ctx, c, request{repeatable: true, optional: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.ListSignInAttemptsForBridge(ctx,
				&api.ListSignInAttemptsForBridgeParams{Cursor: optional(cursor), Limit: &limit}, auth)
		}})
	return bridge.SignInPage{Items: each(p.Items, fromAttempt), Next: value(p.NextCursor)}, missingIsNotFound(err)
}

func fromAttempt(a api.SignInAttempt) bridge.SignInAttempt {
	return bridge.SignInAttempt{
		First: a.FirstTime, Last: a.LastTime, Count: a.Count, Address: a.Address, Email: value(a.Email),
		Instance: value(a.Instance), Result: a.Result, RuleID: value(a.RuleId),
	}
}

// missingIsNotFound returns the error for an operation that the account need not have.
func missingIsNotFound(err error) error {
	if isMissing(err) {
		return &bridge.Error{Code: bridge.NotFound, Detail: "the account does not have this"}
	}
	return err
}
