package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// maxRefusedChanges is how many refused changes of one token are audited in an hour. A
// program that repeats a refused request without end must not fill the log.
const maxRefusedChanges = 60

// refusedChanges counts the refused changes of admin tokens. Only tokens that exist are counted.
type refusedChanges struct {
	mu     sync.Mutex
	tokens map[string]*refusedCount
}

type refusedCount struct {
	hour    time.Time
	audited int
	omitted int // since the last one that was audited
}

// take reports whether a refused change is audited, and how many of the token were not since the last one that was.
func (r *refusedChanges) take(token string, now time.Time) (omitted int, audit bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.tokens[token]
	if c == nil {
		c = new(refusedCount)
		if r.tokens == nil {
			r.tokens = make(map[string]*refusedCount)
		}
		r.tokens[token] = c
	}
	if hour := now.Truncate(time.Hour); hour != c.hour {
		c.hour, c.audited = hour, 0
	}
	if c.audited == maxRefusedChanges {
		c.omitted++
		return 0, false
	}
	c.audited++
	omitted, c.omitted = c.omitted, 0
	return omitted, true
}

// A RefusedChange is a request of an administrator that was refused.
type RefusedChange struct {
	Operation string // such as "DELETE /v1/tokens/{id}"
	Object    string // the id in the path, if any
	Status    int    // of HTTP
	Code      api.ErrorCode
}

// AuditRefusal records that a change of the caller in ctx, an admin token, was refused.
func (a *Account) AuditRefusal(ctx context.Context, c RefusedChange) error {
	omitted, audit := a.refusedChanges.take(CallerFrom(ctx).ID, a.Time())
	if !audit {
		return nil
	}
	summary := fmt.Sprintf("%s: %d %s", c.Operation, c.Status, c.Code)
	if id := CallerFrom(ctx).RequestID; id != "" {
		summary += ", request " + id
	}
	if omitted > 0 {
		summary += fmt.Sprintf("; %d refused changes of this token before it were not recorded", omitted)
	}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return a.Audit(ctx, tx, "change.refuse", c.Object, "%s", summary)
	})
}
