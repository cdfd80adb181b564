package health

import (
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Checker collects the reports of a bridge's components. It caches nothing.
type Checker struct {
	Version, Build string
	Revision       string
	// Checks return the components' reports, in the order of display.
	Checks []func() Report
	// Overlap returns nil while only one bearer token is valid.
	Overlap func() *Overlap
	Now     func() time.Time
}

// severity lists the states from best to worst. Unknown does not affect the bridge's state.
var severity = []string{Healthy, Degraded, Sealed, Unhealthy}

// States returns the states of a bridge, from best to worst.
func States() []string { return slices.Clone(severity) }

// Health collects all reports. The bridge has the worst state of its components; one whose
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

// Codes returns the problems' codes without duplicates.
func Codes(problems []problem.Problem) []string {
	codes := make([]string, 0, len(problems))
	for _, p := range problems {
		if c := string(p.Code); !slices.Contains(codes, c) {
			codes = append(codes, c)
		}
	}
	return codes
}
