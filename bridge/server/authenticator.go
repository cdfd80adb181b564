package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/ingress"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Door knows which bearer token is right.
type Door interface {
	// Admit returns nil for the right token; the first one opens a sealed
	// bridge. Every other answer is a *control.Refusal: with the code
	// problem.TokenRejected for a well-formed wrong token, with the status
	// 503 when nobody can be let in.
	Admit(token string) error
	// IsPrevious reports whether a token that was let in is that of the older
	// of two pairs.
	IsPrevious(token string) bool
}

// A Gate stands before everything that needs a token. A right token is never
// delayed, whatever else arrives: a wrong one costs a hash, and 256 random
// bits need no rate limit.
type Gate struct {
	Door Door
	// Monitoring opens /health and /metrics, too; the zero value opens nothing.
	// See SetMonitoring.
	Monitoring secret.String
	Events     *ingress.EventLog
	Now        func() time.Time
	// Checked is called with the result of every check, one of the Result constants.
	Checked func(result string)
	// Changed is called when a wrong token has raised a problem, or made one worse.
	Changed func()
	// Draining reports whether the bridge is about to end; nil means never. It
	// refuses no token then: the bridge that goes on may have a newer session.
	Draining func() bool

	mu       sync.Mutex
	wrong    tally
	previous tally // the previous pair's token, which nobody can make up
	accepted acceptances

	previousUsed time.Time
	previousUser string
}

// The results of a check; a closed set, for metrics.
const (
	ResultAccepted  = "accepted"
	ResultWrong     = "wrong"
	ResultPrevious  = "previous" // the old pair's token, after its end
	ResultMalformed = "malformed"
	ResultMissing   = "missing"
	ResultClosed    = "closed" // nobody could be let in
)

// Results lists them all.
func Results() []string {
	return []string{ResultAccepted, ResultWrong, ResultPrevious, ResultMalformed, ResultMissing, ResultClosed}
}

// rejectedFor is how long a wrong token stays a problem: longer than the
// pause between two cycles of an identity provider (Entra's is 40 minutes).
const rejectedFor = time.Hour

// The token that a request has shown, in the words of the log: during an overlap
// it shows that the identity provider still has the old one.
const (
	TokenCurrent    = "current"
	TokenPrevious   = "previous"
	TokenMonitoring = "monitoring"
)

// tally is what is remembered of tokens that were refused.
type tally struct {
	first, last time.Time
	count       ingress.NetworkCount
	expired     time.Time // the end of the previous pair's overlap, where known
	// known is when one last came from a network that sends right ones, too.
	known time.Time
}

// add counts a token and reports whether it is the first for long.
func (t *tally) add(client netip.Addr, now time.Time) (first bool) {
	if first = !t.isRecent(now); first {
		*t = tally{first: now}
	}
	t.last = now
	t.count.Add(client)
	return first
}

// isRecent reports whether there is something to tell.
func (t *tally) isRecent(now time.Time) bool {
	return t.count.Total > 0 && now.Sub(t.last) <= rejectedFor
}

// acceptances are right tokens of SCIM requests: the identity provider's.
type acceptances struct {
	last     time.Time
	networks map[ingress.Network]time.Time
}

// mostAccepting bounds the networks that are remembered; of more, the one that
// was silent longest is forgotten. Only a right token gets one in.
const mostAccepting = 64

func (a *acceptances) add(network ingress.Network, now time.Time) {
	if a.networks == nil {
		a.networks = make(map[ingress.Network]time.Time)
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

// Bearer lets in requests with the bearer token, and answers others as SCIM does.
func (g *Gate) Bearer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.Admit(r.Context(), bearer(r)); err != nil {
			refuse(w, err)
			return
		}
		g.noteAccepted(ingress.RequestFrom(r.Context()).Client)
		next.ServeHTTP(w, r)
	})
}

// Observer lets in requests with the bearer token or the monitoring token.
// The bearer token opens a sealed bridge here as well.
func (g *Gate) Observer(next http.Handler) http.Handler {
	return g.ObserverOr(next, func(http.ResponseWriter, error) bool { return false })
}

// ObserverOr is Observer with answers of its own to those that are refused,
// for which refused reports whether it has given one.
func (g *Gate) ObserverOr(next http.Handler, refused func(http.ResponseWriter, error) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := bearer(r)
		if monitoring := g.monitoring(); !monitoring.IsZero() && monitoring.Equal(secret.New(token)) {
			ingress.Admit(r.Context())
			ingress.RequestFrom(r.Context()).Token = TokenMonitoring
			next.ServeHTTP(w, r)
			return
		}
		if err := g.Admit(r.Context(), token); err != nil {
			if token != "" && g.draining() { // it may be another monitoring token, of any shape
				err = errDraining
			}
			if !refused(w, err) {
				refuse(w, err)
			}
			return
		}
		next.ServeHTTP(w, r)
	})
}

// SetMonitoring replaces the monitoring token while the gate is in use.
func (g *Gate) SetMonitoring(token secret.String) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Monitoring = token
}

func (g *Gate) monitoring() secret.String {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.Monitoring
}

// Admit checks the bearer token of a request and keeps count.
func (g *Gate) Admit(ctx context.Context, token string) error {
	if token == "" {
		err := &control.Refusal{Status: http.StatusUnauthorized, Detail: "the request carries no bearer token"}
		g.refused(ctx, ResultMissing, err)
		return err
	}
	err := g.Door.Admit(token)
	refusal, ok := errors.AsType[*control.Refusal](err)
	if ok && refusal.Code == problem.TokenRejected && g.draining() {
		err, refusal = errDraining, errDraining
	}
	switch {
	case err == nil:
		g.Checked(ResultAccepted)
		ingress.Admit(ctx)
		ingress.RequestFrom(ctx).Token = TokenCurrent
		if g.Door.IsPrevious(token) {
			ingress.RequestFrom(ctx).Token = TokenPrevious
			g.notePreviousUse(ingress.RequestFrom(ctx).Client)
		}
		return nil
	case !ok:
		refusal = &control.Refusal{Detail: err.Error()}
		fallthrough
	case refusal.Status == http.StatusServiceUnavailable:
		g.refused(ctx, ResultClosed, refusal)
	case refusal.Code != problem.TokenRejected:
		g.refused(ctx, ResultMalformed, refusal)
	case refusal.Previous:
		g.refused(ctx, ResultPrevious, refusal)
	default:
		g.refused(ctx, ResultWrong, refusal)
	}
	return err
}

// errDraining refuses a token that the bridge which goes on may take. A client that
// repeats the request on a new connection reaches that one.
var errDraining = &control.Refusal{
	Status: http.StatusServiceUnavailable,
	Detail: "this bridge is about to end and cannot tell whether the token is right: repeat the request on a new connection",
}

func (g *Gate) draining() bool { return g.Draining != nil && g.Draining() }

// refused counts a token that was refused, and logs it in aggregate. Only a
// well-formed token raises the problem: anybody can send anything.
func (g *Gate) refused(ctx context.Context, result string, refusal *control.Refusal) {
	g.Checked(result)
	request := ingress.RequestFrom(ctx)
	request.Told = true
	e := ingress.Event{
		Kind: result, Level: hclog.Warn, Message: "a bearer token was refused",
		Client: request.Client, Fields: []any{problem.FactReason, refusal.Detail},
	}
	raised := false
	switch result {
	case ResultMissing:
		e.Level, e.Message = hclog.Info, "requests without a bearer token were refused"
	case ResultClosed:
		e.Message = "bearer tokens cannot be checked"
	case ResultWrong:
		e.Fields = append(e.Fields, problem.LogKey, string(problem.TokenRejected))
		raised = g.noteWrong(request.Client)
	case ResultPrevious:
		e.Fields = append(e.Fields, problem.LogKey, string(problem.TokenRejected), problem.FactPrevious, "true")
		raised = g.notePrevious(request.Client, refusal.Expired)
	}
	g.Events.Add(e)
	if raised {
		g.Changed()
	}
}

func (g *Gate) notePreviousUse(client netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.previousUsed, g.previousUser = g.Now(), "the bridge's own machine" // over the control socket
	if client.IsValid() {
		g.previousUser = client.String()
	}
}

// PreviousUse is when and from where the previous pair's token was let in
// last; the time is zero if it was not.
func (g *Gate) PreviousUse() (at time.Time, from string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.previousUsed, g.previousUser
}

func (g *Gate) noteAccepted(client netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	network := ingress.NetworkOf(client)
	g.accepted.add(network, g.Now())
	if g.wrong.count.Has(network) {
		g.wrong.known = g.wrong.last
	}
}

func (g *Gate) noteWrong(client netip.Addr) (raised bool) {
	now := g.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.wrong.isRecent(now) && g.mayBeTheIdP(now)
	raised = g.wrong.add(client, now)
	if _, known := g.accepted.networks[ingress.NetworkOf(client)]; known {
		g.wrong.known = now
	}
	return raised || !before && g.mayBeTheIdP(now)
}

func (g *Gate) notePrevious(client netip.Addr, expired time.Time) (raised bool) {
	now := g.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	raised = g.previous.add(client, now)
	g.previous.expired = expired
	return raised
}

// mayBeTheIdP reports whether it may be the identity provider whose tokens are
// wrong: since the first of them, or for long, none of its requests had a
// right one, or a network that it has used sends wrong ones. Anybody can make
// up a well-formed token, and must not be able to raise an alarm that lasts.
func (g *Gate) mayBeTheIdP(now time.Time) bool {
	since := g.wrong.first
	if long := now.Add(-rejectedFor); long.After(since) {
		since = long
	}
	return !g.accepted.last.After(since) || !g.wrong.known.IsZero() && now.Sub(g.wrong.known) <= rejectedFor
}

// Report says whether wrong tokens arrive.
func (g *Gate) Report() health.Report {
	now := g.Now()
	r := health.Report{Source: "tokens", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	g.mu.Lock()
	defer g.mu.Unlock()
	t, facts := &g.wrong, problem.Facts{}
	switch {
	case g.previous.isRecent(now):
		t, r.State = &g.previous, health.Degraded
		facts[problem.FactPrevious] = "true"
		if !t.expired.IsZero() {
			facts[problem.FactExpires] = t.expired.UTC().Format(time.RFC3339)
		}
	case !g.wrong.isRecent(now):
		return r
	case g.mayBeTheIdP(now):
		r.State = health.Degraded
	default:
		facts[problem.FactForeign] = "true"
	}
	facts[problem.FactCount], facts[problem.FactNetworks] = strconv.Itoa(t.count.Total), t.count.String()
	r.Problems = []problem.Problem{problem.New(problem.TokenRejected, t.first, facts)}
	return r
}

// bearer returns the request's bearer token, or "". The scheme is compared
// without regard to case (RFC 9110, 11.1).
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// refuse answers with a SCIM error (RFC 7644, 3.12), which identity providers
// show to whoever sets them up.
func refuse(w http.ResponseWriter, err error) {
	refusal, ok := errors.AsType[*control.Refusal](err)
	if !ok {
		refusal = &control.Refusal{Status: http.StatusServiceUnavailable, Detail: "the bridge cannot check tokens at present"}
	}
	switch refusal.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="scim-bridge"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "10")
		if refusal == errDraining {
			w.Header().Set("Retry-After", "1")
		}
	}
	body, _ := json.Marshal(map[string]any{ // of texts alone: cannot fail
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
		"status":  fmt.Sprint(refusal.Status),
		"detail":  refusal.Detail,
	})
	w.Header().Set("Content-Type", "application/scim+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(refusal.Status)
	_, _ = w.Write(body)
}
