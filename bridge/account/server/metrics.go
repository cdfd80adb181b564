package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// metrics are the metrics of the account service.
type metrics struct{ *httpkit.Metrics }

func newMetrics(a *account.Account) metrics {
	m := metrics{httpkit.NewMetrics("scimbridge_account")}
	m.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "scimbridge_account_writes_total",
			Help: "Writes executed.",
		}, func() float64 { return float64(a.Store.Stats().Writes) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "scimbridge_account_commits_total",
			Help: "Transactions committed; concurrent writes share one.",
		}, func() float64 { return float64(a.Store.Stats().Commits) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "scimbridge_account_refused_tokens_total",
			Help: "Requests refused for an invalid or expired admin token.",
		}, func() float64 { return float64(a.RefusedTokens()) }))
	return m
}
