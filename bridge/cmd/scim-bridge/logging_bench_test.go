package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// What an access line costs, and how many writes of the log's file it takes.
func BenchmarkAccessLine(b *testing.B) {
	for _, format := range []string{"text", "json", "pretty"} {
		b.Run(format, func(b *testing.B) {
			f, err := os.OpenFile(filepath.Join(b.TempDir(), "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			w := &countedWrites{w: f}
			logger, _, closeLog := newLogger(w, "info", format, b.TempDir())
			defer closeLog()
			log := logger.Named("http")
			access := httpkit.AccessLog{
				Logger: log, Events: httpkit.NewEventLog(log), Metrics: httpkit.NewMetrics("test"),
				Line: func(r *http.Request, x *httpkit.Request, a httpkit.Answer) []any {
					return []any{
						"method", httpkit.Method(r.Method), "route", x.Route, "status", a.Status, "bytes", a.Bytes,
						"ms", a.Took.Milliseconds(), "client", x.Client, "request_id", x.ID,
						"resource_id", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "token", "current",
						"user_agent", "Okta SCIM Client 1.0.0",
					}
				},
			}
			h := access.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				httpkit.RequestFrom(r.Context()).Route = "users"
				httpkit.Admit(r.Context())
			}))
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
			answer := discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(answer, r)
			}
			b.ReportMetric(float64(w.n)/float64(b.N), "writes/op")
		})
	}
}

type countedWrites struct {
	w interface{ Write([]byte) (int, error) }
	n int
}

func (c *countedWrites) Write(p []byte) (int, error) {
	c.n++
	return c.w.Write(p)
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) WriteHeader(int)             {}
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
