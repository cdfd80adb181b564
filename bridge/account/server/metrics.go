package server

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/ingress"
)

// metrics are the account service's numbers.
type metrics struct{ *ingress.Metrics }

func newMetrics(s *store.Store) metrics {
	m := metrics{ingress.NewMetrics("scimbridge_account")}
	m.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "scimbridge_account_writes_total",
			Help: "Writes carried out.",
		}, func() float64 { return float64(s.Stats().Writes) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "scimbridge_account_commits_total",
			Help: "Transactions committed; writes that wait together share one.",
		}, func() float64 { return float64(s.Stats().Commits) }))
	return m
}

// observe counts a request under the pattern that served it, which may begin
// with a method.
func (m metrics) observe(pattern, method string, status int, took time.Duration) {
	_, route, found := strings.Cut(pattern, " ")
	if !found {
		route = pattern
	}
	m.Observe(route, method, status, took)
}
