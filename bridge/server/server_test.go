package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/keptlog"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server/page"
)

// verifier takes the token "right".
type verifier struct{}

func (verifier) Verify(token string) error {
	switch token {
	case "right", "right-old":
		return nil
	case "wrong":
		return &auth.Error{Kind: auth.Wrong, Detail: "another's"}
	case "old":
		return &auth.Error{Kind: auth.Superseded, Detail: "the old one", Expired: time.Unix(1000, 0)}
	case "unreadable":
		return &auth.Error{Kind: auth.Unreadable, Detail: "the session cannot be read",
			Reason: "open /secret/place: no such file"}
	case "early":
		return &auth.Error{Kind: auth.Unavailable, Detail: "not yet"}
	default:
		return &auth.Error{Kind: auth.Malformed, Detail: "no token"}
	}
}

func (verifier) IsPrevious(token string) bool { return token == "right-old" }

// face is a server whose time and components the test chooses.
type face struct {
	*httptest.Server
	handling      sync.RWMutex // read-locked by each handler that runs
	mu            sync.Mutex
	now           time.Time
	report        health.Report
	state         string
	log           bytes.Buffer
	raised        int
	overlap       *health.Overlap
	authenticator *server.Authenticator
	routes        []server.Route
	held          heldHolds
	account       account
	round         round
	kept          *keptlog.Log
	journal       *journal.Journal
	bundles       *bundle.Builder
	made          []bool // of each bundle whether it is complete
	known         knowledge
	queue         *fair.Queue
	block         chan struct{} // what /Users/slow waits for
	grant         string        // what the account has confirmed of the right token
	key           []byte        // of cookies
	sealed        time.Time
}

// account is an account as the page's sections ask it.
type account struct {
	people  []bridge.Attention
	bridges []bridge.Instance
	signIns bridge.SignInPage
	fault   error
	asked   []string // cursors of sign-ins
	// hangs is set if the account does not answer. waited is how often the page waited for it.
	hangs  bool
	waited int
}

// answer waits if the account hangs.
func (a *account) answer(ctx context.Context) error {
	if !a.hangs {
		return a.fault
	}
	if ctx.Err() == nil {
		a.waited++
	}
	<-ctx.Done()
	return bridge.ErrUnavailable
}

func (a *account) Waiting(ctx context.Context, q bridge.WaitingQuery) (bridge.WaitingPage, error) {
	if q.Cursor == "bad" {
		return bridge.WaitingPage{}, &bridge.Error{Code: bridge.InvalidCursor}
	}
	return bridge.SearchWaiting(a.people, q, time.Unix(0, 0)), a.answer(ctx)
}

func (a *account) Instances(ctx context.Context, _ int) ([]bridge.Instance, error) {
	return a.bridges, a.answer(ctx)
}

func (a *account) SignInAttempts(_ context.Context, cursor string, _ int) (bridge.SignInPage, error) {
	a.asked = append(a.asked, cursor)
	if cursor == "bad" {
		return bridge.SignInPage{}, &bridge.Error{Code: bridge.InvalidCursor}
	}
	return a.signIns, a.fault
}

// SearchPeople knows one person, and SearchGroups none.
func (a *account) SearchPeople(_ context.Context, q bridge.Query) (bridge.Page[bridge.Person], error) {
	return bridge.Page[bridge.Person]{Items: []bridge.Person{
		{ID: q.Filter.Terms[0].Value.(string), Attributes: []byte(`{"userName":"<jo>\u202e"}`)},
	}}, a.fault
}

func (a *account) SearchGroups(context.Context, bridge.Query) (bridge.Page[bridge.Group], error) {
	return bridge.Page[bridge.Group]{}, a.fault
}

// round is the last round of a watcher.
type round struct {
	people    []bridge.Attention
	at        time.Time
	triggered int
}

func (r *round) LastRound() time.Time        { return r.at }
func (r *round) Trigger()                    { r.triggered++ }
func (r *round) Waiting() []bridge.Attention { return r.people }

func (f *face) cookieKey() (key []byte, sealed time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.key, f.sealed
}

func (f *face) granted() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.grant
}

// confirm changes what the account has confirmed.
func (f *face) confirm(grant string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grant = grant
}

// bundled returns of each bundle that was made whether it is complete.
func (f *face) bundled() []bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.made)
}

func (f *face) time() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *face) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func (f *face) component() health.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.report
	if r.Expires.IsZero() {
		r.Time, r.Expires = f.now, f.now.Add(time.Minute)
	}
	return r
}

func newFace(t *testing.T) *face {
	t.Helper()
	return newFaceThatWaits(t, 0)
}

// newFaceThatWaits is newFace with another longest wait for a turn.
func newFaceThatWaits(t *testing.T, longest time.Duration) *face {
	t.Helper()
	f := &face{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), state: control.Ready, grant: "confirmed",
		queue: fair.New(4), block: make(chan struct{}), key: make([]byte, 32)}
	f.report = health.Report{Source: "account", State: health.Healthy}
	checker := &health.Checker{Version: "1.2.3", Build: "abc", Revision: "r1", Now: f.time,
		Overlap: func() *health.Overlap {
			return f.overlap
		}}
	metrics := server.NewMetrics("1.2.3", "abc", checker.Health)
	metrics.RegisterQueue("scimbridge", f.queue)
	logger := hclog.New(&hclog.LoggerOptions{Output: &f.log, Mutex: &f.mu, Level: hclog.Trace})
	events := httpkit.NewEventLog(logger)
	f.authenticator = &server.Authenticator{Verifier: verifier{}, Monitoring: secret.New("watch"), Events: events,
		Now:     f.time,
		Checked: metrics.TokenChecked, OnChange: func() { f.raised++ }}
	checker.Checks = []func() health.Report{f.component, f.authenticator.Report}
	f.journal = journal.Open(journal.Config{Now: f.time})
	t.Cleanup(f.journal.Close)
	f.bundles = &bundle.Builder{Folder: t.TempDir(), Source: func(complete bool) bundle.Source {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.made = append(f.made, complete)
		return bundle.Source{Made: f.now}
	}}
	f.account.people = []bridge.Attention{{UserName: "<ann\u202e\x1b>", Kind: bridge.AddressMissing}}
	f.kept = keptlog.Open(keptlog.Config{Buffer: 1 << 20})
	f.kept.Sink(hclog.Info).Accept("scim-bridge", hclog.Info, "a line of the log")
	httpServer := &server.Server{
		Checker: checker, Authenticator: f.authenticator, Metrics: metrics,
		Explain: f.known.explain, Preview: f.known.preview,
		Page: &page.Page{
			Health: checker.Health,
			Status: func() control.Status {
				return control.Status{State: f.state, AccountID: "acc_1", Instance: "this"}
			},
			Sections: []page.Section{
				page.State(),
				page.Problems(),
				page.Holds(&f.held),
				page.Overlap(),
				page.IdentityProvider(f.journal, f.authenticator.Visitors, &f.account),
				page.Waiting(&f.account, &f.round),
				page.Components(new(health.History)),
				page.Bridges(&f.account),
				page.Facts(),
				page.Explain(f.known.explain),
				page.SignIns(&f.account),
				page.Log(f.kept, f.journal),
				page.Bundle(f.bundles),
			},
			Verify:    f.authenticator.Verify,
			Pass:      func(context.Context, string) string { return f.granted() },
			IsValid:   func(pass string) bool { return pass == f.granted() },
			CookieKey: f.cookieKey,
			Journal:   f.journal, Logger: logger, Now: f.time,
		},
		AccessLog: httpkit.AccessLog{
			Logger: logger, Events: events, Metrics: metrics.Metrics,
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		},
		SCIM: server.SCIM{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/Users/panic":
					panic("a fault")
				case "/Users/slow":
					_, _ = io.Copy(io.Discard, r.Body)
					<-f.block
				}
				_, _ = io.WriteString(w, "scim "+r.URL.Path)
			}),
			RouteOf: func(u *url.URL) string {
				for _, name := range []string{"Users", "Groups"} {
					if strings.Contains(u.Path, "/"+name) {
						return strings.ToLower(name)
					}
				}
				return ""
			},
		},
		Queue: f.queue, LongestWait: longest,
		Connection: func() string { return f.state },
	}
	f.routes = httpServer.Routes()
	handler := httpServer.Handler()
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.handling.RLock()
		defer f.handling.RUnlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// handled waits until the handlers of all requests have returned: a client can have a
// large answer before the access log and the metrics have its request.
func (f *face) handled() {
	f.handling.Lock()
	defer f.handling.Unlock()
}

func (f *face) logText() string {
	f.handled()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

func (f *face) get(t *testing.T, path, authorization string, header ...string) (int, string, http.Header) {
	t.Helper()
	f.handled()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := f.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func TestWhoIsLetInWhere(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	for _, row := range []struct {
		name, path, authorization string
		want                      int
	}{
		{"SCIM opens to the bearer token", "/scim/v2/Users", "Bearer right", 200},
		{"the scheme's case does not matter", "/Users", "bearer right", 200},
		{"SCIM is not for who monitors", "/Users", "Bearer watch", 401},
		{"SCIM needs a token", "/Users", "", 401},
		{"a token under another scheme is none", "/Users", "Basic right", 401},
		{"the monitoring token reads health", "/health", "Bearer watch", 200},
		{"the bearer token reads health", "/health", "Bearer right", 200},
		{"a stranger reads no health", "/health", "Bearer stranger", 401},
		{"the monitoring token reads metrics", "/metrics", "Bearer watch", 200},
		{"a stranger reads no metrics", "/metrics", "", 401},
		{"liveness is public", "/ping", "", 200},
		{"readiness is public", "/ready", "", 200},
		{"an unknown path is SCIM's to answer", "/nowhere", "", 401},
		{"a doubled slash reaches SCIM as it is", "//scim//Users", "Bearer right", 200},
		{"a token that cannot be checked yet may come again", "/Users", "Bearer early", 503},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			code, body, header := f.get(t, row.path, row.authorization)
			if code != row.want {
				t.Fatalf("%d %s", code, body)
			}
			switch code {
			case 401:
				if header.Get("WWW-Authenticate") == "" || header.Get("Content-Type") != "application/scim+json" ||
					!strings.Contains(body, `"status":"401"`) {
					t.Errorf("a 401 must be SCIM's: %v %s", header, body)
				}
			case 503:
				if header.Get("Retry-After") == "" {
					t.Error("a 503 must say when to come again")
				}
			}
		})
	}
}

func TestWrongTokensAreOneProblemAndFewLogLines(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	for range 50 {
		f.get(t, "/Users", "Bearer nonsense")
	}
	if r := f.authenticator.Report(); r.State != health.Healthy || f.raised != 0 {
		t.Errorf("texts that are no tokens: %+v, raised %d times", r, f.raised)
	}
	f.pass(time.Minute)
	for range 50 {
		f.get(t, "/Users", "Bearer wrong")
	}
	r := f.authenticator.Report()
	if len(r.Problems) != 1 || r.Problems[0].Details["count"] != "50" || f.raised != 1 {
		t.Errorf("wrong tokens: %+v, raised %d times", r.Problems, f.raised)
	}
	if n := strings.Count(f.logText(), "a bearer token was refused"); n != 2 {
		t.Errorf("%d log lines for 100 refused tokens in two minutes, want 2", n)
	}
	f.get(t, "/Users", "Bearer old")
	p := f.authenticator.Report().Problems
	if len(p) != 1 || p[0].Title != "The identity provider still uses the old token" {
		t.Errorf("the old token: %+v", p)
	}
	f.pass(2 * time.Hour)
	if p := f.authenticator.Report().Problems; len(p) != 0 {
		t.Errorf("hours later: %+v", p)
	}
	if strings.Contains(f.logText(), "nonsense") {
		t.Error("the log repeats what a client sent as a token")
	}
}

func TestHealthIsTheWorstOfTheComponents(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, component string
		late            time.Duration
		wantState       string
		wantCode        int
	}{
		{"all is well", health.Healthy, 0, health.Healthy, 200},
		{"there is a problem", health.Degraded, 0, health.Degraded, 200},
		{"sealed", health.Sealed, 0, health.Sealed, 503},
		{"nothing works", health.Unhealthy, 0, health.Unhealthy, 503},
		{"what a component does not know makes nothing worse", health.Unknown, 0, health.Healthy, 200},
		{"a component has stopped telling", health.Healthy, time.Hour, health.Unhealthy, 503},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFace(t)
			f.report.State = row.component
			if row.late > 0 {
				f.report.Expires = f.now.Add(time.Minute)
				f.pass(row.late)
			}
			code, body, _ := f.get(t, "/health", "Bearer watch")
			var h health.Health
			if err := json.Unmarshal([]byte(body), &h); err != nil {
				t.Fatal(err)
			}
			if code != row.wantCode || h.State != row.wantState || h.Version != "1.2.3" || h.Build != "abc" ||
				h.Revision != "r1" {
				t.Errorf("%d %s", code, body)
			}
			if !strings.Contains(body, `"problems":[]`) {
				t.Errorf("no problems must be an empty list: %s", body)
			}
		})
	}
}

// A monitor reads /health also of a bridge that can check no token: what it
// says is the form of /health, with the code and nothing that needs a secret.
func TestHealthIsItselfWithoutASession(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.state, f.report.State = control.SessionUnreadable, health.Unhealthy
	f.report.Problems = []problem.Problem{
		problem.New(problem.SessionUnreadable, f.now, problem.Facts{problem.FactReason: "at /secret/place"}),
	}
	for authorization, wantDetail := range map[string]bool{"Bearer watch": true, "Bearer unreadable": false} {
		code, body, header := f.get(t, "/health", authorization)
		var h health.Health
		if err := json.Unmarshal([]byte(body), &h); err != nil {
			t.Fatalf("%s: %v in %s", authorization, err, body)
		}
		if code != 503 || header.Get("Content-Type") != "application/json" || h.State != health.Unhealthy ||
			len(h.Problems) != 1 || h.Problems[0].Code != problem.SessionUnreadable || h.RetrievedAt.IsZero() {
			t.Errorf("%s: %d %s", authorization, code, body)
		}
		if got := strings.Contains(body, "/secret/place"); got != wantDetail || (h.Version == "") == wantDetail {
			t.Errorf("%s: what needs a secret is told: %v, want %v: %s", authorization, got, wantDetail, body)
		}
	}
	if code, body, _ := f.get(t, "/metrics", "Bearer unreadable"); code != 503 ||
		strings.Contains(body, "/secret/place") {
		t.Errorf("/metrics: %d %s", code, body)
	}
}

func TestTheIconIsNoSCIMRequest(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	code, body, header := f.get(t, "/favicon.ico", "")
	if code != 200 || header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(body, "<svg") {
		t.Errorf("%d %v %s", code, header, body)
	}
}

func TestReadyMeansKeepSendingRequests(t *testing.T) {
	t.Parallel()
	for connection, want := range map[string]struct {
		code             int
		component, state string
	}{
		control.Starting:          {503, health.Healthy, health.Unhealthy},
		control.Sealed:            {200, health.Sealed, health.Sealed},
		control.SessionUnreadable: {503, health.Unhealthy, health.Unhealthy},
		control.SigningIn:         {200, health.Degraded, health.Degraded},
		control.Ready:             {200, health.Healthy, health.Healthy},
		control.Refused:           {200, health.Unhealthy, health.Unhealthy},
		control.Draining:          {503, health.Healthy, health.Unhealthy},
	} {
		t.Run(connection, func(t *testing.T) {
			t.Parallel()
			f := newFace(t)
			f.state, f.report.State = connection, want.component
			code, body, _ := f.get(t, "/ready", "")
			if code != want.code || strings.TrimSpace(body) != `{"state":"`+want.state+`","revision":"r1"}` {
				t.Errorf("%d %s", code, body)
			}
		})
	}
}

func TestTheAccessLogNamesNobody(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.get(t, `/scim/v2/Users?filter=userName+eq+"ann@example.com"`, "Bearer right", "X-Forwarded-For",
		"203.0.113.9, 198.51.100.7")
	f.get(t, `/Users/ann@example.com`, "Bearer right", "User-Agent", "ann@example.com")
	log := f.logText()
	if strings.Contains(log, "ann") || strings.Contains(log, "right") {
		t.Errorf("the log names a person:\n%s", log)
	}
	if strings.Count(log, "request: method=GET route=users status=200") != 2 {
		t.Errorf("one line for each request:\n%s", log)
	}
	// Read from the right to the first hop that is no trusted proxy.
	if !strings.Contains(log, "client=198.51.100.7") || strings.Contains(log, "203.0.113.9") {
		t.Errorf("the client that the proxy names:\n%s", log)
	}
}

// An operator at night asks which client changed which resource, with which token.
func TestTheAccessLogTellsClientsResourcesAndTokensApart(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	const id = "isgv7hf2buozxtxgak3s53nyqy"
	secret := "sbt1_" + strings.Repeat("x", 48)
	for _, row := range []struct {
		name, path, token, agent string
		want, not                []string
	}{
		{"a person, the current pair", "/scim/v2/Users/" + id, "right", "okta-scim/1.0",
			[]string{"route=users", "resource_id=" + id, "token=current", "user_agent=okta-scim/1.0"}, nil},
		{"a group, the older pair", "/Groups/" + id, "right-old", "",
			[]string{"route=groups", "resource_id=" + id, "token=previous"}, nil},
		{"the monitoring token", "/health", "watch", "probe", []string{"route=health", "token=monitoring"},
			[]string{"resource_id"}},
		{"a person of another account system", "/Users/2819C223-7f76-453a-919d-413861904646", "right", "x",
			[]string{"resource_id=2819C223-7f76-453a-919d-413861904646"}, nil},
		{"an address in a path is no id", "/Users/ann@example.com", "right", "x", nil, []string{"resource_id", "ann"}},
		{"nor is anything else that a client made up", "/Users/Ann-Example-ann-example-annn", "right", "x", nil,
			[]string{"resource_id", "Ann"}},
		{"an address in a user agent", "/Users", "right", "sync (mailto:ann@example.com; build 7)", []string{"build 7"},
			[]string{"ann"}},
		{"an escaped one", "/Users", "right", "sync ann%40example.com", []string{"user_agent=\"sync [address]\""},
			[]string{"ann"}},
		{"a token in a user agent", "/Users", "right", "Bearer " + secret, []string{"user_agent=\"Bearer [redacted]\""},
			[]string{secret}},
		{"a token with an invisible character in it", "/Users", "right",
			"Bearer " + secret[:12] + "\u200b" + secret[12:],
			[]string{"user_agent=\"Bearer [redacted]\""}, []string{secret}},
		{"controls and marks in a user agent", "/Users", "right", "a\u009b31mb\u202ec\u200bd", []string{"a31mbcd"},
			[]string{"\u009b", "\u202e", "\u200b"}},
		{"a user agent without end", "/Users", "right", strings.Repeat("y", 5000), []string{strings.Repeat("y", 100)},
			[]string{strings.Repeat("y", 101)}},
	} {
		before := len(f.logText())
		f.get(t, row.path, "Bearer "+row.token, "User-Agent", row.agent)
		log := f.logText()[before:]
		for _, want := range row.want {
			if !strings.Contains(log, want) {
				t.Errorf("%s: the log lacks %q: %s", row.name, want, log)
			}
		}
		for _, not := range row.not {
			if strings.Contains(log, not) {
				t.Errorf("%s: the log has %q: %s", row.name, not, log)
			}
		}
	}
}

func TestAPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	code, body, header := f.get(t, "/Users/panic", "Bearer right")
	if code != 500 || !strings.Contains(body, header.Get("X-Request-Id")) || strings.Contains(body, "a fault") {
		t.Errorf("%d %s", code, body)
	}
	if !strings.Contains(f.logText(), "a fault") {
		t.Error("the cause is not in the log")
	}
}

func TestMetricLabelsAreClosedSets(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.get(t, "/made-up-by-a-client", "Bearer right")
	f.get(t, "/Groups/abc", "Bearer right")
	_, body, _ := f.get(t, "/metrics", "Bearer watch")
	for _, want := range []string{
		`scimbridge_http_requests_total{method="GET",route="other",status="200"} 1`,
		`scimbridge_http_requests_total{method="GET",route="groups",status="200"} 1`,
		`scimbridge_token_checks_total{result="accepted"} 2`,
		`scimbridge_token_checks_total{result="wrong"} 0`,
		`scimbridge_state{state="healthy"} 1`,
		`scimbridge_problem{code="sealed"} 0`,
		`scimbridge_build_info{commit="abc",version="1.2.3"} 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(body, "made-up") {
		t.Error("a client made a time series")
	}
}

func TestTheStatusPage(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.report.State = health.Unhealthy
	f.report.Problems = []problem.Problem{
		problem.New(problem.FirewallBlocked, f.now, problem.Facts{
			problem.FactAddress: "192.0.2.7", problem.FactRuleID: "<i>mark-up`</i>",
		}),
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	visit := func(method, path string, form url.Values) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, f.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body), resp.Header
	}

	// A stranger sees a form and nothing else, whatever path it asks for.
	for _, path := range []string{"/", "/app", "/app/logs", "/app/nowhere"} {
		if _, body, header := visit("GET", path, nil); !strings.Contains(body, `name="token"`) ||
			strings.Contains(body, "192.0.2.7") || strings.Contains(body, "a line of the log") {
			t.Errorf("%s shows a stranger: %s", path, body)
		} else if !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s has no content security policy", path)
		}
	}
	for token, want := range map[string]string{
		"wrong": "does not belong", "old": "the previous token", "": "not a bearer token",
		"early": "cannot be checked now",
	} {
		if code, body, _ := visit("POST", "/app/sign-in", url.Values{"token": {token}}); code < 401 ||
			!strings.Contains(body, want) {
			t.Errorf("signing in with %q: %d %s", token, code, body)
		}
	}

	// The token opens it: components, problems with remedy and block, people who wait.
	code, body, _ := visit("POST", "/app/sign-in", url.Values{"token": {"right"}})
	if code != 200 {
		t.Fatalf("signing in: %d %s", code, body)
	}
	for _, want := range []string{
		"unhealthy", "192.0.2.7", "firewall_blocked", "scimbridge_firewall_rule", "<code>terraform apply</code>",
		"&lt;ann&gt;", "&lt;i&gt;mark-up", "acc_1", "/app/logs",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if _, body, header := visit("GET", "/app/logs", nil); !strings.HasSuffix(body,
		"[INFO]  scim-bridge: a line of the log\n") ||
		!strings.Contains(header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the log: %v %s", header, body)
	}

	// It closes by itself, and when asked to.
	f.pass(31 * time.Minute)
	if _, body, _ := visit("GET", "/app", nil); !strings.Contains(body, `name="token"`) {
		t.Error("the page is still open after half an hour")
	}
	visit("POST", "/app/sign-in", url.Values{"token": {"\ufeff right\r\n"}}) // as it is copied from a page
	if _, body, _ := visit("GET", "/app", nil); strings.Contains(body, `name="token"`) {
		t.Error("a token is not taken with the blanks that it was pasted with")
	}
	if _, body, _ := visit("POST", "/app/sign-out", nil); !strings.Contains(body, `name="token"`) {
		t.Error("signing out does not close the page")
	}
}

// Before the account has confirmed a token's pair, the token may be dead: it
// sees what is wrong, and takes nothing away.
func TestAnUnconfirmedTokenGetsNoCookieAndNoLog(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.report.Problems = []problem.Problem{problem.New(problem.AccountUnreachable, f.now, nil)}
	f.confirm("")
	code, body, header := f.signIn(t)
	if code != 200 || !strings.Contains(body, "account_unreachable") || !strings.Contains(body, "has not confirmed") {
		t.Errorf("the page: %d %s", code, body)
	}
	if header.Get("Set-Cookie") != "" || strings.Contains(body, "/app/logs") || strings.Contains(body, "&lt;ann&gt;") {
		t.Errorf("it gives away a cookie, the log or people: %v %s", header, body)
	}
}

func TestACookieIsVoidWhenItsTokenIs(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	_, _, header := f.signIn(t)
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	if _, body, _ := f.get(t, "/app/logs", "", "Cookie", cookie); !strings.Contains(body, "a line of the log") {
		t.Fatalf("the cookie does not open the log: %s", body)
	}
	for name, grant := range map[string]string{"the session was sealed": "", "another session was opened": "another"} {
		f.confirm(grant)
		for _, path := range []string{"/app", "/app/logs"} {
			if _, body, _ := f.get(t, path, "", "Cookie", cookie); !strings.Contains(body, `name="token"`) {
				t.Errorf("%s, and %s is still open", name, path)
			}
		}
	}
}

// signIn signs in to the page with the right token, and follows no redirect.
func (f *face) signIn(t *testing.T) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/app/sign-in",
		strings.NewReader(url.Values{"token": {"right"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func TestAForgedCookieOpensNothing(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	form := url.Values{"token": {"right"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/app/sign-in",
		strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	cookies := resp.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode ||
		cookies[0].Path != "/app" {
		t.Fatalf("cookies: %v", cookies)
	}
	good := cookies[0].Value
	for name, value := range map[string]string{
		"another first letter": flip(good[0]) + good[1:], "another end": good[:len(good)-1] + flip(good[len(good)-1]),
		"cut short": good[:20], "longer": good + "A", "nothing": "", "lower case": strings.ToLower(good),
		"as older versions made them": "AAAAAGeq" + strings.Repeat("A", 100), "very long": strings.Repeat("A", 4000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, body, _ := f.get(t, "/app", "", "Cookie",
				cookies[0].Name+"="+value); !strings.Contains(body, `name="token"`) {
				t.Error("the page opened")
			}
		})
	}
	if _, body, _ := f.get(t, "/app", "", "Cookie", cookies[0].Name+"="+good); strings.Contains(body, `name="token"`) {
		t.Error("the good cookie does not open the page")
	}
}

// flip returns another letter.
func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

func TestAnotherSitesFormIsRefused(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	cookie := f.cookie(t)
	for path, form := range map[string]string{
		"/app/sign-in": "token=right", "/app/sign-out": "", "/app/people/look": "",
		"/app/holds": "decision=approve&id=h1",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://evil.example")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		req.Header.Set("Cookie", cookie) // which a browser would not send
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
			t.Errorf("%s: got %d with %d cookies", path, resp.StatusCode, len(resp.Cookies()))
		}
	}
	if _, body, _ := f.get(t, "/app", "", "Cookie", cookie); isForm(body) {
		t.Error("another site's form has signed out")
	}
	if len(f.held.decided) > 0 || f.round.triggered > 0 {
		t.Errorf("decided %v, triggered %d", f.held.decided, f.round.triggered)
	}
}
