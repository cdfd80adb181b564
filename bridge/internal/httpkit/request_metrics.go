package httpkit

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RequestMetrics are the number of requests and their durations. It keeps the metrics of all labels that it has seen,
// which come from closed sets: Prometheus takes longer to find them than to count.
type RequestMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec

	adding sync.Mutex
	known  atomic.Pointer[map[requestLabels]requestMetrics] // never changed, but replaced by a copy with one more
}

type requestLabels struct {
	name, method string
	status       int
}

type requestMetrics struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// NewRequestMetrics counts with requests, whose labels are a name, the method and the status, and measures with
// duration, whose label is the name.
func NewRequestMetrics(requests *prometheus.CounterVec, duration *prometheus.HistogramVec) *RequestMetrics {
	m := &RequestMetrics{requests: requests, duration: duration}
	m.known.Store(&map[requestLabels]requestMetrics{})
	return m
}

// What stands in the place of a status if there is none.
const (
	NoAnswer = -1
	Canceled = -2 // by the client
)

// Observe counts a request. The name is one of a closed set.
func (m *RequestMetrics) Observe(name, method string, status int, took time.Duration) {
	labels := requestLabels{name, Method(method), status}
	of, found := (*m.known.Load())[labels]
	if !found {
		of = m.add(labels)
	}
	of.requests.Inc()
	of.duration.Observe(took.Seconds())
}

func (m *RequestMetrics) add(labels requestLabels) requestMetrics {
	m.adding.Lock()
	defer m.adding.Unlock()
	of := requestMetrics{
		m.requests.WithLabelValues(labels.name, labels.method, statusLabel(labels.status)),
		m.duration.WithLabelValues(labels.name),
	}
	known := maps.Clone(*m.known.Load())
	known[labels] = of
	m.known.Store(&known)
	return of
}

func statusLabel(status int) string {
	switch status {
	case NoAnswer:
		return "none"
	case Canceled:
		return "canceled"
	default:
		return strconv.Itoa(status)
	}
}
