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

// A Meter measures the requests that a bridge sends to its account, or to the SCIM server in its place.
type Meter struct{ requests *httpkit.RequestMetrics }

// NewMeter returns a Meter whose metrics are in a registry.
func NewMeter(r prometheus.Registerer) *Meter {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "scimbridge_connector_requests_total",
		Help: "Requests sent to the account or the SCIM server, repetitions too; without an answer the status is " +
			"none or canceled.",
	}, []string{"operation", "method", "status"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "scimbridge_connector_request_duration_seconds",
		Help:    "Time from sending a request to the account or the SCIM server to the header of its answer.",
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

// Observe counts a request that was answered without a transport, in the account's own process.
func (m *Meter) Observe(operation Operation, method string, status int, took time.Duration) {
	m.requests.Observe(string(operation), method, status, took)
}

// An Operation names requests in the metrics, by the beginning of the path: a closed set, since paths have ids.
type Operation string

// The operations of a Directory.
const (
	People Operation = "directory/people"
	Groups Operation = "directory/groups"
)

var operations = []string{
	"auth/start", "auth/finish", "session", "session/heartbeat",
	string(People), string(Groups), "directory/attention", "directory/holds",
}

// operationOf returns the name of the operation at an escaped path, to which the address of the account, or of the SCIM
// server in its place, may have added something in front.
func operationOf(path string) string {
	const root = "/v1/"
	if i := strings.LastIndex(path, root); i >= 0 {
		segments := strings.Split(path[i+len(root):], "/")
		if name := strings.Join(segments[:min(2, len(segments))], "/"); slices.Contains(operations, name) {
			return name
		}
	}
	return scimOperationOf(path)
}

// scimEndpoints are those that a SCIM server is asked at (RFC 7644 section 3.2), with the names of their operations.
var scimEndpoints = map[string]string{
	"Users": "scim/users", "Groups": "scim/groups", "ServiceProviderConfig": "scim/service_provider_config",
}

// scimOperationOf names a request to a SCIM server: about one resource, or about the endpoint.
func scimOperationOf(path string) string {
	segments := strings.Split(path, "/")
	last := len(segments) - 1
	if last > 0 && scimEndpoints[segments[last-1]] != "" {
		return scimEndpoints[segments[last-1]] + "/id"
	}
	if name := scimEndpoints[segments[last]]; name != "" {
		return name
	}
	return other
}

const other = "other"
