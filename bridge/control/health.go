package control

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// How a bridge, or a part of it, is: one vocabulary for /health, /ready, the
// status page and the command line. Sealed stands between Degraded and
// Unhealthy. What Terraform calls the status of a deployment is made of the
// connection (Status.State) by package deploy, and nowhere else.
const (
	Healthy   = "healthy"
	Degraded  = "degraded"  // it works, and somebody should look
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
