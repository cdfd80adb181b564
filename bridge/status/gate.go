package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
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
}

// A Gate stands before everything that needs a token. A right token is never
// delayed, whatever else arrives: a wrong one costs a hash, and 256 random
// bits need no rate limit.
type Gate struct {
	Door Door
	// Monitoring opens /health and /metrics, too; the zero value opens nothing.
	Monitoring secret.String
	Log        hclog.Logger
	Now        func() time.Time
	// Checked is called with the result of every check, one of the Result constants.
	Checked func(result string)
	// Changed is called when a wrong token has raised a problem.
	Changed func()

	mu    sync.Mutex
	wrong tally
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

// tally is what is remembered of wrong tokens.
type tally struct {
	first, last time.Time
	count       int
	previous    bool      // the last one was the previous pair's
	expired     time.Time // the end of its overlap, where known
	logged      time.Time
	unlogged    int
}

const (
	// rejectedFor is how long a wrong token stays a problem: longer than the
	// pause between two cycles of an identity provider (Entra's is 40 minutes).
	rejectedFor = time.Hour
	// logWrongEvery is the least time between two log lines about wrong tokens.
	logWrongEvery = time.Minute
)

// Bearer lets in requests with the bearer token, and answers others as SCIM does.
func (g *Gate) Bearer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.Admit(bearer(r)); err != nil {
			refuse(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Observer lets in requests with the bearer token or the monitoring token.
// The bearer token opens a sealed bridge here as well.
func (g *Gate) Observer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := bearer(r)
		if !g.Monitoring.IsZero() && g.Monitoring.Equal(secret.New(token)) {
			next.ServeHTTP(w, r)
			return
		}
		if err := g.Admit(token); err != nil {
			refuse(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Admit checks a bearer token and keeps count.
func (g *Gate) Admit(token string) error {
	if token == "" {
		g.Checked(ResultMissing)
		return &control.Refusal{Status: http.StatusUnauthorized, Detail: "the request carries no bearer token"}
	}
	err := g.Door.Admit(token)
	refusal, ok := errors.AsType[*control.Refusal](err)
	switch {
	case err == nil:
		g.Checked(ResultAccepted)
		return nil
	case !ok || refusal.Status == http.StatusServiceUnavailable:
		g.Checked(ResultClosed)
	case refusal.Code != problem.TokenRejected:
		g.Checked(ResultMalformed)
		g.note(ResultMalformed, refusal)
	case refusal.Previous:
		g.Checked(ResultPrevious)
		g.note(ResultPrevious, refusal)
	default:
		g.Checked(ResultWrong)
		g.note(ResultWrong, refusal)
	}
	return err
}

// note counts a token that was refused, and logs it unless that was just done.
// Only a well-formed token raises the problem: anybody can send anything.
func (g *Gate) note(result string, refusal *control.Refusal) {
	now := g.Now()
	g.mu.Lock()
	t := &g.wrong
	raised := false
	if result != ResultMalformed {
		if now.Sub(t.last) > rejectedFor {
			t.first, t.count = now, 0
			raised = true
		}
		raised = raised || t.previous != refusal.Previous
		t.last, t.previous, t.expired = now, refusal.Previous, refusal.Expired
		t.count++
	}
	t.unlogged++
	log := now.Sub(t.logged) >= logWrongEvery
	count := t.unlogged
	if log {
		t.logged, t.unlogged = now, 0
	}
	g.mu.Unlock()

	if log {
		fields := []any{"kind", result, problem.FactCount, count, problem.FactReason, refusal.Detail}
		if result != ResultMalformed {
			fields = append(fields, problem.LogKey, string(problem.TokenRejected))
		}
		if result == ResultPrevious {
			fields = append(fields, problem.FactPrevious, "true")
		}
		g.Log.Warn("a bearer token was refused", fields...)
	}
	if raised {
		g.Changed()
	}
}

// Report says whether wrong tokens arrive.
func (g *Gate) Report() control.Report {
	now := g.Now()
	r := control.Report{Source: "tokens", Time: now, Expires: now.Add(time.Minute), State: control.Healthy}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wrong.count == 0 || now.Sub(g.wrong.last) > rejectedFor {
		return r
	}
	facts := problem.Facts{problem.FactCount: strconv.Itoa(g.wrong.count)}
	if g.wrong.previous {
		facts[problem.FactPrevious] = "true"
	}
	if !g.wrong.expired.IsZero() {
		facts[problem.FactExpires] = g.wrong.expired.UTC().Format(time.RFC3339)
	}
	r.State = control.Degraded
	r.Problems = []problem.Problem{problem.New(problem.TokenRejected, g.wrong.first, facts)}
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
