package status

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// A Server is all that the bridge answers over HTTP.
type Server struct {
	Board   *Board
	Gate    *Gate
	Metrics *Metrics
	Page    *Page
	Access  *Access
	SCIM    http.Handler
	// State is the bridge's state in package control's words.
	State func() string
}

// Handler mounts the parts. What is not the bridge's own page is SCIM: it is
// served under three prefixes, and a client that asks for something unknown
// must get SCIM's answer to that.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/app", http.StatusFound)
	})
	mux.HandleFunc("GET /ping", s.ping)
	mux.HandleFunc("GET /ready", s.ready)
	mux.Handle("GET /health", s.Gate.Observer(http.HandlerFunc(s.health)))
	mux.Handle("GET /metrics", s.Gate.Observer(promhttp.HandlerFor(s.Metrics.registry, promhttp.HandlerOpts{})))
	s.Page.mount(mux)
	mux.Handle("/", s.Gate.Bearer(s.SCIM))
	return s.Access.Log(mux)
}

func (s *Server) ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("pong\n"))
}

// ready is 200 also while sealed, and while the account is away: SCIM is
// answered with 503 then, and a load balancer that took the bridge out would
// hide the status page from whoever looks for the reason.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	state := s.State()
	code := http.StatusOK
	switch state {
	case control.Starting, control.Draining, control.SessionUnreadable:
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, control.Readiness{State: state, Revision: s.Board.Revision})
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	h := s.Board.Health()
	code := http.StatusOK
	if h.State != control.Healthy && h.State != control.Degraded {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, h)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // fails only when the client is gone
}
