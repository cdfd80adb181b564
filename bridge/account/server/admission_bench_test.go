package server_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// BenchmarkAdmission is what every request pays before its own work begins:
// the token, the firewall, the log line.
func BenchmarkAdmission(b *testing.B) {
	s, err := store.Open(b.Context(), storetest.New(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	a, err := account.Create(b.Context(), s, "Acme", time.Now, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	_, token, err := a.CreateToken(b.Context(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	h := server.New(server.Config{Account: a, Logger: hclog.NewNullLogger()})
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/whoami", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
