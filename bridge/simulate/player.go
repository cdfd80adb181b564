package simulate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// A Player sends steps to a SCIM server and judges the answers. It is safe
// for concurrent use.
type Player struct {
	// URL is the SCIM base URL, such as http://127.0.0.1:3002/scim/v2.
	URL string
	// Authorize adds the credentials to a request. It is a function so that
	// the token stays with its owner.
	Authorize func(*http.Request)
	Client    *http.Client
	// Run is in the names of all people and groups that are made: see RunName. If empty, a random text is.
	Run string
	// Domain is the domain of the e-mail addresses that are sent; example.com if empty.
	Domain string
	// Redact removes secrets from what the server answered, before it is shown. It may be nil.
	Redact func(string) string
	// RetryWindow is how long a request is repeated after 429 and 503, as every provider does. After one request
	// was repeated for so long in vain, such answers are judged as they are.
	RetryWindow time.Duration
	// Waiting is told when a server that is busy is waited for. It may be nil, and is called by one goroutine at a
	// time.
	Waiting func(status int, pause time.Duration)
	// Random is where names and {{guid}} come from; nil means crypto/rand.
	Random io.Reader

	mu        sync.Mutex
	scenarios int             // played so far
	declared  map[string]bool // features, by what the server declares
	busyUntil time.Time
	gaveUp    bool // on waiting
	waited    time.Duration
	keeps     bool // what is made now is not removed
	made      []resource
	removed   int
}

// A Result is what became of a step.
type Result int

// The results.
const (
	Right   Result = iota
	Differs        // not as a soft step would like it
	Wrong
	Skipped     // needs a value that a wrong step did not save
	Unsupported // not right, and the server declares that it does not support it
)

// An Outcome is a played step. Texts of the server are shortened, and have neither control characters nor secrets.
type Outcome struct {
	IdP     string
	Phase   string
	Step    string // id, empty for generated steps
	Habit   string // id
	Request string // method and path
	Took    time.Duration
	Result  Result
	Problem string // what was wrong; empty if Right
	// Sent, Expected and Answer are the request's body, what would have been right, and the answer; empty if Right.
	Sent, Expected, Answer string
	// After is the write before a read that was wrong, which may have failed in silence.
	After string

	made        string // path of the resource that was made
	rightStatus bool
}

// RunName returns a name for a run, such as simulate-k3b7qa. It is in the names of all that the run makes.
func RunName() string { return "simulate-" + randomText(rand.Reader)[:6] }

// variables are the values of one play of one scenario.
type variables map[string]string

func (p *Player) variables() variables {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scenarios++
	name, domain := randomText(p.random()), cmp.Or(p.Domain, defaultDomain)
	if p.Run != "" {
		name = fmt.Sprintf("%s-%d", p.Run, p.scenarios)
	}
	return variables{
		"R": name, "guid": randomGUID(p.random()), "domain": domain, "DOMAIN": strings.ToUpper(domain),
	}
}

const defaultDomain = "example.com"

// Play plays a scenario to its end and returns an outcome for each step; fewer if ctx ends. With clean, it deletes
// afterwards what the scenario created and left behind.
func (p *Player) Play(ctx context.Context, s Scenario, clean bool) []Outcome {
	c := conversation{vars: p.variables(), lost: map[string]Result{}}
	var outcomes []Outcome
	var made []string
	for _, step := range s.Steps {
		step.Headers = merge(s.Headers, step.Headers)
		outcome := c.next(ctx, p, s.ID, step)
		if ctx.Err() != nil { // interrupted: not a fault of the server
			return outcomes
		}
		if outcome.made != "" {
			made = append(made, outcome.made)
		}
		if step.Method == http.MethodDelete && outcome.Result == Right {
			made = slices.DeleteFunc(made, func(path string) bool { return outcome.Request == "DELETE "+path })
		}
		outcomes = append(outcomes, outcome)
	}
	if clean {
		for _, path := range slices.Backward(made) { // groups were made after their members
			// A bulk request may have removed it.
			gone := []int{http.StatusNoContent, http.StatusNotFound}
			_, outcome := p.do(ctx, s.ID, Step{ID: "tidying up", Method: http.MethodDelete, Path: path, Expect: gone})
			outcomes = append(outcomes, outcome)
		}
	}
	return outcomes
}

// A conversation is a scenario under way.
type conversation struct {
	vars   variables
	lost   map[string]Result // of the steps that should have saved these variables
	undone string            // a write that the server does not support
	write  string            // the latest write
}

// next plays a step.
func (c *conversation) next(ctx context.Context, p *Player, phase string, step Step) Outcome {
	step, missing := c.vars.fill(step)
	if missing != "" {
		o := Outcome{Phase: phase, Step: step.ID, Habit: step.habit(), Request: step.Method + " " + step.Path,
			Result: Skipped, Problem: "needs {{" + missing + "}}, which no earlier answer gave"}
		if c.lost[missing] == Unsupported {
			o.Result = Unsupported
		}
		c.loses(step, o.Result)
		return o
	}
	answer, o := p.do(ctx, phase, step)
	for name, at := range step.Save {
		if v, ok := Path(strings.Split(at, ".")).in(answer); ok {
			c.vars[name] = fmt.Sprint(v)
		} else {
			c.lost[name] = o.Result
		}
	}
	switch {
	case step.writes():
		c.write = strings.TrimSpace(step.ID + " " + o.Request)
		if o.Result == Unsupported {
			c.loses(step, Unsupported)
		}
	case o.Result == Wrong:
		o.After = c.write
		if o.rightStatus && c.undone != "" {
			o.Result, o.Problem = Unsupported, "follows from "+c.undone+": "+o.Problem
		}
	}
	return o
}

// loses keeps in mind that a step was not done.
func (c *conversation) loses(step Step, result Result) {
	for name := range step.Save {
		c.lost[name] = result
	}
	if step.writes() && result == Unsupported {
		c.undone = strings.TrimSpace(step.ID + " " + step.Method + " " + step.Path)
	}
}

// writes reports whether a step may change something.
func (s Step) writes() bool {
	return s.Method != http.MethodGet && !strings.HasSuffix(s.Path, "/.search")
}

// Reach reports in one line why nothing can be played: no answer, an answer that is not SCIM, or refused credentials.
// Every step would fail for the same reason. It keeps in mind what the server declares unsupported.
func (p *Player) Reach(ctx context.Context) error {
	config, isSCIM, err := p.probe(ctx, "/ServiceProviderConfig")
	if err != nil {
		return err
	}
	p.declared = declaredUnsupported(config) // nothing, if there is none
	// Discovery may be open to everyone (RFC 7644 section 4), and a server may lack it.
	if _, alsoSCIM, err := p.probe(ctx, "/Users?startIndex=1&count=1"); err != nil {
		return err
	} else if !isSCIM && !alsoSCIM {
		return fmt.Errorf("what answers at %s speaks no SCIM: neither /ServiceProviderConfig nor /Users is one of its "+
			"answers; --url is the address below which /Users is", p.URL)
	}
	if !p.hasGroups(ctx) {
		p.declared[featureGroups] = true
	}
	return nil
}

// Declared returns the features that the server declares as unsupported, sorted.
func (p *Player) Declared() []string { return slices.Sorted(maps.Keys(p.declared)) }

// Waited returns how long requests were put off because the server was busy.
func (p *Player) Waited() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waited
}

// probe asks for a path. The error is why nothing can be played.
func (p *Player) probe(ctx context.Context, path string) (answer any, isSCIM bool, err error) {
	reply, err := p.send(ctx, Step{Method: http.MethodGet, Path: path})
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the address, which stands here already
		}
		return nil, false, fmt.Errorf("nothing answers at %s: %w: is a server running there?", p.URL, err)
	}
	_ = json.Unmarshal(reply.body, &answer) // anything else has no members
	for _, key := range []string{"schemas", "Resources", "totalResults", "patch"} {
		_, there := Path{key}.in(answer)
		isSCIM = isSCIM || there
	}
	detail, _ := Path{"detail"}.in(answer)
	said := p.describe(reply.status, detail)
	switch status := reply.status; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		err = fmt.Errorf("the bearer token is refused at %s (%s)", p.URL, said)
	case status/100 == 3:
		err = fmt.Errorf("%s redirects to %q (%d): give the address behind that as --url", p.URL,
			p.shown(reply.header.Get("Location"), mostShown), status)
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError &&
		status != http.StatusNotImplemented:
		if isSCIM {
			err = fmt.Errorf("the server at %s cannot serve (%s)", p.URL, said)
		} else {
			err = fmt.Errorf("what answers at %s speaks no SCIM (%s)", p.URL, said)
		}
	case status == http.StatusOK && !isSCIM:
		err = fmt.Errorf("what answers at %s speaks no SCIM (%s)", p.URL, said)
	}
	return answer, isSCIM && reply.status == http.StatusOK, err
}

// describe describes an answer.
func (p *Player) describe(status int, detail any) string {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	if s, ok := detail.(string); ok {
		text += ": " + p.shown(s, mostShown)
	}
	return text
}

// How many characters of a problem and of a body are shown.
const (
	mostShown = 200
	mostBody  = 300
)

// shown makes a text of the server fit to be shown.
func (p *Player) shown(text string, most int) string {
	const read = 64 << 10
	text = text[:min(len(text), read)]
	if p.Redact != nil {
		text = p.Redact(text)
	}
	return shorten(line(text), most)
}

// line makes a text one line without what drives a terminal or turns the direction of writing.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, text)
}

// do sends one step whose variables are filled in, and judges its answer.
func (p *Player) do(ctx context.Context, phase string, s Step) (answer any, o Outcome) {
	o = Outcome{Phase: phase, Step: s.ID, Habit: s.habit(), Request: s.Method + " " + s.Path}
	reply, err := p.send(ctx, s)
	o.Took = reply.took
	if err == nil {
		_ = json.Unmarshal(reply.body, &answer) // not JSON: every check then finds nothing
	}
	o.made = p.register(s, reply, answer, err)
	var faults []string
	switch {
	case err != nil:
		faults = append(faults, err.Error())
	case !slices.Contains(s.Expect, reply.status):
		fault := fmt.Sprintf("status %d, want %s", reply.status, oneOf(s.Expect))
		if detail, ok := (Path{"detail"}).in(answer); ok {
			fault += fmt.Sprintf(" (%v)", detail)
		}
		faults = append(faults, fault)
	default:
		o.rightStatus = true
		for _, c := range s.Check {
			if fault := c.judge(answer); fault != "" {
				faults = append(faults, fault)
			}
		}
	}
	if len(faults) == 0 {
		return answer, o
	}
	o.Result, o.Problem = Wrong, p.shown(strings.Join(faults, "; "), mostShown)
	o.Sent, o.Expected = p.shown(compact(s.Body), mostBody), p.shown(s.expectation(), mostBody)
	if err == nil {
		o.Answer = p.shown(strings.TrimSpace(fmt.Sprintf("status %d %s", reply.status, reply.body)), mostBody)
	}
	if feature := s.needs(p.declared); feature != "" && err == nil {
		o.Result, o.Problem = Unsupported, "the server declares "+feature+" unsupported: "+o.Problem
	}
	if s.Soft {
		o.Result = Differs
	}
	return answer, o
}

// compact returns a body without blanks.
func compact(body []byte) string {
	var b bytes.Buffer
	_ = json.Compact(&b, body) // an empty one stays empty, and others are ours
	return b.String()
}

// expectation says which answer would be right.
func (s Step) expectation() string {
	text := "status " + oneOf(s.Expect)
	for _, c := range s.Check {
		text += "; " + c.String()
	}
	return text
}

// A reply is an answer of the server.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	took    time.Duration
	retried bool // after the server was busy
}

// send sends a step until the server has time for it.
func (p *Player) send(ctx context.Context, s Step) (r reply, err error) {
	first, pause, retried := time.Now(), time.Second, false
	for {
		if err := p.awaitTurn(ctx); err != nil {
			return r, err
		}
		start := time.Now()
		r, err = p.once(ctx, s)
		r.took, r.retried = time.Since(start), retried
		busy := r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable
		if err != nil || !busy || slices.Contains(s.Expect, r.status) {
			return r, err
		}
		asked := retryAfter(r.header, start)
		if asked == 0 {
			asked, pause = pause, min(2*pause, maxPause)
		}
		if !p.pause(first, asked, r) {
			return r, nil
		}
		retried = true
	}
}

// maxPause is the longest pause if a busy server does not say how long.
const maxPause = 16 * time.Second

// retryAfter returns how long a busy server asks to wait: in seconds or until a time (RFC 9110 section 10.2.3); 0 if it
// does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// pause makes all requests wait, and reports whether one that was first sent at that time is to be repeated then: a
// server's limit is on all of them.
func (p *Player) pause(first time.Time, long time.Duration, busy reply) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := time.Now().Add(long)
	if p.gaveUp || until.After(first.Add(p.RetryWindow)) {
		p.gaveUp = p.gaveUp || busy.retried
		return false
	}
	if more := until.Sub(p.busyUntil); more > 0 {
		more = min(more, long)
		p.waited += more
		p.busyUntil = until
		if p.Waiting != nil && more > long/2 { // else of several requests one has said so
			p.Waiting(busy.status, long)
		}
	}
	return true
}

// awaitTurn waits while the server is busy.
func (p *Player) awaitTurn(ctx context.Context) error {
	p.mu.Lock()
	pause := time.Until(p.busyUntil)
	p.mu.Unlock()
	if pause <= 0 {
		return nil
	}
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once sends a step once.
func (p *Player) once(ctx context.Context, s Step) (reply, error) {
	var content io.Reader
	if len(s.Body) > 0 {
		content = bytes.NewReader(s.Body)
	}
	if s.Method == http.MethodPost {
		awaited, cancel := awaitedAfter(ctx)
		defer cancel()
		ctx = awaited
	}
	r, err := http.NewRequestWithContext(ctx, s.Method, strings.TrimRight(p.URL, "/")+encodeQuery(s.Path), content)
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Accept", "application/scim+json")
	p.Authorize(r)
	for name, value := range s.Headers {
		r.Header.Set(name, value) // an empty User-Agent keeps net/http from sending its own
	}
	switch {
	case len(s.Body) == 0:
		r.Header.Del("Content-Type")
	case r.Header.Get("Content-Type") == "":
		r.Header.Set("Content-Type", "application/scim+json")
	}
	res, err := p.Client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return reply{}, fmt.Errorf("reading the answer: %w", err)
	}
	return reply{status: res.StatusCode, header: res.Header, body: body}, nil
}

// awaitedAfter returns a context that ends some time after ctx: a creation that is under way is awaited, since it may
// be done after it would have been looked up to be removed.
func awaitedAfter(ctx context.Context) (awaited context.Context, cancel func()) {
	const grace = 10 * time.Second
	awaited, cancelNow := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			cancelNow()
		case <-awaited.Done():
		}
	})
	return awaited, func() { stop(); cancelNow() }
}

func (p *Player) random() io.Reader {
	if p.Random == nil {
		return rand.Reader
	}
	return p.Random
}

var variable = regexp.MustCompile(`\{\{(\w+)\}\}`)

// fill returns the step with its variables replaced, or the name of one that
// has no value.
func (v variables) fill(s Step) (filled Step, missing string) {
	replace := func(text string, quote func(string) string) string {
		return variable.ReplaceAllStringFunc(text, func(ref string) string {
			name := variable.FindStringSubmatch(ref)[1]
			value, ok := v[name]
			if !ok {
				missing = name
				return ref
			}
			return quote(value)
		})
	}
	plain := func(s string) string { return s }
	path, query, hasQuery := strings.Cut(s.Path, "?")
	if s.Path = replace(path, url.PathEscape); hasQuery { // an id may have slashes
		s.Path += "?" + replace(query, plain)
	}
	s.Body = json.RawMessage(replace(string(s.Body), quoteInside))
	s.Check = slices.Clone(s.Check)
	for i, c := range s.Check {
		if text, ok := c.Value.(string); ok {
			s.Check[i].Value = replace(text, plain)
		}
	}
	return s, missing
}

// quoteInside escapes a value that stands inside a JSON string.
func quoteInside(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}

// encodeQuery percent-encodes the values of a query that is written plain. A
// value that carries %XX is as a provider sent it; only its spaces are encoded.
func encodeQuery(path string) string {
	base, query, ok := strings.Cut(path, "?")
	if !ok {
		return path
	}
	terms := strings.Split(query, "&")
	for i, term := range terms {
		name, value, _ := strings.Cut(term, "=")
		if escaped.MatchString(value) {
			value = strings.ReplaceAll(value, " ", "%20")
		} else {
			value = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		}
		terms[i] = name + "=" + value
	}
	return base + "?" + strings.Join(terms, "&")
}

var escaped = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func merge(a, b map[string]string) map[string]string {
	m := make(map[string]string, len(a)+len(b))
	for k, v := range a {
		m[http.CanonicalHeaderKey(k)] = v
	}
	for k, v := range b {
		m[http.CanonicalHeaderKey(k)] = v
	}
	return m
}

func oneOf(statuses []int) string {
	texts := make([]string, len(statuses))
	for i, s := range statuses {
		texts[i] = strconv.Itoa(s)
	}
	return strings.Join(texts, " or ")
}

// randomText returns eight lower-case letters and digits.
func randomText(r io.Reader) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	b := randomBytes(r, 8)
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return string(b)
}

func randomGUID(r io.Reader) string { return guid(randomBytes(r, 16)) }

// guid writes 16 bytes as a version 4 GUID.
func guid(b []byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func randomBytes(r io.Reader, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		panic(fmt.Sprintf("simulate: the source of randomness failed: %v", err))
	}
	return b
}
