package health

import (
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Checker asks every part of a bridge how it is. It keeps nothing: each
// answer is asked for anew.
type Checker struct {
	Version, Build string
	Revision       string
	// Checks are the parts' reports, in the order in which they are shown.
	Checks []func() Report
	// Overlap returns nil while one bearer token works.
	Overlap func() *Overlap
	Now     func() time.Time
}

// severity is the order from well to ill. A part that is Unknown makes nothing worse.
var severity = []string{Healthy, Degraded, Sealed, Unhealthy}

// States returns the states of a bridge, from well to ill.
func States() []string { return slices.Clone(severity) }

// Health asks every part. The bridge is as its worst part is; a part whose
// report has expired is unhealthy.
func (c *Checker) Health() Health {
	now := c.Now()
	h := Health{
		Version:     c.Version,
		Build:       c.Build,
		State:       Healthy,
		Revision:    c.Revision,
		Reports:     make([]Report, 0, len(c.Checks)),
		Problems:    []problem.Problem{},
		RetrievedAt: now.UTC(),
		Overlap:     c.Overlap(),
	}
	for _, check := range c.Checks {
		r := check()
		r.Time, r.Expires = r.Time.UTC(), r.Expires.UTC()
		if now.After(r.Expires) {
			r.State = Unhealthy
		}
		if slices.Index(severity, r.State) > slices.Index(severity, h.State) {
			h.State = r.State
		}
		h.Reports = append(h.Reports, r)
		h.Problems = append(h.Problems, r.Problems...)
	}
	return h
}

// Codes returns the problems' codes, each once.
func Codes(problems []problem.Problem) []string {
	codes := make([]string, 0, len(problems))
	for _, p := range problems {
		if c := string(p.Code); !slices.Contains(codes, c) {
			codes = append(codes, c)
		}
	}
	return codes
}
