package stories

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// timeout bounds every wait: long enough for a slow machine.
const timeout = 90 * time.Second

// A world is an account service, and a Terraform that deploys a bridge before it.
type world struct {
	*workspace
	account *providertest.Account
	dataDir string // the bridge's
	listen  string // the bridge's
	https   bool   // the bridge has a certificate
	screen  screen
}

func newWorld(t *testing.T, accountFlags ...string) *world {
	t.Helper()
	account := providertest.NewAccount(t, accountFlags...)
	w := &world{
		account: account,
		workspace: newWorkspace(t, providertest.Installation(t),
			"SCIMBRIDGE_ACCOUNT_URL="+account.URL,
			"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token),
		dataDir: filepath.Join(t.TempDir(), "bridge"),
		listen:  providertest.FreeAddress(t),
	}
	// A failing test must leave no process.
	t.Cleanup(w.stopBridge)
	return w
}

// base is the configuration that most stories begin with; they add to it.
func (w *world) base(settings string) string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    scimbridge = { source = "scimbridge/scimbridge" }
  }
}

variable "token" {
  type      = string
  ephemeral = true
  default   = null
}

variable "token_version" {
  type    = number
  default = 1
}

resource "scimbridge_provisioning" "this" {
  manager_email           = "manager@example.com"
  bearer_token_wo         = var.token
  bearer_token_wo_version = var.token_version
  overlap                 = "25s"
}

resource "scimbridge_deployment" "bridge" {
  name            = "story"
  session         = scimbridge_provisioning.this.session
  unseal          = "once"
  unseal_token_wo = var.token
  process = {
    listen   = %q
    data_dir = %q
  }
  settings = {
    confirmation_interval = "30s"
    log_level             = "trace"
%s
  }
  depends_on = [
    scimbridge_firewall_rule.bridge,
    scimbridge_firewall_rule.caller,
  ]
}

resource "scimbridge_firewall_rule" "bridge" {
  ip_ranges   = ["127.0.0.9"]
  description = "the bridge"
}

resource "scimbridge_firewall_rule" "caller" {
  ip_ranges   = ["127.0.0.1"]
  description = "the machine that runs Terraform"
}

resource "scimbridge_signup_domain" "company" {
  domain = "example.com"
}
`, w.listen, w.dataDir, settings)
}

// fromAddress makes the bridge reach the account from 127.0.0.9, where its own
// firewall rule applies and the caller's does not.
const fromAddress = `    source_address = "127.0.0.9"`

func newToken(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (w *world) control() *control.Client {
	return control.Dial(filepath.Join(w.dataDir, control.SocketName))
}

// bridge is what the bridge says of itself.
func (w *world) bridge() control.Status {
	w.t.Helper()
	status, err := w.control().Status(w.t.Context())
	if err != nil {
		w.t.Fatalf("ask the bridge how it is: %v", err)
	}
	return status
}

// stopBridge ends the bridge if there is one.
func (w *world) stopBridge() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	status, err := w.control().Status(ctx)
	if err != nil {
		return // there is none
	}
	providertest.Kill(w.t, status.PID)
}

// log is the bridge's log.
func (w *world) log() string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dataDir, "bridge.log"))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// eventually waits until the condition holds; why says what is missing.
func (w *world) eventually(what string, holds func() (ok bool, why string)) {
	w.t.Helper()
	deadline := time.Now().Add(timeout)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, why := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not within %s; the last thing seen was: %s", what, timeout, why)
		}
		select {
		case <-tick.C:
		case <-w.t.Context().Done():
			w.t.Fatal(what + ": the test was stopped")
		}
	}
}

// eventuallyLogged waits for a text in the bridge's log.
func (w *world) eventuallyLogged(text string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("the bridge logs %q", text), func() (bool, string) {
		log := w.log()
		return strings.Contains(log, text), log
	})
}

// health is what GET /health answers.
type health struct {
	State    string
	Problems []struct {
		Code, Title, Cause, Remedy, Terraform string
		Details                               map[string]string
	}
}

func (w *world) health(token session.Token) health {
	w.t.Helper()
	_, body := w.request(token, http.MethodGet, "/health", nil)
	var h health
	if err := json.Unmarshal(body, &h); err != nil {
		w.t.Fatalf("/health: %v in %s", err, body)
	}
	return h
}

// eventuallyProblem waits until /health shows the problem, and returns its
// texts and details as one.
func (w *world) eventuallyProblem(token session.Token, code string) (found string) {
	w.t.Helper()
	w.eventually("/health shows "+code, func() (bool, string) {
		h := w.health(token)
		for _, p := range h.Problems {
			if p.Code == code {
				found = fmt.Sprintf("%s\n%s\n%s\n%s\n%v", p.Title, p.Cause, p.Remedy, p.Terraform, p.Details)
				return true, ""
			}
		}
		return false, fmt.Sprintf("%+v", h)
	})
	return found
}

// eventuallyHealthy waits until SCIM is answered and /health shows no problem.
func (w *world) eventuallyHealthy(token session.Token) {
	w.t.Helper()
	w.eventually("the bridge is healthy", func() (bool, string) {
		h := w.health(token)
		return h.State == "healthy" && len(h.Problems) == 0, fmt.Sprintf("%+v", h)
	})
}

// request asks the bridge; it fails only when there is no answer at all.
func (w *world) request(token session.Token, method, path string, body any) (int, []byte) {
	w.t.Helper()
	status, answer, err := w.try(token, method, path, body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return status, answer
}

func (w *world) try(token session.Token, method, path string, body any) (int, []byte, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.listen+path, reader)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Accept", "application/scim+json")
	if body != nil {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// scim asks for a SCIM resource and fails unless the status is the wanted one.
func (w *world) scim(token session.Token, method, path string, body any, want int) map[string]any {
	w.t.Helper()
	status, answer := w.request(token, method, "/scim/v2"+path, body)
	if status != want {
		w.t.Fatalf("%s %s: status %d, want %d: %s", method, path, status, want, answer)
	}
	if len(answer) == 0 {
		return nil
	}
	var resource map[string]any
	if err := json.Unmarshal(answer, &resource); err != nil {
		w.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
	}
	return resource
}

// invite provisions a person and returns the SCIM id.
func (w *world) invite(token session.Token, userName string) string {
	w.t.Helper()
	return w.scim(token, http.MethodPost, "/Users", map[string]any{
		"schemas":  []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
		"userName": userName,
		"active":   true,
		"emails":   []any{map[string]any{"value": userName, "type": "work", "primary": true}},
	}, http.StatusCreated)["id"].(string)
}

// member returns the account's member with this sign-in address, by the admin
// API.
func (w *world) member(address string) (api.Member, bool) {
	w.t.Helper()
	resp, err := apitest.Read[api.MemberPage](w.account.API.ListMembers(w.t.Context(),
		&api.ListMembersParams{Address: &address}))
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.Value == nil {
		w.t.Fatalf("list members: %s", resp.Body)
	}
	if len(resp.Value.Items) == 0 {
		return api.Member{}, false
	}
	return resp.Value.Items[0], true
}

// done fails unless the account's answer was a success.
func done(t testing.TB, status int, body []byte, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if status >= 300 {
		t.Fatalf("the account answered %d: %s", status, body)
	}
}

// runBridge runs a second bridge by hand, with the given pair, until the test
// ends; it returns the bridge as a world of its own.
func runBridge(t *testing.T, w *world, sealed string, token session.Token) *world {
	t.Helper()
	by := &world{workspace: w.workspace, account: w.account, dataDir: t.TempDir(), listen: providertest.FreeAddress(t)}
	tokenFile, sessionFile := filepath.Join(by.dataDir, "token"), filepath.Join(by.dataDir, "session")
	write(t, tokenFile, token.Reveal())
	write(t, sessionFile, sealed)
	log, err := os.Create(filepath.Join(by.dataDir, "bridge.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(t.Context(), providertest.Binary(t), "serve", "--listen", by.listen, "--data-dir",
		by.dataDir,
		"--session", sessionFile, "--unseal-token-file", tokenFile)
	cmd.Env = []string{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context has killed it by then
	return by
}
