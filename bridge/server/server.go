package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Server is all that the bridge answers over HTTP.
type Server struct {
	Checker *health.Checker
	Gate    *Gate
	Metrics *Metrics
	Page    *Page
	Access  *Access
	SCIM    http.Handler
	// Connection is the state of the bridge's connection in package control's words.
	Connection func() string
}

// Handler mounts the parts.
func (s *Server) Handler() http.Handler {
	own := http.NewServeMux()
	own.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/app", http.StatusFound)
	})
	own.HandleFunc("GET /ping", s.ping)
	own.HandleFunc("GET /ready", s.ready)
	own.Handle("GET /health", s.Gate.ObserverOr(http.HandlerFunc(s.health), s.healthRefused))
	own.Handle("GET /metrics", s.Gate.Observer(s.Metrics.Handler()))
	s.Page.mount(own)
	scim := s.Gate.Bearer(s.SCIM)
	return s.Access.Log(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// SCIM goes past the mux, which would answer a doubled slash with a
		// redirect that few identity providers follow, and the unknown with a
		// 404 that makes some of them forget a resource.
		if isOwn(r.URL.Path) {
			own.ServeHTTP(w, r)
			return
		}
		scim.ServeHTTP(w, r)
	}))
}

// isOwn tells the bridge's own pages from SCIM.
func isOwn(path string) bool {
	switch path {
	case "/", "/ping", "/ready", "/health", "/metrics", "/app", "/favicon.ico":
		return true
	default:
		return strings.HasPrefix(path, "/app/")
	}
}

func (s *Server) ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("pong\n"))
}

// ready is 200 also while sealed, and while the account is away: SCIM is
// answered with 503 then, and a load balancer that took the bridge out would
// hide the status page from whoever looks for the reason.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	state, code := s.Checker.Health().State, http.StatusOK
	switch s.Connection() {
	case control.Starting, control.Draining, control.SessionUnreadable:
		state, code = health.Unhealthy, http.StatusServiceUnavailable
	}
	writeJSON(w, code, health.Readiness{State: state, Revision: s.Checker.Revision})
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	h := s.Checker.Health()
	code := http.StatusOK
	if h.State != health.Healthy && h.State != health.Degraded {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, h)
}

// healthRefused answers those who cannot be let in because there is no session
// that a token could open: in the form of /health, which a monitor reads, with
// the one thing that may be told. It reports whether it has answered.
func (s *Server) healthRefused(w http.ResponseWriter, err error) bool {
	refusal, ok := errors.AsType[*control.Refusal](err)
	if !ok || refusal.Code != problem.SessionUnreadable {
		return false
	}
	now := s.Checker.Now()
	w.Header().Set("Retry-After", "10")
	writeJSON(w, http.StatusServiceUnavailable, health.Health{
		State:       health.Unhealthy,
		Revision:    s.Checker.Revision,
		Reports:     []health.Report{},
		Problems:    []problem.Problem{problem.New(problem.SessionUnreadable, now, nil)},
		RetrievedAt: now.UTC(),
	})
	return true
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // fails only when the client is gone
}
