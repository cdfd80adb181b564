package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

// A fault is what happens to a request on the way to the SCIM server.
type fault func(pass http.Handler, w http.ResponseWriter, r *http.Request)

// A faultyWay is the way to a SCIM server. It has tokens of its own, so that they can be revoked.
type faultyWay struct {
	t       *testing.T
	address string
	proxy   *httputil.ReverseProxy
	server  *http.Server
	taken   atomic.Int64 // creations that the server refused, since it had such a person

	mu     sync.Mutex
	fault  fault // nil for none
	tokens []string
}

const firstServerToken, secondServerToken = "first-server-token", "second-server-token"

func newFaultyWay(t *testing.T, to farServer) *faultyWay {
	t.Helper()
	target, err := url.Parse(to.bridge.url(""))
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyWay{t: t, address: ports.Free(t), tokens: []string{firstServerToken}}
	f.proxy = &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // of requests that the bridge has given up
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Set("Authorization", "Bearer "+to.pair.token.Reveal())
		},
		ModifyResponse: func(resp *http.Response) error {
			if resp.Request.Method == http.MethodPost && resp.StatusCode == http.StatusConflict {
				f.taken.Add(1)
			}
			return nil
		},
	}
	f.up()
	t.Cleanup(f.down)
	return f
}

func (f *faultyWay) url() string { return "http://" + f.address + "/scim/v2" }

// up serves until down is called, which ends connections too.
func (f *faultyWay) up() {
	f.t.Helper()
	l := ports.Listen(f.t, f.address)
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func() { _ = f.server.Serve(l) }()
}

func (f *faultyWay) down() { f.server.Close() }

// set makes a fault happen, or ends it if it is nil.
func (f *faultyWay) set(what fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = what
}

// accept makes tokens the only ones that are accepted.
func (f *faultyWay) accept(tokens ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = tokens
}

func (f *faultyWay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	hit := f.fault
	accepted := slices.Contains(f.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	f.mu.Unlock()
	switch {
	case !accepted:
		fail(w, http.StatusUnauthorized)
	case hit != nil:
		hit(f.proxy, w, r)
	default:
		f.proxy.ServeHTTP(w, r)
	}
}

// seal seals a session for the server behind the way.
func (f *faultyWay) seal(bearer session.Token, serverToken string) string {
	f.t.Helper()
	sealed, err := session.SealDirectory(bearer, session.Directory{URL: f.url(), Token: secret.New(serverToken)},
		session.File{}, 0, time.Now())
	if err != nil {
		f.t.Fatal(err)
	}
	return sealed
}

// fail answers as SCIM servers do.
func fail(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"%d"}`, status)
}

func isWrite(r *http.Request) bool { return r.Method != http.MethodGet }

// carriedOut returns the server's answer to a request, also if nobody waits for it.
func carriedOut(pass http.Handler, r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	pass.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	return answer
}

func slow(pass http.Handler, w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(2 * time.Second):
		pass.ServeHTTP(w, r)
	case <-r.Context().Done():
	}
}

// silent carries requests out and never answers them.
func silent(pass http.Handler, _ http.ResponseWriter, r *http.Request) {
	carriedOut(pass, r)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// ofWrites is a fault that reads do not have.
func ofWrites(hit fault) fault {
	return func(pass http.Handler, w http.ResponseWriter, r *http.Request) {
		if isWrite(r) {
			hit(pass, w, r)
			return
		}
		pass.ServeHTTP(w, r)
	}
}

// everyOther is a fault of every other request.
func everyOther(hit fault) fault {
	var requests atomic.Int64
	return func(pass http.Handler, w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%2 == 1 {
			hit(pass, w, r)
			return
		}
		pass.ServeHTTP(w, r)
	}
}

func failing(pass http.Handler, w http.ResponseWriter, r *http.Request) {
	carriedOut(pass, r)
	fail(w, http.StatusInternalServerError)
}

// cutOff closes the connection in the middle of the answer.
func cutOff(pass http.Handler, w http.ResponseWriter, r *http.Request) {
	answer := carriedOut(pass, r)
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	body := answer.Body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(max(len(body), 2)))
	if answer.Code == http.StatusNoContent {
		answer.Code = http.StatusOK // one without a body cannot be cut off
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// A limiter takes no requests for a time that begins with the first one.
type limiter struct {
	t    *testing.T
	wait time.Duration

	mu      sync.Mutex
	since   time.Time
	refused int
}

// underWay is how many requests may be on their way to the server when it refuses the first one.
const underWay = 4

func (l *limiter) hit(pass http.Handler, w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	now := time.Now()
	if l.since.IsZero() {
		l.since = now
	}
	passed := now.Sub(l.since)
	if passed < l.wait {
		l.refused++
	}
	refused := l.refused
	l.mu.Unlock()
	if passed >= l.wait {
		pass.ServeHTTP(w, r)
		return
	}
	// Those that were under way when the first one was answered are no fault of the bridge.
	if passed > time.Second && refused > underWay {
		l.t.Errorf("%s %s was sent %s after a Retry-After of %s", r.Method, r.URL.Path, passed, l.wait)
	}
	w.Header().Set("Retry-After", strconv.Itoa(int((l.wait-passed+time.Second-1)/time.Second)))
	fail(w, http.StatusTooManyRequests)
}

// isOver reports whether requests are taken again.
func (l *limiter) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.since.IsZero() && time.Since(l.since) > l.wait
}

// A pusher is an identity provider that pushes people and one group until it is ended. It repeats what is not
// answered well, and looks for the person if its creation is refused.
type pusher struct {
	stubbornClient
	name  string        // begins the names of all that it pushes
	pause time.Duration // between requests
	group string        // path

	stop    chan struct{}
	workers sync.WaitGroup
	steps   atomic.Int64

	mu      sync.Mutex
	answers map[int]int // to requests that are repeated, by status
	people  []pushed
}

// What a pusher counts in place of an answer's status.
const (
	noAnswer = 0
	noServer = -1 // nothing listens
)

// A pushed is a person as the bridge has acknowledged it.
type pushed struct {
	name, id, title string
	isMember        bool
	isGone          bool
}

func startPusher(t *testing.T, url string, token session.Token, name string, workers int, pause time.Duration,
) *pusher {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*timeout)
	p := &pusher{
		stubbornClient: stubbornClient{t: t, url: url, token: token.Reveal(),
			http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}},
		name: name, pause: pause, stop: make(chan struct{}), answers: map[int]int{},
	}
	made := p.push(ctx, http.MethodPost, "/Groups", `{"displayName":"`+name+`"}`)
	p.group = "/Groups/" + idOf(t, made.body)
	for n := range workers {
		p.workers.Go(func() { p.work(ctx, n) })
	}
	t.Cleanup(func() {
		cancel()
		p.end()
	})
	return p
}

// end stops and returns what was acknowledged.
func (p *pusher) end() []pushed {
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.workers.Wait()
	return p.people
}

func (p *pusher) work(ctx context.Context, worker int) {
	for n := 0; ; n++ {
		select {
		case <-p.stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		one := p.one(ctx, fmt.Sprintf("%s-%d-%d@example.com", p.name, worker, n), n)
		p.mu.Lock()
		p.people = append(p.people, one)
		p.mu.Unlock()
	}
}

// one pushes a person: it joins the group and gets a title, then every third leaves, and every fourth is deleted.
func (p *pusher) one(ctx context.Context, name string, n int) pushed {
	is := pushed{name: name, title: "t" + strconv.Itoa(n), isMember: true}
	made := p.push(ctx, http.MethodPost, "/Users", person(name))
	if made.status == http.StatusConflict {
		found := p.push(ctx, http.MethodGet, "/Users?filter="+url.QueryEscape(fmt.Sprintf("userName eq %q", name)), "")
		var list struct{ Resources []json.RawMessage }
		if err := json.Unmarshal([]byte(found.body), &list); err != nil || len(list.Resources) != 1 {
			p.t.Errorf("%s is taken, and a search finds %s", name, found.body)
			return is
		}
		made.body = string(list.Resources[0])
	}
	is.id = idOf(p.t, made.body)
	p.push(ctx, http.MethodPatch, p.group, patchOf(changes[true][n%3], is.id))
	p.push(ctx, http.MethodPatch, "/Users/"+is.id,
		`{"Operations":[{"op":"replace","path":"title","value":"`+is.title+`"}]}`)
	if n%3 == 0 {
		p.push(ctx, http.MethodPatch, p.group, patchOf(changes[false][n%2], is.id))
		is.isMember = false
	}
	if n%4 == 0 {
		p.push(ctx, http.MethodDelete, "/Users/"+is.id, "") // an earlier one may have had its effect: 404
		is.isGone = true
	}
	return is
}

// push sends a request until it is answered well.
func (p *pusher) push(ctx context.Context, method, path, body string) reply {
	for {
		got, err := p.once(ctx, method, path, body)
		if ctx.Err() != nil {
			p.t.Errorf("%s %s was never answered: %d %v", method, path, got.status, err)
			return reply{}
		}
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			got.status = noServer
		case err != nil:
			got.status = noAnswer
		case got.status < 300, got.status == http.StatusConflict && method == http.MethodPost,
			got.status == http.StatusNotFound && method == http.MethodDelete:
			p.steps.Add(1)
			p.sleep(ctx, p.pause)
			return got
		case got.status != http.StatusServiceUnavailable && got.status != http.StatusTooManyRequests:
			p.t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
			return got
		case got.header.Get("Retry-After") == "":
			p.t.Errorf("%s %s: %d without Retry-After", method, path, got.status)
		}
		p.count(got.status)
		p.sleep(ctx, max(p.pause, 50*time.Millisecond))
	}
}

func (p *pusher) count(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[status]++
}

func (p *pusher) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// counted returns how often each status was answered that is repeated.
func (p *pusher) counted() map[int]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.answers)
}

func (p *pusher) awaitSteps(more int64) {
	p.t.Helper()
	from := p.steps.Load()
	await(p.t, "requests that are answered well", func() bool { return p.steps.Load() >= from+more })
}

func idOf(t *testing.T, resource string) string {
	t.Helper()
	var r struct{ ID string }
	if err := json.Unmarshal([]byte(resource), &r); err != nil || r.ID == "" {
		t.Errorf("%q has no id: %v", resource, err)
	}
	return r.ID
}

// hasExactly checks that the server has what was acknowledged, once, and nothing else of the pusher's.
func (f farServer) hasExactly(t *testing.T, p *pusher) {
	t.Helper()
	acknowledged := p.end()
	read := func(path, filter string, into any) {
		t.Helper()
		got := ask(t, http.MethodGet, f.url()+path+"?count=1000&filter="+url.QueryEscape(filter),
			f.pair.token.Reveal(), "")
		if err := json.Unmarshal([]byte(got.body), into); err != nil || got.status != http.StatusOK {
			t.Fatalf("reading %s of the server: %d %s", path, got.status, got.body)
		}
	}
	var users struct {
		TotalResults int
		Resources    []struct{ ID, UserName, Title string }
	}
	read("/Users", `userName sw "`+p.name+`-"`, &users)
	var groups struct {
		Resources []struct{ Members []struct{ Value string } }
	}
	read("/Groups", `displayName eq "`+p.name+`"`, &groups)
	if users.TotalResults != len(users.Resources) || len(groups.Resources) != 1 {
		t.Fatalf("the server shows %d of %d people, and %d groups", len(users.Resources), users.TotalResults,
			len(groups.Resources))
	}
	names := map[string]string{}
	var has, should []string
	for _, u := range users.Resources {
		names[u.ID] = u.UserName
		has = append(has, u.UserName+" "+u.Title)
	}
	for _, m := range groups.Resources[0].Members {
		has = append(has, "member "+names[m.Value])
	}
	for _, one := range acknowledged {
		if one.isGone {
			continue
		}
		should = append(should, one.name+" "+one.title)
		if one.isMember {
			should = append(should, "member "+one.name)
		}
	}
	slices.Sort(has)
	slices.Sort(should)
	if !slices.Equal(has, should) {
		t.Errorf("the server has\n%s\nand was acknowledged\n%s", strings.Join(has, "\n"), strings.Join(should, "\n"))
	}
	if len(acknowledged) == 0 {
		t.Error("nobody was pushed")
	}
}

// A faultyFront is a bridge before a SCIM server to which the way is faulty, and an identity provider that pushes.
type faultyFront struct {
	*faultyWay
	bridge  *process
	bearer  session.Token
	pusher  *pusher
	limiter *limiter
}

// rotate seals another token of the server, and redeploys the bridge.
func (f *faultyFront) rotate() {
	f.t.Helper()
	if err := session.WriteFile(filepath.Join(f.bridge.dir, "session"),
		f.seal(f.bearer, secondServerToken)); err != nil {
		f.t.Fatal(err)
	}
	old := f.bridge
	f.bridge = serve(f.t, old.dir, "--take-over", "--suspension-limit", "off")
	f.bridge.open(f.bearer.Reveal())
	if err := f.bridge.control().TakeOver(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	<-old.ended
}

// awaitHealth waits until what the bridge says of itself is so, and returns it. It asks seldom: faults take long.
func (f *faultyFront) awaitHealth(what string, is func(health.Health) bool) (h health.Health) {
	f.t.Helper()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(timeout); ; <-tick.C {
		if h = f.bridge.health(f.bearer.Reveal()); is(h) {
			return h
		}
		if time.Now().After(end) {
			f.t.Fatalf("waited in vain for %s: it is %s with %+v", what, h.State, h.Problems)
		}
	}
}

// limit makes the server take no requests for a time, and waits until that has begun.
func (f *faultyFront) limit(wait time.Duration) {
	f.limiter = &limiter{t: f.t, wait: wait}
	f.set(f.limiter.hit)
}

func (f *faultyFront) awaitLimit() {
	f.t.Helper()
	await(f.t, "the end of the limit", f.limiter.isOver)
	f.set(nil)
}

func TestFaultsOfTheServerLoseNothingAndMakeNobodyTwice(t *testing.T) {
	t.Parallel()
	far := newFarServer(t)
	end := func(f *faultyFront) { f.set(nil) }
	is := func(hit fault) func(*faultyFront) { return func(f *faultyFront) { f.set(hit) } }
	unavailable := []int{http.StatusServiceUnavailable}
	var rows sync.WaitGroup
	for n, row := range []struct {
		name  string
		begin func(*faultyFront)
		end   func(*faultyFront)
		// What the bridge says while it lasts: answers beside successes, one of which must come if there is a problem;
		// the problem, the state, and what the cause has.
		answers []int
		problem problem.Code
		state   string
		cause   string
	}{
		{name: "it answers after seconds", begin: is(slow), end: end, state: health.Healthy},
		{name: "it does not answer", begin: is(silent), end: end, answers: unavailable,
			problem: problem.DirectoryUnreachable, state: health.Unhealthy, cause: "did not answer in time"},
		{name: "it does not answer writes", begin: is(ofWrites(silent)), end: end, answers: unavailable},
		{name: "it is down and comes back", begin: func(f *faultyFront) { f.down() },
			end: func(f *faultyFront) { f.up() }, answers: unavailable, problem: problem.DirectoryUnreachable,
			state: health.Unhealthy, cause: "cannot be reached"},
		{name: "429 with a Retry-After for which there is time",
			begin: func(f *faultyFront) { f.limit(4 * time.Second) }, end: (*faultyFront).awaitLimit,
			problem: problem.DirectoryRateLimited, state: health.Degraded},
		{name: "429 with a Retry-After for which there is no time",
			begin: func(f *faultyFront) { f.limit(30 * time.Second) }, end: (*faultyFront).awaitLimit,
			answers: []int{http.StatusTooManyRequests}, problem: problem.DirectoryRateLimited, state: health.Degraded},
		{name: "500 after every other write", begin: is(ofWrites(everyOther(failing))), end: end,
			answers: unavailable},
		{name: "500 after each write", begin: is(ofWrites(failing)), end: end, answers: unavailable},
		{name: "each answer is cut off", begin: is(cutOff), end: end, answers: unavailable,
			problem: problem.DirectoryUnreachable, state: health.Unhealthy, cause: "broke off"},
		{name: "every other answer is cut off", begin: is(everyOther(cutOff)), end: end, answers: unavailable},
		{name: "its token is revoked", begin: func(f *faultyFront) { f.accept(secondServerToken) },
			end: (*faultyFront).rotate, answers: unavailable, problem: problem.DirectoryTokenRefused,
			state: health.Unhealthy, cause: "401"},
		{name: "its token is rotated", begin: func(f *faultyFront) {
			f.accept(firstServerToken, secondServerToken)
			f.rotate()
			f.accept(secondServerToken)
		}, end: end, state: health.Healthy},
	} {
		// They wait most of the time, and so are not counted by -parallel.
		rows.Go(func() {
			t.Run(row.name, func(t *testing.T) {
				f := &faultyFront{faultyWay: newFaultyWay(t, far), bearer: newBearer(t)}
				f.bridge = serve(t, folder(t, f.seal(f.bearer, firstServerToken)), "--suspension-limit", "off")
				f.bridge.open(f.bearer.Reveal())
				f.pusher = startPusher(t, f.bridge.url("/scim/v2"), f.bearer, "row"+strconv.Itoa(n), 2,
					50*time.Millisecond)
				f.pusher.awaitSteps(10)
				if got := f.pusher.counted(); len(got) > 0 {
					t.Fatalf("before the fault the answers are %v", got)
				}
				row.begin(f)
				h := f.awaitHealth("the problem "+string(row.problem), func(h health.Health) bool {
					return row.problem == "" || slices.ContainsFunc(h.Problems, func(p problem.Problem) bool {
						return p.Code == row.problem && strings.Contains(p.Cause, row.cause) &&
							strings.Contains(p.Cause, f.url())
					})
				})
				if row.state != "" && h.State != row.state {
					t.Errorf("meanwhile it is %s with %+v", h.State, h.Problems)
				}
				from := f.pusher.steps.Load()
				await(t, "answers", func() bool {
					steps := f.pusher.steps.Load() - from
					return len(f.pusher.counted()) > 0 || row.answers == nil && steps >= 5 ||
						row.problem == "" && steps >= 30
				})
				row.end(f)
				f.awaitHealth("no problem", func(h health.Health) bool {
					return h.State == health.Healthy && len(h.Problems) == 0
				})
				f.pusher.awaitSteps(10)
				far.hasExactly(t, f.pusher)
				got := f.pusher.counted()
				t.Logf("%d requests were answered well, others: %v", f.pusher.steps.Load(), got)
				for status := range got {
					if !slices.Contains(row.answers, status) {
						t.Errorf("%d requests were answered %d", got[status], status)
					}
				}
				if n := f.taken.Load(); n > 0 {
					t.Errorf("%d people were created again, which not every server refuses", n)
				}
			})
		})
	}
	rows.Wait()
}
