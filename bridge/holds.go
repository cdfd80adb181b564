package bridge

import (
	"context"
	"time"
)

// A Hold is a suspension, or a removal from a group, that the account holds, or the bridge before a
// SCIM server, because the identity provider takes away more than the limit allows: it reads it done,
// and the person keeps it.
type Hold struct {
	ID       string `json:"id"`
	UserName string `json:"user_name"`
	// GroupName is the group of a removal; empty for a suspension.
	GroupName string `json:"group_name,omitempty"`
	Removal   bool   `json:"removal"`
	// Deleted is set if the person was deleted, not only suspended.
	Deleted bool      `json:"deleted"`
	Since   time.Time `json:"since"`
	// RequestID is the request's in the log of the bridge that Client names.
	RequestID string `json:"request_id,omitempty"`
	Client    string `json:"client"`
	IdP       string `json:"idp,omitempty"`
	// Refused is why it could not be carried out when it was approved last; often empty.
	Refused string `json:"refused,omitempty"`
}

// A HoldPage is some of the holds, oldest first.
type HoldPage struct {
	Items []Hold `json:"items"`
	Next  string `json:"next,omitempty"` // the cursor of the next page; empty on the last
	// Suspensions and Removals are how many there are in all.
	Suspensions int64     `json:"suspensions"`
	Removals    int64     `json:"removals"`
	AsOf        time.Time `json:"as_of"`
}

// A HoldDecision approves holds, which carries them out, or cancels them: then the
// identity provider reads again what is in force.
type HoldDecision struct {
	Approve bool     `json:"approve"`
	IDs     []string `json:"ids,omitempty"`
	// Until is set instead of IDs for all holds since then or before.
	Until time.Time `json:"until,omitzero"`
}

// Holds is what holds that goes beyond the limit: a part of the account, or of the bridge. Its errors
// are as a Directory's.
type Holds interface {
	// Holds lists holds, from a cursor on; the first ones if it is empty.
	Holds(ctx context.Context, cursor string, limit int) (HoldPage, error)
	// DecideHolds returns how many were decided. Those that are not held any more are
	// passed over, but if that is all, the code is NotFound. With an error, others may still be held.
	DecideHolds(ctx context.Context, d HoldDecision) (int64, error)
}
