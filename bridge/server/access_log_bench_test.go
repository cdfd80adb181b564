package server

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

func BenchmarkLogLine(b *testing.B) {
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/scim/v2/Users/fy34dmvcc4yrsmvk5mfnhezt4y", nil)
	r.Header.Set("User-Agent", "Okta SCIM Client 1.0.0")
	x := &httpkit.Request{
		ID: "QUGCKRDXOVYG3BDP5ZQYDVA4PB", Client: netip.MustParseAddr("192.0.2.1"), Route: "users", Caller: "current",
	}
	a := httpkit.Answer{Header: http.Header{}, Status: 200, Bytes: 1165, Took: 3 * time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		_ = logLine(r, x, a)
	}
}
