package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

func TestSealedUntilTheRightToken(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed), "--revision", "r7")
	if got := ask(t, "GET", b.url("/ready"), "", ""); got.status != 200 ||
		strings.TrimSpace(got.body) != `{"state":"sealed","revision":"r7"}` {
		t.Errorf("/ready while sealed: %d %s", got.status, got.body)
	}
	if s := b.status(); s.ObservedRevision != "" || !slices.Equal(b.codes(), []string{"sealed"}) {
		t.Errorf("before the token: observed %q, problems %v", s.ObservedRevision, b.codes())
	}

	// A text that is no token is refused, and is no alarm.
	for _, token := range []string{"", "letmein", pair.token.Reveal() + "x"} {
		got := ask(t, "GET", b.url("/Users"), token, "")
		if got.status != 401 || !strings.Contains(got.body, "urn:ietf:params:scim:api:messages:2.0:Error") ||
			got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("the token %.8q: %d %s", token, got.status, got.body)
		}
	}
	if slices.Contains(b.codes(), "token_rejected") {
		t.Error("malformed tokens raised token_rejected")
	}
	wrong, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, "GET", b.url("/Users"), wrong.Reveal(), ""); got.status != 401 {
		t.Errorf("a wrong token: %d %s", got.status, got.body)
	}
	b.awaitProblem("token_rejected")

	// The identity provider's next request opens the bridge and is carried out.
	if got := ask(t, "POST", b.url("/scim/v2/Users"), pair.token.Reveal(), person("a@example.com")); got.status != 201 {
		t.Fatalf("the first right token: %d %s", got.status, got.body)
	}
	b.awaitState(control.Ready)
	if s := b.status(); s.ObservedRevision != "r7" || s.EgressAddress != "127.0.0.1" {
		t.Errorf("after signing in: observed %q, egress %q", s.ObservedRevision, s.EgressAddress)
	}
	h := b.health(pair.token.Reveal())
	if h.State != health.Degraded || len(h.Problems) != 1 || h.Problems[0].Code != problem.TokenRejected {
		t.Errorf("health with a wrong token in memory: %s %v", h.State, h.Problems)
	}
	wrongPair := pair
	wrongPair.token = wrong
	tellsNothing(t, b.logText(), pair, wrongPair)
}

func TestUnsealedOverTheControlSocket(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	wrong, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.control().Unseal(t.Context(), wrong.Reveal()); err == nil ||
		!strings.Contains(err.Error(), "does not belong to the bridge's session") {
		t.Errorf("unsealing with a wrong token: %v", err)
	}
	for range 2 { // repeating it is harmless
		unseal := exec.CommandContext(t.Context(), "scim-bridge", "unseal", b.dir)
		unseal.Stdin = strings.NewReader(pair.token.Reveal() + "\n")
		if out, err := unseal.CombinedOutput(); err != nil ||
			!strings.HasPrefix(string(out), "the bridge is unsealed (") {
			t.Fatalf("unseal: %v %s", err, out)
		}
	}
	b.awaitState(control.Ready)
	if out, err := exec.CommandContext(t.Context(), "scim-bridge", "status", "--local",
		b.dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "A wrong bearer token was refused") {
		t.Errorf("status with a wrong token in memory must exit with 1: %v %s", err, out)
	}
	b.terminate()
	if _, err := os.Stat(filepath.Join(b.dir, control.SocketName)); err == nil {
		t.Error("a bridge that stopped left its control socket behind")
	}
}

func TestATokenFileOpensTheBridgeAfterARestart(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	token := filepath.Join(t.TempDir(), "token")
	dir := folder(t, pair.sealed)
	b := serve(t, dir, "--unseal-token-file", token, "--revision", "r1")
	b.awaitState(control.Sealed) // the file is not there yet
	await(t, "the sealed problem to name the file", func() bool {
		return strings.Contains(b.status().Problems[0].Cause, token)
	})
	other, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(token, []byte(other.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the sealed problem to say that the token is another's", func() bool {
		return strings.Contains(b.status().Problems[0].Cause, "does not belong to the bridge's session")
	})
	if err := os.WriteFile(token, []byte(pair.token.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	before := b.status()
	b.kill()

	again := serve(t, dir, "--unseal-token-file", token, "--revision", "r2")
	again.awaitState(control.Ready)
	after := again.status()
	if after.Instance != before.Instance || after.PID == before.PID || after.ObservedRevision != "r2" {
		t.Errorf("after kill -9: instance %q then %q, observed %q", before.Instance,
			after.Instance, after.ObservedRevision)
	}
}

func TestATruncatedSessionHealsWhenItIsReplaced(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed[:len(pair.sealed)/2])
	b := serve(t, dir)
	b.awaitState(control.SessionUnreadable)
	if got := ask(t, "GET", b.url("/ready"), "", ""); got.status != 503 {
		t.Errorf("/ready without a session: %d %s", got.status, got.body)
	}
	got := ask(t, "GET", b.url("/Users"), pair.token.Reveal(), "")
	if got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("SCIM without a session: %d %s", got.status, got.body)
	}
	p := b.status().Problems
	if len(p) != 1 || p[0].Code != problem.SessionUnreadable || !strings.Contains(p[0].Cause, "truncated") {
		t.Errorf("problems: %+v", p)
	}
	if err := session.WriteFile(filepath.Join(dir, "session"), pair.sealed); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Sealed)
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
}

func TestBothTokensWorkDuringTheOverlapAndOneAfterIt(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	old := account.activate()
	fresh := account.rotate(old, time.Hour)

	// The identity provider still has the old token, and its request comes first.
	b := serve(t, folder(t, fresh.sealed))
	if got := ask(t, "GET", b.url("/Users"), old.token.Reveal(), ""); got.status != 200 {
		t.Fatalf("the old token during the overlap: %d %s", got.status, got.body)
	}
	if got := ask(t, "GET", b.url("/Users"), fresh.token.Reveal(), ""); got.status != 200 {
		t.Fatalf("the new token: %d %s", got.status, got.body)
	}
	// Signed in, and not only about to: a handshake does not outlive the hour that is to pass.
	await(t, "the new generation's credentials to be used", func() bool {
		return b.status().Epoch == 2 && strings.Count(b.logText(), "signed in to the account") == 2
	})
	if got := ask(t, "GET", b.url("/Users"), old.token.Reveal(), ""); got.status != 200 {
		t.Errorf("the old token, after the new one was seen: %d %s", got.status, got.body)
	}
	for _, pair := range []string{"token=current", "token=previous"} {
		await(t, pair+" in the log", func() bool { return strings.Contains(b.logText(), pair) })
	}
	account.pass(time.Hour)
	var last reply
	await(t, "the end of the overlap", func() bool {
		last = ask(t, "GET", b.url("/Users"), old.token.Reveal(), "")
		return last.status == 401
	})
	if last.status != 401 || !strings.Contains(last.body, "the IdP still uses the old token") {
		t.Errorf("the old token after the overlap: %d %s", last.status, last.body)
	}
	b.awaitProblem("token_rejected")
	if got := ask(t, "GET", b.url("/Users"), fresh.token.Reveal(), ""); got.status != 200 {
		t.Errorf("the new token after the overlap: %d %s", got.status, got.body)
	}
	tellsNothing(t, b.logText(), old, fresh)

	// A bridge that starts after the end: the old token does not keep it from
	// waiting for the new one.
	b.terminate()
	again := serve(t, b.dir)
	await(t, "the old token to be known as dead", func() bool {
		last = ask(t, "GET", again.url("/Users"), old.token.Reveal(), "")
		return last.status == 401
	})
	if !strings.Contains(last.body, "the IdP still uses the old token") {
		t.Errorf("after the old token: %s", last.body)
	}
	again.awaitState(control.Sealed) // the refused credentials are dropped a moment later
	if got := ask(t, "GET", again.url("/Users"), fresh.token.Reveal(), ""); got.status != 200 {
		t.Errorf("the new token then: %d %s", got.status, got.body)
	}
}

// An operator who switches the identity provider must see whether it still uses the
// old token, and how long it may.
func TestAnOverlapIsToldWithTheLastUseOfTheOldToken(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	old := account.activate()
	fresh := account.rotate(old, time.Hour)
	b := serve(t, folder(t, fresh.sealed))
	if got := ask(t, "GET", b.url("/Users"), fresh.token.Reveal(), ""); got.status != 200 {
		t.Fatalf("the new token: %d %s", got.status, got.body)
	}
	o := b.health(fresh.token.Reveal()).Overlap
	if o == nil || o.LastUsed != nil || time.Until(o.Until) <= 0 || time.Until(o.Until) > time.Hour {
		t.Fatalf("before the old token was used: %+v", o)
	}
	if got := ask(t, "GET", b.url("/Users"), old.token.Reveal(), ""); got.status != 200 {
		t.Fatalf("the old token: %d %s", got.status, got.body)
	}
	o = b.health(fresh.token.Reveal()).Overlap
	if o == nil || o.LastUsed == nil || time.Since(*o.LastUsed) > timeout || o.LastUsedFrom != "127.0.0.1" {
		t.Fatalf("after the old token was used: %+v", o)
	}
	out, err := exec.CommandContext(t.Context(), "scim-bridge", "status", "--local", b.dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), o.String()) {
		t.Errorf("status --local does not say %q: %v %s", o, err, out)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	form := strings.NewReader(url.Values{"token": {fresh.token.Reveal()}}.Encode())
	signIn, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url("/app/sign-in"), form)
	if err != nil {
		t.Fatal(err)
	}
	signIn.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	page, err := browser.Do(signIn)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	if body, _ := io.ReadAll(page.Body); !strings.Contains(string(body), "he old bearer token is valid until "+
		o.Until.Format(time.RFC3339)) ||
		!strings.Contains(string(body), "from 127.0.0.1") {
		t.Errorf("the page does not tell of the overlap:\n%s", body)
	}

	// When the account has ended the old pair, there is no overlap any more.
	account.rotate(fresh, 0)
	await(t, "the end of the overlap", func() bool { return b.status().Health.Overlap == nil })
}

// Terraform waits for a file that the bridge writes when it has signed in: a
// folder that cannot be written must not look like a bridge that is well.
func TestADataFolderThatCannotBeWrittenIsTold(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	if err := os.MkdirAll(filepath.Join(dir, observedFile, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	b := serve(t, dir, "--revision", "r1")
	if got := ask(t, "GET", b.url("/Users"), pair.token.Reveal(), ""); got.status != 200 {
		t.Fatalf("SCIM beside it: %d %s", got.status, got.body)
	}
	b.awaitProblem("storage_full")
	if h := b.health(pair.token.Reveal()); h.State != health.Degraded || !strings.Contains(h.Problems[0].Cause, dir) {
		t.Errorf("health: %+v", h)
	}
	if err := os.RemoveAll(filepath.Join(dir, observedFile)); err != nil {
		t.Fatal(err)
	}
	await(t, "the problem to pass", func() bool { return len(b.codes()) == 0 })
	if text, err := os.ReadFile(filepath.Join(dir, observedFile)); err != nil || string(text) != "r1" {
		t.Errorf("what is kept: %q, %v", text, err)
	}
}

func TestTakeOverDropsNoRequest(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	first := serve(t, dir, "--revision", "r1")
	if _, err := first.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	first.awaitState(control.Ready)
	url := first.url("/Users")
	requests := startTraffic(t, url, pair.token, 4)
	await(t, "traffic", func() bool { return requests.count() > 50 })

	second := serve(t, dir, "--revision", "r2", "--take-over")
	if s := second.status(); s.PID != second.cmd.Process.Pid || s.Listen != "" || s.State != control.Sealed {
		t.Fatalf("the successor on standby: %+v", s)
	}
	if _, err := second.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	second.awaitState(control.Ready)
	if err := second.control().TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	served := requests.count()
	await(t, "traffic at the successor", func() bool { return requests.count() > served+50 })
	select {
	case <-first.ended:
		if first.err != nil {
			t.Errorf("the old bridge ended with %v", first.err)
		}
	case <-time.After(timeout):
		t.Error("the old bridge did not end")
	}
	// The old one's leave is no news of the bridge.
	if seen, err := apitest.Read[api.BridgePage](account.admin.ListBridges(t.Context(), nil)); err != nil ||
		seen.Value == nil ||
		len(seen.Value.Items) != 1 || seen.Value.Items[0].State == "stopped" || !seen.Value.Items[0].Live {
		t.Errorf("the account sees %s, %v", seen.Body, err)
	}
	served = requests.count()
	await(t, "traffic after the old one has ended", func() bool { return requests.count() > served+50 })
	if failures := requests.end(); len(failures) > 0 {
		t.Errorf("%d requests failed, the first: %s", len(failures), failures[0])
	}
	s, err := control.Dial(filepath.Join(dir, control.SocketName)).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.PID != second.cmd.Process.Pid || s.Revision != "r2" || "http://"+s.Listen+"/Users" != url {
		t.Errorf("who serves now: %+v", s)
	}
	if err := second.control().TakeOver(t.Context()); err == nil {
		t.Error("a bridge that serves took over from itself")
	}
}

// The identity provider's connection is kept open across the redeploy that gives the
// bridge a new session, and its next request has the new token already.
func TestAKeptConnectionBringsTheNewTokenToTheNewBridge(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	old := account.activate()
	dir := folder(t, old.sealed)
	first := serve(t, dir)
	url := first.url("/Users")
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	get := func(token session.Token) (code int, header http.Header, closes bool) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header, resp.Close
	}
	await(t, "the old bridge to serve", func() bool {
		code, _, _ := get(old.token)
		return code == http.StatusOK
	})

	renewed := account.rotate(old, 0)
	if err := session.WriteFile(filepath.Join(dir, "session"), renewed.sealed); err != nil {
		t.Fatal(err)
	}
	second := serve(t, dir, "--take-over")
	if _, err := second.control().Unseal(t.Context(), renewed.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	second.awaitState(control.Ready)
	if err := second.control().TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.awaitLogged("handed over to a newer bridge")
	code, header, closes := get(renewed.token) // from the old bridge, unless that has closed the connection already
	if code == http.StatusServiceUnavailable {
		if !closes || header.Get("Retry-After") == "" {
			t.Errorf("a client is not told to come again on a new connection: %v", header)
		}
		code, _, _ = get(renewed.token)
	}
	if code != http.StatusOK {
		t.Errorf("the new token is answered %d", code)
	}
}

func TestRequestsUnderWayAreFinishedWhenTheBridgeIsStopped(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	requests := startTraffic(t, b.url("/Users"), pair.token, 4)
	await(t, "traffic", func() bool { return requests.count() > 50 })
	b.terminate()
	for _, failure := range requests.end() {
		// A bridge that is gone refuses connections; none that it took is let down.
		if strings.HasPrefix(failure, "5") {
			t.Errorf("a request that the bridge took was answered %s", failure)
		}
	}
}

func TestABlockedBridgeNamesAddressAndRuleAndComesBackByItself(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	allow := func(ranges ...string) (rules []api.FirewallRuleInput) {
		for _, r := range ranges {
			rules = append(rules, api.FirewallRuleInput{IpRanges: &[]string{r}})
		}
		return rules
	}
	deny, yes := api.Deny, true
	setRules := func(ranges ...string) {
		t.Helper()
		rules := allow(ranges...)
		done, err := apitest.Read[api.Firewall](account.admin.UpdateFirewall(t.Context(),
			&api.UpdateFirewallParams{AllowLockout: &yes},
			api.FirewallUpdate{DefaultAction: &deny, Rules: &rules}))
		if err != nil || done.Value == nil {
			t.Fatalf("changing the firewall: %v %s", err, done.Body)
		}
	}
	setRules("127.0.0.1", "127.0.0.9")
	b := serve(t, folder(t, pair.sealed), "--source-address", "127.0.0.9")
	if got := ask(t, "GET", b.url("/Users"), pair.token.Reveal(), ""); got.status != 200 {
		t.Fatalf("before: %d %s", got.status, got.body)
	}
	setRules("127.0.0.1")
	if got := ask(t, "GET", b.url("/Users"), pair.token.Reveal(), ""); got.status != 503 ||
		got.header.Get("Retry-After") == "" ||
		!strings.Contains(got.body, "firewall blocks the bridge") || strings.Contains(got.body, "cannot be reached") {
		t.Errorf("SCIM while blocked: %d %s", got.status, got.body)
	}
	b.awaitState(control.Refused)
	s := b.status()
	if len(s.Problems) != 1 || s.Problems[0].Code != problem.FirewallBlocked ||
		s.Problems[0].Details["address"] != "127.0.0.9" ||
		!strings.Contains(s.Problems[0].Terraform, `"127.0.0.9"`) || s.EgressAddress != "127.0.0.9" {
		t.Errorf("while blocked: %+v", s)
	}
	if !strings.Contains(b.logText(), problem.LogFirewallBlocked+": problem=firewall_blocked address=127.0.0.9") {
		t.Error("the vendor's words are not in the log")
	}
	setRules("127.0.0.1", "127.0.0.9")
	b.awaitState(control.Ready) // how soon is tested where the pauses are made
	if after := b.status(); after.PID != s.PID || len(after.Problems) != 0 {
		t.Errorf("after the cure: %+v", after)
	}
}

func TestChangedCredentialsAreToldInTheVendorsWords(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	b := serve(t, folder(t, pair.sealed))
	if got := ask(t, "GET", b.url("/Users"), pair.token.Reveal(), ""); got.status != 200 {
		t.Fatalf("before: %d %s", got.status, got.body)
	}
	_, enrolment := account.enrol(nil, time.Time{})
	changed, err := apitest.Read[api.Provisioning](account.admin.ChangeManager(t.Context(), nil, api.ManagerChange{
		Kdf: &enrolment.Kdf, Verifier: &enrolment.Verifier,
	}))
	if err != nil || changed.Value == nil {
		t.Fatalf("changing the manager: %v %s", err, changed.Body)
	}
	if got := ask(t, "GET", b.url("/Users"), pair.token.Reveal(), ""); got.status != 503 {
		t.Errorf("SCIM with useless credentials: %d %s", got.status, got.body)
	}
	b.awaitProblem("credentials_changed")
	if !strings.Contains(b.logText(),
		problem.LogSignInFailed+": problem=credentials_changed reason=credentials_changed") {
		t.Error("the vendor's words are not in the log")
	}
	if h := b.health(pair.token.Reveal()); h.State != health.Unhealthy {
		t.Errorf("health: %s", h.State)
	}
	tellsNothing(t, b.logText(), pair)
}

func TestAnAccountThatIsAwayIsFoundWhenItComesBack(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	address := account.address()
	account.down() // before the bridge starts
	b := serve(t, folder(t, pair.sealed))
	got := ask(t, "GET", b.url("/Users"), pair.token.Reveal(), "")
	if got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("SCIM while the account is away: %d %s", got.status, got.body)
	}
	b.awaitProblem("account_unreachable")
	if got := ask(t, "GET", b.url("/ready"), "", ""); got.status != 200 {
		t.Errorf("/ready while the account is away: %d %s", got.status, got.body)
	}
	account.up(address)
	b.awaitState(control.Ready)
	if got := ask(t, "POST", b.url("/Users"), pair.token.Reveal(), person("b@example.com")); got.status != 201 {
		t.Errorf("after the account came: %d %s", got.status, got.body)
	}

	account.down() // later
	b.awaitProblem("account_unreachable")
	account.up(address)
	b.awaitState(control.Ready)
	if got := ask(t, "GET", b.url(`/Users?filter=userName+eq+"b@example.com"`), pair.token.Reveal(),
		""); !strings.Contains(got.body, `"totalResults":1`) {
		t.Errorf("what was acknowledged before: %d %s", got.status, got.body)
	}
}

func TestASessionOfAnotherAccountIsAClearError(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	other := newAccount(t)
	other.activate()
	b := serve(t, folder(t, pair.sealed), "--account-url", other.url)
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Refused)
	cause := b.status().Problems[0].Cause
	if !strings.Contains(cause, "may be another account than the one the session was made for") {
		t.Errorf("the cause: %s", cause)
	}
}

func TestAPersonWhoWaitsForADomainIsShownAtOnce(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	b := serve(t, folder(t, pair.sealed))
	made := ask(t, "POST", b.url("/Users"), pair.token.Reveal(), person("c@example.com"))
	if made.status != 201 {
		t.Fatalf("creating: %d %s", made.status, made.body)
	}
	account.accept("c@example.com") // before that the address would simply be corrected
	location := made.header.Get("Location")
	if got := ask(t, http.MethodPut, location, pair.token.Reveal(), person("c@new.example")); got.status != 200 {
		t.Fatalf("moving: %d %s", got.status, got.body)
	}
	b.awaitProblem("signup_domain_missing")
	p := b.status().Problems[0]
	if p.Details["domain"] != "new.example" || !strings.Contains(p.Cause, "c@new.example") ||
		!strings.Contains(p.Terraform, `domain = "new.example"`) {
		t.Errorf("the problem: %+v", p)
	}
	added, err := apitest.Read[api.SignupDomain](account.admin.CreateSignupDomain(t.Context(), nil,
		api.SignupDomainInput{Domain: "new.example"}))
	if err != nil || added.Value == nil {
		t.Fatalf("allowing the domain: %v %s", err, added.Body)
	}
	await(t, "the problem to pass", func() bool { return len(b.status().Problems) == 0 })
}

func TestASecondBridgeInTheSameFolderIsRefused(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	out, err := exec.CommandContext(t.Context(), "scim-bridge", "serve", "--data-dir", b.dir, "--listen",
		"127.0.0.1:0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "a bridge already runs in the data folder") ||
		!strings.Contains(string(out), "--take-over") {
		t.Errorf("the second: %v %s", err, out)
	}
}
