package stories

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

var sessionRemedies = []remedy{
	{problem.Sealed, "served by hand: the printed command", func(t *testing.T) {
		w, token, _ := activated(t)
		w.byHand(serveByHand)
		p := w.problem(problem.Sealed)
		w.shell(command(t, p.Remedy, "scim-bridge unseal"), token.Reveal()+"\n", nil)
		w.healed()
	}},
	{problem.Sealed, "served by hand: the token file that was missing", func(t *testing.T) {
		w, token, _ := activated(t)
		w.byHand(serveByHand + `--unseal-token-file "$DIR/token"`)
		file := filepath.Join(w.dataDir, "token")
		w.eventually("the problem names the file", func() (bool, string) {
			p := w.problem(problem.Sealed)
			return strings.Contains(p.Cause, file), p.Cause
		})
		write(t, file, token.Reveal())
		w.healed()
	}},
	{problem.Sealed, "deployed by Terraform", func(t *testing.T) {
		w := newWorld(t)
		token := newToken(t)
		w.config(strings.Replace(w.base(""), "unseal_token_wo = var.token", "unseal_token_wo = var.unseal", 1) + `
variable "unseal" {
  type      = string
  ephemeral = true
  default   = null
}
`)
		w.apply(vars{"token": token.Reveal()})
		p := w.problem(problem.Sealed)
		w.shell(command(t, p.Remedy, "terraform apply"), "", vars{"unseal": token.Reveal()})
		w.healed()
	}},
	{problem.TokenRejected, "a wrong token in the identity provider", func(t *testing.T) {
		w, token := deployed(t)
		if status, _ := w.request(newToken(t), http.MethodGet, "/scim/v2/Users",
			nil); status != http.StatusUnauthorized {
			t.Fatalf("a wrong token: %d", status)
		}
		p := w.problem(problem.TokenRejected)
		w.scim(token, http.MethodGet, "/Users", nil, http.StatusOK)
		if !strings.Contains(p.Remedy, "an hour after") {
			t.Errorf("the problem outlasts the remedy, which must be said: %s", p.Remedy)
		}
	}},
	{problem.TokenRejected, "a token that is lost", func(t *testing.T) {
		w, _ := deployed(t)
		w.request(newToken(t), http.MethodGet, "/scim/v2/Users", nil)
		p := w.problem(problem.TokenRejected)
		next := newToken(t)
		w.shell(command(t, p.Remedy, "terraform apply"), "", vars{"token": next.Reveal(), "token_version": "2"})
		// A kept connection still leads to the bridge that drains.
		w.eventually("the new token is let in", func() (bool, string) {
			status, body := w.request(next, http.MethodGet, "/scim/v2/Users", nil)
			return status == http.StatusOK, string(body)
		})
		w.healed() // the redeployed bridge has seen no wrong token
	}},
	{problem.SessionUnreadable, "served by hand: the session of the integration in its place", func(t *testing.T) {
		w, token, sealed := activated(t)
		write(t, filepath.Join(w.dataDir, "session"), sealed[:len(sealed)/2])
		w.byHand(serveByHand)
		w.problem(problem.SessionUnreadable)
		write(t, filepath.Join(w.dataDir, "session"), sealed)
		p := w.problem(problem.Sealed)
		w.shell(command(t, p.Remedy, "scim-bridge unseal"), token.Reveal(), nil)
		w.healed()
	}},
	{problem.SessionUnreadable, "deployed by Terraform: the file was damaged and the bridge restarted",
		func(t *testing.T) {
			w, token := deployed(t)
			w.stopBridge()
			write(t, filepath.Join(w.dataDir, "session"), "nonsense")
			w.byHand(serveByHand) // as a supervisor of the operator's would
			p := w.problem(problem.SessionUnreadable)
			w.shell(command(t, p.Remedy, "terraform apply"), "", vars{"token": token.Reveal()})
			w.healed()
		}},
	{problem.CredentialsChanged, "the Provision Manager's address was changed", func(t *testing.T) {
		w, _ := deployed(t)
		email := api.ManagerChange{Email: new("other@example.com")}
		changed, err := apitest.Read[api.Provisioning](w.account.API.ChangeManager(t.Context(), nil, email))
		done(t, changed.Status, changed.Body, err)
		w.activatedAnew(problem.CredentialsChanged)
	}},
	{problem.TwoFactorEnforced, "a second factor is asked for", func(t *testing.T) {
		w, _ := deployed(t)
		set, err := apitest.Read[api.TwoFactorPolicy](w.account.API.SetTwoFactorPolicy(t.Context(), nil,
			api.TwoFactorPolicyInput{Enforced: true}))
		done(t, set.Status, set.Body, err)
		w.activatedAnew(problem.TwoFactorEnforced)
	}},
	{problem.ProvisioningInactive, "it was deactivated", func(t *testing.T) {
		w, _ := deployed(t)
		ended, err := apitest.Read[struct{}](w.account.API.DeactivateProvisioning(t.Context(), nil))
		done(t, ended.Status, ended.Body, err)
		w.activatedAnew(problem.ProvisioningInactive)
	}},
}

// activatedAnew applies the printed remedy for sealed credentials that no longer work.
func (w *world) activatedAnew(code problem.Code) {
	w.t.Helper()
	p := w.problem(code)
	w.shell(command(w.t.(*testing.T), p.Remedy, "terraform apply"), "",
		vars{"token": newToken(w.t.(*testing.T)).Reveal(), "token_version": "2"})
	w.healed()
}

func patch(path string, value any) map[string]any {
	return map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "replace", "path": path, "value": value}},
	}
}

// movesAddress changes a person's userName and work address, as an identity provider does.
func (w *world) movesAddress(token session.Token, id, address string) {
	w.t.Helper()
	w.scim(token, http.MethodPatch, "/Users/"+id, map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{
			map[string]any{"op": "replace", "path": "userName", "value": address},
			map[string]any{"op": "replace", "path": `emails[type eq "work"].value`, "value": address},
		},
	}, http.StatusOK)
}

var peopleRemedies = []remedy{
	{problem.SignupDomainMissing, "an address under a domain that is not allowed", func(t *testing.T) {
		w, token := deployed(t)
		id := w.invite(token, "ada@example.com")
		follow(t, regexp.MustCompile(`http://\S+/join/[\w-]+`).FindString(w.account.Command("mail")))
		w.eventually("the person is confirmed", func() (bool, string) {
			m, _ := w.member("ada@example.com")
			return m.State == "active", fmt.Sprint(m)
		})
		w.movesAddress(token, id, "ada@example.net")
		p := w.problem(problem.SignupDomainMissing)
		w.config(w.base(fromAddress) + p.Terraform)
		w.shell(command(t, p.Remedy, "terraform apply"), "", nil)
		w.healed()
	}},
	{problem.AddressMissing, "a person without an e-mail address", func(t *testing.T) {
		w, token := deployed(t)
		id := w.scim(token, http.MethodPost, "/Users", map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "ada",
		}, http.StatusCreated)["id"].(string)
		w.problem(problem.AddressMissing)
		w.scim(token, http.MethodPatch, "/Users/"+id, patch("userName", "ada@example.com"), http.StatusOK)
		w.healed()
	}},
	{problem.ConfirmationStuck, "an account that refuses, and then does not", func(t *testing.T) {
		w, token, _ := activated(t)
		var refuse atomic.Bool
		refuse.Store(true)
		path := before(t, w.account, func(rw http.ResponseWriter, r *http.Request) bool {
			if !refuse.Load() || !strings.HasSuffix(r.URL.Path, "/confirm") {
				return false
			}
			rw.Header().Set("Content-Type", "application/problem+json")
			rw.WriteHeader(http.StatusConflict)
			fmt.Fprint(rw, `{"type":"about:blank","title":"Protected","status":409,"code":"protected",`+
				`"detail":"not now"}`)
			return true
		}, nil)
		write(t, filepath.Join(w.dataDir, "token"), token.Reveal())
		w.byHand(serveByHand + `--unseal-token-file "$DIR/token" --account-url ` + path)
		w.healed()
		w.invite(token, "ada@example.com")
		follow(t, regexp.MustCompile(`http://\S+/join/[\w-]+`).FindString(w.account.Command("mail")))
		w.problem(problem.ConfirmationStuck)
		refuse.Store(false)
		w.healed()
	}},
	{problem.MembersUnknown, "a push with only unknown ids", func(t *testing.T) {
		w, token := deployed(t)
		id := w.invite(token, "ada@example.com")
		group := map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": "Staff",
			"members": []any{map[string]any{"value": id}, map[string]any{"value": "nobody"}},
		}
		made := w.scim(token, http.MethodPost, "/Groups", group, http.StatusCreated)["id"].(string)
		w.problem(problem.MembersUnknown)
		group["members"] = []any{map[string]any{"value": id}}
		w.scim(token, http.MethodPut, "/Groups/"+made, group, http.StatusOK)
		w.healed()
	}},
}

// limited has a suspension limit in the configuration of deployed, and applies it.
func (w *world) limited(token session.Token, limit string) {
	w.t.Helper()
	w.config(strings.Replace(w.base(fromAddress), "  manager_email  ",
		fmt.Sprintf("  suspension_limit = %q\n  manager_email  ", limit), 1))
	w.apply(vars{"token": token.Reveal()})
}

// switchedOff has a person whose suspension is held.
func (w *world) switchedOff(token session.Token, address string) (path string) {
	w.t.Helper()
	path = "/Users/" + w.invite(token, address)
	w.setActive(token, path, false)
	return path
}

func (w *world) setActive(token session.Token, path string, active bool) {
	w.t.Helper()
	w.scim(token, http.MethodPatch, path, map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "replace", "path": "active", "value": active}},
	}, http.StatusOK)
}

func (w *world) suspended(address string) bool {
	w.t.Helper()
	m, found := w.member(address)
	if !found {
		w.t.Fatalf("%s is not in the account", address)
	}
	return m.Suspended
}

var holdRemedies = []remedy{
	{problem.SuspensionsHeld, "the printed commands", func(t *testing.T) {
		w, token := deployed(t)
		w.limited(token, "max(0, 0%)/1h")
		for word, suspended := range map[string]bool{"approve": true, "cancel": false} {
			address := word + "@example.com"
			path := w.switchedOff(token, address)
			p := w.problem(problem.SuspensionsHeld)
			if w.suspended(address) {
				t.Errorf("%s is suspended already", address)
			}
			list := w.shell(command(t, p.Remedy, "scim-bridge account holds list"), "", nil)
			if !strings.Contains(list, address) {
				t.Errorf("%s is not listed: %s", address, list)
			}
			w.shell(command(t, p.Remedy, "scim-bridge account holds "+word), "", nil)
			w.healed()
			if w.suspended(address) != suspended {
				t.Errorf("%s is suspended: %v", address, !suspended)
			}
			if active := w.scim(token, http.MethodGet, path, nil, http.StatusOK)["active"]; active == suspended {
				t.Errorf("SCIM shows %s with active=%v", address, active)
			}
		}
	}},
	{problem.SuspensionsHeld, "the identity provider takes it back", func(t *testing.T) {
		w, token := deployed(t)
		w.limited(token, "max(0, 0%)/1h")
		path := w.switchedOff(token, "ada@example.com")
		w.problem(problem.SuspensionsHeld)
		w.setActive(token, path, true)
		w.healed()
		if w.suspended("ada@example.com") {
			t.Error("the person is suspended")
		}
	}},
	{problem.SuspensionsHeld, "a higher limit by terraform apply", func(t *testing.T) {
		w, token := deployed(t)
		w.limited(token, "max(0, 0%)/1h")
		w.switchedOff(token, "ada@example.com")
		w.switchedOff(token, "bob@example.com")
		w.problem(problem.SuspensionsHeld)
		w.limited(token, "max(1, 0%)/1h")
		if !w.suspended("ada@example.com") || w.suspended("bob@example.com") {
			t.Error("a limit of one does not approve the oldest hold alone")
		}
		w.problem(problem.SuspensionsHeld)
		w.limited(token, "off")
		w.healed()
		if !w.suspended("bob@example.com") {
			t.Error("without a limit there is still a hold")
		}
	}},
}

var accountRemedies = []remedy{
	{problem.AccountUnreachable, "an account that does not run", func(t *testing.T) {
		w, _ := deployed(t)
		w.account.Stop()
		p := w.problem(problem.AccountUnreachable)
		look := regexp.MustCompile(`^curl -i (\S+)$`).FindStringSubmatch(command(t, p.Remedy, "curl"))
		if look == nil || look[1] != w.account.URL+"/ping" {
			t.Fatalf("the command should ask %s/ping: %s", w.account.URL, p.Remedy)
		}
		w.account.Start()
		if resp, err := http.Get(look[1]); err != nil || resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %v, %v", look[1], resp, err)
		}
		w.healed()
	}},
	{problem.AccountUnreachable, "a page of something in front of it", func(t *testing.T) {
		w, token, _ := activated(t)
		var page atomic.Bool
		front := before(t, w.account, func(rw http.ResponseWriter, _ *http.Request) bool {
			if page.Load() {
				http.Error(rw, "no such site", http.StatusNotFound)
			}
			return page.Load()
		}, nil)
		write(t, filepath.Join(w.dataDir, "token"), token.Reveal())
		w.byHand(serveByHand + `--unseal-token-file "$DIR/token" --account-url ` + front)
		w.healed()
		page.Store(true)
		p := w.problem(problem.AccountUnreachable)
		if !strings.Contains(p.Cause, "404 Not Found") {
			t.Errorf("the cause does not say what answered: %s", p.Cause)
		}
		page.Store(false)
		w.healed()
	}},
	{problem.Overloaded, "a process that may open few files", func(t *testing.T) {
		w, token, _ := activated(t)
		write(t, filepath.Join(w.dataDir, "token"), token.Reveal())
		flood := func(n int) {
			t.Helper()
			for range n {
				c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.listen)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
			}
		}
		stop := w.byHand("ulimit -n 128; " + serveByHand + `--unseal-token-file "$DIR/token"`)
		w.healed()
		flood(100)
		p := w.problem(problem.Overloaded)
		stop()
		raised := regexp.MustCompile(`LimitNOFILE=(\d+)`).FindStringSubmatch(p.Remedy)
		if raised == nil {
			t.Fatalf("the remedy names no limit: %s", p.Remedy)
		}
		w.byHand(fmt.Sprintf("ulimit -n %s; ", raised[1]) + serveByHand + `--unseal-token-file "$DIR/token"`)
		w.healed()
		flood(100)
		w.scim(token, http.MethodGet, "/Users", nil, http.StatusOK)
		w.healed()
	}},
}
