package health

import (
	"slices"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A History knows since when each component has had its state, and the last problem that it had, as far as it was told
// by Note. It is safe for concurrent use.
type History struct {
	mu     sync.Mutex
	latest time.Time
	past   map[string]Past
}

// A Past is a component's.
type Past struct {
	State string
	Since time.Time
	// Last is the latest problem of the component, and Seen when it was last there; nil if it had none.
	Last *problem.Problem
	Seen time.Time
}

// Note records what the health is. One that was collected before another that is already recorded is passed over.
func (h *History) Note(now Health) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.RetrievedAt.Before(h.latest) {
		return
	}
	if h.latest = now.RetrievedAt; h.past == nil {
		h.past = make(map[string]Past)
	}
	for _, r := range now.Reports {
		p := h.past[r.Source]
		if p.State != r.State {
			p.State, p.Since = r.State, now.RetrievedAt
		}
		if len(r.Problems) > 0 {
			latest := slices.MaxFunc(r.Problems, func(a, b problem.Problem) int { return a.Since.Compare(b.Since) })
			p.Last, p.Seen = &latest, now.RetrievedAt
		}
		h.past[r.Source] = p
	}
}

// Of returns the past of a component; the zero value if nothing is known of it.
func (h *History) Of(source string) Past {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.past[source]
}
