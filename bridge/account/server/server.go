package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/web"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// Config configures the server.
type Config struct {
	Account *account.Account
	// TrustedProxies are the networks whose X-Forwarded-For header is trusted.
	TrustedProxies []netip.Prefix
	Logger         hclog.Logger
	// Events logs events that unauthenticated clients can cause; nil uses Logger.
	Events *httpkit.EventLog
	// LimitRaised is called after a request that may have raised the suspension limit, when
	// its transaction has ended: then directory.ReleaseHolds is due, which may take minutes.
	// It must not block. Nil does nothing.
	LimitRaised func()
	// Certificate returns the validity of the server's certificate, for the metrics; nil for plain HTTP.
	Certificate func() (notBefore, notAfter time.Time)
	// Queue has requests wait for their turn; nil is one with the default number of places.
	Queue *fair.Queue
	// LongestWait is how long they wait at most, 10 s if zero.
	LongestWait time.Duration
	// Collectors are the metrics of what runs beside the server.
	Collectors []prometheus.Collector
}

// timeout returns how long a request may take. A body of some megabytes has a hundred
// thousand members to write, which takes longer.
func timeout(contentLength int64) time.Duration {
	const (
		ordinary = 60 * time.Second
		longest  = 5 * time.Minute
		perByte  = time.Millisecond / 32 // a member has some thirty bytes
	)
	return min(ordinary+time.Duration(min(max(0, contentLength), 64<<20))*perByte, longest)
}

// answering is how long sending an answer may take.
const answering = 30 * time.Second

type server struct {
	Config
	http.Handler // every route
	mux          *http.ServeMux
	metrics      metrics
}

// handlers implements the whole API.
type handlers struct {
	directoryHandlers
	administration
}

// New returns a handler for the account: the API, the public pages, the metrics and
// the two probes.
func New(c Config) http.Handler { return build(c) }

func build(c Config) *server {
	if c.Events == nil {
		c.Events = httpkit.NewEventLog(c.Logger)
	}
	if c.Queue == nil {
		c.Queue = fair.New(fair.DefaultPlaces())
	}
	c.LongestWait = cmp.Or(c.LongestWait, longestWait)
	people := directory.New(c.Account)
	s := &server{Config: c, mux: http.NewServeMux(), metrics: newMetrics(c.Account)}
	if c.Certificate != nil {
		s.metrics.RegisterCertificate("scimbridge_account", c.Certificate)
	}
	s.metrics.MustRegister(c.Collectors...)
	s.metrics.RegisterQueue("scimbridge_account", c.Queue)
	s.metrics.MustRegister(holdCollector{people}, &memberCollector{directory: people, now: c.Account.Time})
	api.HandlerWithOptions(
		api.NewStrictHandlerWithOptions(
			&handlers{directoryHandlers{people}, administration{c.Account, people}}, nil,
			api.StrictHTTPServerOptions{
				RequestErrorHandlerFunc: s.badRequest, ResponseErrorHandlerFunc: s.writeProblem,
			},
		),
		api.StdHTTPServerOptions{BaseRouter: s, ErrorHandlerFunc: s.badRequest},
	)
	s.mux.Handle("GET /ping", named("GET /ping", http.HandlerFunc(s.ping)))
	s.mux.Handle("GET /ready", named("GET /ready", http.HandlerFunc(s.ready)))
	s.mux.Handle("GET /v1/openapi.yaml", named("GET /v1/openapi.yaml", http.HandlerFunc(s.document)))
	s.HandleFunc(metricsPattern, s.metrics.Handler().ServeHTTP)
	web.Mount(
		s.mux,
		web.Config{Account: c.Account, Directory: people, Route: public, Fault: func(r *http.Request, err error) {
			httpkit.RequestFrom(r.Context()).Fail(err)
		}},
	)
	s.mux.Handle("/", named("/", http.HandlerFunc(s.unknown)))
	s.Handler = s.observe(s.mux)
	return s
}

const metricsPattern = "GET /metrics"

// HandleFunc implements api.ServeMux: every operation of the API is
// registered behind withAuth.
func (s *server) HandleFunc(pattern string, handle func(http.ResponseWriter, *http.Request)) {
	s.mux.Handle(pattern, named(pattern, s.withAuth(pattern, http.HandlerFunc(handle))))
}

// named sets the route in the access log.
func named(pattern string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpkit.RequestFrom(r.Context()).Route = pattern
		next.ServeHTTP(w, r)
	})
}

// public serves a page without authentication: the link identifies the person.
func public(pattern string, next http.Handler) http.Handler {
	return named(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := account.Caller{Kind: account.ByPerson, Address: httpkit.RequestFrom(r.Context()).Client}
		next.ServeHTTP(w, r.WithContext(account.WithCaller(r.Context(), caller)))
	}))
}

// withAuth calls next if the caller may use the operation and the body is valid for
// it. The caller is checked first, so that unauthenticated clients learn nothing
// about bodies.
func (s *server) withAuth(pattern string, next http.Handler) http.Handler {
	authenticate := s.authenticatorOf(pattern)
	form, takesBody := bodies[pattern]
	queryParameters, inAPI := queryNames(pattern), strings.Contains(pattern, " /v1/")
	changes := changes(pattern)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // answers contain tokens and personal data
		r, err := authenticate(r)
		if changes && account.CallerFrom(r.Context()).Kind == account.ByToken {
			ctx, refused := withRefusal(r.Context())
			r = r.WithContext(ctx)
			defer func() { s.auditRefusal(r, pattern, *refused) }()
		}
		if err != nil {
			s.writeProblem(w, r, err)
			return
		}
		leave, err := s.enter(r, pattern, authenticate)
		if err != nil {
			s.writeProblem(w, r, err)
			return
		}
		defer leave()
		body, err := readBody(w, r, limitOf(pattern))
		if err == nil && inAPI && r.URL.RawQuery != "" {
			err = checkQuery(r, queryParameters)
		}
		if err == nil && takesBody {
			err = checkBody(body, form)
		}
		if err != nil {
			s.writeProblem(w, r, err)
			return
		}
		if raising[pattern] && s.LimitRaised != nil {
			defer s.LimitRaised()
		}
		if key := r.Header.Get("Idempotency-Key"); key != "" && repeatable[pattern] {
			s.idempotent(w, r, key, body, next, pattern == createToken)
			return
		}
		// A client that polls ten thousand rules gets them only once.
		next.ServeHTTP(httpkit.NotModified(w, r), r)
	})
}

// authenticatorOf returns the authenticator for the callers of an operation.
func (s *server) authenticatorOf(pattern string) authenticator {
	_, path, _ := strings.Cut(pattern, " ")
	switch {
	case strings.HasPrefix(path, "/v1/auth/"):
		return func(r *http.Request) (*http.Request, error) { return r, nil }
	case strings.HasPrefix(path, "/v1/session"), strings.HasPrefix(path, "/v1/directory/"):
		return s.authenticated(s.Account.AdmitSession)
	default:
		return s.authenticated(s.tokenFor(pattern))
	}
}

// evaluations are the admin operations that change nothing but are not GET.
var evaluations = map[string]bool{"POST /v1/firewall/evaluate": true}

// changes reports whether an operation is one that changes the account.
func changes(pattern string) bool {
	return !strings.HasPrefix(pattern, "GET ") && !evaluations[pattern]
}

// tokenFor returns a verifier of admin tokens whose scope covers an operation.
func (s *server) tokenFor(pattern string) verifier {
	changes := changes(pattern)
	return func(ctx context.Context, secret string, address netip.Addr) (account.Caller, error) {
		caller, err := s.Account.AdmitToken(ctx, secret, address)
		if err == nil && changes && caller.Scope != account.ScopeAdmin {
			err = &account.Error{
				Status: http.StatusForbidden, Code: api.ErrorCodeScopeInsufficient, Title: "The token is read-only",
				Detail: fmt.Sprintf(
					"the admin token has the scope %q, which covers all GETs and evaluations; "+
						"this operation needs the scope %q: create a token with scim-bridge account token create "+
						"--scope admin",
					caller.Scope,
					account.ScopeAdmin,
				),
			}
		}
		return caller, err
	}
}

// bodies are the operations with a body, and its generated type.
var bodies = map[string]reflect.Type{
	"POST /v1/tokens":                    reflect.TypeFor[api.TokenInput](),
	"PATCH /v1/firewall":                 reflect.TypeFor[api.FirewallUpdate](),
	"POST /v1/firewall/rules":            reflect.TypeFor[api.FirewallRuleInput](),
	"PUT /v1/firewall/rules/{id}":        reflect.TypeFor[api.FirewallRuleInput](),
	"POST /v1/firewall/evaluate":         reflect.TypeFor[api.EvaluationInput](),
	"PUT /v1/policies/two-factor":        reflect.TypeFor[api.TwoFactorPolicyInput](),
	"POST /v1/signup-domains":            reflect.TypeFor[api.SignupDomainInput](),
	"POST /v1/provisioning":              reflect.TypeFor[api.Activation](),
	"PATCH /v1/provisioning":             reflect.TypeFor[api.ProvisioningUpdate](),
	"POST /v1/provisioning/rotate":       reflect.TypeFor[api.Rotation](),
	"PUT /v1/provisioning/manager":       reflect.TypeFor[api.ManagerChange](),
	"POST /v1/members":                   reflect.TypeFor[api.MemberInput](),
	"PATCH /v1/members/{id}":             reflect.TypeFor[api.MemberUpdate](),
	"POST /v1/groups":                    reflect.TypeFor[api.AccountGroupInput](),
	"POST /v1/groups/{id}/members":       reflect.TypeFor[api.AddGroupMemberJSONBody](),
	"POST /v1/auth/start":                reflect.TypeFor[api.SignInStart](),
	"POST /v1/auth/finish":               reflect.TypeFor[api.SignInFinish](),
	"POST /v1/session/heartbeat":         reflect.TypeFor[api.Heartbeat](),
	"POST /v1/directory/people":          reflect.TypeFor[api.PersonInput](),
	"POST /v1/directory/people/search":   reflect.TypeFor[api.Search](),
	"PUT /v1/directory/people/{id}":      reflect.TypeFor[api.PersonInput](),
	"POST /v1/directory/groups":          reflect.TypeFor[api.GroupInput](),
	"POST /v1/directory/groups/search":   reflect.TypeFor[api.Search](),
	"PATCH /v1/directory/groups/{id}":    reflect.TypeFor[api.GroupUpdate](),
	"POST /v1/holds/decisions":           reflect.TypeFor[api.HoldDecision](),
	"POST /v1/directory/holds/decisions": reflect.TypeFor[api.HoldDecision](),
	"POST /v1/directory/members/lookup":  reflect.TypeFor[api.MemberLookup](),
}

// createToken is the operation whose answer contains a secret.
const createToken = "POST /v1/tokens"

// repeatable are the operations that accept an Idempotency-Key.
var repeatable = map[string]bool{
	createToken:                    true,
	"POST /v1/firewall/rules":      true,
	"POST /v1/signup-domains":      true,
	"POST /v1/provisioning":        true,
	"POST /v1/provisioning/rotate": true,
	"POST /v1/members":             true,
	"POST /v1/groups":              true,
	"POST /v1/directory/people":    true,
	"POST /v1/directory/groups":    true,
}

// raising are the operations that may raise the suspension limit.
var raising = map[string]bool{"POST /v1/provisioning": true, "PATCH /v1/provisioning": true}

// ping reports only that the process is running.
func (s *server) ping(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// document serves openapi.yaml, which is public, with the media type of RFC 9512.
func (s *server) document(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("ETag", documentETag)
	w = httpkit.NotModified(w, r)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(api.Document) // the client may have disconnected
}

var documentETag = fmt.Sprintf(`"%x"`, sha256.Sum256(api.Document))

// ready reports whether the database can be read and written.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.Account.Store.Ping(r.Context()); err != nil {
		httpkit.RequestFrom(r.Context()).Fail(err)
		e := account.Fault(err)
		if e.Code == api.ErrorCodeInternal {
			e = &account.Error{
				Status: http.StatusServiceUnavailable, Code: api.ErrorCodeDatabaseUnavailable,
				Title:  "Database unavailable",
				Detail: "the database does not answer; the log has the reason under the request id",
			}
		}
		s.writeProblem(w, r, e)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
