package bridge

import (
	"context"
	"time"
)

// A Hold is a suspension, or a removal from a group, that the account holds because
// the identity provider takes away more than the limit allows: it reads it done, and
// the person keeps it.
type Hold struct {
	ID       string
	UserName string
	// GroupName is the group of a removal; empty for a suspension.
	GroupName string
	Removal   bool
	Deleted   bool // the person was deleted, not only suspended
	Since     time.Time
	// RequestID is the request's in the log of the bridge that Client names.
	RequestID, Client, IdP string
}

// A HoldPage is some of the holds, oldest first.
type HoldPage struct {
	Items                 []Hold
	Next                  string // the cursor of the next page; empty on the last
	Suspensions, Removals int64  // in all
	AsOf                  time.Time
}

// A HoldDecision approves holds, which carries them out, or cancels them: then the
// identity provider reads again what is in force.
type HoldDecision struct {
	Approve bool
	IDs     []string
	// Until is set instead of IDs for all holds since then or before.
	Until time.Time
}

// Holds is the part of the account that holds what goes beyond the limit. Its errors
// are as a Directory's.
type Holds interface {
	// Holds lists holds, from a cursor on; the first ones if it is empty.
	Holds(ctx context.Context, cursor string, limit int) (HoldPage, error)
	// DecideHolds returns how many were decided. Those that are not held any more are
	// passed over, but if that is all, the code is NotFound.
	DecideHolds(ctx context.Context, d HoldDecision) (int64, error)
}
