package account

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Holds implements bridge.Holds. An account that does not know holds has none.
func (c *Connector) Holds(ctx context.Context, cursor string, limit int) (bridge.HoldPage, error) {
	if !c.State().HasHolds {
		return bridge.HoldPage{}, nil
	}
	p, _, err := call[api.HoldPage](ctx, c, request{repeatable: true, optional: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			params := &api.ListHoldsForBridgeParams{Cursor: optional(cursor), Limit: &limit}
			return account.ListHoldsForBridge(ctx, params, auth)
		}})
	if isMissing(err) || bridge.CodeOf(err) == bridge.NotFound {
		return bridge.HoldPage{}, nil
	}
	return bridge.HoldPage{
		Items: each(p.Items, fromHold), Next: value(p.NextCursor), AsOf: p.AsOf,
		Suspensions: p.Count.Suspensions, Removals: p.Count.Removals,
	}, err
}

func fromHold(h api.Hold) bridge.Hold {
	return bridge.Hold{
		ID: h.Id, UserName: h.UserName, GroupName: value(h.GroupName), Removal: h.Kind == api.Removal,
		Deleted: h.Deleted, Since: h.Since, RequestID: value(h.RequestId), Client: h.Client, IdP: value(h.Idp),
	}
}

// DecideHolds implements bridge.Holds. The next heartbeat tells how many are left.
func (c *Connector) DecideHolds(ctx context.Context, d bridge.HoldDecision) (int64, error) {
	in := api.HoldDecision{Decision: api.Cancel}
	if d.Approve {
		in.Decision = api.Approve
	}
	if d.Until.IsZero() {
		in.Ids = &d.IDs
	} else {
		in.AllUntil = &d.Until
	}
	decided, lost, err := call[api.HoldsDecided](ctx, c, request{repeatable: true, optional: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.DecideHoldsForBridge(ctx, in, auth)
		}})
	c.NotifyHeartbeat()
	if isMissing(err) {
		err = &bridge.Error{Code: bridge.NotFound, Detail: "the account holds nothing"}
	}
	return decided.Decided, deleted(lost, err)
}

// Held is how much the account holds of what the identity provider took away.
type Held struct {
	Suspensions, Removals int64
	Oldest                time.Time
	Database              string // of the account
}

// toHeld is nil if nothing is held, or if the account does not know holds.
func toHeld(n *api.HoldCount) *Held {
	if n == nil || n.Suspensions+n.Removals <= 0 {
		return nil
	}
	return &Held{
		Suspensions: n.Suspensions, Removals: n.Removals, Oldest: value(n.OldestSince).UTC(),
		Database: inputtext.ShortLine(value(n.Database), maxDetail),
	}
}

func (h *Held) equal(other *Held) bool {
	if h == nil || other == nil {
		return h == other
	}
	return *h == *other
}

func (h *Held) facts() problem.Facts {
	return problem.Facts{
		problem.FactCount:       strconv.FormatInt(h.Suspensions+h.Removals, 10),
		problem.FactSuspensions: strconv.FormatInt(h.Suspensions, 10),
		problem.FactRemovals:    strconv.FormatInt(h.Removals, 10),
		problem.FactOldest:      h.Oldest.Format(time.RFC3339),
		problem.FactDatabase:    h.Database,
	}
}

// report adds the problem to the report of a bridge that is signed in.
func (h *Held) report(r *health.Report) {
	r.State = health.Degraded
	r.Problems = append(r.Problems, problem.New(problem.SuspensionsHeld, h.Oldest, h.facts()))
}

// logHeld writes a line when holds appear and when they are gone, which scim-bridge
// diagnose understands.
func (c *Connector) logHeld(before, now *Held) {
	switch {
	case before == nil && now != nil:
		f := now.facts()
		c.cfg.Log.Warn("the account holds suspensions or removals from groups",
			problem.LogKey, string(problem.SuspensionsHeld), problem.FactCount, f[problem.FactCount],
			problem.FactSuspensions, f[problem.FactSuspensions], problem.FactRemovals, f[problem.FactRemovals],
			problem.FactOldest, f[problem.FactOldest], problem.FactDatabase, f[problem.FactDatabase])
	case before != nil && now == nil:
		c.cfg.Log.Info("a problem has passed", "passed", string(problem.SuspensionsHeld))
	}
}
