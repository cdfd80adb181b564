package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Server is all that the bridge answers over HTTP.
type Server struct {
	Checker       *health.Checker
	Authenticator *Authenticator
	Metrics       *Metrics
	Page          *Page
	// AccessLog gets its lines and the answer to a panic from the server.
	AccessLog httpkit.AccessLog
	SCIM      SCIM
	// Connection is the state of the bridge's connection in package control's words.
	Connection func() string
}

// Handler returns the handler of every request.
func (s *Server) Handler() http.Handler {
	scim := s.SCIM
	scim.Handler = s.Authenticator.RequireBearer(scim.Handler)
	log := s.AccessLog
	log.Line, log.Internal = logLine, internalError
	return log.Handler(named(newTable(s.Routes(), scim)))
}

// Routes returns what the bridge answers beside SCIM, each part's own.
func (s *Server) Routes() []Route {
	return slices.Concat(s.routes(), s.Metrics.routes(s.Authenticator), s.Page.routes())
}

func (s *Server) routes() []Route {
	toPage := http.RedirectHandler("/app", http.StatusFound)
	monitored := s.Authenticator.RequireMonitoringOr(http.HandlerFunc(s.health), s.healthRefused)
	return []Route{
		{Name: "app", Method: http.MethodGet, Path: "/", Handler: toPage},
		{Name: "ping", Method: http.MethodGet, Path: "/ping", Handler: http.HandlerFunc(s.ping), Polled: true},
		{Name: "ready", Method: http.MethodGet, Path: "/ready", Handler: http.HandlerFunc(s.ready), Polled: true},
		{Name: "health", Method: http.MethodGet, Path: "/health", Handler: monitored},
	}
}

func (s *Server) ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("pong\n"))
}

// ready is 200 also while sealed, and while the account is away: SCIM is
// answered with 503 then, and a load balancer that took the bridge out would
// hide the status page from the operator who looks for the reason.
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

// healthRefused answers a request that is refused because there is no session
// that a token could open: in the form of /health, which a monitor reads, with
// the one thing that may be told. It reports whether it has answered.
func (s *Server) healthRefused(w http.ResponseWriter, err error) bool {
	refusal, ok := errors.AsType[*auth.Error](err)
	if !ok || refusal.Kind != auth.Unreadable {
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
