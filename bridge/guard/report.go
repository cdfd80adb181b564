package guard

import (
	"errors"
	"strconv"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// heldCount is how much is held.
type heldCount struct {
	suspensions, removals int
	oldest                time.Time
}

func (n heldCount) all() int { return n.suspensions + n.removals }

func (g *Guard) count() (n heldCount, err error) {
	err = g.view(func(s *state) {
		for _, h := range s.holds {
			switch {
			case s.isAttached(h):
				continue
			case h.Group == "":
				n.suspensions++
			default:
				n.removals++
			}
			if n.oldest.IsZero() || h.Since.Before(n.oldest) {
				n.oldest = h.Since
			}
		}
	})
	return n, err
}

func (g *Guard) facts(n heldCount) problem.Facts {
	return problem.Facts{
		problem.FactCount:       strconv.Itoa(n.all()),
		problem.FactSuspensions: strconv.Itoa(n.suspensions),
		problem.FactRemovals:    strconv.Itoa(n.removals),
		problem.FactOldest:      n.oldest.UTC().Format(time.RFC3339),
		problem.FactDataDir:     g.cfg.DataDir,
	}
}

// Report reports what is held, and whether it can be read and written.
func (g *Guard) Report() health.Report {
	now := g.cfg.Now()
	r := health.Report{Source: "holds", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	g.mu.Lock()
	sealed := g.store == nil
	g.mu.Unlock()
	if sealed {
		return r
	}
	n, err := g.count()
	switch {
	case err != nil:
		g.mu.Lock()
		since := g.faulty
		g.mu.Unlock()
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}
		r.State = health.Unhealthy
		r.Problems = []problem.Problem{problem.New(problem.StorageFull, since, problem.Facts{
			problem.FactDataDir: g.cfg.DataDir, problem.FactHolds: "true", problem.FactReason: err.Error(),
		})}
	case n.all() > 0:
		r.State = health.Degraded
		r.Problems = []problem.Problem{problem.New(problem.SuspensionsHeld, n.oldest, g.facts(n))}
	}
	return r
}

// logHeld writes a line when holds appear and when they are gone, which scim-bridge diagnose understands.
func (g *Guard) logHeld() {
	g.mu.Lock()
	sealed, before := g.store == nil, g.logged
	g.mu.Unlock()
	if sealed {
		return
	}
	now, err := g.count()
	if err != nil {
		return
	}
	switch {
	case before.all() == 0 && now.all() > 0:
		f := g.facts(now)
		g.cfg.Log.Warn("the bridge holds suspensions or removals from groups",
			problem.LogKey, string(problem.SuspensionsHeld), problem.FactCount, f[problem.FactCount],
			problem.FactSuspensions, f[problem.FactSuspensions], problem.FactRemovals, f[problem.FactRemovals],
			problem.FactOldest, f[problem.FactOldest], problem.FactDataDir, f[problem.FactDataDir])
	case before.all() > 0 && now.all() == 0:
		g.cfg.Log.Info("a problem has passed", "passed", string(problem.SuspensionsHeld))
	}
	g.mu.Lock()
	g.logged = now
	g.mu.Unlock()
}
