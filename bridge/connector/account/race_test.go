package account

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A loggingHook runs something while an error is logged.
type loggingHook struct {
	hclog.Logger
	hook func()
}

func (l loggingHook) Error(string, ...any) { l.hook() }

// Of two replicas behind a load balancer one may answer and the other not, at
// the same moment; the last answer decides, and nothing stays behind.
func TestAnAnswerBesideAStrangeOneLeavesNoProblemForEver(t *testing.T) {
	t.Parallel()
	var c *Connector
	c = New(Config{Now: time.Now, Log: loggingHook{hclog.NewNullLogger(), func() { c.noteAnswer(nil) }}})
	strange := &client.Error{Status: http.StatusBadGateway, Foreign: "502 Bad Gateway"}
	c.noteAnswer(strange)
	if c.State().Strange == nil {
		t.Error("the strange answer is not told")
	}
	c.noteAnswer(nil)
	if p := c.State().Strange; p != nil {
		t.Errorf("after an answer of the account: %s", p.Cause)
	}
}

// A transport that runs something before it fails.
type hookedTransport func()

func (h hookedTransport) RoundTrip(*http.Request) (*http.Response, error) {
	h()
	return nil, errors.New("connection refused")
}

// Credentials may be dropped, because their overlap is over, while a sign-in
// with them is under way: the bridge is sealed then, whatever comes of it.
func TestASignInThatOutlivesItsCredentialsLeavesTheBridgeSealed(t *testing.T) {
	t.Parallel()
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	var c *Connector
	c = New(Config{
		Now: time.Now, Log: hclog.NewNullLogger(), Transport: hookedTransport(func() { c.ClearCredentials() }),
		Health: func() health.Health { return health.Health{State: health.Healthy} },
	})
	c.SetCredentials(session.Integration{AccountURL: "http://127.0.0.1:1", AccountID: "acc", Email: "a@example.com",
		Secrets: secrets}, 1)
	creds, err := c.attempt(t.Context())
	if err == nil {
		t.Fatal("the account that is not there has let the bridge in")
	}
	c.failed(creds, err, 1)
	if s := c.State(); s.Phase != Waiting || s.Problem != nil {
		t.Errorf("a sealed bridge is %s, with the problem %v", s.Phase, s.Problem)
	}
	// One that succeeds gives its session back.
	ended := 0
	l := &login{client: &api.Client{Server: "http://127.0.0.1:1/", Client: doer(func() {
		ended++
	})}, token: "t", creds: &credentials{epoch: 1}}
	if c.adopt(t.Context(), l) {
		t.Error("a session of dropped credentials is used")
	}
	if s := c.State(); ended != 1 || s.Phase != Waiting {
		t.Errorf("it was ended %d times, want once; the bridge is %s", ended, s.Phase)
	}
}

type doer func()

func (d doer) Do(*http.Request) (*http.Response, error) {
	d()
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}, nil
}

// While a sign-in with an old pair is refused for its age, the new token may
// have come: that is not refused with it.
func TestAnOldPairsRefusalSaysNothingOfTheNewOne(t *testing.T) {
	t.Parallel()
	c := New(Config{Now: time.Now, Log: hclog.NewNullLogger()})
	c.SetCredentials(session.Integration{AccountURL: "http://127.0.0.1:1"}, 1)
	tried := c.creds
	c.SetCredentials(session.Integration{AccountURL: "http://127.0.0.1:1"}, 2)
	c.failed(tried, &client.Error{
		Problem: api.Problem{Code: api.ErrorCodeCredentialsExpired, Status: http.StatusUnauthorized},
	}, 1)
	if s := c.CredentialState(); s.Expired != 0 || s.Outdated {
		t.Errorf("the new credentials are refused with the old: %+v", s)
	}
	if p := c.State().Problem; p != nil {
		t.Errorf("the new credentials have the problem of the old: %s", p.Cause)
	}
}
