package account

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// A Meter measures the requests that a bridge sends to its account.
type Meter struct{ requests *httpkit.RequestMetrics }

// NewMeter returns a Meter whose metrics are in a registry.
func NewMeter(r prometheus.Registerer) *Meter {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "scimbridge_connector_requests_total",
		Help: "Requests sent to the account, repetitions too; without an answer the status is none or canceled.",
	}, []string{"operation", "method", "status"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "scimbridge_connector_request_duration_seconds",
		Help:    "Time from sending a request to the account to the header of its answer.",
		Buckets: httpkit.DurationBuckets(),
	}, []string{"operation"})
	r.MustRegister(requests, duration)
	return &Meter{httpkit.NewRequestMetrics(requests, duration)}
}

// Transport returns a transport that sends as another one does, and measures.
func (m *Meter) Transport(next http.RoundTripper) http.RoundTripper { return metered{next, m} }

type metered struct {
	http.RoundTripper
	meter *Meter
}

// RoundTrip implements http.RoundTripper.
func (t metered) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := t.RoundTripper.RoundTrip(req)
	operation, status := operationOf(req.URL.EscapedPath()), httpkit.NoAnswer
	switch {
	case err == nil:
		status = resp.StatusCode
	case errors.Is(req.Context().Err(), context.Canceled): // as when the identity provider gives up
		status = httpkit.Canceled
	}
	t.meter.requests.Observe(operation, req.Method, status, time.Since(began))
	return resp, err
}

// The operations, by the beginning of the path: a closed set, since paths have ids.
var operations = []string{
	"auth/start", "auth/finish", "session", "session/heartbeat",
	"directory/people", "directory/groups", "directory/attention", "directory/holds",
}

// operationOf returns the name of the operation at an escaped path, to which the account's address may have added
// something in front.
func operationOf(path string) string {
	const root = "/v1/"
	i := strings.LastIndex(path, root)
	if i < 0 {
		return other
	}
	segments := strings.Split(path[i+len(root):], "/")
	if name := strings.Join(segments[:min(2, len(segments))], "/"); slices.Contains(operations, name) {
		return name
	}
	return other
}

const other = "other"
