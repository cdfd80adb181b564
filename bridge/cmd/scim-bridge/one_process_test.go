package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

// Links begin with it.
func TestThePublicURLOfAnAccountInOneProcessHasNoSlashAtItsEnd(t *testing.T) {
	t.Parallel()
	s := &serveCommand{}
	s.Database = storetest.New(t)
	s.AccountListen, s.AccountPublicURL = "127.0.0.1:0", "https://account.example.com/"
	if err := s.checkOwnAccount(nil); err != nil {
		t.Fatal(err)
	}
	if got := s.parsed.ownAccount.PublicURL; got != "https://account.example.com" {
		t.Errorf("it is %q", got)
	}
}

// A oneProcess is a scim-bridge serve with its account in the same process.
type oneProcess struct {
	*realAccount
	*process
	t        *testing.T
	database string // its file, if it is one of SQLite
	setting  string // of --database, in the environment
	token    string // of the admin
	args     []string
}

// newOneProcess makes an account, and serves it with its bridge. Provisioning is not active yet.
func newOneProcess(t *testing.T, args ...string) *oneProcess {
	t.Helper()
	return newOneProcessOn(t, "sqlite:"+filepath.Join(t.TempDir(), "account.db"), args...)
}

// newOneProcessOn has the database that --database names.
func newOneProcessOn(t *testing.T, setting string, args ...string) *oneProcess {
	t.Helper()
	o := &oneProcess{t: t, database: strings.TrimPrefix(setting, "sqlite:"), setting: setting}
	o.token = strings.TrimSpace(output(t, "account", "init", "--database", setting, "--name", "Test"))
	listen := ports.Free(t)
	o.args = append([]string{"--account-listen", listen, "--log-level", "info"}, args...)
	o.realAccount = &realAccount{t: t, url: "http://" + listen}
	admin, err := api.NewClient(o.realAccount.url, api.WithRequestEditorFn(
		func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+o.token)
			return nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	o.admin = admin
	o.start(filepath.Join(t.TempDir(), "bridge"))
	var who *apitest.Answer[api.Caller]
	await(t, "the account to answer", func() bool {
		who, err = apitest.Read[api.Caller](admin.WhoAmI(t.Context()))
		return err == nil && who.Value != nil
	})
	o.model = &account.Account{ID: who.Value.AccountId}
	return o
}

func (o *oneProcess) start(dir string) {
	o.process = serveWith(o.t, dir, []string{"SCIMBRIDGE_DATABASE=" + o.setting}, o.args...)
}

// users is a request about people with a bearer token.
func (o *oneProcess) users(token session.Token, method, body string) reply {
	o.t.Helper()
	return ask(o.t, method, o.process.url("/Users"), token.Reveal(), body)
}

// Whoever runs both in one process has no session to carry from one to the other.
func TestABridgeInOneProcessFollowsItsAccount(t *testing.T) {
	t.Parallel()
	o := newOneProcess(t)
	o.awaitProblem("provisioning_inactive")
	if got := ask(t, http.MethodGet, o.process.url("/ready"), "", ""); got.status != http.StatusOK ||
		o.status().State != control.Sealed {
		t.Errorf("before the activation: %d %s, %s", got.status, got.body, o.status().State)
	}

	first := o.activate()
	if got := o.users(first.token, http.MethodPost, person("a@example.com")); got.status != 201 {
		t.Fatalf("the first request after the activation: %d %s", got.status, got.body)
	}
	if s := o.status(); s.State != control.Ready || s.Epoch != 1 || s.EgressAddress != "127.0.0.1" {
		t.Errorf("after the activation: %+v", s)
	}

	// Both tokens work while the overlap runs.
	second := o.rotate(first, time.Hour)
	for what, token := range map[string]session.Token{"old": first.token, "new": second.token} {
		if got := o.users(token, http.MethodGet, ""); got.status != 200 {
			t.Errorf("the %s token after the rotation: %d %s", what, got.status, got.body)
		}
	}
	await(t, "the credentials of the new token", func() bool { return o.status().Epoch == 2 })

	// Without an overlap the old one is wrong at once.
	third := o.rotate(second, 0)
	if got := o.users(third.token, http.MethodGet, ""); got.status != 200 {
		t.Errorf("the third token: %d %s", got.status, got.body)
	}
	if got := o.users(second.token, http.MethodGet, ""); got.status != 401 {
		t.Errorf("the second token: %d %s", got.status, got.body)
	}
	o.terminate()
	log := o.logText()
	tellsNothing(t, log, first, second, third)
	signedOut := strings.Index(log, "scim-bridge: stopped")
	if signedOut < 0 || strings.Index(log, "scim-bridge.account: stopp") < signedOut {
		t.Errorf("the bridge must sign out before the account stops:\n%s", log)
	}
}

// The token's file is all that a start needs, and what a rotation changes.
func TestABridgeInOneProcessUnsealsItselfByTheTokensFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(p pair) {
		t.Helper()
		if err := os.WriteFile(file, []byte(p.token.Reveal()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := newOneProcess(t, "--unseal-token-file", file)
	first := o.activate()
	write(first)
	o.awaitState(control.Ready)
	second := o.rotate(first, time.Hour)
	write(second)
	await(t, "the newer session", func() bool { s := o.status(); return s.Epoch == 2 && s.State == control.Ready })
	dir := o.dir
	o.kill()
	o.start(dir)
	o.awaitState(control.Ready)
}

// A firewall rule is in force for the next request, and names the bridge by its address.
func TestTheFirewallIsAskedForABridgeInOneProcess(t *testing.T) {
	t.Parallel()
	o := newOneProcess(t)
	p := o.activate()
	if got := o.users(p.token, http.MethodGet, ""); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	made := request(t, "POST", o.realAccount.url+"/v1/firewall/rules?allow_lockout=true", o.token,
		`{"action":"deny","ip_ranges":["127.0.0.1/32"]}`)
	if made["id"] == nil {
		t.Fatalf("making the rule: %v", made)
	}
	if got := o.users(p.token, http.MethodGet, ""); got.status != 503 {
		t.Errorf("the next request after the rule: %d %s", got.status, got.body)
	}
	o.awaitProblem("firewall_blocked")
	// The command is another process on the same database.
	output(t, "account", "firewall", "disable", "--database", "sqlite:"+o.database, "--for", "1h")
	o.awaitState(control.Ready)
	if got := o.users(p.token, http.MethodGet, ""); got.status != 200 {
		t.Errorf("while the firewall is disabled: %d %s", got.status, got.body)
	}
	output(t, "account", "firewall", "disable", "--database", "sqlite:"+o.database, "--for", "0s")
	if got := o.users(p.token, http.MethodGet, ""); got.status != 503 {
		t.Errorf("the next request after it is enforced again: %d %s", got.status, got.body)
	}
}

func TestTheDatabaseOfOneProcessIsRefusedAsTheAccounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refusal := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		out, err := exec.CommandContext(ctx, "scim-bridge", args...).CombinedOutput()
		if err == nil {
			t.Fatalf("%v was served: %s", args, out)
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return strings.Replace(lines[len(lines)-1], "scim-bridge: serve: ", "scim-bridge: ", 1)
	}
	for _, database := range []string{
		"sqlite:" + filepath.Join(dir, "none.db"), "sqlite:" + empty, "postgres://u:secret@127.0.0.1:1/a", "account.db",
	} {
		alone := refusal("account", "serve", "--database", database, "--listen", "127.0.0.1:0")
		both := refusal("serve", "--database", database, "--account-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0",
			"--data-dir", filepath.Join(dir, "bridge"))
		if alone != both || strings.Contains(both, "secret") {
			t.Errorf("%s: account serve says\n%s\nand serve\n%s", database, alone, both)
		}
	}
}

// The two ports have certificates of their own, and a bridge needs no way through the account's.
func TestTheAccountOfOneProcessServesHTTPS(t *testing.T) {
	t.Parallel()
	o := newOneProcess(t)
	p := o.activate()
	o.terminate()
	own, address := newOwnCertificate(t), o.realAccount.address()
	o.args = append(o.args, "--account-tls-cert-file", own.cert, "--account-tls-key-file", own.key)
	o.start(o.dir)
	if got := o.users(p.token, http.MethodPost, person("a@example.com")); got.status != http.StatusCreated {
		t.Errorf("the bridge, by plain HTTP: %d %s", got.status, got.body)
	}
	members := "https://" + address + "/v1/members?address=a@example.com"
	if got := askBy(t, own.client(), http.MethodGet, members, o.token, ""); got.status != http.StatusOK ||
		!strings.Contains(got.body, "a@example.com") {
		t.Errorf("the account, by HTTPS: %d %s", got.status, got.body)
	}
	if url := o.status().AccountURL; url != "https://"+address {
		t.Errorf("the bridge's account is at %s", url)
	}
}
