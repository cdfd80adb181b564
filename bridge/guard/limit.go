package guard

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// A grant is how many suspensions or removals may take effect, which are counted.
type grant struct {
	n    int64
	undo func() // if they did not take effect
}

// withdraw returns how many of n suspensions or removals may take effect now, and counts those, on disk: a process that
// is killed when it has told the directory must not allow as many again.
func (g *Guard) withdraw(ctx context.Context, k kind, n int64) (grant, error) {
	none := grant{undo: func() {}}
	limit := g.cfg.Limit
	if n == 0 || limit.Off {
		none.n = n
		return none, nil
	}
	var recent int64
	if err := g.view(func(s *state) { recent = s.recent(k, g.cfg.Now(), limit.Window) }); err != nil {
		return none, err
	}
	allowed := limit.Least
	if allowed-recent < n && limit.Percent > 0 {
		of, err := g.base(ctx, k, recent)
		if err != nil {
			return none, err
		}
		allowed = limit.Allowed(of)
	}
	// Counts within a thousandth of the window are one, so that there are few.
	at := g.cfg.Now().UTC().Truncate(max(limit.Window/1000, time.Millisecond))
	var granted int64
	err := g.update(func(s *state) change {
		granted = min(n, max(0, allowed-s.recent(k, g.cfg.Now(), limit.Window)))
		if granted == 0 {
			return change{}
		}
		return change{Counts: []count{{k, at, granted}}}
	})
	if err != nil || granted == 0 {
		return none, err
	}
	return grant{granted, func() {
		_ = g.update(func(*state) change { return change{Counts: []count{{k, at, -granted}}} }) // else it is less
	}}, nil
}

// bases are what the limit's percentage is of.
type bases struct {
	mu   sync.Mutex
	seen map[kind]base
}

type base struct {
	of int64
	at time.Time
}

const (
	// baseAge is how long a base is of use: it is asked for only when the limit's least number is used up.
	baseAge = 10 * time.Minute
	// baseTimeout bounds the time that a request waits for it. Without it, the limit's least number is what counts.
	baseTimeout = 10 * time.Second
)

// base returns of how many people, or memberships, the percentage is: those that are there, and those that the window
// has counted already, so that what is allowed does not shrink by its use.
func (g *Guard) base(ctx context.Context, k kind, recent int64) (int64, error) {
	g.bases.mu.Lock()
	defer g.bases.mu.Unlock()
	now := g.cfg.Now()
	if b, known := g.bases.seen[k]; known && now.Sub(b.at).Abs() < baseAge {
		return b.of, nil
	}
	limited, cancel := context.WithTimeout(ctx, baseTimeout)
	defer cancel()
	present := g.countMemberships
	if k == suspending {
		present = g.countActive
	}
	of, err := present(limited)
	switch {
	case err != nil && (ctx.Err() != nil || bridge.CodeOf(err) == bridge.TooMany ||
		errors.Is(err, bridge.ErrUnavailable) && limited.Err() == nil):
		return 0, err
	case err != nil:
		g.cfg.Log.Warn("the percentage of the suspension limit does not count: the directory cannot be counted",
			"of", string(k), "error", err)
		of = 0
	default:
		of += recent
	}
	if g.bases.seen == nil {
		g.bases.seen = map[kind]base{}
	}
	g.bases.seen[k] = base{of, now}
	return of, nil
}

// countActive asks how many there are. Where the server fails at such a filter, all are looked at.
func (g *Guard) countActive(ctx context.Context) (n int64, err error) {
	page, err := g.inner.SearchPeople(ctx, bridge.Query{
		Filter: &bridge.Predicate{Op: "eq", Path: []string{"active"}, Value: true},
	})
	if ctx.Err() != nil || !errors.Is(err, bridge.ErrUnavailable) {
		return page.Total, err
	}
	for at := int64(0); ; {
		page, err := g.inner.SearchPeople(ctx, bridge.Query{Offset: at, Limit: pageSize})
		if err != nil {
			return 0, err
		}
		for _, p := range page.Items {
			if !p.Suspended {
				n++
			}
		}
		if at += int64(len(page.Items)); len(page.Items) == 0 || at >= page.Total {
			return n, nil
		}
	}
}

func (g *Guard) countMemberships(ctx context.Context) (n int64, err error) {
	for at := int64(0); ; {
		page, err := g.inner.SearchGroups(ctx, bridge.Query{Offset: at, Limit: pageSize, WithMembers: true})
		if err != nil {
			return 0, err
		}
		for _, group := range page.Items {
			for _, m := range group.Members {
				if m.Type != groupType {
					n++
				}
			}
		}
		if at += int64(len(page.Items)); len(page.Items) == 0 || at >= page.Total {
			return n, nil
		}
	}
}
