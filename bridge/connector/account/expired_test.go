package account

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// That the overlap of a generation is over must outlive every answer that
// comes next: the account may be away a moment later, and say nothing.
func TestAnExpiredGenerationStaysExpired(t *testing.T) {
	t.Parallel()
	c := New(Config{Log: hclog.NewNullLogger(), Now: time.Now})
	c.SetCredentials(session.Integration{AccountURL: "http://127.0.0.1"}, 1)
	refused := func(code api.ErrorCode) error {
		return &client.Error{Problem: api.Problem{Code: code, Status: http.StatusUnauthorized}}
	}
	for _, row := range []struct {
		name              string
		happens           func()
		expired, outdated bool
	}{
		{"another pair was made", func() {
			c.failed(c.creds, refused(api.ErrorCodeCredentialsChanged), 1)
		}, false, true},
		{"the account is away", func() { c.failed(c.creds, errors.New("connection refused"), 1) }, false, false},
		{"the overlap is over", func() { c.failed(c.creds, refused(api.ErrorCodeCredentialsExpired), 1) }, true, true},
		{"then the account is away", func() { c.failed(c.creds, errors.New("connection refused"), 1) }, true, false},
		{"then the firewall blocks", func() {
			c.failed(c.creds, refused(api.ErrorCodeFirewallBlocked), 1)
		}, true, false},
		{"then the credentials are cleared", c.ClearCredentials, true, false},
		{"then newer ones are set", func() { c.SetCredentials(session.Integration{}, 2) }, true, false},
	} {
		row.happens()
		s := c.CredentialState()
		if got := s.Expired == 1; got != row.expired {
			t.Errorf("%s: generation %d has expired, want 1: %t", row.name, s.Expired, row.expired)
		}
		if s.Outdated != row.outdated {
			t.Errorf("%s: outdated is %t", row.name, s.Outdated)
		}
	}
}

// The bridge looks at the state when it has changed, and no change may pass
// unseen however many come before it looks.
func TestChangesAreSignalledWithoutWaiting(t *testing.T) {
	t.Parallel()
	c := New(Config{Log: hclog.NewNullLogger(), Now: time.Now})
	for epoch := range int64(3) { // without a receiver nothing blocks
		c.SetCredentials(session.Integration{}, epoch+1)
	}
	select {
	case <-c.Changes():
	default:
		t.Fatal("three changes, and no signal")
	}
	select {
	case <-c.Changes():
		t.Error("changes that were seen are signalled again")
	default:
	}
	c.ClearCredentials()
	select {
	case <-c.Changes():
	default:
		t.Error("a change after the signal was received is not signalled")
	}
	c.ClearCredentials() // which changes nothing
	select {
	case <-c.Changes():
		t.Error("what changes nothing is signalled")
	default:
	}
}
