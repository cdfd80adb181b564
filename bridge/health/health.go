package health

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// The states of a bridge and of its components, for /health, /ready, the status page and
// the command line. Only package deploy translates the state of the connection
// (control.Status.State) to Terraform's status of a deployment.
const (
	Healthy   = "healthy"
	Degraded  = "degraded"  // it works, but has problems
	Sealed    = "sealed"    // it needs its bearer token
	Unhealthy = "unhealthy" // it cannot answer SCIM requests
	Unknown   = "unknown"   // of a component: not determined yet
)

// Health is the answer of GET /health.
type Health struct {
	Version     string            `json:"version"`
	Build       string            `json:"build"`
	State       string            `json:"state"` // the worst state of the reports
	Revision    string            `json:"revision"`
	Reports     []Report          `json:"reports"`
	Problems    []problem.Problem `json:"problems"`
	RetrievedAt time.Time         `json:"retrievedAt"`
	// Overlap is set while two bearer tokens are valid.
	Overlap *Overlap `json:"overlap,omitempty"`
}

// An Overlap is the time after a rotation in which the old bearer token is valid too.
type Overlap struct {
	Until time.Time `json:"until"`
	// LastUsed is when the old token was last accepted since this bridge started, and
	// LastUsedFrom the client's address.
	LastUsed     *time.Time `json:"oldTokenLastUsed,omitempty"`
	LastUsedFrom string     `json:"oldTokenLastUsedFrom,omitempty"`
}

// String describes the overlap as a clause.
func (o Overlap) String() string {
	text := "the old bearer token is valid until " + o.Until.UTC().Format(time.RFC3339)
	if o.LastUsed == nil {
		return text + "; it has not been used since this bridge started"
	}
	return text + "; it was last used at " + o.LastUsed.UTC().Format(time.RFC3339) + " from " + o.LastUsedFrom
}

// A Report is the health of one component.
type Report struct {
	Source string    `json:"source"`
	Time   time.Time `json:"time"`
	// Expires is when the report becomes too old to use.
	Expires  time.Time         `json:"expires"`
	State    string            `json:"state"`
	Problems []problem.Problem `json:"-"` // in Health's list
}

// Readiness is the answer of GET /ready.
type Readiness struct {
	State    string `json:"state"`
	Revision string `json:"revision"`
}
