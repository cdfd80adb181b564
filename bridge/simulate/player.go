package simulate

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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
	// RetryWindow is how long 429 and 503 are retried, as every provider does.
	RetryWindow time.Duration
	// Random is where {{R}} and {{guid}} come from; nil means crypto/rand.
	Random io.Reader
}

// A Result is what became of a step.
type Result int

// The results.
const (
	Right   Result = iota
	Differs        // not as a soft step would like it
	Wrong
	Skipped // needs a value that a wrong step did not save
)

// An Outcome is a played step.
type Outcome struct {
	Phase   string
	Step    string // id, empty for generated steps
	Request string // method and path
	Took    time.Duration
	Result  Result
	Problem string // what was wrong; empty if Right
}

// variables are the values of one play of one scenario.
type variables map[string]string

// Play plays a scenario to its end and returns an outcome for each step. With
// clean, it deletes afterwards what the scenario created and left behind.
func (p *Player) Play(ctx context.Context, s Scenario, clean bool) []Outcome {
	vars := variables{"R": randomText(p.random()), "guid": randomGUID(p.random())}
	var outcomes []Outcome
	var made []string
	for _, step := range s.Steps {
		step, missing := vars.fill(step)
		if missing != "" {
			outcomes = append(outcomes, Outcome{Phase: s.ID, Step: step.ID, Request: step.Method + " " + step.Path,
				Result: Skipped, Problem: "needs {{" + missing + "}}, which no earlier answer gave"})
			continue
		}
		step.Headers = merge(s.Headers, step.Headers)
		answer, outcome := p.do(ctx, s.ID, step)
		for name, at := range step.Save {
			if v, ok := Path(strings.Split(at, ".")).in(answer); ok {
				vars[name] = fmt.Sprint(v)
			}
		}
		if path := created(step, answer); path != "" {
			made = append(made, path)
		}
		if step.Method == http.MethodDelete && outcome.Result == Right {
			made = slices.DeleteFunc(made, func(path string) bool { return path == step.Path })
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

// Reach reports in one line why nothing can be played: no answer, an answer that
// is not SCIM, or refused credentials. Every step would fail for the same reason.
func (p *Player) Reach(ctx context.Context) error {
	status, body, _, err := p.send(ctx, Step{Method: http.MethodGet, Path: "/ServiceProviderConfig"})
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the address, which stands here already
		}
		return fmt.Errorf("nothing answers at %s: %w: is the bridge running there?", p.URL, err)
	}
	var answer any
	_ = json.Unmarshal(body, &answer) // anything else has no members
	detail, _ := Path{"detail"}.in(answer)
	_, isSCIM := Path{"schemas"}.in(answer)
	switch {
	case status == http.StatusUnauthorized:
		return fmt.Errorf("the bearer token is refused at %s (%s)", p.URL, describe(status, detail))
	case !isSCIM:
		return fmt.Errorf("what answers at %s speaks no SCIM (%s)", p.URL, describe(status, detail))
	case status != http.StatusOK:
		return fmt.Errorf("the bridge at %s cannot serve (%s)", p.URL, describe(status, detail))
	default:
		return nil
	}
}

// describe describes an answer.
func describe(status int, detail any) string {
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	if s, ok := detail.(string); ok {
		text += ": " + shorten(s)
	}
	return text
}

// created returns the path of the resource that a step made, or "".
func created(s Step, answer any) string {
	id, ok := Path{"id"}.in(answer)
	if !ok || s.Method != http.MethodPost || s.Path != "/Users" && s.Path != "/Groups" {
		return ""
	}
	return s.Path + "/" + url.PathEscape(fmt.Sprint(id))
}

// do sends one step whose variables are filled in, and judges its answer.
func (p *Player) do(ctx context.Context, phase string, s Step) (answer any, o Outcome) {
	o = Outcome{Phase: phase, Step: s.ID, Request: s.Method + " " + s.Path}
	status, body, took, err := p.send(ctx, s)
	o.Took = took
	if err != nil {
		o.Result, o.Problem = Wrong, err.Error()
		return nil, o
	}
	_ = json.Unmarshal(body, &answer) // not JSON: every check then finds nothing
	var faults []string
	if !slices.Contains(s.Expect, status) {
		fault := fmt.Sprintf("status %d, want %s", status, oneOf(s.Expect))
		if detail, ok := (Path{"detail"}).in(answer); ok {
			fault += fmt.Sprintf(" (%v)", detail)
		}
		faults = append(faults, fault)
	} else {
		for _, c := range s.Check {
			if fault := c.judge(answer); fault != "" {
				faults = append(faults, fault)
			}
		}
	}
	if len(faults) > 0 {
		o.Result, o.Problem = Wrong, shorten(strings.Join(faults, "; "))
		if s.Soft {
			o.Result = Differs
		}
	}
	return answer, o
}

// send sends a step until the server has time for it.
func (p *Player) send(ctx context.Context, s Step) (status int, body []byte, took time.Duration, err error) {
	giveUp := time.Now().Add(p.RetryWindow)
	for {
		start := time.Now()
		var retry time.Duration
		status, body, retry, err = p.once(ctx, s)
		took = time.Since(start)
		busy := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		if err != nil || !busy || slices.Contains(s.Expect, status) || start.Add(retry).After(giveUp) {
			return status, body, took, err
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return 0, nil, took, ctx.Err()
		}
	}
}

// once sends a step once. retry is how long a busy server asks to wait.
func (p *Player) once(ctx context.Context, s Step) (status int, body []byte, retry time.Duration, err error) {
	var content io.Reader
	if len(s.Body) > 0 {
		content = bytes.NewReader(s.Body)
	}
	r, err := http.NewRequestWithContext(ctx, s.Method, strings.TrimSuffix(p.URL, "/")+encodeQuery(s.Path), content)
	if err != nil {
		return 0, nil, 0, err
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
		return 0, nil, 0, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return 0, nil, 0, fmt.Errorf("reading the answer: %w", err)
	}
	retry = time.Second
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		retry = time.Duration(seconds) * time.Second
	}
	return res.StatusCode, body, retry, nil
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
	s.Path = replace(s.Path, plain)
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
