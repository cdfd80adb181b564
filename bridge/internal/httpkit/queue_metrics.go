package httpkit

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
)

// RegisterQueue adds the numbers of the queue of requests; prefix begins their names.
func (m *Metrics) RegisterQueue(prefix string, q *fair.Queue) {
	m.MustRegister(&queueCollector{
		queue: q,
		running: prometheus.NewDesc(prefix+"_requests_running",
			"Requests that are carried out and had to have a place for it.", nil, nil),
		waiting: prometheus.NewDesc(prefix+"_requests_waiting", "Requests that wait for a place.", nil, nil),
		waited: prometheus.NewDesc(prefix+"_request_waits_total",
			"Requests that have waited for a place, whether or not they got one.", nil, nil),
		seconds: prometheus.NewDesc(prefix+"_request_wait_seconds_total",
			"How long they have waited, together.", nil, nil),
		refused: prometheus.NewDesc(prefix+"_requests_without_place_total",
			"Requests that got no place, by why: expected and waited are too long a wait, ended is a server that "+
				"stopped or was sealed, left is a client that had gone.", []string{"reason"}, nil),
	})
}

// A queueCollector exports a queue.
type queueCollector struct {
	queue                                      *fair.Queue
	running, waiting, waited, seconds, refused *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *queueCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.running, c.waiting, c.waited, c.seconds, c.refused} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *queueCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.queue.Stats()
	ch <- prometheus.MustNewConstMetric(c.running, prometheus.GaugeValue, float64(s.Running))
	ch <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(s.Waiting))
	ch <- prometheus.MustNewConstMetric(c.waited, prometheus.CounterValue, float64(s.Waited))
	ch <- prometheus.MustNewConstMetric(c.seconds, prometheus.CounterValue, s.WaitedFor.Seconds())
	for reason, n := range s.Refused {
		ch <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(n), string(reason))
	}
}
