package server_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// A process that was killed cannot take leave. Its session lives for hours,
// but a change of the firewall must not wait for that.
func TestABridgeThatFellSilentIsLost(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	bridge := c.mustSignIn(t, creds, "bridge-1")
	deny := func() string {
		r, err := apitest.Read[api.FirewallRule](c.CreateFirewallRule(t.Context(), nil, rule(api.Deny, office)))
		ok(t, err)
		return codeOf(r.Problem)
	}

	c.clock.advance(2*time.Minute - time.Second)
	equal(t, "live just before", c.onlyBridge(t).Live, true)
	equal(t, "state just before", c.onlyBridge(t).State, "healthy")
	equal(t, "a rule against a live bridge", deny(), "would_lock_out")
	c.clock.advance(time.Second)
	equal(t, "live after two minutes", c.onlyBridge(t).Live, false)
	equal(t, "state after two minutes", c.onlyBridge(t).State, "lost")

	// It was only cut off: its session is as good as before.
	equal(t, "the next heartbeat", beat(t, bridge), "")
	equal(t, "live again", c.onlyBridge(t).Live, true)
	equal(t, "state again", c.onlyBridge(t).State, "healthy")
	c.clock.advance(3 * time.Minute)
	equal(t, "a rule against a lost bridge", deny(), "")
	equal(t, "the heartbeat of a blocked bridge", beat(t, bridge), "firewall_blocked")
	c.clock.advance(3 * time.Minute)
	equal(t, "state of a blocked bridge that fell silent", c.onlyBridge(t).State, "refused")
}

// A process that has handed over to another, under the same instance, leaves
// after the other came; the bridge has not stopped.
func TestWhoWasSupersededLeavesUnseen(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	crashed := c.mustSignIn(t, creds, "bridge-1")
	c.clock.advance(time.Second)
	first := c.mustSignIn(t, creds, "bridge-1")
	c.clock.advance(time.Second)
	second := c.mustSignIn(t, creds, "bridge-1")
	other := c.mustSignIn(t, creds, "bridge-2")
	state := func(instance string) string {
		for _, b := range c.bridges(t) {
			if b.Instance == instance {
				return b.State
			}
		}
		return ""
	}
	signOut := func(who *api.Client) {
		r, err := apitest.Read[struct{}](who.SignOut(t.Context()))
		ok(t, err)
		equal(t, "the status of signing out", r.Status, 204)
	}

	signOut(first)
	equal(t, "after the first left", state("bridge-1"), "healthy")
	equal(t, "the first's session", beat(t, first), "session_ended")
	equal(t, "the second's", beat(t, second), "")
	// Another instance that goes on, and a session whose process crashed long
	// ago, do not keep a bridge from having stopped.
	signOut(second)
	equal(t, "after the second left", state("bridge-1"), "stopped")
	equal(t, "the other instance", state("bridge-2"), "healthy")
	equal(t, "its session", beat(t, other), "")
	equal(t, "the crashed one's", beat(t, crashed), "")
}

// A process on standby that ends, on purpose or because its Terraform was
// killed, leaves the one that serves as it was.
func TestAStandbyThatEndsLeavesTheBridgeRunning(t *testing.T) {
	t.Parallel()
	signOut := func(t *testing.T, who *api.Client) {
		r, err := apitest.Read[struct{}](who.SignOut(t.Context()))
		ok(t, err)
		equal(t, "the status of signing out", r.Status, 204)
	}
	stopping := func(t *testing.T, who *api.Client) {
		r, err := apitest.Read[api.HeartbeatAnswer](who.SendHeartbeat(t.Context(), api.Heartbeat{
			Revision: "r2", State: "stopped", Problems: []string{},
		}))
		ok(t, err)
		equal(t, "the status of a last heartbeat", r.Status, 200)
	}
	for _, row := range []struct {
		name  string
		quiet time.Duration // since the serving one's last heartbeat
		leave func(*testing.T, *api.Client)
		state string
	}{
		{"it signs out", 0, signOut, "healthy"},
		{"it says so and signs out", 0, func(t *testing.T, who *api.Client) {
			stopping(t, who)
			signOut(t, who)
		}, "healthy"},
		{"the serving one missed a heartbeat", 31 * time.Second, signOut, "healthy"},
		{"the serving one was killed", time.Minute, signOut, "stopped"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := converse(t)
			creds := c.activate(t)
			serving := c.mustSignIn(t, creds, "bridge-1")
			equal(t, "the serving one's heartbeat", beat(t, serving), "")
			c.clock.advance(time.Second)
			standby := c.mustSignIn(t, creds, "bridge-1")
			c.clock.advance(row.quiet)
			equal(t, "the standby's heartbeat", beat(t, standby), "")
			row.leave(t, standby)
			b := c.onlyBridge(t)
			equal(t, "state", b.State, row.state)
			equal(t, "revision", b.Revision, "r1")
			equal(t, "the serving one's next heartbeat", beat(t, serving), "")
			signOut(t, serving)
			equal(t, "state after the serving one left", c.onlyBridge(t).State, "stopped")
		})
	}
}

// The last heartbeat of a process on standby is reported with the address that
// it came from, not with that of the process that serves.
func TestAReportedStandbyIsReportedAtItsOwnAddress(t *testing.T) {
	t.Parallel()
	const elsewhere = "203.0.113.9"
	c := converse(t)
	creds := c.activate(t)
	equal(t, "the serving one's heartbeat", beat(t, c.mustSignIn(t, creds, "bridge-1")), "")
	c.clock.advance(time.Second)
	in, refused := c.signIn(t, creds, "bridge-1")
	equal(t, "the refusal of the standby", codeOf(refused), "")
	_, err := apitest.Read[api.FirewallRule](c.CreateFirewallRule(t.Context(), nil, rule(api.Report, elsewhere)))
	ok(t, err)
	last, err := apitest.Read[api.HeartbeatAnswer](c.as(t, in.SessionToken, elsewhere).SendHeartbeat(t.Context(),
		api.Heartbeat{Revision: "r1", State: api.Stopped, Problems: []string{}}))
	ok(t, err)
	equal(t, "the status of a last heartbeat", last.Status, 200)

	page, err := apitest.Read[api.SignInAttemptPage](c.ListSignInAttempts(t.Context(), nil))
	ok(t, err)
	var reported []string
	for _, a := range page.Value.Items {
		if a.Result == "reported" {
			reported = append(reported, a.Address)
		}
	}
	equal(t, "reported addresses", strings.Join(reported, ", "), elsewhere)
}

// Any client may begin to sign in. One that does so without end gets no more than
// its share, and the bridge still signs in.
func TestABridgeGetsInDuringAFlood(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	stranger := c.as(t, "", "203.0.113.66")
	for range 30 {
		flood.Go(func() {
			for ctx.Err() == nil {
				r, err := apitest.Read[api.Handshake](stranger.StartSignIn(ctx, api.SignInStart{
					AccountId: c.account.ID, Email: manager, Epoch: creds.epoch,
				}))
				switch {
				case ctx.Err() != nil:
				case err != nil:
					t.Error(err)
				case r.Status == 429 && r.Header.Get("Retry-After") == "2" && codeOf(r.Problem) == "too_many_requests":
				case r.Status != 200:
					t.Errorf("the flood got %d: %s", r.Status, r.Body)
				}
			}
		})
	}
	for range 3 {
		equal(t, "a heartbeat", beat(t, c.mustSignIn(t, creds, "bridge-1")), "")
	}
	stop()
	flood.Wait()
}
