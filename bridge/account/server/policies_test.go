package server_test

import (
	"slices"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// Credentials from before the policy are invalid under it, and all that
// must know is told so: the bridge, at its next request and its next sign-in,
// and the administrator. New ones, created under the policy, are exempt.
func TestTwoFactorPolicy(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		renew func(*testing.T, *conversation) credentials
	}{
		{"rotating heals it", func(t *testing.T, c *conversation) credentials { return c.rotate(t, 15*time.Minute) }},
		{"activating again solves it", func(t *testing.T, c *conversation) credentials {
			_, err := apitest.Read[struct{}](c.DeactivateProvisioning(t.Context(), nil))
			ok(t, err)
			return c.activate(t)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := converse(t)
			old := c.activate(t)
			bridge := c.mustSignIn(t, old, "bridge-1")
			before := c.provisioning(t)
			equal(t, "usable before", *before.Usable, true)

			policy := c.twoFactor(t, true)
			equal(t, "enforced", policy.Enforced, true)
			if policy.EnforcedAt == nil || !policy.EnforcedAt.Equal(c.clock.Now()) {
				t.Errorf("enforced at %v", policy.EnforcedAt)
			}
			equal(t, "live", c.onlyBridge(t).Live, false)
			equal(t, "the session", beat(t, bridge), "two_factor_enforced")
			_, refused := c.signIn(t, old, "bridge-1")
			equal(t, "signing in", codeOf(refused), "two_factor_enforced")
			equal(t, "status", refused.Status, 403)
			_, refused = c.signIn(t, credentials{old.email, old.epoch + 9, old.secrets}, "stranger")
			equal(t, "a stranger does not learn of the policy", codeOf(refused), "sign_in_failed")

			after := c.provisioning(t)
			equal(t, "usable", *after.Usable, false)
			equal(t, "why not", deref(after.UnusableReason), "two_factor_enforced")
			equal(t, "generations that can sign in", len(*after.Generations), 0)
			equal(t, "epoch", *after.Epoch, old.epoch)
			if after.Etag == before.Etag {
				t.Error("the integration's etag did not move")
			}
			last := after.LastRefusal
			if last == nil || last.Code != "two_factor_enforced" || last.Address != office ||
				*last.Instance != "bridge-1" {
				t.Errorf("last refusal is %+v", last)
			}
			equal(t, "the bridge's state", c.onlyBridge(t).State, "refused")

			fresh := row.renew(t, c)
			equal(t, "new credentials", beat(t, c.mustSignIn(t, fresh, "bridge-1")), "")
			equal(t, "usable again", *c.provisioning(t).Usable, true)
			if _, refused = c.signIn(t, old, "bridge-2"); refused == nil {
				t.Error("the old credentials are let in beside the new ones")
			}
			c.twoFactor(t, true)
			equal(t, "enforcing what is enforced", beat(t, c.mustSignIn(t, fresh, "bridge-1")), "")
		})
	}
}

// Lifting the policy makes what it alone had barred good again, sessions
// apart, and nothing else.
func TestTwoFactorPolicyIsLifted(t *testing.T) {
	t.Parallel()
	c := converse(t)
	replaced := c.activate(t)
	old := c.rotate(t, time.Hour)
	bridge := c.mustSignIn(t, old, "bridge-1")
	c.twoFactor(t, true)
	fresh := c.rotate(t, 0)
	c.twoFactor(t, false)
	equal(t, "the session", beat(t, bridge), "session_ended")
	for name, creds := range map[string]credentials{"replaced": replaced, "old": old} {
		_, refused := c.signIn(t, creds, "bridge-1")
		equal(t, name+" credentials, ended by a rotation meanwhile", codeOf(refused), "credentials_expired")
	}
	equal(t, "fresh credentials", beat(t, c.mustSignIn(t, fresh, "bridge-1")), "")
	c.twoFactor(t, true)
	_, refused := c.signIn(t, fresh, "bridge-1")
	equal(t, "once exempt, before the policy is enforced again", codeOf(refused), "two_factor_enforced")
	c.twoFactor(t, false)
	equal(t, "after it is lifted again", beat(t, c.mustSignIn(t, fresh, "bridge-1")), "")
	equal(t, "usable", *c.provisioning(t).Usable, true)
}

// The policy is versioned and audited; writing what is there changes nothing.
func TestTwoFactorPolicyIsVersioned(t *testing.T) {
	t.Parallel()
	c := converse(t)
	first, err := apitest.Read[api.TwoFactorPolicy](c.GetTwoFactorPolicy(t.Context()))
	ok(t, err)
	equal(t, "enforced", first.Value.Enforced, false)
	equal(t, "the header", first.Header.Get("ETag"), first.Value.Etag)
	equal(t, "lifting what is not enforced", c.twoFactor(t, false).Etag, first.Value.Etag)
	c.clock.advance(time.Second)
	second := c.twoFactor(t, true)
	c.clock.advance(time.Second)
	stale, err := apitest.Read[api.TwoFactorPolicy](c.SetTwoFactorPolicy(t.Context(), &api.SetTwoFactorPolicyParams{
		IfMatch: &first.Value.Etag,
	}, api.TwoFactorPolicyInput{}))
	ok(t, err)
	equal(t, "on an old version", codeOf(stale.Problem), "version_mismatch")
	c.clock.advance(time.Hour)
	again := c.twoFactor(t, true)
	equal(t, "etag after writing the same", again.Etag, second.Etag)
	equal(t, "since when, after writing the same", again.EnforcedAt.String(), second.EnforcedAt.String())
	equal(t, "what is no policy", c.raw(t, "PUT", "/v1/policies/two-factor", `{"enforced":"yes"}`).Problem.Status, 400)
	c.clock.advance(time.Second)
	c.twoFactor(t, false)

	events, err := apitest.Read[api.AuditEventPage](c.ListAuditEvents(t.Context(), nil))
	ok(t, err)
	var actions []string
	for _, e := range events.Value.Items {
		actions = append(actions, e.Action)
	}
	if !slices.Equal(actions[:4], []string{
		"two_factor.lift", "change.refuse", "change.refuse", "two_factor.enforce",
	}) {
		t.Errorf("audited: %v", actions)
	}
	equal(t, "usable while there is no integration", c.provisioning(t).Usable == nil, true)
}

func (c *conversation) twoFactor(t *testing.T, enforced bool) api.TwoFactorPolicy {
	t.Helper()
	r, err := apitest.Read[api.TwoFactorPolicy](c.SetTwoFactorPolicy(t.Context(), nil,
		api.TwoFactorPolicyInput{Enforced: enforced}))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("setting the two-factor policy: %s", r.Body)
	}
	return *r.Value
}
