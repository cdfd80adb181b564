package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A TokenVerifier decides which bearer token is right.
type TokenVerifier interface {
	// Verify returns nil for the right token, which also unseals the bridge. Every other
	// result is an *auth.Error.
	Verify(token string) error
	// IsPrevious reports whether an accepted token is the previous one during an overlap.
	IsPrevious(token string) bool
}

// An Authenticator checks the token of every request that needs one. A right token is never
// delayed: a wrong one costs only a hash, and 256 random bits need no rate limit.
type Authenticator struct {
	Verifier TokenVerifier
	// Monitoring also gives access to /health and /metrics; the zero value gives none. See
	// SetMonitoring.
	Monitoring secret.String
	Events     *httpkit.EventLog
	Now        func() time.Time
	// Checked is called with the result of every check, one of the Result constants.
	Checked func(result string)
	// OnChange is called when a wrong token has raised or changed a problem.
	OnChange func()
	// Draining reports whether the bridge is draining; nil means never. Then no token is
	// called wrong: the bridge's successor may have a newer session.
	Draining func() bool

	mu       sync.Mutex
	wrong    tally
	previous tally // the previous token, which cannot be made up
	accepted acceptances

	previousUsed time.Time
	previousUser string
	requests     map[string]time.Time // when the last SCIM request came, by the name of its token
	visitors     visitors
}

// The results of a check; a closed set, for metrics.
const (
	ResultAccepted  = "accepted"
	ResultWrong     = "wrong"
	ResultPrevious  = "previous" // the previous token, after the overlap
	ResultMalformed = "malformed"
	ResultMissing   = "missing"
	ResultClosed    = "closed" // tokens cannot be checked
)

// Results lists them all.
func Results() []string {
	return []string{ResultAccepted, ResultWrong, ResultPrevious, ResultMalformed, ResultMissing, ResultClosed}
}

// rejectedFor is how long a wrong token stays a problem: longer than the interval of an
// identity provider (Entra's is 40 minutes).
const rejectedFor = time.Hour

// The names of tokens in the log. During an overlap they show whether the identity provider
// still uses the old one.
const (
	TokenCurrent    = "current"
	TokenPrevious   = "previous"
	TokenMonitoring = "monitoring"
)

// tally counts refused tokens.
type tally struct {
	first, last time.Time
	count       httpkit.NetworkCount
	expired     time.Time // the end of the previous token's overlap, if known
	// known is when one last came from a network that also sends right ones.
	known time.Time
}

// add counts a token and reports whether it is the first within rejectedFor.
func (t *tally) add(client netip.Addr, now time.Time) (first bool) {
	if first = !t.isRecent(now); first {
		*t = tally{first: now}
	}
	t.last = now
	t.count.Add(client)
	return first
}

// isRecent reports whether a token was refused within rejectedFor.
func (t *tally) isRecent(now time.Time) bool {
	return t.count.Total > 0 && now.Sub(t.last) <= rejectedFor
}

// acceptances records the networks of SCIM requests with the right token: the identity
// provider's.
type acceptances struct {
	last     time.Time
	networks map[httpkit.Network]time.Time
}

// mostAccepting is the maximum number of networks; beyond it, the least recent one is
// removed. Only a right token adds one.
const mostAccepting = 64

func (a *acceptances) add(network httpkit.Network, now time.Time) {
	if a.networks == nil {
		a.networks = make(map[httpkit.Network]time.Time)
	}
	if _, known := a.networks[network]; !known && len(a.networks) >= mostAccepting {
		oldest := network
		for n, at := range a.networks {
			if oldest == network || at.Before(a.networks[oldest]) {
				oldest = n
			}
		}
		delete(a.networks, oldest)
	}
	a.last, a.networks[network] = now, now
}

// RequireBearer calls next for requests with the bearer token, and answers others with a
// SCIM error.
func (a *Authenticator) RequireBearer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.Verify(r.Context(), httpkit.BearerToken(r)); err != nil {
			writeSCIMError(w, err)
			return
		}
		if isLook(r) {
			httpkit.RequestFrom(r.Context()).Look = true
		} else {
			a.noteAccepted(r)
		}
		next.ServeHTTP(w, r)
	})
}

// isLook reports whether a tool of an operator reads. What writes is the identity provider's, whatever it says.
func isLook(r *http.Request) bool {
	reads := r.Method == http.MethodGet || r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/.search")
	return reads && r.Header.Get(control.HeaderLook) != ""
}

// RequireOperator is RequireBearer for requests of people and their tools: they are no sign that the identity provider
// comes.
func (a *Authenticator) RequireOperator(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.Verify(r.Context(), httpkit.BearerToken(r)); err != nil {
			writeSCIMError(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// RequireMonitoring calls next for requests with the bearer token or the monitoring token.
// The bearer token unseals the bridge here as well.
func (a *Authenticator) RequireMonitoring(next http.Handler) http.Handler {
	return a.RequireMonitoringOr(next, func(http.ResponseWriter, error) bool { return false })
}

// RequireMonitoringOr is RequireMonitoring with other answers to refused requests: refused
// reports whether it has answered.
func (a *Authenticator) RequireMonitoringOr(
	next http.Handler, refused func(http.ResponseWriter, error) bool,
) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := httpkit.BearerToken(r)
		if monitoring := a.monitoring(); !monitoring.IsZero() && monitoring.Equal(secret.New(token)) {
			httpkit.Admit(r.Context())
			httpkit.RequestFrom(r.Context()).Caller = TokenMonitoring
			next.ServeHTTP(w, r)
			return
		}
		if err := a.Verify(r.Context(), token); err != nil {
			if token != "" && a.draining() { // it may be the successor's monitoring token, which may have any form
				err = errDraining
			}
			if !refused(w, err) {
				writeSCIMError(w, err)
			}
			return
		}
		next.ServeHTTP(w, r)
	})
}

// SetMonitoring replaces the monitoring token while requests are served.
func (a *Authenticator) SetMonitoring(token secret.String) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Monitoring = token
}

func (a *Authenticator) monitoring() secret.String {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.Monitoring
}

// Verify checks the bearer token of a request and counts the result. It returns nil or an
// *auth.Error.
func (a *Authenticator) Verify(ctx context.Context, token string) error {
	if refusal := a.check(token); refusal != nil {
		a.refused(ctx, refusal)
		return refusal
	}
	a.Checked(ResultAccepted)
	httpkit.Admit(ctx)
	request := httpkit.RequestFrom(ctx)
	request.Caller = TokenCurrent
	if a.Verifier.IsPrevious(token) {
		request.Caller = TokenPrevious
		a.notePreviousUse(request.Client)
	}
	return nil
}

func (a *Authenticator) check(token string) *auth.Error {
	if token == "" {
		return &auth.Error{Kind: auth.Missing, Detail: "the request carries no bearer token"}
	}
	err := a.Verifier.Verify(token)
	if err == nil {
		return nil
	}
	refusal, ok := errors.AsType[*auth.Error](err)
	switch {
	case !ok:
		return &auth.Error{Kind: auth.Unavailable, Detail: "the bridge cannot check tokens now", Reason: err.Error()}
	case refusal.Code() == problem.TokenRejected && a.draining():
		return errDraining
	default:
		return refusal
	}
}

// errDraining refuses a token that the bridge's successor may accept. A client that repeats
// the request on a new connection reaches the successor.
var errDraining = &auth.Error{
	Kind: auth.Unavailable,
	Detail: "this bridge is shutting down and cannot check the token: " +
		"repeat the request on a new connection",
}

func (a *Authenticator) draining() bool { return a.Draining != nil && a.Draining() }

// refused counts a refused token, and logs it in aggregate. Only a well-formed token raises
// the problem: any client can send any text.
func (a *Authenticator) refused(ctx context.Context, refusal *auth.Error) {
	result := resultOf(refusal.Kind)
	a.Checked(result)
	request := httpkit.RequestFrom(ctx)
	request.Counted = true
	e := httpkit.Event{
		Kind: result, Level: hclog.Warn, Message: "a bearer token was refused",
		Client: request.Client, Fields: []any{problem.FactReason, refusal.Error()},
	}
	raised := false
	switch result {
	case ResultMissing:
		e.Level, e.Message = hclog.Info, "requests without a bearer token were refused"
	case ResultClosed:
		e.Message = "bearer tokens cannot be checked"
	case ResultWrong:
		e.Fields = append(e.Fields, problem.LogKey, string(problem.TokenRejected))
		raised = a.noteWrong(request.Client)
	case ResultPrevious:
		e.Fields = append(e.Fields, problem.LogKey, string(problem.TokenRejected), problem.FactPrevious, "true")
		raised = a.notePrevious(request.Client, refusal.Expired)
	}
	a.Events.Add(e)
	if raised {
		a.OnChange()
	}
}

func resultOf(kind auth.Kind) string {
	switch kind {
	case auth.Missing:
		return ResultMissing
	case auth.Malformed:
		return ResultMalformed
	case auth.Wrong:
		return ResultWrong
	case auth.Superseded:
		return ResultPrevious
	default:
		return ResultClosed
	}
}

func (a *Authenticator) notePreviousUse(client netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.previousUsed, a.previousUser = a.Now(), "the bridge's own machine" // over the control socket
	if client.IsValid() {
		a.previousUser = client.String()
	}
}

// PreviousUse returns when and from where the previous token was last accepted; the time is
// zero if it was not.
func (a *Authenticator) PreviousUse() (at time.Time, from string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.previousUsed, a.previousUser
}

// LastRequest returns when the last SCIM request with TokenCurrent or TokenPrevious came; zero if none did.
func (a *Authenticator) LastRequest(token string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests[token]
}

func (a *Authenticator) noteAccepted(req *http.Request) {
	r := httpkit.RequestFrom(req.Context())
	a.mu.Lock()
	defer a.mu.Unlock()
	network, now := httpkit.NetworkOf(r.Client), a.Now()
	a.visitors.add(visitorKey{req.UserAgent(), network, r.Caller}, r.Client, now,
		func() string { return userAgent(req) })
	a.accepted.add(network, now)
	if a.requests == nil {
		a.requests = make(map[string]time.Time)
	}
	a.requests[r.Caller] = now
	if a.wrong.count.Has(network) {
		a.wrong.known = a.wrong.last
	}
}

func (a *Authenticator) noteWrong(client netip.Addr) (raised bool) {
	now := a.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.wrong.isRecent(now) && a.mayBeTheIdP(now)
	raised = a.wrong.add(client, now)
	if _, known := a.accepted.networks[httpkit.NetworkOf(client)]; known {
		a.wrong.known = now
	}
	return raised || !before && a.mayBeTheIdP(now)
}

func (a *Authenticator) notePrevious(client netip.Addr, expired time.Time) (raised bool) {
	now := a.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	raised = a.previous.add(client, now)
	a.previous.expired = expired
	return raised
}

// mayBeTheIdP reports whether the identity provider may be the client with wrong tokens:
// none of its requests had a right one since the first wrong one, or for long, or a
// network that it has used sends wrong ones. Any client can make up a well-formed token,
// and must not be able to raise a lasting alarm.
func (a *Authenticator) mayBeTheIdP(now time.Time) bool {
	since := a.wrong.first
	if long := now.Add(-rejectedFor); long.After(since) {
		since = long
	}
	return !a.accepted.last.After(since) || !a.wrong.known.IsZero() && now.Sub(a.wrong.known) <= rejectedFor
}

// Report reports recent wrong tokens.
func (a *Authenticator) Report() health.Report {
	now := a.Now()
	r := health.Report{Source: "tokens", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	a.mu.Lock()
	defer a.mu.Unlock()
	t, facts := &a.wrong, problem.Facts{}
	switch {
	case a.previous.isRecent(now):
		t, r.State = &a.previous, health.Degraded
		facts[problem.FactPrevious] = "true"
		if !t.expired.IsZero() {
			facts[problem.FactExpires] = t.expired.UTC().Format(time.RFC3339)
		}
	case !a.wrong.isRecent(now):
		return r
	case a.mayBeTheIdP(now):
		r.State = health.Degraded
	default:
		facts[problem.FactForeign] = "true"
	}
	facts[problem.FactCount], facts[problem.FactNetworks] = strconv.Itoa(t.count.Total), t.count.String()
	r.Problems = []problem.Problem{problem.New(problem.TokenRejected, t.first, facts)}
	return r
}

// statusOf returns the HTTP status of a refusal.
func statusOf(refusal *auth.Error) int {
	switch refusal.Kind {
	case auth.Unavailable, auth.Unreadable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusUnauthorized
	}
}

// writeSCIMError answers with a SCIM error (RFC 7644, 3.12), which identity providers show
// to their administrators.
func writeSCIMError(w http.ResponseWriter, err error) {
	refusal, ok := errors.AsType[*auth.Error](err)
	if !ok {
		refusal = &auth.Error{Kind: auth.Unavailable, Detail: "the bridge cannot check tokens now"}
	}
	status := statusOf(refusal)
	switch {
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="scim-bridge"`)
	case refusal == errDraining:
		w.Header().Set("Retry-After", "1")
	default:
		w.Header().Set("Retry-After", "10")
	}
	writeSCIM(w, status, refusal.Detail)
}

func writeSCIM(w http.ResponseWriter, status int, detail string) {
	body, _ := json.Marshal(map[string]any{ // only strings: cannot fail
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
		"status":  strconv.Itoa(status),
		"detail":  detail,
	})
	w.Header().Set("Content-Type", "application/scim+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
