package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

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
