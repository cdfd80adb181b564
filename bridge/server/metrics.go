package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Metrics are the metrics of a bridge. In all of them, times are in seconds since 1970, and 0 is never.
type Metrics struct {
	*httpkit.Metrics
	tokens map[string]prometheus.Counter // by result
}

// NewMetrics returns the metrics of a bridge. It calls ask at each scrape.
func NewMetrics(version, commit string, ask func() health.Health) *Metrics {
	m := &Metrics{Metrics: httpkit.NewMetrics("scimbridge"), tokens: map[string]prometheus.Counter{}}
	tokens := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "scimbridge_token_checks_total",
		Help: "Bearer tokens checked, by result.",
	}, []string{"result"})
	for _, result := range Results() {
		m.tokens[result] = tokens.WithLabelValues(result) // all, so that rate() counts the first one
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "scimbridge_build_info",
		Help:        "Always 1; the labels identify the build.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit},
	})
	build.Set(1)
	m.MustRegister(build, tokens, healthCollector{ask})
	return m
}

func (m *Metrics) routes(a *Authenticator) []Route {
	return []Route{{
		Name: "metrics", Method: http.MethodGet, Path: "/metrics",
		Handler: a.RequireMonitoring(m.Handler()), Polled: true,
	}}
}

// RegisterAuthenticator adds when the identity provider last came.
func (m *Metrics) RegisterAuthenticator(a *Authenticator) {
	for _, token := range []string{TokenCurrent, TokenPrevious} {
		m.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "scimbridge_last_request_timestamp_seconds",
			Help:        "When a SCIM request with a right bearer token last came, since the bridge started.",
			ConstLabels: prometheus.Labels{"token": token},
		}, func() float64 { return toSeconds(a.LastRequest(token)) }))
	}
}

// TokenChecked counts a check, for Authenticator.Checked.
func (m *Metrics) TokenChecked(result string) { m.tokens[result].Inc() }

// healthCollector exports health as gauges of 0 or 1.
type healthCollector struct{ ask func() health.Health }

var (
	stateGauge = prometheus.NewDesc("scimbridge_state",
		"1 for the state of the bridge.", []string{"state"}, nil)
	problemGauge = prometheus.NewDesc("scimbridge_problem",
		"1 for each problem of the bridge.", []string{"code"}, nil)
	heldGauge = prometheus.NewDesc("scimbridge_holds",
		"Suspensions and removals from groups that the account holds.", []string{"kind"}, nil)
	heldSinceGauge = prometheus.NewDesc("scimbridge_holds_oldest_timestamp_seconds",
		"When the oldest of them was made; 0 if there are none.", nil, nil)
	overlapGauge = prometheus.NewDesc("scimbridge_overlap_end_timestamp_seconds",
		"Until when the previous bearer token is valid too; 0 if only one is.", nil, nil)
)

func (healthCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- stateGauge
	ch <- problemGauge
	ch <- heldGauge
	ch <- heldSinceGauge
	ch <- overlapGauge
}

// held returns how much the account holds, and since when, as the last heartbeat told.
func held(h health.Health) (suspensions, removals, oldest float64) {
	for _, p := range h.Problems {
		if p.Code == problem.SuspensionsHeld {
			suspensions, _ = strconv.ParseFloat(p.Details[problem.FactSuspensions], 64)
			removals, _ = strconv.ParseFloat(p.Details[problem.FactRemovals], 64)
			oldest = float64(p.Since.Unix())
		}
	}
	return suspensions, removals, oldest
}

func (c healthCollector) Collect(ch chan<- prometheus.Metric) {
	h := c.ask()
	for _, state := range health.States() {
		ch <- prometheus.MustNewConstMetric(stateGauge, prometheus.GaugeValue, toGauge(h.State == state), state)
	}
	found := map[problem.Code]bool{}
	for _, p := range h.Problems {
		found[p.Code] = true
	}
	for _, e := range problem.Catalogue() {
		ch <- prometheus.MustNewConstMetric(problemGauge, prometheus.GaugeValue, toGauge(found[e.Code]), string(e.Code))
	}
	suspensions, removals, oldest := held(h)
	ch <- prometheus.MustNewConstMetric(heldGauge, prometheus.GaugeValue, suspensions, "suspension")
	ch <- prometheus.MustNewConstMetric(heldGauge, prometheus.GaugeValue, removals, "removal")
	ch <- prometheus.MustNewConstMetric(heldSinceGauge, prometheus.GaugeValue, oldest)
	var until time.Time
	if h.Overlap != nil {
		until = h.Overlap.Until
	}
	ch <- prometheus.MustNewConstMetric(overlapGauge, prometheus.GaugeValue, toSeconds(until))
}

func toSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func toGauge(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
