package httpkit

import (
	"net/http"
	"testing"
	"time"
)

func BenchmarkARequestIsCounted(b *testing.B) {
	m := NewMetrics("test")
	b.ReportAllocs()
	for b.Loop() {
		m.Observe("users", http.MethodGet, http.StatusOK, time.Millisecond)
	}
}

func BenchmarkRequestsAreCountedInParallel(b *testing.B) {
	m := NewMetrics("test")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Observe("users", http.MethodGet, http.StatusOK, time.Millisecond)
		}
	})
}
