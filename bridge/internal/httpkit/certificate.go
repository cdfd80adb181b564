package httpkit

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificateCollector exports from when until when a certificate is valid.
type certificateCollector struct {
	from, until *prometheus.Desc
	validity    func() (notBefore, notAfter time.Time)
}

// RegisterCertificate adds gauges of the validity of a server's certificate, in Unix time; prefix begins their
// names. While there is no certificate, validity returns zero times and there are no gauges.
func (m *Metrics) RegisterCertificate(prefix string, validity func() (notBefore, notAfter time.Time)) {
	m.MustRegister(certificateCollector{
		from: prometheus.NewDesc(prefix+"_certificate_not_before_timestamp_seconds",
			"When the certificate that clients see was issued, in seconds since 1970.", nil, nil),
		until: prometheus.NewDesc(prefix+"_certificate_not_after_timestamp_seconds",
			"When the certificate that clients see expires, in seconds since 1970.", nil, nil),
		validity: validity,
	})
}

// Describe implements prometheus.Collector.
func (c certificateCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.from; ch <- c.until }

// Collect implements prometheus.Collector.
func (c certificateCollector) Collect(ch chan<- prometheus.Metric) {
	from, until := c.validity()
	if until.IsZero() {
		return
	}
	ch <- prometheus.MustNewConstMetric(c.from, prometheus.GaugeValue, float64(from.Unix()))
	ch <- prometheus.MustNewConstMetric(c.until, prometheus.GaugeValue, float64(until.Unix()))
}
