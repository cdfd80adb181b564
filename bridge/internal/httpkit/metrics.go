package httpkit

import (
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// Metrics are a server's numbers: those of Go and of the process, of the
// requests that it answered, and whatever the server registers besides. Every
// label has a closed set of values: what a client sends never makes a new
// time series.
type Metrics struct {
	*prometheus.Registry
	requests *RequestMetrics
}

// NewMetrics makes the metrics of one server; prefix begins the names of those
// about requests.
func NewMetrics(prefix string) *Metrics {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "_http_requests_total",
		Help: "Requests answered.",
	}, []string{"route", "method", "status"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    prefix + "_http_request_duration_seconds",
		Help:    "Time from the request's header to the end of the answer.",
		Buckets: DurationBuckets(),
	}, []string{"route"})
	m := &Metrics{Registry: prometheus.NewRegistry(), requests: NewRequestMetrics(requests, duration)}
	m.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		requests, duration)
	return m
}

// DurationBuckets are those of every duration of a request, in seconds.
func DurationBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25}
}

// Observe counts a request. The route is one of the server's own names.
func (m *Metrics) Observe(route, method string, status int, took time.Duration) {
	m.requests.Observe(route, method, status, took)
}

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{})
}

// WriteText writes what a scrape would get.
func (m *Metrics) WriteText(w io.Writer) error {
	families, err := m.Gather() // together with an error are those that could be gathered
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return err
		}
	}
	return err
}

// Method is the method of a request, or "other": it keeps made-up ones out of
// logs and labels.
func Method(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions:
		return method
	default:
		return "other"
	}
}
