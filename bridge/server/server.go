package server

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server/page"
)

// A Server is the bridge's HTTP handler.
type Server struct {
	Checker       *health.Checker
	Authenticator *Authenticator
	Metrics       *Metrics
	Page          *page.Page
	Explain       Explain
	Preview       Preview
	// AccessLog is completed by the server, with the fields of a line and the answer to a
	// panic.
	AccessLog httpkit.AccessLog
	SCIM      SCIM
	// Queue has SCIM requests wait for their turn. Nothing else does.
	Queue *fair.Queue
	// LongestWait is how long they wait at most, 10 s if zero.
	LongestWait time.Duration
	// Connection returns the state of the bridge's connection, as in package control.
	Connection func() string
}

// Handler returns the handler of all requests.
func (s *Server) Handler() http.Handler {
	scim := s.SCIM
	scim.Handler = s.Authenticator.RequireBearer(inTurn(s.Queue, cmp.Or(s.LongestWait, longestWait),
		s.Authenticator.check, scim.Handler))
	log := s.AccessLog
	log.Line, log.Internal = logLine, internalError
	return log.Handler(named(newTable(s.Routes(), scim)))
}

// Routes returns the bridge's own routes.
func (s *Server) Routes() []Route {
	return slices.Concat(s.routes(), s.Metrics.routes(s.Authenticator), s.Explain.routes(s.Authenticator),
		s.Preview.routes(s.Authenticator), s.pageRoutes())
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

func (s *Server) pageRoutes() []Route {
	var all []Route
	for _, r := range s.Page.Routes() {
		all = append(all, Route{Name: "app", Method: r.Method, Path: r.Path, Handler: r.Handler})
	}
	return all
}

func (s *Server) ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("pong\n"))
}

// ready answers 200 also while sealed and while the account is unreachable. SCIM is
// answered with 503 then, but a load balancer that removed the bridge would hide its
// status page from the operator.
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

// healthRefused answers a request that cannot be authenticated because the session cannot
// be read: with a health document for monitors that has only this problem. It reports
// whether it has answered.
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
