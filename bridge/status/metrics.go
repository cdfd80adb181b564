package status

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Metrics are the bridge's numbers. Every label has a closed set of values:
// what a client sends never makes a new time series.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
}

// NewMetrics makes the metrics of one bridge. Health is asked at each scrape.
func NewMetrics(version, commit string, health func() control.Health) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scimbridge_http_requests_total",
			Help: "Requests answered.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "scimbridge_http_request_duration_seconds",
			Help:    "Time from the request's header to the end of the answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25},
		}, []string{"route"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scimbridge_token_checks_total",
			Help: "Bearer tokens checked, by result.",
		}, []string{"result"}),
	}
	for _, result := range Results() {
		m.tokens.WithLabelValues(result) // so that rate() sees the first one
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "scimbridge_build_info",
		Help:        "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit},
	})
	build.Set(1)
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build, m.requests, m.duration, m.tokens, healthCollector{health})
	return m
}

// TokenChecked counts a check; it fits Gate.Checked.
func (m *Metrics) TokenChecked(result string) { m.tokens.WithLabelValues(result).Inc() }

func (m *Metrics) observe(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, knownMethod(method), strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}

// healthCollector shows health as gauges that are 0 or 1.
type healthCollector struct{ health func() control.Health }

var (
	stateGauge = prometheus.NewDesc("scimbridge_state",
		"1 for the state that the bridge is in.", []string{"state"}, nil)
	problemGauge = prometheus.NewDesc("scimbridge_problem",
		"1 for each problem that the bridge has found.", []string{"code"}, nil)
)

func (healthCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- stateGauge
	ch <- problemGauge
}

func (c healthCollector) Collect(ch chan<- prometheus.Metric) {
	h := c.health()
	for _, state := range severity {
		ch <- prometheus.MustNewConstMetric(stateGauge, prometheus.GaugeValue, truth(h.State == state), state)
	}
	found := map[problem.Code]bool{}
	for _, p := range h.Problems {
		found[p.Code] = true
	}
	for _, e := range problem.Catalogue() {
		ch <- prometheus.MustNewConstMetric(problemGauge, prometheus.GaugeValue, truth(found[e.Code]), string(e.Code))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
