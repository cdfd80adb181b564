package stories

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// byHand starts a bridge or dev by a shell command, in which $BRIDGE is
// scim-bridge, and returns how to stop it. It ends with the test.
func (w *world) byHand(script string) (stop func()) {
	w.t.Helper()
	log, err := os.OpenFile(filepath.Join(w.t.TempDir(), "bridge.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(w.t.Context(), "sh", "-c", script)
	cmd.Env = []string{"BRIDGE=" + providertest.Binary(w.t), "DIR=" + w.dataDir, "LISTEN=" + w.listen}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	w.t.Cleanup(func() { // after the test's context has killed it
		<-ended
		if text, err := os.ReadFile(log.Name()); w.t.Failed() && err == nil {
			w.t.Logf("log of the bridge by hand:\n%s", text)
		}
	})
	return stop
}

// serveByHand is byHand for a bridge with the sealed session.
const serveByHand = `exec "$BRIDGE" serve --data-dir "$DIR" --listen "$LISTEN" --confirmation-interval 30s `

// activated is a world with an integration, whose bridge is started by hand.
func activated(t *testing.T) (*world, session.Token, string) {
	t.Helper()
	w := newWorld(t)
	token := newToken(t)
	w.config(regexp.MustCompile(`(?s)resource "scimbridge_deployment".*?\n}\n`).ReplaceAllString(w.base(""), ""))
	w.apply(vars{"token": token.Reveal()})
	if err := os.MkdirAll(w.dataDir, 0o700); err != nil {
		t.Fatal(err)
	}
	sealed := w.attribute("scimbridge_provisioning.this", "session")
	write(t, filepath.Join(w.dataDir, "session"), sealed)
	return w, token, sealed
}

// before starts a proxy in front of the account, which can change requests and responses.
func before(t *testing.T, account *providertest.Account, handle func(http.ResponseWriter, *http.Request) bool,
	change func(*http.Response) error) string {
	t.Helper()
	target, err := url.Parse(account.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = change
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !handle(rw, r) {
			proxy.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func nothing(http.ResponseWriter, *http.Request) bool { return false }

var layoutRemedies = []remedy{
	{problem.FirewallBlocked, "dev, in a folder whose name needs quotes", func(t *testing.T) {
		w := newWorld(t)
		w.dataDir = filepath.Join(t.TempDir(), "it's a try")
		accountListen := providertest.FreeAddress(t)
		w.byHand(`exec "$BRIDGE" dev --data-dir "$DIR" --listen "$LISTEN" --account-listen ` + accountListen)
		w.healed()
		database := "sqlite:" + filepath.Join(w.dataDir, "account.db")
		secret, err := exec.CommandContext(t.Context(), providertest.Binary(t), "account",
			"token", "create", "--name", "t",
			"--database", database).Output()
		if err != nil {
			t.Fatal(err)
		}
		w.account.Token = strings.TrimSpace(string(secret))
		w.account.At("http://" + accountListen)
		w.deny(50, "127.0.0.0/8")
		p := w.problem(problem.FirewallBlocked)
		w.shell(command(t, p.Remedy, "scim-bridge account firewall disable"), "", nil)
		off := w.problem(problem.FirewallDisabled)
		w.eventually("the problem names the bridge", func() (bool, string) {
			off = w.problem(problem.FirewallDisabled)
			return strings.Contains(off.Cause, "the bridge "), off.Cause
		})
		w.env = append(w.env, "SCIMBRIDGE_ACCOUNT_URL="+w.account.URL, "SCIMBRIDGE_ACCOUNT_TOKEN="+w.account.Token)
		w.config(requirements + off.Terraform)
		w.shell(command(t, off.Remedy, "terraform apply"), "", nil)
		w.shell(command(t, off.Remedy, "scim-bridge account firewall disable"), "", nil)
		w.healed()
	}},
	{problem.FirewallBlocked, "an account that does not tell its database", func(t *testing.T) {
		w, token, _ := activated(t)
		elsewhere := before(t, w.account, nothing, func(resp *http.Response) error {
			body, err := io.ReadAll(resp.Body)
			body = regexp.MustCompile(`"database":"[^"]*",?`).ReplaceAll(body, nil)
			body = bytes.ReplaceAll(body, []byte(",}"), []byte("}"))
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			resp.Header.Del("Content-Length")
			return err
		})
		write(t, filepath.Join(w.dataDir, "token"), token.Reveal())
		w.byHand(serveByHand + `--unseal-token-file "$DIR/token" --account-url ` + elsewhere)
		w.healed()
		w.deny(50, "127.0.0.1/32")
		p := w.problem(problem.FirewallBlocked)
		lift := command(t, p.Remedy, "scim-bridge account firewall disable")
		if !strings.Contains(lift, "--database DATABASE ") || !strings.Contains(p.Remedy, "DATABASE is a placeholder") {
			t.Fatalf("what is not known must be said to be a placeholder: %s", p.Remedy)
		}
		w.shell(strings.Replace(lift, "DATABASE", w.account.Database(), 1), "", nil)
		w.problem(problem.FirewallDisabled)
	}},
	{problem.FirewallBlockedCloudProvider, "an allow rule before the one that denies", func(t *testing.T) {
		w := blockedAsCloud(t)
		p := w.problem(problem.FirewallBlockedCloudProvider)
		w.config(w.base(fromAddress) + p.Terraform)
		w.shell(command(t, p.Remedy, "terraform apply"), "", nil)
		w.healed()
	}},
	{problem.FirewallBlockedCloudProvider, "the rule without cloud providers, as the comment has it",
		func(t *testing.T) {
			w := blockedAsCloud(t)
			p := w.problem(problem.FirewallBlockedCloudProvider)
			_, comment, _ := strings.Cut(p.Terraform, "#\n")
			w.config(w.base(fromAddress) + regexp.MustCompile(`(?m)^# ?`).ReplaceAllString(comment, ""))
			w.shell(command(t, p.Remedy, "terraform apply"), "", nil)
			w.healed()
			w.plan(nil).expectNoChanges(t)
		}},
}

// blockedAsCloud is a world in which a rule that was made by hand denies cloud
// providers, before the bridge's own rule.
func blockedAsCloud(t *testing.T) *world {
	t.Helper()
	const amazon = 16509
	database := ipdatatest.Write(t, "test", map[string]ipdatatest.Record{
		"127.0.0.9/32": ipdatatest.ASN(amazon), "192.0.2.9/32": {"is_tor_exit_node": true},
	})
	w, _ := deployed(t, "--ip-database="+database)
	yes, priority, action, kinds := true, 50, api.Deny, []api.AnonymousIP{api.CloudProvider, api.Tor}
	made, err := apitest.Read[api.FirewallRule](w.account.API.CreateFirewallRule(t.Context(),
		&api.CreateFirewallRuleParams{AllowLockout: &yes},
		api.FirewallRuleInput{Action: &action, AnonymousIps: &kinds, Priority: &priority}))
	done(t, made.Status, made.Body, err)
	return w
}
