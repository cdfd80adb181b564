package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

var logFormats = []string{"text", "json", "pretty"}

// accessLogTo returns a handler whose requests, admitted all, a logger logs: /panic panics.
func accessLogTo(logger hclog.Logger) http.Handler {
	access := httpkit.AccessLog{
		Logger: logger, Events: httpkit.NewEventLog(logger), Metrics: httpkit.NewMetrics("test"),
		Line: func(r *http.Request, _ *httpkit.Request, _ httpkit.Answer) []any { return []any{"path", r.URL.Path} },
		Internal: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "internal", http.StatusInternalServerError)
		},
	}
	return access.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		httpkit.Admit(r.Context())
		switch r.URL.Path {
		case "/req-panic":
			panic("a fault")
		case "/req-quiet":
			httpkit.RequestFrom(r.Context()).Quiet = true
		}
	}))
}

// What is worth waking somebody up for must not wait for a quiet moment, in any format.
func TestRequestsAreLoggedTogetherAndFailuresAtOnce(t *testing.T) {
	t.Parallel()
	for _, format := range logFormats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out lockedBuffer
				logger, kept, closeLog := newLogger(&out, "info", format, "")
				defer closeLog()
				h := accessLogTo(logger)
				get := func(path string) {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+path, nil)
					h.ServeHTTP(httptest.NewRecorder(), r)
				}
				requests := regexp.MustCompile("req-[a-z]+")
				expect := func(when string, want ...string) {
					t.Helper()
					if got := requests.FindAllString(out.String(), -1); !slices.Equal(got, want) {
						t.Errorf("%s: %q are logged, want %q:\n%s", when, got, want, out.String())
					}
				}
				for _, path := range []string{"req-a", "req-quiet", "req-b"} {
					get(path)
				}
				if format != "pretty" { // a person looks on
					expect("at once")
				}
				time.Sleep(20 * time.Millisecond)
				synctest.Wait()
				expect("a moment later", "req-a", "req-b")
				get("req-c")
				get("req-panic")
				expect("with the failure", "req-a", "req-b", "req-c", "req-panic")
				get("req-d")
				logger.Info("something else", "path", "req-e")
				expect("with another line", "req-a", "req-b", "req-c", "req-panic", "req-d", "req-e")
				get("req-f")
				closeLog()
				expect("at the end", "req-a", "req-b", "req-c", "req-panic", "req-d", "req-e", "req-f")
				get("req-g") // of what ends later
				expect("after the end", "req-a", "req-b", "req-c", "req-panic", "req-d", "req-e", "req-f", "req-g")

				var all strings.Builder
				const quiet = "[DEBUG] scim-bridge: request: path=/req-quiet"
				if _, err := kept.WriteTo(&all); err != nil || !strings.Contains(all.String(), quiet) {
					t.Errorf("kept are, %v,\n%s", err, all.String())
				}
			})
		})
	}
}

// What a person sees on the console is found again in what is kept.
func TestTheTextOnTheConsoleIsWhatIsKept(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	logger, kept, closeLog := newLogger(&out, "debug", "text", "")
	log := logger.Named("http").With("bound", 7)
	log.Info("request", "user_agent", "Okta SCIM Client 1.0.0", "client", "192.0.2.1")
	log.Error("broken", "error", fmt.Errorf("a\nb: %w", context.Canceled), "list", []string{"a", "b"})
	log.Debug("request", "ok", true)
	log.Trace("too fine")
	var all strings.Builder
	if _, err := kept.WriteTo(&all); err != nil {
		t.Fatal(err)
	}
	closeLog()
	if out.String() != all.String() || strings.Count(out.String(), "scim-bridge.http: ") != 3 {
		t.Errorf("the console has\n%skept is\n%s", out.String(), all.String())
	}
	if !logger.IsDebug() || logger.IsTrace() {
		t.Error("the logger does not know its level")
	}
}

// What needs no encoder is written as the encoder would.
func TestValuesInJSONLines(t *testing.T) {
	t.Parallel()
	for _, v := range anyValues() {
		got, want := string(appendJSON([]byte("x"), v)), "x"+string(toJSON(v))
		if got != want || !json.Valid([]byte(got[1:])) {
			t.Errorf("%#v is %s, want %s", v, got, want)
		}
	}
}

// requestLines returns the lines about requests for the users; each is checked to be whole.
func requestLines(t *testing.T, text string) (found []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		var fields map[string]any
		isJSON := json.Unmarshal([]byte(line), &fields) == nil
		_, err := time.Parse(hclog.TimeFormat, strings.SplitN(line, " ", 2)[0])
		if !isJSON && err != nil || !strings.HasSuffix(line, "\n") {
			t.Errorf("a line is cut: %q", line)
		}
		if fields["route"] == "users" || strings.Contains(line, " route=users ") {
			found = append(found, line)
		}
	}
	return found
}

// The requests right before the end are what is looked for after it.
func TestASignalLosesNoLineOfARequest(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	for _, row := range []struct {
		name string
		args []string
	}{
		{"text", nil}, {"json", []string{"--log-format", "json"}}, {"a file", []string{"--log-file", "log"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, pair.sealed)
			if len(row.args) > 0 && row.args[0] == "--log-file" {
				row.args[1] = filepath.Join(dir, "bridge.log")
			}
			b := serve(t, dir, row.args...)
			b.open(pair.token.Reveal())
			const requests = 30
			url := b.url("/scim/v2/Users")
			for range requests {
				if got := ask(t, http.MethodGet, url, pair.token.Reveal(), ""); got.status != http.StatusOK {
					t.Fatalf("%d %s", got.status, got.body)
				}
			}
			b.signal(syscall.SIGTERM)
			<-b.ended
			log := b.logText()
			if len(row.args) > 0 && row.args[0] == "--log-file" {
				text, err := os.ReadFile(row.args[1])
				if err != nil || log != "" {
					t.Fatalf("%v; standard error has\n%s", err, log)
				}
				log = string(text)
			}
			if n := len(requestLines(t, log)); n != requests {
				t.Errorf("%d lines of %d requests:\n%s", n, requests, log)
			}
			last := log[strings.LastIndexByte(strings.TrimSpace(log), '\n')+1:]
			if !strings.Contains(last, "stopped") {
				t.Errorf("the last line is %q", last)
			}
		})
	}
}

// A bridge that cannot go on says so after all that went before.
func TestAFatalErrorComesAfterTheLog(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	taken := strings.TrimPrefix(newAccount(t).url, "http://")
	out, err := exec.CommandContext(t.Context(), "scim-bridge", "serve", "--data-dir", folder(t, pair.sealed),
		"--listen", taken).CombinedOutput()
	lines := slices.Collect(strings.Lines(string(out)))
	if err == nil || len(lines) < 2 || !strings.Contains(lines[0], "starting: ") ||
		!strings.HasPrefix(lines[len(lines)-1], "scim-bridge: ") {
		t.Errorf("%v; standard error has\n%s", err, out)
	}
}

// At a redeploy under one supervisor both processes write to its log.
func TestATakeOverLosesNoLineOfARequest(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir, log := folder(t, pair.sealed), filepath.Join(t.TempDir(), "both.log")
	serve := func(args ...string) *process {
		t.Helper()
		args = append([]string{"-c", `exec "$0" "$@" 2>>` + log, "scim-bridge"}, serveArgs(dir, args)...)
		b := start(t, dir, exec.CommandContext(context.WithoutCancel(t.Context()), "sh", args...))
		if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
			t.Fatal(err)
		}
		b.awaitState(control.Ready)
		return b
	}
	first := serve()
	requests := startTraffic(t, first.url("/Users"), pair.token, 8)
	await(t, "traffic", func() bool { return requests.count() > 100 })
	second := serve("--take-over")
	if err := second.control().TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	served := requests.count()
	await(t, "traffic at the successor", func() bool { return requests.count() > served+100 })
	<-first.ended
	served = requests.count()
	await(t, "traffic after the old one has ended", func() bool { return requests.count() > served+100 })
	if failures := requests.end(); len(failures) > 0 {
		t.Fatalf("requests failed: %q", failures)
	}
	answered := requests.count()
	second.terminate()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := requestLines(t, string(text))
	cut := 8 // requests that ended with the traffic, perhaps after their answer
	if n := len(lines); n < answered || n > answered+cut {
		t.Errorf("%d requests were answered, of which %d have a line", answered, n)
	}
	var ids []string
	for _, line := range lines {
		_, id, _ := strings.Cut(line, " request_id=")
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != len(lines) {
		t.Errorf("%d lines are of %d requests", len(lines), n)
	}
}

// Whoever has an answer may look for it at once: on the page, in the download, in a bundle and by explain.
func TestARequestIsInTheLogWhenItsAnswerIsThere(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	token := pair.token.Reveal()
	b := serve(t, folder(t, pair.sealed))
	b.open(token)
	cookie, answer := b.signIn(token)
	if cookie == "" {
		t.Fatalf("signing in: %d %s", answer.status, answer.body)
	}
	page := func(path string) string {
		t.Helper()
		got := ask(t, http.MethodGet, b.url(path), "", "", "Cookie", cookie)
		if got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, got.status, got.body)
		}
		return got.body
	}
	for i := range 5 {
		_, request := create(t, b, pair, fmt.Sprintf("ann%d@example.com", i))
		if body := page("/app/log?request=" + request); !strings.Contains(body, "status=201") {
			t.Errorf("the page does not show the request %s:\n%s", request, body)
		}
		_, request = create(t, b, pair, fmt.Sprintf("bob%d@example.com", i))
		if text := page("/app/logs"); !strings.Contains(text, "request_id="+request) {
			t.Errorf("the download lacks the request %s", request)
		}
		create(t, b, pair, fmt.Sprintf("cid%d@example.com", i))
		log := bundleOf(t, b.dir)["scim-bridge.log"]
		if n := strings.Count(log, " status=201 "); n != 4*i+3 {
			t.Errorf("the bundle has %d lines of %d requests:\n%s", n, 4*i+3, log)
		}
		id, request := create(t, b, pair, fmt.Sprintf("dan%d@example.com", i))
		found := explainedOne(t, id, b.dir)
		if len(found.Requests) != 1 || found.Requests[0].ID != request || found.Requests[0].Client != "127.0.0.1" {
			t.Errorf("explain knows %+v, not the request %s with its client", found.Requests, request)
		}
	}
}

// The bridge's log has what the identity provider asked: a second line of each of its calls would only cost, and an
// open page, which refreshes itself, would drive all else out of the account's log.
func TestABridgesRequestsAreInTheAccountsLogIfTheyFail(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		level string
		lines int // of a request that was answered
	}{{"info", 0}, {"debug", 1}} {
		t.Run(row.level, func(t *testing.T) {
			t.Parallel()
			a := newAccountProcess(t)
			a.kill()
			log, err := os.Create(filepath.Join(t.TempDir(), "account.log"))
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			a.stderr, a.args = log, []string{"--log-level", row.level}
			a.start()
			pair := a.activate()
			token := pair.token.Reveal()
			b := serve(t, folder(t, pair.sealed))
			b.open(token)
			create(t, b, pair, "ann@example.com")
			got := ask(t, http.MethodPost, b.url("/Users"), token, person("ann@example.com"))
			if got.status != http.StatusConflict {
				t.Fatalf("creating her again: %d %s", got.status, got.body)
			}
			cookie, _ := b.signIn(token)
			got = ask(t, http.MethodGet, b.url("/app"), "", "", "Cookie", cookie, "X-Live-Refresh", "1")
			if got.status != http.StatusOK || !strings.Contains(got.body, "<main") {
				t.Fatalf("the page: %d %s", got.status, got.body)
			}
			text, err := os.ReadFile(log.Name())
			if err != nil {
				t.Fatal(err)
			}
			lines := func(parts ...string) (n int) {
				for line := range strings.Lines(string(text)) {
					if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
						n++
					}
				}
				return n
			}
			for _, want := range []struct {
				name  string
				lines int
				parts []string
			}{
				{"the sign-in", 1, []string{"[INFO]", `route="POST /v1/auth/finish" status=200`, " caller=bridge:"}},
				{"a creation", row.lines, []string{`route="POST /v1/directory/people" status=201`, " caller=bridge:"}},
				{"what the page shows", row.lines, []string{`route="GET /v1/directory/bridges" status=200`}},
				{"a refusal", 1, []string{"[INFO]", `route="POST /v1/directory/people" status=409`, " caller=bridge:"}},
				{"an administrator's request", 1, []string{"[INFO]", `route="POST /v1/provisioning" status=201`}},
			} {
				if n := lines(want.parts...); n != want.lines {
					t.Errorf("%s has %d lines, want %d:\n%s", want.name, n, want.lines, text)
				}
			}
		})
	}
}

// anyValues are values that a log line may have.
func anyValues() []any {
	return []any{
		"", "plain", "two words", `with "quotes"`, `back\slash`, "<&>", "tab\t", "line\nbreak", "ümlaut",
		"\x00", "\x7f", "~", "\u2028", "\xff",
		0, -7, 1 << 40, int64(1) << 62, uint8(3), 1.5, true, nil, time.Second, time.Unix(0, 0).UTC(),
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1%eth0"),
		netip.Addr{}, errors.New("an \"error\""), []string{"a", "<b>"}, hclog.Fmt("%d of %d", 1, 2), make(chan int),
		hclog.Level(3), session.Integration{},
	}
}
