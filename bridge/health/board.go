package health

import (
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Board shows how the bridge is. It keeps nothing: each component is asked
// when somebody looks.
type Board struct {
	Version, Build string
	Revision       string
	Components     []func() Report
	Overlap        func() *Overlap
	Now            func() time.Time
}

// severity is the order from well to ill. A part that is Unknown makes nothing worse.
var severity = []string{Healthy, Degraded, Sealed, Unhealthy}

// States lists the states of a bridge, from well to ill.
func States() []string { return slices.Clone(severity) }

// Health asks every component.
func (b *Board) Health() Health {
	now := b.Now()
	h := Health{
		Version:     b.Version,
		Build:       b.Build,
		State:       Healthy,
		Revision:    b.Revision,
		Reports:     make([]Report, 0, len(b.Components)),
		Problems:    []problem.Problem{},
		RetrievedAt: now.UTC(),
		Overlap:     b.Overlap(),
	}
	for _, ask := range b.Components {
		r := ask()
		r.Time, r.Expires = r.Time.UTC(), r.Expires.UTC()
		if now.After(r.Expires) {
			r.State = Unhealthy // it has stopped telling
		}
		if slices.Index(severity, r.State) > slices.Index(severity, h.State) {
			h.State = r.State
		}
		h.Reports = append(h.Reports, r)
		h.Problems = append(h.Problems, r.Problems...)
	}
	return h
}

// Codes lists the problems' codes, each once.
func Codes(problems []problem.Problem) []string {
	codes := make([]string, 0, len(problems))
	for _, p := range problems {
		if c := string(p.Code); !slices.Contains(codes, c) {
			codes = append(codes, c)
		}
	}
	return codes
}
