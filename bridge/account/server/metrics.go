package server

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
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
		}, func() float64 { return float64(a.RefusedTokens()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "scimbridge_account_audit_changed",
			Help: "1 if the audit log was changed, as far as this server has verified it.",
		}, func() float64 { return float64(min(1, len(a.AuditFinding().Faults))) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "scimbridge_account_audit_verified_timestamp_seconds",
			Help: "When the whole audit log was last verified; 0 before the first time.",
		}, func() float64 { return toSeconds(a.AuditFinding().VerifiedAt) }))
	return m
}

// holdCollector exports the holds. A database that does not answer has none to
// export; /ready says so.
type holdCollector struct{ directory *directory.Directory }

var (
	holdsGauge = prometheus.NewDesc("scimbridge_account_holds",
		"Suspensions and removals from groups that wait for a decision.", []string{"kind"}, nil)
	holdAgeGauge = prometheus.NewDesc("scimbridge_account_holds_oldest_timestamp_seconds",
		"When the oldest hold was made; 0 if there are none.", nil, nil)
)

func (holdCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- holdsGauge
	ch <- holdAgeGauge
}

func (c holdCollector) Collect(ch chan<- prometheus.Metric) {
	n, err := c.directory.CountHolds(context.Background())
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(holdsGauge, float64(n.Suspensions), "suspension")
	gauge(holdsGauge, float64(n.Removals), "removal")
	gauge(holdAgeGauge, toSeconds(n.Oldest))
}

func toSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

// A memberCollector exports how many members there are. It counts them once in memberPeriod, since that reads them all.
type memberCollector struct {
	directory *directory.Directory
	now       func() time.Time

	mu     sync.Mutex
	at     time.Time
	counts []directory.MemberCount
}

const memberPeriod = time.Minute

var membersGauge = prometheus.NewDesc("scimbridge_account_members",
	"Members by state, as of a minute ago at most.", []string{"state", "suspended"}, nil)

func (*memberCollector) Describe(ch chan<- *prometheus.Desc) { ch <- membersGauge }

func (c *memberCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); c.at.IsZero() || now.Sub(c.at) >= memberPeriod {
		counts, err := c.directory.CountMembers(context.Background())
		if err != nil {
			return
		}
		c.at, c.counts = now, counts
	}
	for _, n := range c.counts {
		ch <- prometheus.MustNewConstMetric(membersGauge, prometheus.GaugeValue, float64(n.Count), n.State,
			strconv.FormatBool(n.Suspended))
	}
}
