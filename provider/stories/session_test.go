package stories

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// S2: the token or the session is lost. A new token and one apply make a new
// pair. The old one works during the overlap, and no request is lost.
func TestANewTokenReplacesALostPairWithoutAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := newToken(t), newToken(t)
	w.config(w.base(fromAddress))
	w.apply(vars{"token": first.Reveal()})
	w.plan(nil).expectNoChanges(t)
	oldSession := w.attribute("scimbridge_provisioning.this", "session")
	pid := w.bridge().PID

	// The identity provider goes on with the old token all the while.
	old := startTraffic(w, first)

	rotated := vars{"token": second.Reveal(), "token_version": "2"}
	w.plan(rotated).expect(t, map[string]string{
		"scimbridge_provisioning.this": "update",
		"scimbridge_deployment.bridge": "update",
	})
	w.apply(rotated)
	applied := time.Now()
	w.plan(vars{"token_version": "2"}).expectNoChanges(t)
	if w.bridge().PID == pid {
		t.Error("the bridge was not redeployed with the new session")
	}

	// During the overlap both tokens work.
	current := startTraffic(w, second)
	w.scim(second, http.MethodGet, "/Users", nil, http.StatusOK)
	if time.Since(applied) < 10*time.Second { // a very slow machine is past the overlap here
		w.scim(first, http.MethodGet, "/Users", nil, http.StatusOK)
	}

	// After it the old token is refused, and the page names the network that still uses it.
	w.eventually("the old token is dead", func() (bool, string) {
		status, body := w.request(first, http.MethodGet, "/scim/v2/Users", nil)
		return status == http.StatusUnauthorized, string(body)
	})
	if text := w.eventuallyProblem(second, "token_rejected"); !strings.Contains(text, "still uses the old token") {
		t.Errorf("token_rejected does not say that the old token is still in use: %s", text)
	}
	old.stop()
	current.stop()
	for _, failure := range old.failures {
		if failure.status != http.StatusUnauthorized {
			t.Errorf("a request with the old token failed with %d (%v) during the rotation",
				failure.status, failure.err)
		}
	}
	if len(current.failures) > 0 {
		t.Errorf("requests with the new token failed: %+v", current.failures)
	}
	if old.count.Load() == 0 || current.count.Load() == 0 {
		t.Error("there was no traffic: the test proves nothing")
	}

	// The old session does not work either, even with its token.
	late := runBridge(t, w, oldSession, first)
	late.eventuallyLogged("AuthWrap failed to generateNewSession")
	late.eventuallyLogged("credentials_expired")

	w.destroy(vars{"token_version": "2"})
}

// traffic is an identity provider that asks again and again.
type traffic struct {
	halt     chan struct{}
	finished sync.WaitGroup
	count    atomic.Int64
	failures []failure // to be read after stop
}

type failure struct {
	status int
	err    error
}

func startTraffic(w *world, token session.Token) *traffic {
	tr := &traffic{halt: make(chan struct{})}
	tr.finished.Go(func() {
		pause := time.NewTicker(20 * time.Millisecond)
		defer pause.Stop()
		for {
			status, _, err := w.try(token, http.MethodGet, `/scim/v2/Users?filter=userName%20eq%20%22nobody%22`, nil)
			tr.count.Add(1)
			if err != nil || status != http.StatusOK {
				tr.failures = append(tr.failures, failure{status, err})
			}
			select {
			case <-tr.halt:
				return
			case <-pause.C:
			}
		}
	})
	return tr
}

func (tr *traffic) stop() {
	close(tr.halt)
	tr.finished.Wait()
}

// S3: the Provision Manager's e-mail address is changed by hand. The sealed
// credentials no longer work; the log says so in the vendor's words, the plan
// says why, and one apply repairs it.
func TestAChangedManagerIsSeenInThePlanAndRepairedByOneApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(w.base(fromAddress))
	w.apply(vars{"token": token.Reveal()})
	w.eventuallyHealthy(token)

	email := "renamed@example.com"
	resp, err := apitest.Read[api.Provisioning](w.account.API.ChangeManager(t.Context(), nil,
		api.ManagerChange{Email: &email}))
	if err != nil {
		t.Fatal(err)
	}
	done(t, resp.Status, resp.Body, err)

	w.eventuallyLogged("AuthWrap failed to generateNewSession")
	w.eventuallyLogged("credentials_changed")
	w.eventuallyProblem(token, "credentials_changed")

	p := w.plan(vars{"token": token.Reveal()})
	p.expect(t, map[string]string{
		"scimbridge_provisioning.this": "update",
		"scimbridge_deployment.bridge": "update",
	})
	if !strings.Contains(p.text, "Warning") || !strings.Contains(strings.ToLower(p.text), "manager") {
		t.Errorf("the plan does not say why provisioning must be activated again:\n%s", p.text)
	}

	w.apply(vars{"token": token.Reveal()})
	w.eventuallyHealthy(token)
	w.invite(token, "after@example.com")
	w.plan(nil).expectNoChanges(t)
	w.destroy(nil)
}

// S4: two-factor authentication is enforced on the account after the
// integration was made. The same line is in the log; one apply makes an
// integration that is exempt, being made under the policy.
func TestTwoFactorEnforcedLaterIsSeenInThePlanAndRepairedByOneApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := newToken(t)
	w.config(w.base(fromAddress))
	w.apply(vars{"token": token.Reveal()})
	w.eventuallyHealthy(token)

	resp, err := apitest.Read[api.TwoFactorPolicy](w.account.API.SetTwoFactorPolicy(t.Context(), nil,
		api.TwoFactorPolicyInput{Enforced: true}))
	done(t, resp.Status, resp.Body, err)
	w.eventuallyLogged("AuthWrap failed to generateNewSession")
	w.eventuallyLogged("two_factor_enforced")
	w.eventuallyProblem(token, "two_factor_enforced")

	p := w.plan(vars{"token": token.Reveal()})
	p.expect(t, map[string]string{
		"scimbridge_provisioning.this": "update",
		"scimbridge_deployment.bridge": "update",
	})
	if !strings.Contains(strings.ToLower(p.text), "two-factor") {
		t.Errorf("the plan does not say why provisioning must be activated again:\n%s", p.text)
	}
	w.apply(vars{"token": token.Reveal()})
	w.eventuallyHealthy(token)
	w.plan(nil).expectNoChanges(t)
	w.destroy(nil)
}
