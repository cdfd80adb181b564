package scim

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// A Meter measures the requests that a bridge sends to the far side. Its
// metrics have the names of those of requests to an account, of which a bridge
// with a far side has none.
type Meter struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewMeter returns a Meter whose metrics are in a registry.
func NewMeter(r prometheus.Registerer) *Meter {
	m := &Meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scimbridge_connector_requests_total",
			Help: "Requests sent to the directory behind the bridge, repetitions too; without an answer the status " +
				"is none or canceled.",
		}, []string{"operation", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "scimbridge_connector_request_duration_seconds",
			Help:    "Time from sending a request to the directory behind the bridge to the header of its answer.",
			Buckets: httpkit.DurationBuckets(),
		}, []string{"operation"}),
	}
	r.MustRegister(m.requests, m.duration)
	return m
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
	operation, status := operationOf(req.URL.EscapedPath()), "none"
	switch {
	case err == nil:
		status = strconv.Itoa(resp.StatusCode)
	case errors.Is(req.Context().Err(), context.Canceled): // as when the identity provider gives up
		status = "canceled"
	}
	t.meter.requests.WithLabelValues(operation, httpkit.Method(req.Method), status).Inc()
	t.meter.duration.WithLabelValues(operation).Observe(time.Since(began).Seconds())
	return resp, err
}

// operationOf returns the last of the endpoints in a path: a closed set, since paths have ids. The far side's address
// may have anything in front.
func operationOf(path string) string {
	segments := strings.Split(path, "/")
	for i := len(segments) - 1; i >= max(0, len(segments)-2); i-- {
		switch segments[i] {
		case "Users", "Groups", "ServiceProviderConfig":
			return strings.ToLower(segments[i])
		}
	}
	return "other"
}
