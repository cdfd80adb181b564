package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// metrics are the account service's numbers.
type metrics struct{ *httpkit.Metrics }

func newMetrics(a *account.Account) metrics {
	m := metrics{httpkit.NewMetrics("scimbridge_account")}
	m.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "scimbridge_account_writes_total",
			Help: "Writes carried out.",
		}, func() float64 { return float64(a.Store.Stats().Writes) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "scimbridge_account_commits_total",
			Help: "Transactions committed; writes that wait together share one.",
		}, func() float64 { return float64(a.Store.Stats().Commits) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "scimbridge_account_refused_tokens_total",
			Help: "Requests refused for a wrong or expired admin token.",
		}, func() float64 { return float64(a.RefusedTokens()) }))
	return m
}
