package auth_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// An accountSession is where an account keeps the sealed session; it is empty while provisioning is not active.
type accountSession struct {
	text  string
	reads atomic.Int64
}

func (a *accountSession) read() (session.File, error) {
	a.reads.Add(1)
	if a.text == "" {
		return session.File{}, fmt.Errorf("reading the session: %w", auth.ErrInactive)
	}
	return session.Parse(a.text)
}

func newFollower(a *accountSession) (*auth.TokenVerifier, *connector) {
	c := &connector{}
	v := auth.NewTokenVerifier(a.read, c, time.Now)
	v.Follow()
	return v, c
}

func TestASessionIsFollowedFromItsActivationOn(t *testing.T) {
	t.Parallel()
	token, kept := newToken(t), new(accountSession)
	v, c := newFollower(kept)
	refusedWith(t, "before the activation", v.Verify(token.Reveal()), auth.Unavailable, "")
	report := v.Report()
	if report.State != health.Sealed || len(report.Problems) != 1 ||
		report.Problems[0].Code != problem.ProvisioningInactive {
		t.Errorf("before the activation the report is %+v", report)
	}
	kept.text = seal(t, token, 1, nil)
	if err := v.Verify(token.Reveal()); err != nil || c.CredentialState().Epoch != 1 {
		t.Errorf("the first request after the activation: %v, epoch %d", err, c.CredentialState().Epoch)
	}
}

// The new token is right with the identity provider's next request, and the old one until its overlap ends.
func TestARotationIsFollowedWhileASessionIsOpen(t *testing.T) {
	t.Parallel()
	old, fresh := newToken(t), newToken(t)
	kept := &accountSession{text: seal(t, old, 1, nil)}
	v, c := newFollower(kept)
	if err := v.Verify(old.Reveal()); err != nil {
		t.Fatal(err)
	}
	kept.text = bundle(t, old, fresh, time.Now().Add(time.Hour))
	if v.Reload(); !v.State().Newer || v.State().Header.Epoch != 1 {
		t.Errorf("after the rotation the state is %+v", v.State())
	}
	if err := v.Verify(old.Reveal()); err != nil || c.CredentialState().Epoch != 1 {
		t.Errorf("the old token within the overlap: %v, epoch %d", err, c.CredentialState().Epoch)
	}
	if err := v.Verify(fresh.Reveal()); err != nil || c.CredentialState().Epoch != 2 || v.State().Newer {
		t.Errorf("the new token: %v, epoch %d", err, c.CredentialState().Epoch)
	}
	if err := v.Verify(old.Reveal()); err != nil {
		t.Errorf("the old token within the overlap, after the new one: %v", err)
	}
}

func TestARotationIsFoundByTheNewToken(t *testing.T) {
	t.Parallel()
	old, fresh := newToken(t), newToken(t)
	kept := &accountSession{text: seal(t, old, 1, nil)}
	v, c := newFollower(kept)
	if err := v.Verify(old.Reveal()); err != nil {
		t.Fatal(err)
	}
	kept.text = seal(t, fresh, 2, nil) // without an overlap
	if err := v.Verify(fresh.Reveal()); err != nil || c.CredentialState().Epoch != 2 {
		t.Errorf("the new token: %v, epoch %d", err, c.CredentialState().Epoch)
	}
	refusedWith(t, "the old token", v.Verify(old.Reveal()), auth.Wrong, problem.TokenRejected)
}

// An activation after a change of the Provision Manager may be under the same token.
func TestANewSessionUnderTheSameTokenIsOpened(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	kept := &accountSession{text: seal(t, token, 1, nil)}
	v, c := newFollower(kept)
	if err := v.Verify(token.Reveal()); err != nil {
		t.Fatal(err)
	}
	kept.text = seal(t, token, 3, nil)
	c.say(func(s *session.CredentialState) { s.Outdated, s.Generations = true, []session.Generation{{Epoch: 3}} })
	v.Reload()
	if err := v.Verify(token.Reveal()); err != nil || c.CredentialState().Epoch != 3 {
		t.Errorf("the token: %v, epoch %d", err, c.CredentialState().Epoch)
	}
}

// The account is not asked for each request, only for a token that is not right.
func TestARightTokenReadsNoSession(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	kept := &accountSession{text: seal(t, token, 1, nil)}
	v, _ := newFollower(kept)
	before := kept.reads.Load()
	for range 3 {
		if err := v.Verify(token.Reveal()); err != nil {
			t.Fatal(err)
		}
	}
	if n := kept.reads.Load() - before; n != 0 {
		t.Errorf("the session was read %d times", n)
	}
	refusedWith(t, "another token", v.Verify(newToken(t).Reveal()), auth.Wrong, problem.TokenRejected)
}

// A deactivated integration has no session: the open one stays until the account refuses it.
func TestADeactivationLeavesAnOpenSession(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	kept := &accountSession{text: seal(t, token, 1, nil)}
	v, _ := newFollower(kept)
	if err := v.Verify(token.Reveal()); err != nil {
		t.Fatal(err)
	}
	kept.text = ""
	v.Reload()
	if err := v.Verify(token.Reveal()); err != nil || v.State().Sealed {
		t.Errorf("the token after the deactivation: %v", err)
	}
	v.Seal()
	refusedWith(t, "once it is sealed", v.Verify(token.Reveal()), auth.Unavailable, "")
}
