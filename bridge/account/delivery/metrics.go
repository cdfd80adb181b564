package delivery

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp"
)

// metrics are those of sending.
type metrics struct {
	account  *account.Account
	attempts *prometheus.CounterVec
	duration prometheus.Histogram
}

// The results of an attempt.
const resultSent = "sent"

func newMetrics(a *account.Account) metrics {
	m := metrics{
		account: a,
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scimbridge_account_mail_attempts_total",
			Help: "Attempts to send a mail: sent; deferred and refused by the mail server's answer; connection if it " +
				"broke meanwhile; server if no mail can be sent.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "scimbridge_account_mail_attempt_duration_seconds",
			Help:    "How long an attempt to send a mail took.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}),
	}
	for _, result := range Results() {
		m.attempts.WithLabelValues(result)
	}
	return m
}

// Results lists the results of attempts in the metrics.
func Results() []string {
	results := []string{resultSent}
	for _, scope := range []smtp.Scope{smtp.AllMails, smtp.Connection, smtp.Later, smtp.Never} {
		results = append(results, scope.String())
	}
	return results
}

// observe counts an attempt.
func (m metrics) observe(took time.Duration, failure *smtp.Error) {
	result := resultSent
	if failure != nil {
		result = failure.Scope.String()
	}
	m.attempts.WithLabelValues(result).Inc()
	m.duration.Observe(took.Seconds())
}

var (
	mailsGauge = prometheus.NewDesc("scimbridge_account_mails",
		"Mails of the last 30 days.", []string{"state"}, nil)
	unsentGauge = prometheus.NewDesc("scimbridge_account_mails_unsent",
		"Mails that were refused or not sent in time, and that people still wait for; without sign-ups.", nil, nil)
	oldestGauge = prometheus.NewDesc("scimbridge_account_mails_oldest_waiting_timestamp_seconds",
		"When the oldest mail that waits, and was not sent before, was queued; without sign-ups; 0 if none waits.", nil,
		nil)
)

// Describe implements prometheus.Collector.
func (s *Sender) Describe(ch chan<- *prometheus.Desc) {
	s.metrics.attempts.Describe(ch)
	s.metrics.duration.Describe(ch)
	ch <- mailsGauge
	ch <- unsentGauge
	ch <- oldestGauge
}

// Collect implements prometheus.Collector. A database that does not answer has no mails to export; /ready says so.
func (s *Sender) Collect(ch chan<- prometheus.Metric) {
	s.metrics.attempts.Collect(ch)
	s.metrics.duration.Collect(ch)
	n, err := s.account.CountMails(context.Background())
	if err != nil {
		return
	}
	for state, count := range n.ByState {
		ch <- prometheus.MustNewConstMetric(mailsGauge, prometheus.GaugeValue, float64(count), state)
	}
	ch <- prometheus.MustNewConstMetric(unsentGauge, prometheus.GaugeValue, float64(n.Unsent))
	oldest := 0.0
	if !n.Oldest.IsZero() {
		oldest = float64(n.Oldest.UnixMicro()) / 1e6
	}
	ch <- prometheus.MustNewConstMetric(oldestGauge, prometheus.GaugeValue, oldest)
}
