package health

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// The states of a bridge, and of a part of it: one vocabulary for /health,
// /ready, the status page and the command line. What Terraform calls the
// status of a deployment is made of the connection (control.Status.State) by
// package deploy, and nowhere else.
const (
	Healthy   = "healthy"
	Degraded  = "degraded"  // it works, and an operator should look
	Sealed    = "sealed"    // it waits for the bearer token
	Unhealthy = "unhealthy" // SCIM requests are not carried out
	Unknown   = "unknown"   // of a part alone: it has not been able to look
)

// Health is the answer of GET /health.
type Health struct {
	Version     string            `json:"version"`
	Build       string            `json:"build"`
	State       string            `json:"state"` // the worst of the reports'
	Revision    string            `json:"revision"`
	Reports     []Report          `json:"reports"`
	Problems    []problem.Problem `json:"problems"`
	RetrievedAt time.Time         `json:"retrievedAt"`
	// Overlap is set while two bearer tokens work.
	Overlap *Overlap `json:"overlap,omitempty"`
}

// An Overlap is the time after a rotation in which the old bearer token works
// beside the new one.
type Overlap struct {
	Until time.Time `json:"until"`
	// LastUsed is when the old token was accepted last, since this bridge runs,
	// and LastUsedFrom the client's address.
	LastUsed     *time.Time `json:"oldTokenLastUsed,omitempty"`
	LastUsedFrom string     `json:"oldTokenLastUsedFrom,omitempty"`
}

// String says it in a sentence for people.
func (o Overlap) String() string {
	text := "the old bearer token still works, until " + o.Until.UTC().Format(time.RFC3339)
	if o.LastUsed == nil {
		return text + "; nobody has used it since this bridge runs"
	}
	return text + "; it was last used at " + o.LastUsed.UTC().Format(time.RFC3339) + " from " + o.LastUsedFrom
}

// A Report is what one component of a bridge tells of itself.
type Report struct {
	Source string    `json:"source"`
	Time   time.Time `json:"time"`
	// Expires is when the report is too old to be believed.
	Expires  time.Time         `json:"expires"`
	State    string            `json:"state"`
	Problems []problem.Problem `json:"-"` // listed together in Health
}

// Readiness is the answer of GET /ready.
type Readiness struct {
	State    string `json:"state"`
	Revision string `json:"revision"`
}
