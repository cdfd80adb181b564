package server

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

// Administrators and bridges see and decide holds alike.

func (h directoryHandlers) ListHolds(
	ctx context.Context, r api.ListHoldsRequestObject,
) (api.ListHoldsResponseObject, error) {
	page, err := h.holds(ctx, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return api.ListHolds200JSONResponse(page), nil
}

func (h directoryHandlers) ListHoldsForBridge(
	ctx context.Context, r api.ListHoldsForBridgeRequestObject,
) (api.ListHoldsForBridgeResponseObject, error) {
	page, err := h.holds(ctx, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return api.ListHoldsForBridge200JSONResponse(page), nil
}

func (h directoryHandlers) DecideHolds(
	ctx context.Context, r api.DecideHoldsRequestObject,
) (api.DecideHoldsResponseObject, error) {
	decided, err := h.decide(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return api.DecideHolds200JSONResponse(decided), nil
}

func (h directoryHandlers) DecideHoldsForBridge(
	ctx context.Context, r api.DecideHoldsForBridgeRequestObject,
) (api.DecideHoldsForBridgeResponseObject, error) {
	decided, err := h.decide(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return api.DecideHoldsForBridge200JSONResponse(decided), nil
}

func (h directoryHandlers) holds(ctx context.Context, from *api.Cursor, most *api.Limit) (api.HoldPage, error) {
	cursor, limit, err := paging(from, most)
	if err != nil {
		return api.HoldPage{}, err
	}
	count, err := h.directory.CountHolds(ctx) // first: what comes meanwhile is not as of then
	if err != nil {
		return api.HoldPage{}, err
	}
	page, err := h.directory.Holds(ctx, cursor, limit)
	return api.HoldPage{
		Items: toAll(page.Items, ToHold), Count: toHoldCount(count), AsOf: count.AsOf, NextCursor: optional(page.Next),
	}, err
}

func (h directoryHandlers) decide(ctx context.Context, in api.HoldDecision) (api.HoldsDecided, error) {
	decision := directory.Decision(in.Decision)
	switch {
	case decision != directory.Approve && decision != directory.Cancel:
		return api.HoldsDecided{}, malformed("/decision", "unknown decision %q; use approve or cancel", in.Decision)
	case (in.Ids == nil) == (in.AllUntil == nil):
		return api.HoldsDecided{}, malformed("/ids", "give the ids of holds, or all_until")
	case in.AllUntil != nil:
		decided, err := h.directory.DecideAllHolds(ctx, decision, *in.AllUntil)
		return api.HoldsDecided{Decided: int64(decided), Gone: []string{}}, err
	}
	decided, gone, err := h.directory.DecideHolds(ctx, decision, *in.Ids)
	return api.HoldsDecided{Decided: int64(decided), Gone: append([]string{}, gone...)}, err
}

// ToHold returns a hold as the API has it.
func ToHold(h directory.Hold) api.Hold {
	out := api.Hold{
		Id: h.ID, Kind: api.HoldKind(h.Kind()), MemberId: h.MemberID, Address: optional(h.Address), Name: h.Name,
		PersonId: h.PersonID, UserName: h.UserName, Deleted: !h.Managed, Since: h.Since,
		RequestId: optional(h.RequestID), Client: h.Client, Idp: optional(h.IdP),
	}
	if h.GroupID != "" {
		out.GroupId, out.GroupName = &h.GroupID, &h.GroupName
	}
	return out
}

func toHoldCount(n directory.HoldCount) api.HoldCount {
	return api.HoldCount{Suspensions: n.Suspensions, Removals: n.Removals, OldestSince: optionalTime(n.Oldest)}
}
