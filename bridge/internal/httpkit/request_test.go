package httpkit_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// readDeadlines notes until when a body may be read.
type readDeadlines struct {
	http.ResponseWriter
	set []time.Time
}

func (d *readDeadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

// A stranger's body is hurried, and that of a request with a secret is not. One without a body needs no deadline beside
// the server's.
func TestUntilWhenABodyMayBeRead(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, row := range []struct {
		name       string
		length     int64
		isAdmitted bool
		want       []time.Duration // from the request's beginning
	}{
		{"of a stranger", 10, false, []time.Duration{5 * second}},
		{"of a stranger that does not say how long it is", -1, false, []time.Duration{5 * second}},
		{"of a request with a secret", 10, true, []time.Duration{5 * second, 60 * second}},
		{"a stranger's request has none", 0, false, nil},
		{"a request with a secret has none", 0, true, nil},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.ContentLength = row.length
		w := &readDeadlines{ResponseWriter: httptest.NewRecorder()}
		before := time.Now()
		r, _ = httpkit.Begin(w, r, nil)
		if row.isAdmitted {
			httpkit.Admit(r.Context())
			httpkit.Admit(r.Context()) // once is enough
		}
		took := time.Since(before)
		if len(w.set) != len(row.want) {
			t.Fatalf("%s: %d deadlines, want %d", row.name, len(w.set), len(row.want))
		}
		for i, want := range row.want {
			if got := w.set[i].Sub(before); got < want || got > want+took {
				t.Errorf("%s: deadline %d is after %s, want %s", row.name, i, got, want)
			}
		}
	}
}
