package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// deadlines notes until when an answer may be written.
type deadlines struct {
	http.ResponseWriter
	write time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }

// Writing 100,000 members takes longer than the sixty seconds of anything else,
// and the connection must not be cut meanwhile.
func TestPatienceGrowsWithTheRequest(t *testing.T) {
	t.Parallel()
	s := &server{Config: Config{Logger: hclog.NewNullLogger()}, metrics: newMetrics(nil)}
	var left time.Duration
	h := s.observe(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		deadline, _ := r.Context().Deadline()
		left = time.Until(deadline)
	}))
	for _, row := range []struct {
		name         string
		bytes        int64
		least, bound time.Duration
	}{
		{"nothing", 0, 55 * time.Second, time.Minute},
		{"an unknown length", -1, 55 * time.Second, time.Minute},
		{"100,000 members", 3_000_000, 2 * time.Minute, 3 * time.Minute},
		{"more than anybody sends", 1 << 62, 4 * time.Minute, 5 * time.Minute},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/", nil)
		r.ContentLength = row.bytes
		w := &deadlines{ResponseWriter: httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		if left < row.least || left > row.bound {
			t.Errorf("%s may take %s, want %s to %s", row.name, left, row.least, row.bound)
		}
		if answer := time.Until(w.write); answer < left {
			t.Errorf("%s may take %s, and its connection is cut in %s", row.name, left, answer)
		}
	}
}

// A panic shows nothing but a request id, under which the log has the rest,
// and the server goes on.
func TestPanicBecomesAProblem(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := &server{Config: Config{Logger: hclog.New(&hclog.LoggerOptions{Output: &log})}, metrics: newMetrics(nil)}
	h := s.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the cause") }))
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if w.Code != http.StatusInternalServerError || p.Code != "internal" || p.RequestId == nil {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "the cause") {
			t.Error("the client was told the cause")
		}
		if !strings.Contains(log.String(), *p.RequestId) || !strings.Contains(log.String(), "the cause") {
			t.Errorf("the log is\n%s", log.String())
		}
	}
}
