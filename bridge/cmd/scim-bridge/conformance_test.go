package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// A judged is a bridge with a person of its own that a conformance run judges.
type judged struct {
	*process
	t      *testing.T
	pair   pair
	token  string // its file
	before string // who is there
}

func newJudged(t *testing.T) *judged {
	t.Helper()
	account := newAccount(t)
	pair := account.activate()
	return judge(t, account, pair, serve(t, folder(t, pair.sealed), "--log-level", "error"))
}

func judge(t *testing.T, account *realAccount, pair pair, bridge *process) *judged {
	t.Helper()
	account.limit("off") // so many are deleted within an hour
	j := &judged{t: t, pair: pair, process: bridge}
	j.token = tokenFile(t, j.pair)
	create(t, j.process, j.pair, "real@example.com")
	j.before = j.everybody()
	if !strings.Contains(j.before, "real@example.com") {
		t.Fatalf("there is %s", j.before)
	}
	return j
}

// everybody returns how many people and groups there are, and who.
func (j *judged) everybody() string {
	j.t.Helper()
	all := ""
	for _, kind := range []string{"Users", "Groups"} {
		got := ask(j.t, http.MethodGet, j.url("/scim/v2/"+kind+"?count=1000"), j.pair.token.Reveal(), "")
		var list struct {
			TotalResults int
			Resources    []struct{ UserName, DisplayName string }
		}
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != http.StatusOK {
			j.t.Fatalf("%s: %d %s", kind, got.status, got.body)
		}
		all += kind + " " + strconv.Itoa(list.TotalResults)
		for _, one := range list.Resources {
			all += " " + one.UserName + one.DisplayName
		}
		all += "\n"
	}
	return all
}

// behind returns the address of a server that passes on to the bridge what it does not answer itself.
func (j *judged) behind(answers func(w http.ResponseWriter, r *http.Request) bool) string {
	j.t.Helper()
	to, err := url.Parse(j.url(""))
	if err != nil {
		j.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	j.t.Cleanup(server.Close)
	return server.URL
}

// A run is a conformance run that has ended.
type conformance struct {
	code     int
	out, err string
	json     simulate.Document
	junit    struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string  `xml:"name,attr"`
				Failure *string `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
}

// play runs simulate. The function is called with the process once that is running.
func (j *judged) play(address string, started func(*os.Process), args ...string) (c conformance) {
	j.t.Helper()
	dir := j.t.TempDir()
	junit, report := filepath.Join(dir, "report.xml"), filepath.Join(dir, "report.json")
	cmd := exec.CommandContext(j.t.Context(), "scim-bridge", append([]string{
		"simulate", "--url", address, "--token-file", j.token, "--report-junit", junit, "--report-json", report,
	}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		j.t.Fatal(err)
	}
	if started != nil {
		started(cmd.Process)
	}
	if err := cmd.Wait(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			j.t.Fatal(err)
		}
	}
	c.code, c.out, c.err = cmd.ProcessState.ExitCode(), out.String(), errs.String()
	text := readText(j.t, report)
	if err := json.Unmarshal([]byte(text), &c.json); err != nil {
		j.t.Fatalf("%v: %s", err, text)
	}
	suites := readText(j.t, junit)
	if err := xml.Unmarshal([]byte(suites), &c.junit); err != nil {
		j.t.Fatalf("%v: %s", err, suites)
	}
	tellsNothing(j.t, c.out+c.err+text+suites, j.pair)
	return c
}

// states returns the ids of the habits in a state.
func (c conformance) states(state simulate.State) (ids []string) {
	for _, h := range c.json.Habits {
		if h.State == state {
			ids = append(ids, h.ID)
		}
	}
	return ids
}

// leftNothing fails the test if the run left something of its own, or took something else away.
func (j *judged) leftNothing(c conformance) {
	j.t.Helper()
	if after := j.everybody(); after != j.before || c.json.Removed == 0 || len(c.json.Left) != 0 {
		j.t.Errorf("before there was\n%s\nand afterwards\n%s%d were removed, %v were left", j.before, after,
			c.json.Removed, c.json.Left)
	}
}

// The bridge is the first server that its own judge finds right.
func TestABridgeConforms(t *testing.T) {
	t.Parallel()
	j := newJudged(t)
	c := j.play(j.url(""), nil, "--idp", "all", "--people", "21", "--groups", "2")
	if c.code != 0 || c.json.Result != "right" || len(c.states(simulate.StateRight)) != len(simulate.Habits()) {
		t.Fatalf("exit %d, %s, wrong: %v, unsupported: %v, not played: %v\n%s%s", c.code, c.json.Result,
			c.states(simulate.StateWrong), c.states(simulate.StateUnsupported),
			c.states(simulate.StateNotPlayed), c.out, c.err)
	}
	if len(c.json.IdPs) != len(simulate.IdPs()) || c.json.Counts.Right < 500 ||
		!strings.HasPrefix(c.json.Run, "simulate-") || c.json.URL != j.url("/scim/v2") {
		t.Errorf("the report is of %v, %+v, run %q, at %s", c.json.IdPs, c.json.Counts, c.json.Run, c.json.URL)
	}
	if c.junit.Tests < 60 || c.junit.Failures+c.junit.Errors+c.junit.Skipped != 0 ||
		len(c.junit.Suites) != len(simulate.IdPs())+1 || c.junit.Suites[0].Name != "simulate.entra" {
		t.Errorf("the JUnit report is %+v", c.junit)
	}
	for _, want := range []string{
		"Remove the members listed in value, no others", "7644 3.5.2.2 *", "all habits", "What was made is removed: ",
	} {
		if !strings.Contains(c.out, want) {
			t.Errorf("the table lacks %q:\n%s", want, c.out)
		}
	}
	j.leftNothing(c)

	// What stays is what was asked for, and the next run meets it.
	for range 2 {
		c = j.play(j.url(""), nil, "--idp", "okta", "--people", "3", "--groups", "1", "--keep")
		after := j.everybody()
		if c.code != 0 || !c.json.Kept || !strings.HasPrefix(after, "Users 4 ") ||
			strings.Count(after, ".simulated-okta@example.com") != 3 ||
			!strings.Contains(after, "\nGroups 1 All Staff (simulated-okta, example.com)\n") {
			t.Errorf("exit %d; there is\n%s\n%s", c.code, after, c.out)
		}
	}
	c = j.play(j.url("/scim/v2/"), nil, "--idp", "google", "--keep")
	if after := j.everybody(); c.code != 0 || !strings.Contains(after, "goo_"+c.json.Run+"-1@example.com") {
		t.Errorf("exit %d; there is\n%s\n%s", c.code, after, c.out)
	}
}

// Every identity provider is answered alike where the account is in the bridge's process.
func TestABridgeInOneProcessConforms(t *testing.T) {
	t.Parallel()
	o := newOneProcess(t, "--log-level", "error")
	j := judge(t, o.realAccount, o.activate(), o.process)
	c := j.play(j.url(""), nil, "--idp", "all", "--people", "21", "--groups", "2")
	if c.code != 0 || c.json.Result != "right" || len(c.states(simulate.StateRight)) != len(simulate.Habits()) ||
		len(c.json.IdPs) != len(simulate.IdPs()) {
		t.Fatalf("exit %d, %s, wrong: %v, unsupported: %v, not played: %v\n%s%s", c.code, c.json.Result,
			c.states(simulate.StateWrong), c.states(simulate.StateUnsupported),
			c.states(simulate.StateNotPlayed), c.out, c.err)
	}
	j.leftNothing(c)
}

// A server that reads a removal by the letter of RFC 7644 empties the group.
func TestAWrongServerIsToldWhichHabit(t *testing.T) {
	t.Parallel()
	j := newJudged(t)
	address := j.behind(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch || !strings.Contains(r.URL.Path, "/Groups/") {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		var patch struct {
			Schemas    []string         `json:"schemas"`
			Operations []map[string]any `json:"Operations"`
		}
		_ = json.Unmarshal(body, &patch)
		for _, op := range patch.Operations {
			if name, _ := op["op"].(string); strings.EqualFold(name, "remove") {
				delete(op, "value")
			}
		}
		body, _ = json.Marshal(patch)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return false
	})
	c := j.play(address, nil, "--idp", "all")
	wrong := c.states(simulate.StateWrong)
	if c.code != exitFailed || len(wrong) != 1 || wrong[0] != "members-remove-list" || c.json.Result != "wrong" {
		t.Fatalf("exit %d, wrong are %v\n%s", c.code, wrong, c.out)
	}
	for _, want := range []string{
		"wrong: Remove the members listed in value, no others (members-remove-list, beyond RFC 7644 3.5.2.2)",
		"entra, entra-groups E53", "after     E52 PATCH /Groups/", "members len 1",
		"members is a list of 0, want len 1",
	} {
		if !strings.Contains(c.out, want) {
			t.Errorf("the output lacks %q:\n%s", want, c.out)
		}
	}
	failed := ""
	for _, suite := range c.junit.Suites {
		for _, one := range suite.Cases {
			if one.Failure != nil {
				failed += suite.Name + " " + one.Name + ": " + *one.Failure
			}
		}
	}
	if c.junit.Failures == 0 || !strings.Contains(failed, "simulate.entra members-remove-list: ") {
		t.Errorf("in the JUnit report failed: %s", failed)
	}
	j.leftNothing(c)
}

// What a server itself says that it cannot do is not wrong, and nor is what follows from it.
func TestWhatAServerDeclaresUnsupportedIsNotWrong(t *testing.T) {
	t.Parallel()
	j := newJudged(t)
	address := j.behind(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodPatch:
			w.WriteHeader(http.StatusNotImplemented)
		case strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig"):
			config := ask(t, http.MethodGet, j.url("/scim/v2/ServiceProviderConfig"), j.pair.token.Reveal(), "").body
			var document map[string]any
			_ = json.Unmarshal([]byte(config), &document)
			document["patch"] = map[string]bool{"supported": false}
			_ = json.NewEncoder(w).Encode(document)
		default:
			return false
		}
		return true
	})
	c := j.play(address, nil, "--idp", "all", "--people", "20", "--groups", "1")
	unsupported := strings.Join(c.states(simulate.StateUnsupported), " ")
	if c.code != 0 || c.json.Result != "right" || c.json.Counts.Wrong != 0 || c.junit.Skipped == 0 ||
		!strings.Contains(unsupported, "patch-user") || !strings.Contains(unsupported, "members-add") ||
		strings.Contains(unsupported, "put-user") {
		t.Errorf("exit %d, unsupported %s, wrong %v\n%s", c.code, unsupported, c.states(simulate.StateWrong), c.out)
	}
	if !strings.Contains(c.out, "The server declares unsupported: changePassword, patch.") {
		t.Errorf("the output does not say what is declared:\n%s", c.out)
	}
	j.leftNothing(c)
}

// Whatever ends a run, nothing of it stays.
func TestAnInterruptedRunRemovesWhatItMade(t *testing.T) {
	t.Parallel()
	j := newJudged(t)
	for _, sent := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		var made atomic.Int64
		enough := make(chan struct{})
		address := j.behind(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && made.Add(1) == 30 {
				close(enough)
			}
			return false
		})
		c := j.play(address, func(p *os.Process) {
			<-enough
			if err := p.Signal(sent); err != nil {
				t.Error(err)
			}
		}, "--idp", "entra", "--people", "2000", "--groups", "2")
		if c.code != exitFailed || c.json.Result != "interrupted" || c.json.Counts.Wrong != 0 ||
			!strings.Contains(c.err, "interrupted; removing what was made") || c.junit.Errors != 1 {
			t.Errorf("%v: exit %d, %s %+v\n%s%s", sent, c.code, c.json.Result, c.json.Counts, c.out, c.err)
		}
		j.leftNothing(c)
	}
}

func TestABusyServerIsWaitedFor(t *testing.T) {
	t.Parallel()
	j := newJudged(t)
	var asked atomic.Int64
	address := j.behind(func(w http.ResponseWriter, _ *http.Request) bool {
		busy := asked.Add(1)%8 == 0
		if busy {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return busy
	})
	c := j.play(address, nil, "--idp", "google")
	if c.code != 0 || c.json.Waited < 1 || !strings.Contains(c.err, "the server is busy (429): waiting 1s") ||
		!strings.Contains(c.out, "The server was busy: waited ") {
		t.Errorf("exit %d, waited %v\n%s%s", c.code, c.json.Waited, c.out, c.err)
	}
	j.leftNothing(c)

	always := j.behind(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return r.Method == http.MethodPost
	})
	if c := j.play(always, nil, "--idp", "google", "--max-wait", "1s"); c.code != exitFailed ||
		!strings.Contains(c.out, "status 429, want 201") {
		t.Errorf("exit %d\n%s", c.code, c.out)
	}
}

// Servers are below any path, and have certificates of any authority.
func TestAServerBelowAnOddPathWithItsOwnAuthority(t *testing.T) {
	t.Parallel()
	j := newJudged(t)
	to, err := url.Parse(j.url("/scim/v2"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		rest, below := strings.CutPrefix(r.In.URL.EscapedPath(), "/t%2F1/api/scim")
		if !below {
			rest = "/elsewhere"
		}
		r.Out.URL = to.JoinPath(rest)
		r.Out.URL.RawQuery = r.In.URL.RawQuery
	}}
	server := httptest.NewTLSServer(proxy)
	t.Cleanup(server.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	c := j.play(server.URL+"/t%2F1/api/scim/", nil, "--idp", "okta", "--people", "2", "--ca-file", authority)
	if c.code != 0 {
		t.Errorf("exit %d\n%s%s", c.code, c.out, c.err)
	}
	j.leftNothing(c)
	c = j.play(server.URL+"/t%2F1/api/scim", nil, "--idp", "okta")
	if c.code != exitFailed || strings.Count(c.err, "\n") != 1 || !strings.Contains(c.err, "unknown authority") ||
		c.json.Result != "failed" || c.junit.Errors != 1 || c.out != "" {
		t.Errorf("without its authority: exit %d %s\n%s%s", c.code, c.json.Result, c.out, c.err)
	}
}
