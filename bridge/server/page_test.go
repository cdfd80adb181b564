package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// isForm reports whether a page is the one that asks for the token.
func isForm(body string) bool { return strings.Contains(body, `name="token"`) }

// renewed returns the cookie that a browser has after an answer.
func renewed(cookie string, answer http.Header) string {
	if set, _, _ := strings.Cut(answer.Get("Set-Cookie"), ";"); set != "" {
		return set
	}
	return cookie
}

// cookie signs in and returns the cookie.
func (f *face) cookie(t *testing.T) string {
	t.Helper()
	_, _, header := f.signIn(t)
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	if cookie == "" {
		t.Fatal("signing in gives no cookie")
	}
	return cookie
}

func TestASignInEndsWhenItIsNotUsed(t *testing.T) {
	t.Parallel()
	type use struct {
		after time.Duration
		live  bool // the script's
	}
	for _, row := range []struct {
		name string
		uses []use
		open bool
	}{
		{"a request just before half an hour", []use{{29 * time.Minute, false}}, true},
		{"a request after half an hour", []use{{30 * time.Minute, false}}, false},
		{"requests that keep it alive", []use{{29 * time.Minute, false}, {29 * time.Minute, false}}, true},
		{"the script's requests do not", []use{{29 * time.Minute, true}, {2 * time.Minute, false}}, false},
		{"the script sees the end, too", []use{{29 * time.Minute, true}, {2 * time.Minute, true}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFace(t)
			cookie := f.cookie(t)
			open := false
			for _, u := range row.uses {
				f.pass(u.after)
				header := []string{"Cookie", cookie}
				if u.live {
					header = append(header, "X-Live-Refresh", "1")
				}
				_, body, answer := f.get(t, "/app", "", header...)
				open, cookie = !isForm(body), renewed(cookie, answer)
			}
			if open != row.open {
				t.Errorf("the page is open: %v, want %v", open, row.open)
			}
		})
	}
}

func TestASignInEndsAfterADayOfWork(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	cookie := f.cookie(t)
	for used := time.Duration(0); used < 12*time.Hour; used += 20 * time.Minute {
		_, body, answer := f.get(t, "/app", "", "Cookie", cookie)
		if isForm(body) {
			t.Fatalf("the page closed after %s", used)
		}
		cookie = renewed(cookie, answer)
		f.pass(20 * time.Minute)
	}
	if _, body, _ := f.get(t, "/app", "", "Cookie", cookie); !isForm(body) {
		t.Error("the page is open after twelve hours")
	}
}

func TestSigningOutEndsEveryCopyOfTheCookie(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	mine, other := f.cookie(t), f.cookie(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/app/sign-out", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", mine)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, body, _ := f.get(t, "/app", "", "Cookie", mine); !isForm(body) {
		t.Error("a copy of the cookie opens the page")
	}
	if _, body, _ := f.get(t, "/app", "", "Cookie", other); isForm(body) {
		t.Error("another browser was signed out")
	}
}

// A cookie that was copied is not kept alive by what its owner does.
func TestACopyOfACookieEndsByItself(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	copied := f.cookie(t)
	cookie := copied
	for range 2 {
		f.pass(20 * time.Minute)
		_, _, answer := f.get(t, "/app", "", "Cookie", cookie)
		cookie = renewed(cookie, answer)
	}
	if _, body, _ := f.get(t, "/app", "", "Cookie", cookie); isForm(body) {
		t.Error("the owner is signed out")
	}
	if _, body, _ := f.get(t, "/app", "", "Cookie", copied); !isForm(body) {
		t.Error("the copy opens the page 40 minutes later")
	}
}

// A balancer sends each request to another bridge.
func TestACookieIsGoodAtEveryBridgeOfItsSession(t *testing.T) {
	t.Parallel()
	f, same, other := newFace(t), newFace(t), newFace(t)
	other.key = []byte(strings.Repeat("k", 32))
	cookie := f.cookie(t)
	opens := func(f *face, cookie string) bool {
		_, body, _ := f.get(t, "/app", "", "Cookie", cookie)
		return !isForm(body)
	}
	if !opens(f, cookie) || !opens(same, cookie) {
		t.Error("it does not open a bridge of the session")
	}
	if opens(other, cookie) {
		t.Error("it opens a bridge of another session")
	}
	f.pass(20 * time.Minute)
	same.pass(20 * time.Minute)
	_, _, answer := same.get(t, "/app", "", "Cookie", cookie)
	second := renewed(cookie, answer)
	f.pass(20 * time.Minute)
	if !opens(f, second) || opens(f, cookie) {
		t.Error("what was done at another bridge does not keep the sign-in alive")
	}
	// Being sealed ends what was before, and not what comes.
	f.mu.Lock()
	f.sealed = f.now
	f.mu.Unlock()
	if opens(f, second) {
		t.Error("it opens a bridge that was sealed since")
	}
	f.pass(time.Second)
	if !opens(f, f.cookie(t)) {
		t.Error("nobody can sign in at a bridge that was sealed")
	}
	// Until it is unsealed, there is no key.
	f.mu.Lock()
	f.key = nil
	f.mu.Unlock()
	if code, body, header := f.signIn(t); code !=
		http.StatusServiceUnavailable || !isForm(body) || header.Get("Set-Cookie") != "" || opens(f, second) {
		t.Errorf("without a key: %d %v", code, header)
	}
}

func TestTheScriptsRequestsDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	cookie := f.cookie(t)
	lines := func() int {
		return strings.Count(f.logText(), "[INFO]  request")
	}
	before := lines()
	for range 3 {
		f.get(t, "/app", "", "Cookie", cookie, "X-Live-Refresh", "1")
	}
	if n := lines() - before; n != 0 {
		t.Errorf("%d lines at info:\n%s", n, f.logText())
	}
	f.get(t, "/app", "", "Cookie", cookie)
	if n := lines() - before; n != 1 {
		t.Errorf("a person's request made %d lines:\n%s", n, f.logText())
	}
	// Nobody hides by the header what the script does not ask for.
	f.get(t, "/app/logs", "", "Cookie", cookie, "X-Live-Refresh", "1")
	f.get(t, "/app/log?search=line", "", "Cookie", cookie, "X-Live-Refresh", "1")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+"/app/holds", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	req.Header.Set("X-Live-Refresh", "1")
	f.visitor(t).do(req)
	if n := lines() - before; n < 4 {
		t.Errorf("%d lines:\n%s", n, f.logText())
	}
}

func TestAFormAfterTheEndOfASignInDoesNothing(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	v := f.visitor(t)
	f.pass(time.Hour)
	for path, form := range map[string]url.Values{
		"/app/holds":       {"decision": {"approve"}, "id": {"h1"}},
		"/app/people/look": {},
	} {
		code, body := v.post(path, form)
		if code != http.StatusForbidden || !isForm(body) || !strings.Contains(body, "nothing was done") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if len(f.held.decided) > 0 || f.round.triggered > 0 {
		t.Errorf("decided %v, triggered %d", f.held.decided, f.round.triggered)
	}
}

func TestTheStateComesFirst(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		health.Healthy: "Healthy", health.Degraded: "Needs attention", health.Unhealthy: "Not working",
	} {
		f := newFace(t)
		f.report.State = state
		_, body := f.visitor(t).get("/app")
		head, _, _ := strings.Cut(body, "<h2")
		if !strings.Contains(head, `<h1 id="state">`+want+`</h1>`) || strings.Count(body, "<h1") != 1 ||
			!strings.Contains(body, "<title>SCIM bridge: "+want+"</title>") {
			t.Errorf("%s: the page begins with %s", state, head)
		}
	}
}

func TestAProblemIsShownWithBlockAndGuide(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.report.State = health.Degraded
	f.report.Problems = []problem.Problem{problem.New(problem.SignupDomainMissing, f.now.Add(-3*time.Minute),
		problem.Facts{problem.FactUserName: "</pre><script>x\u202e", problem.FactDomain: "new.example.com"})}
	_, body := f.visitor(t).get("/app")
	for _, want := range []string{
		`datetime="2026-01-02T03:01:05Z" title="2026-01-02 03:01:05 UTC">3 minutes ago</time>`,
		`data-copy="block-0"`, `<pre class="terraform" id="block-0"`, "scimbridge_signup_domain",
		"troubleshooting.md#the-domain-of-a-changed-e-mail-address-is-not-allowed-for-sign-up",
		"(now)", // of the component
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if strings.Contains(body, "<script>x") || strings.Contains(body, "\u202e") {
		t.Errorf("a userName is mark-up:\n%s", body)
	}
}

func TestPeopleAreCountedSearchedAndPaged(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.account.people = []bridge.Attention{{
		UserName: "moving", Kind: bridge.SignupDomainMissing, Address: "moving@new.com", Domain: "new.com",
	}}
	for i := range 5000 {
		f.account.people = append(f.account.people, bridge.Attention{
			UserName: fmt.Sprintf("user%04d", i), Kind: bridge.InvitationOpen,
			Address: fmt.Sprintf("u%04d@example.com", i),
		})
	}
	v := f.visitor(t)
	_, overview := v.get("/app")
	if !strings.Contains(overview, "<strong>5,000</strong> invited") || !strings.Contains(overview, ">moving<") ||
		strings.Contains(overview, "user0000") {
		t.Errorf("the overview shows\n%s", overview)
	}
	for _, row := range []struct {
		name, path    string
		shown, hidden []string
	}{
		{
			"the first page", "/app/people", []string{"5,001 people wait", ">moving<", "user0000", "Next page"},
			[]string{"user0049", "First page"},
		},
		{
			"the next page", "/app/people?cursor=50", []string{"user0049", "First page", "Next page"},
			[]string{">moving<"},
		},
		{"a search", "/app/people?search=USER0123", []string{"1 found", "user0123"}, []string{"user0124", "Next page"}},
		{"an address", "/app/people?search=u4999%40example.com", []string{"1 found", "user4999"}, nil},
		{"a kind", "/app/people?kind=signup_domain_missing", []string{"1 found", ">moving<"}, []string{"user0000"}},
		{
			"a kind and its next page", "/app/people?kind=invitation_open",
			[]string{"5,000 found", "kind=invitation_open"}, []string{">moving<"},
		},
		{"nobody", "/app/people?search=nobody", []string{"0 found", "Nobody."}, []string{"user0"}},
		{"a kind that is none", "/app/people?kind=%3Cb%3E", []string{"5,001 people wait"}, []string{"<b>"}},
		{"a cursor that is none", "/app/people?cursor=bad", []string{">moving<"}, []string{"First page"}},
		{
			"mark-up as a search", "/app/people?search=%22%3E%3Cscript%3E%00%E2%80%AE",
			[]string{"0 found", "&#34;&gt;&lt;script&gt;"}, []string{"<script>", "\u202e", "\x00"},
		},
		{
			"an endless search", "/app/people?search=" + strings.Repeat("x", 5000), []string{"0 found"},
			[]string{strings.Repeat("x", 321)},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, body := v.get(row.path)
			_, body, _ = strings.Cut(body, "<main")
			if code != http.StatusOK {
				t.Errorf("status %d", code)
			}
			for _, text := range row.shown {
				if !strings.Contains(body, text) {
					t.Errorf("it does not show %q:\n%.3000s", text, body)
				}
			}
			for _, text := range row.hidden {
				if strings.Contains(body, text) {
					t.Errorf("it shows %q", text)
				}
			}
		})
	}
	if code, _ := v.post("/app/people/look", nil); code != http.StatusOK || f.round.triggered != 1 {
		t.Errorf("looking now: %d, triggered %d times", code, f.round.triggered)
	}
	searched := url.Values{"kind": {"invitation_open"}, "search": {"user0123"}}
	if _, body := v.get("/app/people?" + searched.Encode()); !strings.Contains(body,
		`name="kind" value="invitation_open"><input type="hidden" name="search" value="user0123">`) {
		t.Errorf("the form for looking has no search:\n%s", body)
	}
	if _, body := v.post("/app/people/look", searched); !strings.Contains(body, "1 found") {
		t.Errorf("after looking there is another search:\n%s", body)
	}
	// While the account is away, the last round is shown.
	f.round.people, f.round.at = f.account.people[:3], f.now.Add(-4*time.Minute)
	f.account.fault = bridge.ErrUnavailable
	if _, body := v.get("/app/people?search=user&cursor=50"); !strings.Contains(body, "cannot be asked now") ||
		!strings.Contains(body, "user0001") || !strings.Contains(body, "4 minutes ago") ||
		!strings.Contains(body, "2 found") {
		t.Errorf("while the account is away:\n%s", body)
	}
}

func TestTheLogIsSearched(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	const request, person = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	log := f.kept.Sink(hclog.Debug)
	log.Accept("http", hclog.Info, "request", "request_id", request, "resource_id", person)
	log.Accept("http", hclog.Debug, "polled")
	log.Accept("x", hclog.Warn, "<b>bold</b>\u202e", "reason", "two\nlines")
	log.Accept("x", hclog.Error, "an error")
	f.journal.Append(journal.Event{
		Kind: journal.PersonCreated, Person: person, Request: request, Subject: f.journal.Person("ann@example.com"),
	})
	v := f.visitor(t)
	for _, row := range []struct {
		name, query   string
		shown, hidden []string
	}{
		{
			"at first", "",
			[]string{"a line of the log", "&lt;b&gt;bold", "an error", "?level=debug&amp;request=" + request},
			[]string{"polled", "<b>bold", "\u202e", "Older lines"},
		},
		{"all lines", "level=debug", []string{"polled", "an error"}, nil},
		{"errors", "level=error", []string{"an error"}, []string{"&lt;b&gt;bold", "a line of the log"}},
		{"a level that is none", "level=loud", []string{"a line of the log"}, []string{"polled"}},
		{"a request", "request=" + request, []string{"request_id=" + request}, []string{"an error"}},
		{"a person's id", "person=" + person, []string{"resource_id=" + person}, []string{"an error"}},
		{"a person's name", "person=ANN%40example.com", []string{"resource_id=" + person}, []string{"an error"}},
		{"a name that nobody has", "person=bob", []string{"knows nobody of this name"}, []string{"an error"}},
		{"a text", "search=ERROR", []string{"an error"}, []string{"a line of the log"}},
		{"mark-up as a text", "search=%3Cscript%3E", []string{"No line.", "&lt;script&gt;"}, []string{"<script>"}},
		{"a place that is none", "before=x", []string{"an error"}, []string{"Newest lines"}},
		{"a place in another age", "before=99999999999999999.1", []string{"an error"}, []string{"Newest lines"}},
		{"a place before all lines", "before=1.0", []string{"No line.", "Newest lines"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			code, body := v.get("/app/log?" + row.query)
			_, body, _ = strings.Cut(body, "<main")
			if code != http.StatusOK {
				t.Errorf("status %d", code)
			}
			for _, text := range row.shown {
				if !strings.Contains(body, text) {
					t.Errorf("it does not show %q:\n%s", text, body)
				}
			}
			for _, text := range row.hidden {
				if strings.Contains(body, text) {
					t.Errorf("it shows %q:\n%s", text, body)
				}
			}
		})
	}
	for i := range 250 {
		log.Accept("many", hclog.Info, fmt.Sprintf("number %03d.", i))
	}
	seen, pages := "", 0
	for path := "/app/log?search=number"; path != "" && pages < 10; pages++ {
		_, body := v.get(path)
		for _, found := range regexp.MustCompile(`number (\d+)\.`).FindAllStringSubmatch(body, -1) {
			seen += found[1] + " "
		}
		path = ""
		if next := regexp.MustCompile(`href="([^"]+)">Older lines`).FindStringSubmatch(body); next != nil {
			path = strings.ReplaceAll(next[1], "&amp;", "&")
		}
	}
	want := ""
	for i := range 250 {
		want += fmt.Sprintf("%03d ", 249-i)
	}
	if seen != want || pages != 3 {
		t.Errorf("%d pages have %s", pages, seen)
	}
}

func TestBridgesAndSignInsOfTheAccountAreShown(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.account.bridges = []bridge.Instance{
		{
			ID: "b2<", State: "lost", LastContact: f.now.Add(-2 * time.Hour), Refused: "firewall_blocked",
			RefusedAt: f.now.Add(-time.Hour),
		},
		{ID: "this", State: "healthy", LastContact: f.now, Problems: []string{"token_rejected"}, Version: "<i>"},
	}
	f.account.signIns = bridge.SignInPage{Next: "next&page", Items: []bridge.SignInAttempt{
		{
			Last: f.now, Count: 3, Address: "192.0.2.7", Email: "<b>@example.com", Instance: "b2",
			Result: "firewall_blocked", RuleID: "fwr_1",
		},
		{Last: f.now, Count: 1, Address: "192.0.2.8", Result: "ok"},
	}}
	v := f.visitor(t)
	_, body := v.get("/app")
	for _, want := range []string{
		"b2&lt;", "Not heard of", "2 hours ago", "firewall_blocked", "token_rejected", "&lt;i&gt;",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the bridges do not show %q:\n%s", want, body)
		}
	}
	if strings.Count(body, "This one answers") != 1 {
		t.Errorf("the bridge that answers is not marked:\n%s", body)
	}
	_, body = v.get("/app/sign-ins")
	for _, want := range []string{
		"refused: firewall_blocked", "fwr_1", "192.0.2.8", "let in", "3 times", "&lt;b&gt;@example.com",
		"cursor=next%26page",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the sign-ins do not show %q:\n%s", want, body)
		}
	}
	if _, body = v.get("/app/sign-ins?cursor=bad"); strings.Contains(body, "First page") {
		t.Error("a cursor that is none does not lead to the first page")
	}
	f.account.fault = &bridge.Error{Code: bridge.NotFound}
	if _, body = v.get("/app/sign-ins"); !strings.Contains(body, "does not tell bridges") {
		t.Errorf("an account without the operation:\n%s", body)
	}
	f.account.fault = bridge.ErrUnavailable
	if code, body := v.get("/app"); code != http.StatusOK || !strings.Contains(body, "cannot be asked now") {
		t.Errorf("while the account is away: %d", code)
	}
}

// The page is for when something is wrong: an account that hangs must not hold each section up.
func TestAnAccountThatHangsIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	v := f.visitor(t)
	f.account.hangs, f.account.waited = true, 0
	code, body := v.get("/app")
	if code != http.StatusOK || strings.Count(body, "cannot be asked now") != 2 || f.account.waited != 1 {
		t.Errorf("%d, waited %d times:\n%s", code, f.account.waited, body)
	}
}

func TestTheIdentityProviderIsShown(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	v := f.visitor(t)
	if _, body := v.get("/app"); !strings.Contains(body, "It has not come yet") {
		t.Error("before the first request the page shows another")
	}
	f.get(t, "/Users", "Bearer right-old", "User-Agent", "Okta <SCIM>", "X-Forwarded-For", "192.0.2.7")
	f.journal.Count(journal.Served{Write: true, Status: 201, Took: 20 * time.Millisecond})
	f.journal.Count(journal.Served{Status: 404, Took: 10 * time.Millisecond})
	const person, group = "aaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbb"
	f.journal.Append(journal.Event{Kind: journal.PersonCreated, Person: person, Active: journal.Bool(false)})
	f.journal.Append(journal.Event{
		Kind: journal.GroupUpdated, Group: group, Added: journal.NewMembers([]string{person}),
	})
	f.journal.Append(journal.Event{Kind: journal.PersonRefused, Code: "user_name_taken", Status: 409})
	_, body := v.get("/app")
	for _, want := range []string{
		"just now", "Okta &lt;SCIM&gt;", netip.MustParseAddr("192.0.2.7").String(), "the old token",
		"2 requests in the last hour", "1 refused", "at most 20 ms", "<svg", `class="refused"`,
		"Added a person, who is not active", "&lt;jo&gt;<", "Changed a group, 1 member added",
		"<code>" + group + "</code>", "user_name_taken",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q:\n%s", want, body)
		}
	}
}

// The policy allows neither scripts nor styles in the page, nor anything from elsewhere.
func TestPagesNeedNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.report.Problems = []problem.Problem{problem.New(problem.FirewallBlocked, f.now, nil)}
	f.held.page = bridge.HoldPage{Items: []bridge.Hold{{ID: "h1", UserName: "ann"}}, Suspensions: 1}
	cookie := f.cookie(t)
	inline := regexp.MustCompile(`<script[^>]*>[^<]|<style| style=| on[a-z]+=|javascript:|<iframe|<object|<base`)
	source := regexp.MustCompile(`(?:src|href|action)="([^"]*)"`)
	for _, path := range []string{"/app", "/app/people", "/app/holds", "/app/log", "/app/sign-ins"} {
		for _, query := range []string{
			"", "?cursor=%00&kind=%ff&level=&before=-1.-1&search=%0d%0aX:1&person=%2e%2e&request=%27",
		} {
			code, body, header := f.get(t, path+query, "", "Cookie", cookie)
			if code != http.StatusOK || isForm(body) {
				t.Errorf("%s%s: %d", path, query, code)
			}
			if found := inline.FindString(body); found != "" {
				t.Errorf("%s has %q", path, found)
			}
			for _, s := range source.FindAllStringSubmatch(body, -1) {
				if !strings.HasPrefix(s[1], "/") && !strings.HasPrefix(s[1], "#") &&
					!strings.HasPrefix(s[1], "https://github.com/scimbridge/") {
					t.Errorf("%s leads to %q", path, s[1])
				}
			}
			policy := header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'self';") ||
				strings.Contains(policy, "unsafe") || header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s has the headers %v", path, header)
			}
		}
	}
}

// Until the bridge has signed in, SCIM is answered with 503 and leads here.
func TestThePageDoesNotSayThatRequestsAreCarriedOutBeforeTheSignIn(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.state, f.report.State = control.SigningIn, health.Degraded
	if _, body := f.visitor(t).get("/app"); strings.Contains(body, "are carried out") ||
		!strings.Contains(body, "wait until the bridge has signed in to the account") {
		t.Errorf("the page shows\n%s", body)
	}
}

// However many others wait, whoever needs an operator is on the overview.
func TestThoseWhoNeedAnOperatorAreOnTheOverview(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.account.people = nil
	for _, kind := range []bridge.AttentionKind{
		bridge.ConfirmationDue, bridge.AddressMissing, bridge.AddressUnconfirmed, bridge.InvitationOpen,
	} {
		for i := range 100 {
			name := fmt.Sprintf("%s%d", kind, i)
			f.account.people = append(f.account.people, bridge.Attention{UserName: name, Kind: kind})
		}
	}
	f.account.people = append(f.account.people,
		bridge.Attention{UserName: "moving", Kind: bridge.SignupDomainMissing, Domain: "new.example"},
		bridge.Attention{UserName: "second", Kind: bridge.AddressTaken, Address: "taken@example.com"},
		bridge.Attention{UserName: "third", Kind: bridge.InvitationUnsent, Address: "refused@example.com"},
		bridge.Attention{UserName: "fourth", Kind: bridge.ConfirmationUnsent, Address: "full@example.com"})
	_, body := f.visitor(t).get("/app")
	for _, want := range []string{
		">moving<", "new.example", ">second<", "taken@example.com", ">address_missing0<", "<strong>104</strong> of 404",
		"<strong>100</strong> accepted", ">third<", "the mail to refused@example.com could not be sent", ">fourth<",
		"confirm the new address full@example.com, and the mail to it could not be sent",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, other := range []string{">confirmation_due0<", ">address_unconfirmed0<", ">invitation_open0<"} {
		if strings.Contains(body, other) {
			t.Errorf("%q needs no operator", other)
		}
	}
}

// The script would search all of the log every few seconds.
func TestASearchOfTheLogIsNotKeptCurrent(t *testing.T) {
	t.Parallel()
	v := newFace(t).visitor(t)
	for path, live := range map[string]bool{
		"/app/log": true, "/app/log?level=error": true, "/app/log?search=line": false, "/app/log?request=R1": false,
	} {
		if _, body := v.get(path); strings.Contains(body, "data-live") != live {
			t.Errorf("%s: kept current is %v, want %v", path, !live, live)
		}
	}
}

// After a form that took long, the sections have the whole time to ask the account.
func TestAnAnswerToASlowFormShowsWhatIsThere(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	f.held.refuse = errors.New("away")
	f.visitor(t).post("/app/holds", url.Values{"decision": {"approve"}, "id": {"h1"}})
	if left := f.held.until.Sub(f.held.at); left < 3*time.Second {
		t.Errorf("the account has %s to answer", left)
	}
}
